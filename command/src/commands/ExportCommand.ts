/**
 * `botanu export`: a table of the ledger as a file.
 */
import { FileSystem, type Path } from "@effect/platform"
import { Figures, TerminalText } from "botanu-effect/report"
import { Effect, Stream } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
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
    const { allRecords } = yield* LedgerStore
    return yield* written(output, allRecords, (records) =>
      records.map(({ completed, run }) =>
        JSON.stringify(
          completed === undefined ? { v: 1, type: "started", run } : { v: 1, type: "completed", completed }
        )
      )
    )
  })

const writeCsv = (table: Relation, output: string) =>
  Effect.gen(function* () {
    let titles: ReadonlyArray<string> | undefined
    return yield* written(output, yield* rowsOf(table), (rows) => {
      const isFirst = titles === undefined
      const names = titles ?? Object.keys(rows[0] ?? {})
      titles = names
      const lines = DelimitedText.csv(
        names,
        rows.map((row) => names.map((name) => cellOf(row[name] ?? undefined)))
      )
      return isFirst ? lines : lines.slice(1)
    })
  })

/** Writes what comes some at a time as lines, and gives how many came. */
const written = <A>(
  output: string,
  pages: Stream.Stream<ReadonlyArray<A>, CommandError>,
  linesOf: (page: ReadonlyArray<A>) => ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    let count = 0
    yield* pages.pipe(
      Stream.map((page) => {
        count += page.length
        return linesOf(page)
          .map((line) => `${line}\n`)
          .join("")
      }),
      Stream.encodeText,
      Stream.run(files.sink(output))
    )
    return count
  })

/** A number is no formula, also a negative one. */
const cellOf = (text: string | undefined): string | number | undefined =>
  text !== undefined && /^-\d{1,15}$/.test(text) ? Number(text) : text

const rowsOf = (table: Relation) =>
  Effect.map(LedgerStore, ({ stream }) => stream({ from: [table], text: `SELECT * FROM ${table}` }))

/** DuckDB writes Parquet, also of the rows of PostgreSQL: amounts as decimals, times with their zone. */
const writeParquet = (table: Relation, output: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const lines = yield* files.makeTempFileScoped({ prefix: "botanu-export-" })
      let names: ReadonlyArray<string> = []
      const count = yield* written(lines, yield* rowsOf(table), (rows) => {
        if (names.length === 0) names = Object.keys(rows[0] ?? {})
        return rows.map((row) => JSON.stringify(row))
      })
      if (names.length === 0) return yield* usageError(`--of: ${table} is empty`)
      const database = yield* DuckDb.make
      const columns = names.map((name) => `${DuckDb.literal(name)}: ${DuckDb.literal(typeOf(name))}`)
      yield* database.query(
        `COPY (SELECT * FROM read_json(${Segments.literalPath(lines)}, format = 'newline_delimited',
          columns = {${columns.join(", ")}})) TO ${DuckDb.literal(output)} (FORMAT parquet, COMPRESSION zstd)`
      )
      return count
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
