/**
 * What a service and the process that started it tell each other.
 */
import { CompletedRun } from "botanu-effect"
import { Schema } from "effect"
import { SpanRecord } from "./SpanRecord.js"

/** From a service. `number` is that of a message of which the service waits to hear that it was heard. */
export const FromService = Schema.Union(
  Schema.TaggedStruct("Listening", { origin: Schema.String }),
  Schema.TaggedStruct("Completed", { number: Schema.Int, completed: CompletedRun }),
  Schema.TaggedStruct("Ended", { span: SpanRecord }),
  Schema.TaggedStruct("Warned", { text: Schema.String }),
  /** All was said that there is to say. */
  Schema.TaggedStruct("Told", { number: Schema.Int })
)
export type FromService = typeof FromService.Type

/** To a service. */
export const ToService = Schema.Union(
  Schema.TaggedStruct("Heard", { number: Schema.Int }),
  Schema.TaggedStruct("Stop", {})
)
export type ToService = typeof ToService.Type
