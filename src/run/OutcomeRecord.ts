/**
 * What came of a run: the record behind `Outcome`, and how it looks on the span of the run.
 */
import { Either, ParseResult, Schema } from "effect"
import { quote } from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { Attribute } from "../wire/Wire.js"
import type { AttributeValue } from "./Run.js"
import { type RunStatus, RunStatusSchema } from "./RunStatus.js"

/** `schema`, with one clear message for all that it refuses. */
const expecting = <A, I>(expected: string, schema: Schema.Schema<A, I>): Schema.Schema<A, I> =>
  schema.annotations({
    message: ({ actual }) => ({ message: `expected ${expected}, got ${quote(actual)}`, override: true })
  })

const Text = expecting("text", Schema.String)
const FiniteNumber = expecting("a finite number", Schema.Finite)
const Confidence = expecting("a number from 0 to 1", Schema.Number.pipe(Schema.between(0, 1)))
const Metadatum = expecting(
  "text, a finite number or a boolean",
  Schema.Union(Schema.String, Schema.Finite, Schema.Boolean)
)
const Status = expecting(`one of ${RunStatusSchema.literals.join(", ")}`, RunStatusSchema)

/**
 * The business outcome of a run: its status, and what that was worth. A Schema; `Outcome.make` makes one from details that may be
 * wrong.
 *
 * @example
 * ```ts
 * import { Outcome } from "botanu-effect"
 *
 * const outcome = new Outcome.Outcome({ status: "partial", valueType: "pages_read", valueAmount: 12 })
 * console.log(outcome.toSpanAttributes())
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class Outcome extends Schema.Class<Outcome>("botanu/Outcome")({
  status: Status,
  /** What the value counts, such as `tickets_resolved`. */
  valueType: optional(Text),
  /** How much of it: finite. */
  valueAmount: optional(FiniteNumber),
  /** How sure the program is, from 0 to 1. */
  confidence: optional(Confidence),
  reason: optional(Text),
  errorType: optional(Text),
  metadata: optional(Schema.Record({ key: Schema.String, value: Metadatum }))
}) {
  /** The `botanu.outcome.*` attributes of the run span. */
  toSpanAttributes(): Record<string, AttributeValue> {
    const attributes: Record<string, AttributeValue> = { [Attribute.outcomeStatus]: this.status }
    if (this.valueType !== undefined) attributes[Attribute.outcomeValueType] = this.valueType
    if (this.valueAmount !== undefined) attributes[Attribute.outcomeValueAmount] = this.valueAmount
    if (this.confidence !== undefined) attributes[Attribute.outcomeConfidence] = this.confidence
    if (this.reason !== undefined) attributes[Attribute.outcomeReason] = this.reason
    if (this.errorType !== undefined) attributes[Attribute.outcomeErrorType] = this.errorType
    for (const [key, value] of Object.entries(this.metadata ?? {})) {
      attributes[`${Attribute.outcomeMetadataPrefix}${key}`] = value
    }
    return attributes
  }
}

/**
 * The details of an outcome beside its status. An absent detail and an `undefined` one are the same.
 *
 * @example
 * ```ts
 * import { Outcome } from "botanu-effect"
 *
 * const details: Outcome.OutcomeDetails = { valueType: "tickets_resolved", valueAmount: 1, metadata: { queue: "billing" } }
 * console.log(Outcome.make("success", details))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface OutcomeDetails {
  /** What the value counts, such as `tickets_resolved`. Values are summed by this name. */
  readonly valueType?: string | undefined
  /** How much of it: a finite number. */
  readonly valueAmount?: number | undefined
  /** How sure the program is, from 0 to 1. */
  readonly confidence?: number | undefined
  /** Why the outcome is what it is, for a reader. */
  readonly reason?: string | undefined
  /** The kind of error behind a failure, such as the `_tag` of the error. */
  readonly errorType?: string | undefined
  /** More about the outcome. Each entry is a span attribute `botanu.outcome.metadata.<name>`. */
  readonly metadata?: Readonly<Record<string, AttributeValue>> | undefined
}

/**
 * An outcome was refused: `field` names the detail that is wrong, `problem` what was expected of it. The outcome that was emitted
 * before remains.
 *
 * @example
 * ```ts
 * import { Botanu, Outcome } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Outcome.emit("success", { confidence: 1.5 }).pipe(
 *   Effect.catchTag("InvalidOutcome", (error: Outcome.InvalidOutcome) => Effect.log(error.field, error.problem)),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOutcome extends Schema.TaggedError<InvalidOutcome>()("InvalidOutcome", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * Makes an outcome, without recording it. `Left` of `InvalidOutcome` names the detail that is wrong.
 *
 * @example
 * ```ts
 * import { Outcome } from "botanu-effect"
 * import { Either } from "effect"
 *
 * console.log(Either.isRight(Outcome.make("success", { confidence: 0.9 })))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (status: RunStatus, details?: OutcomeDetails): Either.Either<Outcome, InvalidOutcome> => {
  if (Object.hasOwn(details?.metadata ?? {}, lostName)) {
    return Either.left(new InvalidOutcome({ field: `metadata.${lostName}`, problem: lostProblem }))
  }
  const given = Object.entries({ ...withinLength(details), status }).filter(([, value]) => value !== undefined)
  return Either.mapBoth(decode(Object.fromEntries(given)), { onLeft: fromParseError, onRight: (outcome) => outcome })
}

// A record that is decoded has no place for it.
const lostName = "__proto__"
const lostProblem = "expected another name, as this one is lost where the record is read"

const knownDetails: ReadonlySet<string> = new Set(Object.keys(Outcome.fields).filter((key) => key !== "status"))

/** What to report about details that an outcome does not have, and which are left out; nothing where all are known. */
export const unknownDetails = (details: OutcomeDetails): string | undefined => {
  const unknown = Object.keys(details).filter((key) => !knownDetails.has(key))
  if (unknown.length === 0) return undefined
  const names = unknown.slice(0, maxUnknownNames).map(quote).join(", ")
  const more = unknown.length > maxUnknownNames ? ", …" : ""
  return `${names}${more}: not recorded, expected ${Array.from(knownDetails).join(", ")}`
}

const maxUnknownNames = 3

/** The longest reason and the longest value of metadata, in UTF-16 units. */
const maxTextLength = 1024
const cutMark = "…"

/** Details without empty texts, and with the free ones cut, which is marked. */
const withinLength = (details: OutcomeDetails | undefined): OutcomeDetails | undefined => {
  if (details === undefined) return undefined
  const { errorType, metadata, reason, valueType, ...others } = details
  return {
    ...others,
    valueType: nonEmpty(valueType),
    errorType: nonEmpty(errorType),
    reason: cut(nonEmpty(reason)),
    metadata:
      typeof metadata !== "object" || metadata === null
        ? metadata
        : Object.fromEntries(
            Object.entries(metadata)
              .filter(([, value]) => value !== "")
              .map(([key, value]) => [key, cut(value)])
          )
  }
}

const nonEmpty = <A>(text: A): A | undefined => (text === "" ? undefined : text)

const cut = <A>(text: A): A => {
  if (typeof text !== "string" || text.length <= maxTextLength) return text
  const end = maxTextLength - cutMark.length
  // A pair of surrogates is not cut in two.
  const isPair = /[\ud800-\udbff]/.test(text.charAt(end - 1)) && /[\udc00-\udfff]/.test(text.charAt(end))
  return `${text.slice(0, isPair ? end - 1 : end)}${cutMark}` as A & string
}

const decode = Schema.decodeUnknownEither(Outcome)

const fromParseError = (error: ParseResult.ParseError): InvalidOutcome => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidOutcome({ field: issue?.path.join(".") || "status", problem: issue?.message ?? error.message })
}
