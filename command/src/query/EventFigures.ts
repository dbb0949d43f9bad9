/**
 * The figures of groups of events.
 */
import type { BigDecimal } from "effect"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Cells from "../store/Cells.js"
import type { EventColumn } from "../store/EventRelation.js"
import { LedgerStore } from "../store/LedgerStore.js"
import { conditionOf, type EventFilter } from "./EventFilter.js"
import { type GroupKey, groupingOf } from "./GroupKey.js"

/** The figures of a group of events. Amounts are exact, in US dollars. */
export interface EventFigures {
  readonly keys: ReadonlyArray<string | undefined>
  readonly events: number
  readonly runs: number
  readonly attempts: number
  readonly successes: number
  readonly failures: number
  readonly partials: number
  readonly timeouts: number
  readonly canceled: number
  readonly running: number
  readonly lost: number
  readonly usd: BigDecimal.BigDecimal
  readonly calls: number
  readonly unpricedCalls: number
  readonly usdOfSuccesses: BigDecimal.BigDecimal
  /** Of events that ended as `failure`, `timeout` or `canceled`. */
  readonly usdOfFailures: BigDecimal.BigDecimal
  readonly usdOfPartials: BigDecimal.BigDecimal
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
}

/** Events with an outcome. */
export const ended = ({ canceled, failures, partials, successes, timeouts }: EventFigures): number =>
  successes + failures + partials + timeouts + canceled

/** What figures are made of; and start times and values, which reports show besides. */
const ofFigures: ReadonlyArray<EventColumn> = [
  "runs",
  "attempts",
  "status",
  "usd",
  "calls",
  "unpriced_calls",
  "durations",
  "start_time",
  "value_type",
  "value_amount"
]

/** The figures of events by keys, none of which is of calls. No key: one group of all, also where there is no event. */
export const eventFigures = (
  by: ReadonlyArray<GroupKey>,
  filter: EventFilter = {}
): Effect.Effect<ReadonlyArray<EventFigures>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const grouping = groupingOf(by, dialect)
    const condition = conditionOf(filter)
    const countOf = (status: string) => `count(*) FILTER (WHERE e.status = '${status}')`
    const rows = yield* query({
      from: ["events", ...grouping.from],
      columns: { events: [...ofFigures, ...grouping.columns, ...condition.columns] },
      text: `SELECT g.*, ${dialect.percentile("g.durations", 0.5)} AS p50, ${dialect.percentile("g.durations", 0.95)} AS p95
        FROM (
          SELECT ${grouping.selected}
            count(*) AS events, sum(e.runs) AS runs, sum(e.attempts) AS attempts,
            ${countOf("success")} AS successes, ${countOf("failure")} AS failures, ${countOf("partial")} AS partials,
            ${countOf("timeout")} AS timeouts, ${countOf("canceled")} AS canceled, ${countOf("running")} AS running,
            ${countOf("lost")} AS lost, sum(e.usd) AS usd, sum(e.calls) AS calls, sum(e.unpriced_calls) AS unpriced_calls,
            sum(e.usd) FILTER (WHERE e.status = 'success') AS usd_of_successes,
            sum(e.usd) FILTER (WHERE e.status IN ('failure', 'timeout', 'canceled')) AS usd_of_failures,
            sum(e.usd) FILTER (WHERE e.status = 'partial') AS usd_of_partials,
            ${dialect.gathered("e.durations")} AS durations
          FROM events e ${grouping.joins} WHERE ${condition.text}
          ${grouping.keys === "" ? "" : `GROUP BY ${grouping.keys}`}
        ) g`,
      parameters: { ...grouping.parameters, ...condition.parameters }
    })
    return rows.map((row) => ({
      keys: Cells.keys(row, by.length),
      events: Cells.count(row.events),
      runs: Cells.count(row.runs),
      attempts: Cells.count(row.attempts),
      successes: Cells.count(row.successes),
      failures: Cells.count(row.failures),
      partials: Cells.count(row.partials),
      timeouts: Cells.count(row.timeouts),
      canceled: Cells.count(row.canceled),
      running: Cells.count(row.running),
      lost: Cells.count(row.lost),
      usd: Cells.amount(row.usd),
      calls: Cells.count(row.calls),
      unpricedCalls: Cells.count(row.unpriced_calls),
      usdOfSuccesses: Cells.amount(row.usd_of_successes),
      usdOfFailures: Cells.amount(row.usd_of_failures),
      usdOfPartials: Cells.amount(row.usd_of_partials),
      p50Ms: Cells.known(row.p50),
      p95Ms: Cells.known(row.p95)
    }))
  })

/** What events were worth, by the type of the value. Amounts of different types are never added. */
export interface ValueSum {
  readonly keys: ReadonlyArray<string | undefined>
  /** Empty where none was named. */
  readonly valueType: string
  readonly amount: number
}

/** The value of groups of events, by its type. No key: of all events. */
export const valueSums = (
  by: ReadonlyArray<GroupKey>,
  filter: EventFilter = {}
): Effect.Effect<ReadonlyArray<ValueSum>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const grouping = groupingOf(by, dialect)
    const condition = conditionOf(filter)
    const rows = yield* query({
      from: ["events", ...grouping.from],
      columns: { events: ["value_type", "value_amount", ...grouping.columns, ...condition.columns] },
      text: `SELECT ${grouping.selected} coalesce(e.value_type, '') AS value_type, sum(e.value_amount) AS amount
        FROM events e ${grouping.joins} WHERE e.value_amount IS NOT NULL AND ${condition.text}
        GROUP BY ${grouping.keys}${grouping.keys === "" ? "" : ", "}coalesce(e.value_type, '') ORDER BY amount DESC, value_type`,
      parameters: { ...grouping.parameters, ...condition.parameters }
    })
    return rows.map((row) => ({
      keys: Cells.keys(row, by.length),
      valueType: row.value_type ?? "",
      amount: Cells.count(row.amount)
    }))
  })

/** The first and the last time at which events started; none where there is no event. */
export const startTimes = (
  filter: EventFilter = {}
): Effect.Effect<readonly [first: string, last: string] | undefined, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const condition = conditionOf(filter)
    const [row] = yield* query({
      from: ["events"],
      columns: { events: ["start_time", ...condition.columns] },
      text: `SELECT ${dialect.iso("min(e.start_time)")} AS first, ${dialect.iso("max(e.start_time)")} AS last
        FROM events e WHERE ${condition.text}`,
      parameters: condition.parameters
    })
    return row?.first == null || row.last == null ? undefined : [row.first, row.last]
  })

/** What an event of a workflow costs that is over: the median, where there are at least two. */
export const medianUsd = (
  workflow: string
): Effect.Effect<BigDecimal.BigDecimal | undefined, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { query } = yield* LedgerStore
    const [row] = yield* query({
      from: ["events"],
      text: `SELECT count(*) AS events, percentile_disc(0.5) WITHIN GROUP (ORDER BY e.usd) AS median FROM events e
        WHERE e.workflow = $workflow::text AND e.status NOT IN ('running', 'lost')`,
      parameters: { workflow }
    })
    return Cells.count(row?.events) < 2 ? undefined : Cells.amount(row?.median)
  })

/** The names of the annotations in a ledger. */
export const annotationNames: Effect.Effect<ReadonlyArray<string>, CommandError, LedgerStore> = Effect.gen(
  function* () {
    const { query } = yield* LedgerStore
    const rows = yield* query({ from: ["annotations"], text: "SELECT DISTINCT name FROM annotations ORDER BY name" })
    return rows.map(({ name }) => name ?? "")
  }
)
