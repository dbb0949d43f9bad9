/**
 * `botanu sql "select …"`: a statement over the tables of the ledger, which can only read.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import { select } from "../store/LedgerSelect.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"

/** Prints the rows of a statement. */
export const sql = (options: {
  readonly ledger: string
  readonly statement: string
  readonly format: Rows.Format
}): Effect.Effect<void, CommandError, Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { columns, print } = yield* Screen
    const rows = yield* select(options.ledger, options.statement)
    const names = Object.keys(rows[0] ?? {})
    if (rows.length === 0 && options.format === "table") return yield* print(["no rows"])
    yield* print(
      Rows.lines(
        options.format,
        names.map((name) => ({
          title: Rows.cell(name),
          cells: rows.map((row) => Rows.cell(shortened(row[name] ?? ""), 60)),
          alignment: rows.every((row) => row[name] == null || isNumber.test(row[name])) ? "right" : "left"
        })),
        rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? undefined]))),
        columns
      )
    )
  })

const isNumber = /^-?\d+(\.\d+)?$/

/** Without the zeros at the end of a decimal. */
const shortened = (text: string): string => (/^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, "") : text)
