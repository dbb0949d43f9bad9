/**
 * The summary as a table, as wide as the screen allows.
 */
import type { RunStatus } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import * as Figures from "./Figures.js"
import { inkOf } from "./StatusInk.js"
import { statuses, type WorkflowSummary } from "./Summary.js"
import * as Table from "./Table.js"
import { paint, type Screen } from "./Terminal.js"

const { truncate, visible } = TerminalText

type Row = Table.Row<WorkflowSummary["total"]>
type Column = Table.Column<Row>

/** The lines of the table. */
export const lines = (summaries: ReadonlyArray<WorkflowSummary>, screen: Screen): ReadonlyArray<string> => {
  const rows = summaries.flatMap(
    ({ customers, total, workflow }): ReadonlyArray<Row> => [
      { name: visible(workflow), isTotal: true, figures: total },
      ...customers.map(({ customerId, figures }) => ({ name: `  ${visible(customerId)}`, isTotal: false, figures }))
    ]
  )
  if (Table.width(wideColumns, rows) <= screen.columns) return Table.grid(wideColumns, rows, screen)
  const [header = "", ...body] = Table.grid(narrowColumns, rows, screen)
  return [header, ...rows.flatMap((row, index) => [body[index] ?? "", ...valueBelow(row, screen)])]
}

const outcome = (status: RunStatus, header: string): Column => ({
  header,
  alignment: "right",
  ink: inkOf(status),
  cell: ({ figures }) => {
    const count = figures.outcomes.get(status)
    return count === undefined ? Table.absent : Figures.amount(count)
  }
})

const valueOf = ({ figures }: Row): string =>
  Array.from(figures.values, ([type, sum]) => `${Figures.amount(sum)} ${visible(type)}`.trimEnd()).join(", ")

const columnsWith = (longestName: number, outcomeHeader: (status: RunStatus) => string): ReadonlyArray<Column> => [
  Table.column("Workflow", "left", ({ name }) => truncate(name, longestName)),
  Table.column("Events", "right", ({ figures }) => Figures.amount(figures.events)),
  Table.column("Runs", "right", ({ figures }) => Figures.amount(figures.runs)),
  Table.column("Attempts", "right", ({ figures }) => String(figures.attempts)),
  ...statuses.map((status) => outcome(status, outcomeHeader(status))),
  Table.column("p50", "right", ({ figures }) => Figures.duration(figures.p50Ms)),
  Table.column("p95", "right", ({ figures }) => Figures.duration(figures.p95Ms))
]

const wideColumns: ReadonlyArray<Column> = [
  ...columnsWith(22, (status) => status),
  Table.column(" Value", "left", (row) => ` ${valueOf(row) || Table.absent}`)
]

const shortStatus: Record<RunStatus, string> = {
  success: "succ",
  failure: "fail",
  partial: "part",
  timeout: "time",
  canceled: "canc"
}

const narrowColumns = columnsWith(18, (status) => shortStatus[status])

const valueBelow = (row: Row, screen: Screen): ReadonlyArray<string> =>
  row.figures.values.size === 0 ? [] : [paint(screen, "dim", `    ${valueOf(row)}`)]
