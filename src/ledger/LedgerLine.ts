/**
 * The lines of a ledger: one JSON object each, with the version of its schema in `v` and what it is in `type`.
 */
import { Either, Schema } from "effect"
import { CompletedRun } from "../lifecycle/CompletedRun.js"
import { Outcome } from "../run/OutcomeRecord.js"
import { Run } from "../run/Run.js"
import { optional } from "../schema/SchemaRecord.js"
import * as LineText from "./LineText.js"
import * as RunText from "./RunText.js"

/** The version of the lines that this version writes. Lines of a higher version are counted and left out. */
export const lineVersion = 1

const version = { v: Schema.Literal(lineVersion) }

/** The first line of a segment: the process that writes it. */
export const WriterLine = Schema.Struct({
  ...version,
  type: Schema.Literal("writer"),
  process: Schema.Struct({
    host: optional(Schema.String),
    pid: optional(Schema.Int),
    pidSpace: optional(Schema.String)
  }),
  at: Schema.DateTimeUtc
})

/** A run began. Without a `completed` line for it, the run is running or lost. */
export const StartedLine = Schema.Struct({ ...version, type: Schema.Literal("started"), run: Run })

/** A run is over. A later line for the same run replaces this one, as a new price does. */
export const CompletedLine = Schema.Struct({ ...version, type: Schema.Literal("completed"), completed: CompletedRun })

/**
 * What became known of an event after its runs were over.
 *
 * @example
 * ```ts
 * import { Outcome } from "botanu-effect"
 * import { Ledger } from "botanu-effect/ledger"
 * import { DateTime } from "effect"
 *
 * const reopened = new Ledger.OutcomeAmendment({
 *   eventId: "ticket-42",
 *   outcome: new Outcome.Outcome({ status: "failure", reason: "reopened" }),
 *   by: "crm-sync",
 *   at: DateTime.unsafeMake(1_795_000_000_000)
 * })
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export class OutcomeAmendment extends Schema.Class<OutcomeAmendment>("botanu/OutcomeAmendment")({
  eventId: Schema.NonEmptyString,
  /** The customer of the event. Absent: the event of every customer that has this id. */
  customerId: optional(Schema.NonEmptyString),
  outcome: Outcome,
  /** Who amended it. */
  by: Schema.NonEmptyString,
  at: Schema.DateTimeUtc
}) {}

/** An outcome was amended. */
export const AmendedLine = Schema.Struct({ ...version, type: Schema.Literal("amended"), amendment: OutcomeAmendment })

/** Records were lost before this line, because the disk was slow, full or gone. */
export const LostLine = Schema.Struct({
  ...version,
  type: Schema.Literal("lost"),
  count: Schema.NonNegativeInt,
  at: Schema.DateTimeUtc
})

export const LedgerLine = Schema.Union(WriterLine, StartedLine, CompletedLine, AmendedLine, LostLine)
export type LedgerLine = typeof LedgerLine.Type

/** Why a line says nothing: it was cut, it is of a later version, or it is not what its type should be. */
export type LineProblem = "cut" | "newer_version" | "invalid"

/** The text of a line, without the end of it. */
export const encode = (line: LedgerLine): string =>
  line.type === "completed"
    ? `{"v":${line.v},"type":"completed","completed":${RunText.ofCompleted(line.completed)}}`
    : (LineText.of(line) ?? "")

/** The line that a text holds, or why there is none. Total. */
export const decode = (text: string): Either.Either<LedgerLine, LineProblem> => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return Either.left("cut")
  }
  const v = typeof json === "object" && json !== null && "v" in json ? json.v : undefined
  if (typeof v === "number" && v > lineVersion) return Either.left("newer_version")
  return Either.mapLeft(decodeLine(json), () => "invalid" as const)
}

const decodeLine = Schema.decodeUnknownEither(LedgerLine)
