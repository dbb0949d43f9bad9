/**
 * A run in a list of runs: of a row of a table, and of a record.
 */
import type { RunRecord } from "botanu-effect/report"
import { BigDecimal, DateTime } from "effect"
import * as Cells from "./Cells.js"
import type { Dialect } from "./Dialect.js"
import type { Row } from "./LedgerStore.js"

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

/** What `fromRow` reads of a row of `runs`. */
export const columns = ({ iso }: Dialect): string =>
  `run_id, workflow, event_id, customer_id, attempt, parent_run_id IS NOT NULL AS is_nested, ${iso("start_time")} AS start_time,
    ${iso("end_time")} AS end_time, run_status, error_class, duration_ms, usd, unpriced_calls`

/** The run of a row with these columns. */
export const fromRow = (row: Row): RunRow => ({
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
})

/** The run of a record. */
export const fromRecord = ({ completed, run }: RunRecord.RunRecord): RunRow => ({
  runId: run.runId,
  workflow: run.workflow,
  eventId: run.eventId,
  customerId: run.customerId,
  attempt: run.attempt,
  isNested: run.parentRunId !== undefined,
  startTime: DateTime.formatIso(run.startTime),
  endTime: completed === undefined ? undefined : DateTime.formatIso(completed.endTime),
  status: completed?.status ?? "running",
  errorClass: completed?.errorClass,
  durationMs: completed?.durationMs,
  usd: completed?.totals.usd ?? BigDecimal.unsafeFromString("0"),
  unpricedCalls: completed?.totals.unpricedCalls ?? 0
})
