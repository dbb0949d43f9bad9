/**
 * The deadline of a run, enforced with `Effect.timeout*`.
 */
import { DateTime, Effect, Schema } from "effect"
import type { Run } from "./Run.js"
import { Uuid } from "./RunId.js"

/** A run was interrupted because its deadline had come. */
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
  error instanceof DeadlineExceeded &&
  (error.runId === run.runId || error.deadline.epochMillis === run.deadline?.epochMillis)

/**
 * Runs `body` under the deadline of the run. When it comes, the body is interrupted, its finalizers are waited for, and the
 * effect fails with `DeadlineExceeded`, or is interrupted where the error channel has no place for that. A run that was
 * received as cancelled is interrupted at once, one that is past its deadline ends at once; their body does not run.
 */
export const enforce = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  run: Run,
  options: { readonly now: DateTime.Utc; readonly mayFail: boolean }
): Effect.Effect<A, E | DeadlineExceeded, R> => {
  if (run.cancelled) return Effect.interrupt
  const { deadline } = run
  if (deadline === undefined) return body
  const exceeded = () => (options.mayFail ? Effect.fail(deadlineExceeded(run, deadline)) : Effect.interrupt)
  if (run.isPastDeadline(options.now)) return exceeded()
  return Effect.flatten(
    Effect.timeoutTo(body, {
      duration: deadline.epochMillis - options.now.epochMillis,
      onSuccess: (value): Effect.Effect<A, DeadlineExceeded> => Effect.succeed(value),
      onTimeout: exceeded
    })
  )
}

/** The failure of a run whose deadline has come. */
export const deadlineExceeded = (run: Run, deadline: DateTime.Utc): DeadlineExceeded =>
  new DeadlineExceeded({ runId: run.runId, workflow: run.workflow, deadline })
