/**
 * The stored result of an activity: what the user's activity gave, and what was recorded on the run while it was executed. A result
 * beside which nothing was recorded is stored as it is.
 */
import { Cause, Either, Exit, FiberId, Option, Schema } from "effect"
import { RecordedUsage } from "../cost/CostTotals.js"
import { Outcome } from "../run/OutcomeRecord.js"
import { optional } from "../schema/SchemaRecord.js"

/** What was recorded on the run while an activity was executed. */
export const ActivityRecord = Schema.Struct({
  usages: Schema.Array(RecordedUsage),
  outcome: optional(Outcome),
  /** Events of the span of the run; their times in nanoseconds since the epoch. */
  events: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      time: Schema.BigInt,
      attributes: optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
    })
  ),
  annotations: optional(
    Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.Finite, Schema.Boolean) })
  )
})
export type ActivityRecord = typeof ActivityRecord.Type

/** Why an activity was stopped, and the run with it. */
export type StoppedBy = "deadline" | "budget"

const Result = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("Success"), value: Schema.Unknown }),
  Schema.Struct({ _tag: Schema.Literal("Failure"), error: Schema.Unknown }),
  Schema.Struct({ _tag: Schema.Literal("Die"), defect: Schema.Unknown }),
  Schema.Struct({ _tag: Schema.Literal("Stopped"), by: Schema.Literal("deadline", "budget") })
)
type Result = typeof Result.Type

/** The version of the envelope that this version writes. */
const version = 1
const versionKey = "~botanu/activity"

const Envelope = Schema.Struct({
  [versionKey]: Schema.Number,
  result: Result,
  /** Read by itself: a record that cannot be read is no reason to lose the result. */
  record: Schema.Unknown
})

const encodeRecord = Schema.encodeSync(ActivityRecord)
const decodeRecord = Schema.decodeUnknownEither(ActivityRecord)
const decodeEnvelope = Schema.decodeUnknownOption(Envelope)
const encodeDefect = Schema.encodeSync(Schema.Defect)

/** The exit of an activity as it is stored, with what was recorded. None of an exit that is not stored: of an interruption. */
export const store = (
  exit: Exit.Exit<unknown, unknown>,
  record: ActivityRecord,
  stoppedBy: StoppedBy | undefined
): Option.Option<Exit.Exit<unknown, unknown>> => {
  const result = stoppedBy === undefined ? resultOf(exit) : { _tag: "Stopped" as const, by: stoppedBy }
  if (result === undefined) return Option.none()
  if (stoppedBy === undefined && isEmpty(record)) return Option.some(exit)
  const envelope = { [versionKey]: version, result, record: encodeRecord(record) }
  return Option.some(result._tag === "Success" ? Exit.succeed(envelope) : Exit.fail(envelope))
}

const isEmpty = ({ annotations, events, outcome, usages }: ActivityRecord): boolean =>
  usages.length === 0 && events.length === 0 && outcome === undefined && annotations === undefined

const resultOf = (exit: Exit.Exit<unknown, unknown>): Result | undefined => {
  if (Exit.isSuccess(exit)) return { _tag: "Success", value: exit.value }
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) return { _tag: "Failure", error: failure.value }
  return Cause.isInterruptedOnly(exit.cause)
    ? undefined
    : { _tag: "Die", defect: encodeDefect(Cause.squash(exit.cause)) }
}

/** A stored result, read. */
export interface Stored {
  /** What the user's activity gave, encoded. */
  readonly exit: Exit.Exit<unknown, unknown>
  /** None where nothing was recorded; a problem where it cannot be read. */
  readonly record: Either.Either<ActivityRecord | undefined, string>
  readonly stoppedBy: StoppedBy | undefined
}

/** Reads a stored result, also one of an engine without this layer. */
export const read = (stored: Exit.Exit<unknown, unknown>): Stored => {
  const result: unknown = Exit.isSuccess(stored) ? stored.value : Cause.squash(stored.cause)
  // Most results have nothing beside them.
  const isEnvelope = typeof result === "object" && result !== null && versionKey in result
  const envelope = isEnvelope ? decodeEnvelope(result) : Option.none()
  if (Option.isNone(envelope)) return { exit: stored, record: Either.right(undefined), stoppedBy: undefined }
  const { record, result: inside } = envelope.value
  return {
    exit: exitOf(inside),
    record: Either.mapLeft(decodeRecord(record), ({ message }) => message),
    stoppedBy: inside._tag === "Stopped" ? inside.by : undefined
  }
}

const exitOf = (result: Result): Exit.Exit<unknown, unknown> => {
  if (result._tag === "Success") return Exit.succeed(result.value)
  if (result._tag === "Failure") return Exit.fail(result.error)
  return result._tag === "Die" ? Exit.die(result.defect) : Exit.interrupt(FiberId.none)
}
