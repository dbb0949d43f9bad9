/**
 * The columns of a run: where each is in its record, and of what type it is.
 */
import type { EventColumn } from "./EventRelation.js"
import * as Segments from "./Segments.js"

/** By name, the path in a completed record. What is in `run` there is in `run` of a start, too. */
const paths = {
  run_id: "run.runId",
  start_time: "run.startTime",
  workflow: "run.workflow",
  event_id: "run.eventId",
  customer_id: "run.customerId",
  environment: "run.environment",
  workflow_version: "run.workflowVersion",
  tenant_id: "run.tenantId",
  parent_run_id: "run.parentRunId",
  root_run_id: "run.rootRunId",
  attempt: "run.attempt",
  retry_of_run_id: "run.retryOfRunId",
  deadline: "run.deadline",
  status: "status",
  error_class: "errorClass",
  cancellation_reason: "cancellationReason",
  end_time: "endTime",
  duration_ms: "durationMs",
  trace_id: "traceId",
  outcome_status: "outcome.status",
  outcome_value_type: "outcome.valueType",
  outcome_value_amount: "outcome.valueAmount",
  outcome_confidence: "outcome.confidence",
  outcome_reason: "outcome.reason",
  outcome_error_type: "outcome.errorType",
  usd: "totals.usd",
  input_tokens: "totals.inputTokens",
  output_tokens: "totals.outputTokens",
  calls: "totals.calls",
  unpriced_calls: "totals.unpricedCalls",
  repriced_at: "repriced.time"
} as const

export type Name = keyof typeof paths

/** The names of all columns. */
export const names = Object.keys(paths) as ReadonlyArray<Name>

/** An amount in US dollars of a text, exact. */
export const amount = (text: string): string => `TRY_CAST(${text} AS DECIMAL(38, 24))`

/** The type of a column. */
export const typeOf = (name: Name): string => (name === "usd" ? "DECIMAL(38, 24)" : Segments.typeAt(paths[name]))

/** A column as an expression over a line whose run is `r`. */
export const expressionOf = (name: Name): string => {
  const [first, ...rest] = paths[name].split(".")
  const path = first === "run" ? ["r", ...rest] : ["completed", first, ...rest]
  const value = path.map((part) => `"${part}"`).join(".")
  return name === "usd" ? amount(value) : value
}

/** What of a record is read for some columns, and for `LedgerTables.isCounted`. */
export const pathsOf = (columns: ReadonlyArray<Name>): ReadonlySet<string> =>
  new Set([...counted, ...columns].map((name) => paths[name]))

/** The columns without which a run is not counted. */
export const ofRun: ReadonlyArray<Name> = [
  "run_id",
  "workflow",
  "event_id",
  "customer_id",
  "root_run_id",
  "attempt",
  "start_time"
]

const counted: ReadonlyArray<Name> = [...ofRun, "status", "usd"]

/** The columns that say of which event a run is, and with those of `lineage` in what order its runs are. */
const ofAll: ReadonlyArray<Name> = ["run_id", "start_time", "event_id", "customer_id"]
const lineage: ReadonlyArray<Name> = ["parent_run_id", "root_run_id", "attempt"]

/** What a column of events is made of, besides the lineage of runs. */
const ofEvents: Readonly<Record<EventColumn, ReadonlyArray<Name>>> = {
  event_id: [],
  customer_id: [],
  workflow: ["workflow"],
  workflow_version: ["workflow_version"],
  environment: ["environment"],
  tenant_id: ["tenant_id"],
  start_time: [],
  end_time: ["end_time"],
  runs: [],
  attempts: [],
  durations: ["duration_ms"],
  usd: ["usd"],
  calls: ["calls"],
  unpriced_calls: ["unpriced_calls"],
  usd_before_final: ["usd"],
  run_status: ["status"],
  recorded_status: ["outcome_status"],
  error_class: ["error_class"],
  cancellation_reason: ["cancellation_reason"],
  is_amended: [],
  status: ["outcome_status"],
  value_type: ["outcome_value_type"],
  value_amount: ["outcome_value_amount"]
}

/** The columns of runs that columns of events are made of, and others, in their order. */
export const needed = (events: ReadonlyArray<EventColumn>, others: ReadonlyArray<Name>): ReadonlyArray<Name> => {
  const found = new Set([
    ...ofAll,
    ...(events.length === 0 ? [] : lineage),
    ...events.flatMap((column) => ofEvents[column]),
    ...others
  ])
  return names.filter((name) => found.has(name))
}
