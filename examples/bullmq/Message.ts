/**
 * What a worker process tells the one that started it.
 */
import { CompletedRun } from "botanu-effect"
import { Schema } from "effect"

export const Message = Schema.Union(
  /** It takes jobs from now on. */
  Schema.TaggedStruct("Ready", {}),
  /** It is in the middle of the work on a job. */
  Schema.TaggedStruct("Working", { jobId: Schema.String }),
  /** A run is over. */
  Schema.TaggedStruct("Completed", { completed: CompletedRun })
)
export type Message = typeof Message.Type

export const encode = Schema.encodeSync(Message)

export const decode = Schema.decodeUnknownSync(Message)
