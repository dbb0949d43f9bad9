/**
 * The names and limits that leave and enter a process. They are shared with the Botanu SDKs of other languages, so that
 * services in several languages take part in one run.
 */

/** Keys of the W3C Baggage members of a run; the same names are attributes of its spans and log lines. */
export const Key = {
  runId: "botanu.run_id",
  workflow: "botanu.workflow",
  eventId: "botanu.event_id",
  customerId: "botanu.customer_id",
  environment: "botanu.environment",
  tenantId: "botanu.tenant_id",
  parentRunId: "botanu.parent_run_id",
  rootRunId: "botanu.root_run_id",
  attempt: "botanu.attempt",
  retryOfRunId: "botanu.retry_of_run_id",
  deadline: "botanu.deadline",
  cancelled: "botanu.cancelled",
  step: "botanu.step"
} as const

/** Baggage members with this prefix are ours; all others are foreign and are forwarded as they came. */
export const keyPrefix = "botanu."

/** Attributes of the run span alone. */
export const Attribute = {
  workflowVersion: "botanu.workflow.version",
  startTime: "botanu.run.start_time",
  deadline: "botanu.run.deadline_ts",
  cancelled: "botanu.run.cancelled",
  cancelledAt: "botanu.run.cancelled_at",
  durationMs: "botanu.run.duration_ms",
  costUsd: "botanu.run.cost_usd",
  inputTokens: "botanu.run.input_tokens",
  outputTokens: "botanu.run.output_tokens",
  unpricedCalls: "botanu.run.unpriced_calls",
  outcomeStatus: "botanu.outcome.status",
  outcomeValueType: "botanu.outcome.value_type",
  outcomeValueAmount: "botanu.outcome.value_amount",
  outcomeConfidence: "botanu.outcome.confidence",
  outcomeReason: "botanu.outcome.reason",
  outcomeErrorType: "botanu.outcome.error_type",
  outcomeMetadataPrefix: "botanu.outcome.metadata."
} as const

/** Attributes of the span of a call, where the semantic conventions have none. */
export const CallAttribute = {
  kind: "botanu.usage.kind",
  provider: "botanu.usage.provider",
  operation: "botanu.usage.operation",
  model: "botanu.usage.model",
  costUsd: "botanu.usage.cost_usd",
  unpriced: "botanu.usage.unpriced",
  uncounted: "botanu.usage.uncounted",
  serviceTier: "botanu.usage.service_tier",
  region: "botanu.usage.region",
  /** The name of the tool follows. */
  toolCallsPrefix: "botanu.usage.tool_calls.",
  /** The name of the quantity follows. */
  otherPrefix: "botanu.usage.other.",
  queryId: "botanu.warehouse.query_id",
  storageSystem: "botanu.storage.system",
  storageOperation: "botanu.storage.operation",
  storageBucket: "botanu.storage.bucket",
  providerRequestId: "botanu.vendor.request_id",
  clientRequestId: "botanu.vendor.client_request_id",
  attempt: "botanu.request.attempt"
} as const

/** Attributes of the span of an activity of a durable workflow. */
export const ActivityAttribute = {
  /** How often this attempt was begun: more than 1 where an execution before it left no result, as after a crash. */
  execution: "botanu.activity.execution",
  /** The engine's number of the attempt. */
  attempt: "botanu.activity.attempt"
} as const

/** Events on the run span. */
export const Event = {
  started: "botanu.run.started",
  outcomeEmitted: "botanu.outcome_emitted",
  /** On the span of a run that was joined, for usage that has no span of its own. */
  usageRecorded: "botanu.usage_recorded",
  completed: "botanu.run.completed"
} as const

/** Header names, in the lower case in which they are sent. */
export const Header = {
  baggage: "baggage",
  traceparent: "traceparent",
  runId: "x-botanu-run-id",
  workflow: "x-botanu-workflow"
} as const

/** The name of the span of a step. */
export const stepSpanName = (name: string): string => `botanu.step/${name}`

/** The name of the span of a run. */
export const runSpanName = (workflow: string): string => `botanu.run/${workflow}`

/** Limits on the baggage header, all lines together, in and out (W3C Baggage, section "Limits"). */
export const maxHeaderBytes = 8192
export const maxHeaderMembers = 64

/** Limits on the fields of a run. */
export const maxTextBytes = 256
export const maxAttempt = 999_999
