/**
 * What the model server is asked to simulate. It travels in the metadata of a request, for which OpenAI's API has a place.
 */
import { Schema } from "effect"

const Fields = Schema.Struct({
  ticket: Schema.String,
  /** How long the answer takes. */
  workMs: Schema.Number,
  /** How many requests about the ticket are refused before one is served. */
  refusals: Schema.Int,
  /** Whether an answer says what it consumed. */
  isTold: Schema.Boolean,
  /** Whether an answer that is streamed stops in the middle. */
  hangs: Schema.Boolean,
  /** Whether there is no capacity. */
  isOverloaded: Schema.Boolean
})

export interface Simulated extends Schema.Schema.Type<typeof Fields> {}

const encode = Schema.encodeSync(Schema.parseJson(Fields))

export const Simulated = {
  Metadata: Schema.Struct({ simulate: Schema.parseJson(Fields) }),
  toMetadata: (simulated: Simulated): { readonly simulate: string } => ({ simulate: encode(simulated) })
}
