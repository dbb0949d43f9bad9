/**
 * Groups as tables: customers and workflows with what their events cost, models and steps with what their calls did.
 */
import { Figures } from "botanu-effect/report"
import type { CallTotals, Group, GroupKey } from "../src/serve/PageApi.js"
import * as Change from "../src/terminal/Change.js"
import { type Column, Table } from "./Table.js"
import { ColumnAmount, columnText, Name, placesOf } from "./Text.js"

/** The words for a group and for all of them. */
export const groupWords: Readonly<Record<GroupKey, readonly [one: string, all: string]>> = {
  customer: ["Customer", "Customers"],
  workflow: ["Workflow", "Workflows"],
  model: ["Model", "Models"],
  step: ["Step", "Steps"]
}

/** A group, or all groups that are not listed. */
export interface Listed {
  readonly name: string
  readonly isRest?: boolean
}

/** The share of a row in the largest, as a rule below its name. */
const Share = ({ of, whole }: { readonly of: number; readonly whole: number }) => (
  <svg viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
    <rect width={whole === 0 ? 0 : (100 * of) / whole} height="2" />
  </svg>
)

/** A table of groups, each with a link to its events and a rule of its share. */
export const GroupTable = <Row extends Listed>({
  amountOf,
  by,
  columns,
  hrefOf,
  rows,
  swatch
}: {
  readonly by: GroupKey
  readonly rows: ReadonlyArray<Row>
  readonly columns: ReadonlyArray<Column<Row>>
  readonly amountOf: (row: Row) => number
  readonly hrefOf: (row: Row) => string
  readonly swatch?: ((row: Row) => string | undefined) | undefined
}) => {
  const most = Math.max(0, ...rows.filter(({ isRest }) => isRest !== true).map(amountOf))
  const name: Column<Row> = {
    title: <span class="hidden">{groupWords[by][0]}</span>,
    kind: "share",
    cell: (row) => {
      const colour = swatch?.(row)
      return row.isRest === true ? (
        <div class="cut">{row.name}</div>
      ) : (
        <>
          <div class="cut">
            {colour === undefined ? null : <i class={`swatch ${colour}`} />}
            <Name text={row.name} href={hrefOf(row)} />
          </div>
          <Share of={amountOf(row)} whole={most} />
        </>
      )
    }
  }
  return (
    <Table
      kind="shares"
      columns={[name, ...columns]}
      rows={rows}
      keyOf={({ name }) => name}
      rowKind={({ isRest }) => (isRest === true ? "rest" : undefined)}
    />
  )
}

/** The columns of groups of events. */
export const eventColumns = (
  groups: ReadonlyArray<Pick<Group, "now">>,
  hasBefore: boolean
): ReadonlyArray<Column<Group>> => {
  const places = placesOf(groups.map(({ now }) => now.usd))
  const placesPerSuccess = placesOf(groups.flatMap(({ now }) => now.usdPerSuccess ?? []))
  return [
    { title: "Spend", kind: "n", cell: ({ now }) => <ColumnAmount amount={now} places={places} prefix="$" /> },
    {
      title: "Per success",
      kind: "n",
      cell: ({ now }) => (now.usdPerSuccess === null ? "none" : `$${columnText(now.usdPerSuccess, placesPerSuccess)}`)
    },
    {
      title: "In failures",
      kind: "n wide",
      cell: ({ now }) =>
        Number(now.usd) === 0 ? "–" : `${Math.round((100 * Number(now.usdOfFailures)) / Number(now.usd))}%`
    },
    {
      title: "Change",
      kind: "n wide",
      cell: ({ before, now }) => (
        <span class="mute">
          {before === null ? (hasBefore ? "new" : "–") : (Change.relative(Number(now.usd), Number(before.usd)) ?? "–")}
        </span>
      )
    }
  ]
}

/** More columns of groups of events, where there is room. */
export const countColumns: ReadonlyArray<Column<Group>> = [
  { title: "Events", kind: "n", cell: ({ now }) => Figures.count(now.events) },
  {
    title: "Success rate",
    kind: "n at-860",
    cell: ({ now }) => (now.ended === 0 ? "–" : `${Figures.percent(now.successes / now.ended)}%`)
  },
  {
    title: "Attempts per event",
    kind: "n at-860",
    cell: ({ now }) => (now.events === 0 ? "–" : (now.attempts / now.events).toFixed(2))
  }
]

/** The columns of groups of calls. */
export const callColumns = (
  by: "model" | "step",
  groups: ReadonlyArray<CallTotals>
): ReadonlyArray<Column<CallTotals>> => {
  const places = placesOf(groups.map(({ usd }) => usd))
  return [
    { title: "Spend", kind: "n", cell: (row) => <ColumnAmount amount={row} places={places} prefix="$" /> },
    { title: "Calls", kind: "n", cell: ({ calls }) => Figures.large(calls) },
    by === "model"
      ? { title: "Tokens", kind: "n", cell: ({ tokens }) => (tokens === 0 ? "–" : Figures.large(tokens)) }
      : { title: "p95", kind: "n", cell: ({ p95Ms }) => (p95Ms === null ? "–" : Figures.duration(p95Ms)) }
  ]
}
