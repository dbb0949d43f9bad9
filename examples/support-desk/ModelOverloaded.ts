/**
 * A model that has no answer to give at the moment, to the desk and to the back office alike.
 */
import { HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"

export class ModelOverloaded extends Schema.TaggedError<ModelOverloaded>()(
  "ModelOverloaded",
  { message: Schema.String },
  HttpApiSchema.annotations({ status: 503 })
) {}
