/**
 * What came of a run: the record behind `Outcome`, and how it looks on the span of the run.
 */
import { Schema } from "effect"
import type { AttributeValue } from "./Run.js"
import { RunStatusSchema } from "./RunStatus.js"
import { Attribute } from "./Wire.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const Finite = Schema.Number.pipe(Schema.finite({ message: () => "expected a finite number" }))

const Confidence = Schema.Number.pipe(Schema.between(0, 1, { message: () => "expected a number from 0 to 1" }))

/** The business result of a run. */
export class Outcome extends Schema.Class<Outcome>("botanu/Outcome")({
  status: RunStatusSchema,
  /** What the value counts, such as `tickets_resolved`. */
  valueType: optional(Schema.String),
  /** How much of it: finite. */
  valueAmount: optional(Finite),
  /** How sure the program is, from 0 to 1. */
  confidence: optional(Confidence),
  reason: optional(Schema.String),
  errorType: optional(Schema.String),
  metadata: optional(Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Finite, Schema.Boolean) }))
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
