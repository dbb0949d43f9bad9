/**
 * The deadline of a run, and the failure of a run that passed it.
 */
import { DateTime, Schema } from "effect"
import type { Run } from "./Run.js"
import { Uuid } from "./RunId.js"

/**
 * A run was interrupted because its deadline had come: which run, of which workflow, and the deadline.
 *
 * @example
 * ```ts
 * import { Botanu, type DeadlineExceeded } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.never.pipe(
 *   Botanu.workflow("Import", { eventId: "file-7", customerId: "acme", deadline: "10 millis" }),
 *   Effect.catchTag("DeadlineExceeded", (error: DeadlineExceeded) => Effect.log(error.workflow, error.deadline))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>()("DeadlineExceeded", {
  runId: Uuid,
  workflow: Schema.String,
  deadline: Schema.DateTimeUtc
}) {
  override get message(): string {
    return `run ${this.runId} of workflow "${this.workflow}" passed its deadline, ${DateTime.formatIso(this.deadline)}`
  }
}

/** Whether `error` says that the deadline of this run has come; runs may share one that was handed down. */
export const isDeadlineOf = (run: Run, error: unknown): boolean =>
  isDeadlineExceeded(error) && (error.runId === run.runId || error.deadline.epochMillis === run.deadline?.epochMillis)

const isDeadlineExceeded = (error: unknown): error is DeadlineExceeded => {
  try {
    return error instanceof DeadlineExceeded
  } catch {
    // A proxy that was revoked.
    return false
  }
}

/** The failure of a run whose deadline has come. */
export const deadlineExceeded = (run: Run, deadline: DateTime.Utc): DeadlineExceeded =>
  new DeadlineExceeded({ runId: run.runId, workflow: run.workflow, deadline })
