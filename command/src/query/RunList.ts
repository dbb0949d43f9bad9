/**
 * Runs one by one.
 */
import type { RunRecord } from "botanu-effect/report"
import { type BigDecimal, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import { LedgerStore, type Parameter } from "../store/LedgerStore.js"
import * as Cells from "./Cells.js"

/** A row of a list of runs. */
export interface RunRow {
  readonly runId: string
  readonly workflow: string
  readonly eventId: string
  readonly customerId: string
  readonly attempt: number
  readonly isNested: boolean
  /** ISO instants in UTC. */
  readonly startTime: string
  readonly endTime: string | undefined
  readonly status: RunRecord.ReportStatus
  readonly errorClass: string | undefined
  readonly durationMs: number | undefined
  readonly usd: BigDecimal.BigDecimal
  readonly unpricedCalls: number
}

/** Which runs are listed. */
export interface RunFilter {
  readonly workflow?: string | undefined
  readonly customer?: string | undefined
  /** Runs that started or ended at this time or later. */
  readonly since?: string | undefined
}

/** The runs that started or ended last, at most so many, the latest last. */
export const latestRuns = (
  { customer, since, workflow }: RunFilter,
  limit: number
): Effect.Effect<ReadonlyArray<RunRow>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const conditions: Array<string> = ["true"]
    const parameters: Record<string, Parameter> = {}
    const add = (name: string, value: string | undefined, condition: string): void => {
      if (value === undefined) return
      conditions.push(condition)
      parameters[name] = value
    }
    add("workflow", workflow, "workflow = $workflow::text")
    add("customer", customer, "customer_id = $customer::text")
    add("since", since, "coalesce(end_time, start_time) >= $since::timestamptz")
    const rows = yield* query({
      from: ["runs"],
      text: `SELECT run_id, workflow, event_id, customer_id, attempt, parent_run_id IS NOT NULL AS is_nested,
          ${dialect.iso("start_time")} AS start_time, ${dialect.iso("end_time")} AS end_time, run_status, error_class,
          duration_ms, usd, unpriced_calls
        FROM runs WHERE ${conditions.join(" AND ")}
        ORDER BY coalesce(end_time, start_time) DESC, run_id DESC LIMIT ${Math.floor(limit)}`,
      parameters
    })
    return rows
      .map((row) => ({
        runId: row.run_id ?? "",
        workflow: row.workflow ?? "",
        eventId: row.event_id ?? "",
        customerId: row.customer_id ?? "",
        attempt: Cells.count(row.attempt),
        isNested: row.is_nested === "true",
        startTime: row.start_time ?? "",
        endTime: Cells.text(row.end_time),
        status: (row.run_status ?? "running") as RunRecord.ReportStatus,
        errorClass: Cells.text(row.error_class),
        durationMs: Cells.known(row.duration_ms),
        usd: Cells.amount(row.usd),
        unpricedCalls: Cells.count(row.unpriced_calls)
      }))
      .reverse()
  })
