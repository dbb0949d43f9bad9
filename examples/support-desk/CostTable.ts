/**
 * The cost of a job as a table: of its workflows, of all tickets, and of each customer.
 */

import { TerminalText } from "botanu-effect/report"
import { BigDecimal } from "effect"
import type { CostFigures, CostSummary } from "./CostSummary.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"
import type { Screen } from "./Terminal.js"

const { truncate, visible } = TerminalText

type Row = Table.Row<CostFigures>

/** The lines of the table. */
export const lines = ({ customers, total, workflows }: CostSummary, screen: Screen): ReadonlyArray<string> => {
  const rows: ReadonlyArray<Row> = [
    ...workflows.map(([workflow, figures]) => ({ name: visible(workflow), isTotal: true, figures })),
    { name: "All", isTotal: true, figures: total },
    ...customers.map(([customerId, figures]) => ({ name: `  ${visible(customerId)}`, isTotal: false, figures }))
  ]
  return Table.grid(columnsFor(rows), rows, screen)
}

const longestName = 22

const columnsFor = (rows: ReadonlyArray<Row>): ReadonlyArray<Table.Column<Row>> => {
  const places = Math.max(...rows.map(({ figures }) => Figures.placesOf(figures.usd)))
  return [
    Table.column("Cost in USD", "left", ({ name }) => truncate(name, longestName)),
    Table.column("Events", "right", ({ figures }) => Figures.amount(figures.events)),
    Table.column("Calls", "right", ({ figures }) => Figures.amount(figures.calls)),
    {
      ...Table.column("Unpriced", "right", ({ figures }) => countOf(figures.unpricedCalls)),
      ink: "yellow"
    },
    Table.column("Sum", "right", ({ figures }) => Figures.usd(figures.usd, places)),
    Table.column("Per event", "right", ({ figures }) => share(figures.usd, figures.events)),
    Table.column("Per success", "right", ({ figures }) => share(figures.usd, figures.successes))
  ]
}

const countOf = (number: number): string => (number === 0 ? Table.absent : Figures.amount(number))

const sharePlaces = 6

const share = (usd: BigDecimal.BigDecimal, parts: number): string =>
  parts === 0
    ? Table.absent
    : Figures.usd(BigDecimal.unsafeDivide(usd, BigDecimal.fromBigInt(BigInt(parts))), sharePlaces)
