/**
 * The summary as a table, as wide as the screen allows.
 */
import type { RunStatus } from "botanu-effect"
import * as Figures from "./Figures.js"
import { inkOf } from "./StatusInk.js"
import { statuses, type WorkflowSummary } from "./Summary.js"
import { type Alignment, type Ink, pad, paint, type Screen, truncate, visible, widest } from "./Terminal.js"

interface Row {
  readonly name: string
  readonly isTotal: boolean
  readonly figures: WorkflowSummary["total"]
}

interface Column {
  readonly header: string
  readonly alignment: Alignment
  readonly ink?: Ink
  readonly cell: (row: Row) => string
}

/** The lines of the table. */
export const lines = (summaries: ReadonlyArray<WorkflowSummary>, screen: Screen): ReadonlyArray<string> => {
  const rows = summaries.flatMap(
    ({ customers, total, workflow }): ReadonlyArray<Row> => [
      { name: visible(workflow), isTotal: true, figures: total },
      ...customers.map(({ customerId, figures }) => ({ name: `  ${visible(customerId)}`, isTotal: false, figures }))
    ]
  )
  const wide = widthsOf(wideColumns, rows)
  if (sum(wide) + gap.length * (wide.length - 1) <= screen.columns) return grid(wideColumns, wide, rows, screen)
  const narrow = widthsOf(narrowColumns, rows)
  const [header = "", ...body] = grid(narrowColumns, narrow, rows, screen)
  return [header, ...rows.flatMap((row, index) => [body[index] ?? "", ...valueBelow(row, screen)])]
}

const absent = "·"

const plain = (header: string, alignment: Alignment, cell: Column["cell"]): Column => ({ header, alignment, cell })

const outcome = (status: RunStatus, header: string): Column => ({
  header,
  alignment: "right",
  ink: inkOf(status),
  cell: ({ figures }) => {
    const count = figures.outcomes.get(status)
    return count === undefined ? absent : Figures.amount(count)
  }
})

const valueOf = ({ figures }: Row): string =>
  Array.from(figures.values, ([type, sum]) => `${Figures.amount(sum)} ${visible(type)}`.trimEnd()).join(", ")

const columnsWith = (longestName: number, outcomeHeader: (status: RunStatus) => string): ReadonlyArray<Column> => [
  plain("Workflow", "left", ({ name }) => truncate(name, longestName)),
  plain("Events", "right", ({ figures }) => Figures.amount(figures.events)),
  plain("Runs", "right", ({ figures }) => Figures.amount(figures.runs)),
  plain("Attempts", "right", ({ figures }) => String(figures.attempts)),
  ...statuses.map((status) => outcome(status, outcomeHeader(status))),
  plain("p50", "right", ({ figures }) => Figures.duration(figures.p50Ms)),
  plain("p95", "right", ({ figures }) => Figures.duration(figures.p95Ms))
]

const wideColumns: ReadonlyArray<Column> = [
  ...columnsWith(22, (status) => status),
  plain(" Value", "left", (row) => ` ${valueOf(row) || absent}`)
]

const shortStatus: Record<RunStatus, string> = {
  success: "succ",
  failure: "fail",
  partial: "part",
  timeout: "time",
  canceled: "canc"
}

const narrowColumns = columnsWith(18, (status) => shortStatus[status])

const gap = " "

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)

const widthsOf = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<Row>): ReadonlyArray<number> =>
  columns.map(({ cell, header }) => widest([header, ...rows.map(cell)]))

const grid = (
  columns: ReadonlyArray<Column>,
  widths: ReadonlyArray<number>,
  rows: ReadonlyArray<Row>,
  screen: Screen
): ReadonlyArray<string> => {
  const line = (cellOf: (column: Column) => string, inkFor: (column: Column, cell: string) => Ink | undefined) =>
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

const valueBelow = (row: Row, screen: Screen): ReadonlyArray<string> =>
  row.figures.values.size === 0 ? [] : [paint(screen, "dim", `    ${valueOf(row)}`)]
