/**
 * Events one by one.
 */
import type { RunRecord } from "botanu-effect/report"
import { type BigDecimal, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Cells from "../store/Cells.js"
import { LedgerStore } from "../store/LedgerStore.js"
import { conditionOf, type EventFilter } from "./EventFilter.js"

/** A row of a list of events. */
export interface EventRow {
  readonly eventId: string
  readonly customerId: string
  readonly workflow: string
  readonly version: string | undefined
  readonly environment: string
  readonly tenantId: string | undefined
  /** ISO instants in UTC. */
  readonly startTime: string
  /** Absent where no run of the event has ended. */
  readonly endTime: string | undefined
  readonly status: RunRecord.ReportStatus | undefined
  /** How it was recorded, before it was amended. */
  readonly recordedStatus: RunRecord.ReportStatus | undefined
  readonly isAmended: boolean
  readonly errorClass: string | undefined
  readonly runs: number
  readonly attempts: number
  readonly calls: number
  readonly unpricedCalls: number
  readonly usd: BigDecimal.BigDecimal
  /** Of the cost, what was spent before the final attempt. */
  readonly usdBeforeFinal: BigDecimal.BigDecimal
  /** From the first start to the last end, in milliseconds. */
  readonly tookMs: number | undefined
}

/** How a list can be sorted: the latest, the dearest, those with the most attempts, the longest first. */
export const sorts = ["start", "spend", "attempts", "took"] as const
export type Sort = (typeof sorts)[number]

/** Events in an order, at most so many. Of equal ones the latest come first. */
export const eventList = (
  filter: EventFilter,
  options: { readonly sort: Sort; readonly limit: number; readonly offset?: number }
): Effect.Effect<ReadonlyArray<EventRow>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const condition = conditionOf(filter)
    const took = dialect.elapsedMillis("e.start_time", "e.end_time")
    const orders: Record<Sort, string> = {
      start: "",
      // Where nothing is known, the cost may be anything.
      spend: "(e.unpriced_calls > 0 AND e.usd = 0) DESC, e.usd DESC,",
      attempts: "e.attempts DESC,",
      took: `${took} DESC NULLS LAST,`
    }
    const rows = yield* query({
      from: ["events"],
      text: `SELECT e.event_id, e.customer_id, e.workflow, e.workflow_version, e.environment, e.tenant_id,
          ${dialect.iso("e.start_time")} AS start_time, ${dialect.iso("e.end_time")} AS end_time, e.status, e.recorded_status,
          e.is_amended, e.error_class, e.runs, e.attempts, e.calls, e.unpriced_calls, e.usd, e.usd_before_final, ${took} AS took
        FROM events e WHERE ${condition.text}
        ORDER BY ${orders[options.sort]} e.start_time DESC, e.event_id, e.customer_id
        LIMIT ${Math.floor(options.limit)} OFFSET ${Math.floor(options.offset ?? 0)}`,
      parameters: condition.parameters
    })
    return rows.map((row) => ({
      eventId: row.event_id ?? "",
      customerId: row.customer_id ?? "",
      workflow: row.workflow ?? "",
      version: Cells.text(row.workflow_version),
      environment: row.environment ?? "",
      tenantId: Cells.text(row.tenant_id),
      startTime: row.start_time ?? "",
      endTime: Cells.text(row.end_time),
      status: Cells.text(row.status) as RunRecord.ReportStatus | undefined,
      recordedStatus: Cells.text(row.recorded_status) as RunRecord.ReportStatus | undefined,
      isAmended: row.is_amended === "true",
      errorClass: Cells.text(row.error_class),
      runs: Cells.count(row.runs),
      attempts: Cells.count(row.attempts),
      calls: Cells.count(row.calls),
      unpricedCalls: Cells.count(row.unpriced_calls),
      usd: Cells.amount(row.usd),
      usdBeforeFinal: Cells.amount(row.usd_before_final),
      tookMs: Cells.known(row.took)
    }))
  })

/** Events that ended without what they were for, of one workflow and for one reason. */
export interface FailureGroup {
  readonly workflow: string
  readonly status: string
  /** The class of the error, else the reason of the cancellation. */
  readonly reason: string | undefined
  readonly events: number
  readonly attempts: number
  readonly usd: BigDecimal.BigDecimal
  readonly unpricedCalls: number
  /** The latest of them. */
  readonly lastEventId: string
  readonly lastTime: string
}

/** Failed events by workflow and reason, the dearest first. */
export const failureGroups = (
  filter: EventFilter
): Effect.Effect<ReadonlyArray<FailureGroup>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const condition = conditionOf(filter)
    const rows = yield* query({
      from: ["events"],
      text: `SELECT e.workflow, e.status, coalesce(e.error_class, e.cancellation_reason) AS reason, count(*) AS events,
          sum(e.attempts) AS attempts, sum(e.usd) AS usd, sum(e.unpriced_calls) AS unpriced_calls,
          ${dialect.last("e.event_id", ["e.start_time", "e.event_id"])} AS last_event,
          ${dialect.iso("max(e.start_time)")} AS last_time
        FROM events e WHERE e.status IN ('failure', 'timeout', 'canceled') AND ${condition.text}
        GROUP BY e.workflow, e.status, coalesce(e.error_class, e.cancellation_reason)
        ORDER BY usd DESC, events DESC, e.workflow, e.status, reason`,
      parameters: condition.parameters
    })
    return rows.map((row) => ({
      workflow: row.workflow ?? "",
      status: row.status ?? "",
      reason: Cells.text(row.reason),
      events: Cells.count(row.events),
      attempts: Cells.count(row.attempts),
      usd: Cells.amount(row.usd),
      unpricedCalls: Cells.count(row.unpriced_calls),
      lastEventId: row.last_event ?? "",
      lastTime: row.last_time ?? ""
    }))
  })
