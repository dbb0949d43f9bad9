/**
 * The figures of groups of calls.
 */
import type { BigDecimal } from "effect"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Cells from "../store/Cells.js"
import { LedgerStore } from "../store/LedgerStore.js"
import { conditionOf, type EventFilter } from "./EventFilter.js"
import { type GroupKey, groupingOf } from "./GroupKey.js"

/** The figures of a group of calls. Amounts are exact, in US dollars. */
export interface CallFigures {
  readonly keys: ReadonlyArray<string | undefined>
  readonly calls: number
  /** Events that the calls were made for. */
  readonly events: number
  /** Calls that did not end in success. */
  readonly failed: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly usd: BigDecimal.BigDecimal
  readonly unpricedCalls: number
  readonly p95Ms: number | undefined
}

/** The figures of the calls of events, by keys of any kind. */
export const callFigures = (
  by: ReadonlyArray<GroupKey>,
  filter: EventFilter = {}
): Effect.Effect<ReadonlyArray<CallFigures>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const grouping = groupingOf(by, dialect)
    const condition = conditionOf(filter)
    const rows = yield* query({
      from: ["events", "usages", ...grouping.from],
      text: `SELECT ${grouping.selected}
          count(*) AS calls, count(DISTINCT (e.event_id, e.customer_id)) AS events,
          count(*) FILTER (WHERE u.status <> 'success') AS failed,
          coalesce(sum(u.input_tokens), 0) AS input_tokens, coalesce(sum(u.output_tokens), 0) AS output_tokens,
          sum(u.usd) AS usd, count(*) FILTER (WHERE u.cost = 'Unpriced') AS unpriced_calls,
          percentile_disc(0.95) WITHIN GROUP (ORDER BY u.duration_ms) AS p95
        FROM events e JOIN usages u ON u.event_id = e.event_id AND u.customer_id = e.customer_id
        ${grouping.joins} WHERE ${condition.text} ${grouping.keys === "" ? "" : `GROUP BY ${grouping.keys}`}`,
      parameters: { ...grouping.parameters, ...condition.parameters }
    })
    return rows.map((row) => ({
      keys: Cells.keys(row, by.length),
      calls: Cells.count(row.calls),
      events: Cells.count(row.events),
      failed: Cells.count(row.failed),
      inputTokens: Cells.count(row.input_tokens),
      outputTokens: Cells.count(row.output_tokens),
      usd: Cells.amount(row.usd),
      unpricedCalls: Cells.count(row.unpriced_calls),
      p95Ms: Cells.known(row.p95)
    }))
  })
