/**
 * What the exit of a run's body says of the run.
 */
import { Cause, Chunk, type Context, type DateTime, Exit } from "effect"
import { isAtDeadline, isDeadlineOf } from "../run/Deadline.js"
import type { RunStatus } from "../run/RunStatus.js"
import { requestInterruptionReason } from "./Interruption.js"
import type { RunScope } from "./RunScope.js"

export interface RunExit {
  readonly status: RunStatus
  /** The class of the error, where the status is `failure`. */
  readonly errorClass?: string
  /** Why the run was cancelled, where the status is `canceled`. */
  readonly reason?: string
}

/**
 * The status of a run by its exit. The deadline comes before other failures, any failure before a defect, and interruption
 * last: a failure among parallel fibers interrupts the others. `context` is that of the run's caller.
 */
export const classify = (
  scope: RunScope,
  exit: Exit.Exit<unknown, unknown>,
  now: DateTime.Utc,
  context: Context.Context<never>
): RunExit => {
  if (Exit.isSuccess(exit)) return { status: "success" }
  const failures = Cause.failures(exit.cause)
  if (Chunk.some(failures, (error) => isDeadlineOf(scope.run, error))) return { status: "timeout" }
  const error = Chunk.head(Chunk.appendAll(failures, Cause.defects(exit.cause)))
  if (error._tag === "Some") return { status: "failure", errorClass: errorClass(error.value) }
  const reason = scope.cancellationReason
  if (reason !== undefined) return { status: "canceled", reason }
  if (scope.run.cancelled) return { status: "canceled", reason: "received_cancelled" }
  if (isAtDeadline(scope.run, scope.interruptedAt ?? now)) return { status: "timeout" }
  return { status: "canceled", reason: requestInterruptionReason(context) ?? "interrupted" }
}

/** The `_tag` of an error, else its name, else its type. */
export const errorClass = (error: unknown): string => {
  if (typeof error === "object" && error !== null) {
    if ("_tag" in error && typeof error._tag === "string") return error._tag
    if ("name" in error && typeof error.name === "string") return error.name
    return error.constructor?.name ?? "Object"
  }
  return typeof error
}
