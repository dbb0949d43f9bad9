/**
 * `botanu sql "select …"`: a statement over the tables of the ledger, which can only read.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import { select } from "../store/LedgerSelect.js"
import type { Row } from "../store/LedgerStore.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"

/** Prints the rows of a statement. Those of a table come in pages, each as wide as its rows need, so that not all are in memory. */
export const sql = (options: {
  readonly ledger: string
  readonly statement: string
  readonly format: Rows.Format
}): Effect.Effect<void, CommandError, Screen | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const { columns, print } = yield* Screen
    const pages = Rows.pages(options.format, columns)
    let waiting: Array<Row> = []
    let isEmpty = true
    const printPage = Effect.suspend(() => {
      const rows = waiting
      waiting = []
      isEmpty = false
      const names = Object.keys(rows[0] ?? {})
      return print(
        pages.next(
          names.map((name) => ({
            title: Rows.cell(name),
            cells: rows.map((row) => Rows.cell(shortened(row[name] ?? ""), 60)),
            alignment: rows.every((row) => row[name] == null || isNumber.test(row[name])) ? "right" : "left"
          })),
          rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? undefined])))
        )
      )
    })
    yield* select(options.ledger, options.statement, (rows) => {
      waiting.push(...rows)
      return waiting.length < pageRows ? Effect.void : printPage
    })
    if (waiting.length > 0) yield* printPage
    yield* print(options.format === "table" && isEmpty ? ["no rows"] : pages.end())
  })

const pageRows = 1000

const isNumber = /^-?\d+(\.\d+)?$/

/** Without the zeros at the end of a decimal. */
const shortened = (text: string): string => (/^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, "") : text)
