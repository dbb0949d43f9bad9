/**
 * What came of a run: the record behind `Outcome`, and how it looks on the span of the run.
 */
import { Either, ParseResult, Schema } from "effect"
import { quote } from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { Attribute } from "../wire/Wire.js"
import type { AttributeValue } from "./Run.js"
import { type RunStatus, RunStatusSchema } from "./RunStatus.js"

/** `schema`, with one clear message for whatever it refuses. */
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

/** The business result of a run. */
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

/** What may be said of an outcome beside its status. An absent detail and an `undefined` one are the same. */
export interface OutcomeDetails {
  readonly valueType?: string | undefined
  readonly valueAmount?: number | undefined
  readonly confidence?: number | undefined
  readonly reason?: string | undefined
  readonly errorType?: string | undefined
  readonly metadata?: Readonly<Record<string, AttributeValue>> | undefined
}

/** An outcome was refused: `field` is not what was expected. What was emitted before stands. */
export class InvalidOutcome extends Schema.TaggedError<InvalidOutcome>()("InvalidOutcome", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/** An outcome of checked details. */
export const make = (status: RunStatus, details?: OutcomeDetails): Either.Either<Outcome, InvalidOutcome> => {
  const given = Object.entries({ ...details, status }).filter(([, value]) => value !== undefined)
  return Either.mapBoth(decode(Object.fromEntries(given)), { onLeft: fromParseError, onRight: (outcome) => outcome })
}

const decode = Schema.decodeUnknownEither(Outcome)

const fromParseError = (error: ParseResult.ParseError): InvalidOutcome => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidOutcome({ field: issue?.path.join(".") || "status", problem: issue?.message ?? error.message })
}
