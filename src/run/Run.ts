/**
 * The record of a run: one attempt at one business event.
 */
import { type DateTime, Duration, Option, Schema, type Types } from "effect"
import type { Member } from "../baggage/BaggageHeader.js"
import { type Baggage, fromMembers } from "../baggage/BaggageMembers.js"
import { FieldText } from "../schema/FieldText.js"
import { type FieldsOf, optional } from "../schema/SchemaRecord.js"
import { Attribute, Key, maxAttempt } from "../wire/Wire.js"
import { Uuid } from "./RunId.js"
import type { PropagationMode } from "./Settings.js"

/** The number of an attempt: 1 for the first. */
export const Attempt = Schema.Int.pipe(
  Schema.between(1, maxAttempt, { message: () => `expected a whole number from 1 to ${maxAttempt}` })
)

/**
 * A value of an attribute of a span or a log line.
 *
 * @example
 * ```ts
 * import type { AttributeValue } from "botanu-effect"
 *
 * const region: AttributeValue = "eu-central-1"
 * console.log(region)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type AttributeValue = string | number | boolean

/**
 * A validated, immutable run. Text fields are non-empty, without control characters, and at most 256 bytes of UTF-8.
 *
 * @example
 * ```ts
 * import { Baggage, Botanu, type Run, RunContext } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const describe = (run: Run) => `${run.workflow} ${run.eventId}, attempt ${run.attempt}`
 * const program = Effect.flatMap(RunContext, (run) => Effect.log(describe(run), Baggage.encode(run.toBaggage("lean")))).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class Run extends Schema.Class<Run>("botanu/Run")({
  runId: Uuid,
  /** The name of the work. */
  workflow: FieldText,
  /** The business transaction that this run is an attempt at; the same in all attempts. */
  eventId: FieldText,
  /** The customer that the event belongs to. */
  customerId: FieldText,
  /** The deployment environment. */
  environment: FieldText,
  workflowVersion: optional(FieldText),
  tenantId: optional(FieldText),
  /** The run in which this one was started. */
  parentRunId: optional(Uuid),
  /** The first attempt; `runId` itself unless this run is a retry. */
  rootRunId: Uuid,
  /** 1 for the first attempt. 999999 stands for that attempt and each later one. */
  attempt: Attempt,
  /** The attempt before. */
  retryOfRunId: optional(Uuid),
  /** When the run was started here, or received. */
  startTime: Schema.DateTimeUtc,
  /** The instant at which the run is interrupted. */
  deadline: optional(Schema.DateTimeUtc),
  cancelled: Schema.Boolean,
  cancelledAt: optional(Schema.DateTimeUtc)
}) {
  /** The baggage members of the run: its four identifying keys in `lean` mode, all that is set in `full` mode. */
  toBaggage(mode: PropagationMode): Baggage {
    const members = new Map<string, Member>()
    for (const [key, value] of leanEntries(this)) members.set(key, { value, properties: [] })
    if (mode === "full") {
      for (const [key, value] of furtherEntries(this)) members.set(key, { value, properties: [] })
    }
    return fromMembers(members)
  }

  /** The attributes of the run's own span, as far as they are known while it runs. */
  toSpanAttributes(): Record<string, AttributeValue> {
    const attributes: Record<string, AttributeValue> = {
      [Key.runId]: this.runId,
      [Key.workflow]: this.workflow,
      [Key.eventId]: this.eventId,
      [Key.customerId]: this.customerId,
      [Key.environment]: this.environment,
      [Key.rootRunId]: this.rootRunId,
      [Key.attempt]: this.attempt,
      [Attribute.startTime]: isoText(this.startTime)
    }
    if (this.tenantId !== undefined) attributes[Key.tenantId] = this.tenantId
    if (this.parentRunId !== undefined) attributes[Key.parentRunId] = this.parentRunId
    if (this.retryOfRunId !== undefined) attributes[Key.retryOfRunId] = this.retryOfRunId
    if (this.workflowVersion !== undefined) attributes[Attribute.workflowVersion] = this.workflowVersion
    if (this.deadline !== undefined) attributes[Attribute.deadline] = epochSeconds(this.deadline)
    return this.cancelled ? { ...attributes, ...cancellationAttributes(this) } : attributes
  }

  /** The time left until the deadline, never below zero; `None` without a deadline. */
  remainingTime(now: DateTime.Utc): Option.Option<Duration.Duration> {
    return Option.map(Option.fromNullable(this.deadline), (deadline) =>
      Duration.millis(Math.max(0, deadline.epochMillis - now.epochMillis))
    )
  }

  /** Whether the deadline has come; never without one. */
  isPastDeadline(now: DateTime.Utc): boolean {
    return this.deadline !== undefined && now.epochMillis >= this.deadline.epochMillis
  }
}

let isoSecond = Number.NaN
let isoPrefix = ""

/** ISO 8601 in UTC, with milliseconds. A date takes ten times as long as the digits after its second: runs of one second share it. */
const isoText = (instant: DateTime.Utc): string => {
  const millis = Math.trunc(instant.epochMillis)
  const second = Math.floor(millis / 1000)
  if (second !== isoSecond) {
    isoPrefix = new Date(second * 1000).toISOString().slice(0, -"000Z".length)
    isoSecond = second
  }
  return `${isoPrefix}${String(millis - second * 1000).padStart(3, "0")}Z`
}

/** The fields of a run while it is put together. */
export type RunFields = FieldsOf<typeof Run>

/** A run of fields that were checked already, as `makeUnsafe` makes records, at a fifth of its time: a run is made for each request. */
export const makeRunUnsafe = (fields: RunFields): Run =>
  new (RunOfFields as unknown as new (fields: RunFields) => Run)(fields)

// A function, because the prototype of a class cannot be that of another one.
function RunOfFields(this: Types.Mutable<Run>, fields: RunFields) {
  this.runId = fields.runId
  this.workflow = fields.workflow
  this.eventId = fields.eventId
  this.customerId = fields.customerId
  this.environment = fields.environment
  this.rootRunId = fields.rootRunId
  this.attempt = fields.attempt
  this.startTime = fields.startTime
  this.cancelled = fields.cancelled
  if (fields.workflowVersion !== undefined) this.workflowVersion = fields.workflowVersion
  if (fields.tenantId !== undefined) this.tenantId = fields.tenantId
  if (fields.parentRunId !== undefined) this.parentRunId = fields.parentRunId
  if (fields.retryOfRunId !== undefined) this.retryOfRunId = fields.retryOfRunId
  if (fields.deadline !== undefined) this.deadline = fields.deadline
  if (fields.cancelledAt !== undefined) this.cancelledAt = fields.cancelledAt
}
RunOfFields.prototype = Run.prototype

/** The attributes of the span of a cancelled run; none for another. */
export const cancellationAttributes = ({ cancelled, cancelledAt }: Run): Record<string, AttributeValue> => ({
  ...(cancelled && { [Attribute.cancelled]: true }),
  ...(cancelled && cancelledAt && { [Attribute.cancelledAt]: epochSeconds(cancelledAt) })
})

/** A key and its value, as both are sent. */
export type Entry = readonly [key: string, value: string]

/** What is always sent, in the order in which it is sent. */
export const leanEntries = (run: Run): ReadonlyArray<Entry> => [
  [Key.runId, run.runId],
  [Key.workflow, run.workflow],
  [Key.eventId, run.eventId],
  [Key.customerId, run.customerId]
]

/** What full mode adds to the lean entries. */
export const furtherEntries = (run: Run): ReadonlyArray<Entry> => [...lineageEntries(run), ...limitEntries(run)]

/** What full mode adds to the lean entries of a message that may outlive the run. */
export const lineageEntries = (run: Run): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = [[Key.environment, run.environment]]
  if (run.tenantId !== undefined) entries.push([Key.tenantId, run.tenantId])
  if (run.parentRunId !== undefined) entries.push([Key.parentRunId, run.parentRunId])
  if (run.rootRunId !== run.runId) entries.push([Key.rootRunId, run.rootRunId])
  if (run.attempt > 1) entries.push([Key.attempt, String(run.attempt)])
  if (run.retryOfRunId !== undefined) entries.push([Key.retryOfRunId, run.retryOfRunId])
  return entries
}

/** What limits all work for the run while it lasts: its deadline, and its cancellation. */
const limitEntries = (run: Run): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  if (run.deadline !== undefined) entries.push([Key.deadline, String(Math.floor(run.deadline.epochMillis))])
  if (run.cancelled) entries.push([Key.cancelled, "true"])
  return entries
}

const epochSeconds = (instant: DateTime.Utc): number => instant.epochMillis / 1000
