/**
 * An attempt as it looks from outside: its run, the process that had it, and the report of that process.
 */
import { CompletedRun, Run } from "botanu-effect"
import { Schema } from "effect"

export const Attempt = Schema.Struct({
  process: Schema.String,
  run: Run,
  /** Absent where the process was killed first. */
  completed: Schema.optionalWith(CompletedRun, { exact: true })
})
export type Attempt = typeof Attempt.Type

/** As a line of JSON. */
export const encodeJson = Schema.encodeSync(Schema.parseJson(Attempt))
