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

// A timer may end a millisecond before the clock shows its time.
const earlyMillis = 1

/** Whether an interruption at this instant is the deadline's, or one that was handed down. */
export const isAtDeadline = ({ deadline }: Run, instant: DateTime.Utc): boolean =>
  deadline !== undefined && instant.epochMillis >= deadline.epochMillis - earlyMillis

/** How a run ends whose deadline has come: with a failure where its error channel has a place for that. */
export const exceeded = (run: Run, deadline: DateTime.Utc, mayFail: boolean): Effect.Effect<never, DeadlineExceeded> =>
  mayFail ? Effect.fail(deadlineExceeded(run, deadline)) : Effect.interrupt

/** `work` until the deadline; when that comes, the work is interrupted, its finalizers are waited for, and `onDeadline` follows. */
export const enforce = <A, E, R, E2>(
  work: Effect.Effect<A, E, R>,
  deadline: DateTime.Utc,
  now: DateTime.Utc,
  onDeadline: () => Effect.Effect<never, E2>
): Effect.Effect<A, E | E2, R> =>
  Effect.flatten(
    Effect.timeoutTo(work, {
      duration: deadline.epochMillis - now.epochMillis,
      onSuccess: (value): Effect.Effect<A, E2> => Effect.succeed(value),
      onTimeout: onDeadline
    })
  )

/** The failure of a run whose deadline has come. */
export const deadlineExceeded = (run: Run, deadline: DateTime.Utc): DeadlineExceeded =>
  new DeadlineExceeded({ runId: run.runId, workflow: run.workflow, deadline })
