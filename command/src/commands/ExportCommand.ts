/**
 * `botanu export`: a table of the ledger as a file.
 */
import { FileSystem, type Path } from "@effect/platform"
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { runWindows } from "../query/RunWindows.js"
import * as DuckDb from "../store/DuckDb.js"
import { LedgerStore, type Relation } from "../store/LedgerStore.js"
import * as Segments from "../store/Segments.js"
import * as DelimitedText from "../terminal/DelimitedText.js"
import { Screen } from "../terminal/Screen.js"
import { usageError } from "./EventOptions.js"

export const exportFormats = ["parquet", "csv", "jsonl"] as const
export type ExportFormat = (typeof exportFormats)[number]

/** Writes the file. One that is there is not replaced, and one that could not be finished is removed. */
export const exportTo = (options: {
  readonly table: Relation
  readonly format: ExportFormat
  readonly output: string
}): Effect.Effect<void, CommandError, LedgerStore | Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    const files = yield* FileSystem.FileSystem
    const { format, output, table } = options
    if (yield* files.exists(output)) {
      return yield* usageError(
        `--output: ${TerminalText.visible(output)} is there already: remove it or name another file`
      )
    }
    const written =
      format === "jsonl"
        ? writeRecords(output)
        : format === "csv"
          ? writeCsv(table, output)
          : writeParquet(table, output)
    const rows = yield* Effect.onError(written, () => Effect.ignore(files.remove(output, { force: true })))
    yield* print([
      `${Figures.count(rows)} ${format === "jsonl" ? "runs" : `rows of ${table}`} in ${TerminalText.visible(output)}`
    ])
  }).pipe(
    Effect.catchTags({
      BadArgument: (error) => unwritable(options.output, error),
      SystemError: (error) => unwritable(options.output, error)
    })
  )

const unwritable = (output: string, { message }: { readonly message: string }) =>
  new CommandError({
    message: `${TerminalText.visible(output)} cannot be written: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })

/** Lines that `botanu-effect/ledger` reads again: a folder of a day with this file in it is a ledger. */
const writeRecords = (output: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    let rows = 0
    yield* runWindows.pipe(
      Stream.map((records) => {
        rows += records.length
        return records
          .map(({ completed, run }) =>
            JSON.stringify(
              completed === undefined ? { v: 1, type: "started", run } : { v: 1, type: "completed", completed }
            )
          )
          .map((line) => `${line}\n`)
          .join("")
      }),
      Stream.encodeText,
      Stream.run(files.sink(output))
    )
    return rows
  })

const writeCsv = (table: Relation, output: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const rows = yield* rowsOf(table)
    const titles = Object.keys(rows[0] ?? {})
    const text = DelimitedText.csv(
      titles,
      rows.map((row) => titles.map((title) => cellOf(row[title] ?? undefined)))
    )
    yield* files.writeFileString(output, text.map((line) => `${line}\n`).join(""))
    return rows.length
  })

/** A number is no formula, also a negative one. */
const cellOf = (text: string | undefined): string | number | undefined =>
  text !== undefined && /^-\d{1,15}$/.test(text) ? Number(text) : text

const rowsOf = (table: Relation) =>
  Effect.flatMap(LedgerStore, ({ query }) => query({ from: [table], text: `SELECT * FROM ${table}` }))

/** DuckDB writes Parquet, also of the rows of PostgreSQL: amounts as decimals, times with their zone. */
const writeParquet = (table: Relation, output: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const rows = yield* rowsOf(table)
      const names = Object.keys(rows[0] ?? {})
      if (names.length === 0) return yield* usageError(`--of: ${table} is empty`)
      const lines = yield* files.makeTempFileScoped({ prefix: "botanu-export-" })
      yield* files.writeFileString(lines, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
      const database = yield* DuckDb.make
      const columns = names.map((name) => `${DuckDb.literal(name)}: ${DuckDb.literal(typeOf(name))}`)
      yield* database.query(
        `COPY (SELECT * FROM read_json(${Segments.literalPath(lines)}, format = 'newline_delimited',
          columns = {${columns.join(", ")}})) TO ${DuckDb.literal(output)} (FORMAT parquet, COMPRESSION zstd)`
      )
      return rows.length
    })
  )

const typeOf = (name: string): string =>
  name === "usd" || name.startsWith("usd_")
    ? "DECIMAL(38, 24)"
    : name.endsWith("_time") || name === "time" || name.endsWith("_at") || name === "deadline"
      ? "TIMESTAMPTZ"
      : name.startsWith("is_")
        ? "BOOLEAN"
        : counts.has(name)
          ? "BIGINT"
          : name === "duration_ms" || name === "amount" || name === "quantity" || name.endsWith("_amount")
            ? "DOUBLE"
            : "VARCHAR"

const counts: ReadonlySet<string> = new Set([
  "attempt",
  "attempts",
  "runs",
  "calls",
  "unpriced_calls",
  "number",
  "usage_number",
  "requests",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "price_above_input_tokens"
])
