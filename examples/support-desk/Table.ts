/**
 * Tables in columns that are as wide as they need to be.
 */

import { TerminalText } from "botanu-effect/report"
import { type Ink, paint, type Screen, widest } from "./Terminal.js"

const { pad } = TerminalText

type Alignment = "left" | "right"

export interface Row<Figures> {
  readonly name: string
  readonly isTotal: boolean
  readonly figures: Figures
}

export interface Column<R> {
  readonly header: string
  readonly alignment: Alignment
  readonly ink?: Ink | undefined
  readonly cell: (row: R) => string
}

/** What a cell shows that has nothing to show. */
export const absent = "·"

export const column = <R>(header: string, alignment: Alignment, cell: (row: R) => string): Column<R> => ({
  header,
  alignment,
  cell
})

const gap = " "

/** How many columns of the screen the table takes. */
export const width = <R>(columns: ReadonlyArray<Column<R>>, rows: ReadonlyArray<R>): number =>
  widthsOf(columns, rows).reduce((total, width) => total + width, gap.length * (columns.length - 1))

const widthsOf = <R>(columns: ReadonlyArray<Column<R>>, rows: ReadonlyArray<R>): ReadonlyArray<number> =>
  columns.map(({ cell, header }) => widest([header, ...rows.map(cell)]))

/** The lines of the table, the first of which has the headers. */
export const grid = <R extends Row<unknown>>(
  columns: ReadonlyArray<Column<R>>,
  rows: ReadonlyArray<R>,
  screen: Screen
): ReadonlyArray<string> => {
  const widths = widthsOf(columns, rows)
  const line = (cellOf: (column: Column<R>) => string, inkFor: (column: Column<R>, cell: string) => Ink | undefined) =>
    columns
      .map((column, index) => {
        const cell = cellOf(column)
        const isLast = index === columns.length - 1
        const padded = isLast && column.alignment === "left" ? cell : pad(cell, widths[index] ?? 0, column.alignment)
        const ink = inkFor(column, cell)
        return ink === undefined ? padded : paint(screen, ink, padded)
      })
      .join(gap)
  return [
    line(
      ({ header }) => header,
      () => "dim"
    ),
    ...rows.map((row) =>
      line(
        ({ cell }) => cell(row),
        ({ ink }, cell) => (cell.trim() === absent ? "dim" : (ink ?? (row.isTotal ? "bold" : undefined)))
      )
    )
  ]
}
