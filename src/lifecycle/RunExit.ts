/**
 * What the exit of a run's work says of the run, and what its caller sees.
 */
import { Cause, Chunk, type Context, Exit, type FiberId, Option } from "effect"
import type { BudgetExceeded } from "../cost/Budget.js"
import { type DeadlineExceeded, deadlineExceeded, isDeadlineOf } from "../run/Deadline.js"
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

/** What the caller of a run is prepared for. */
export interface Caller {
  readonly fiberId: FiberId.FiberId
  /** Whether its types have a place for `DeadlineExceeded`. */
  readonly mayFail: boolean
}

/** The exit that the caller of a run sees: that of the work; of a run that was stopped, what stopped it. */
export const exitForCaller = <A, E>(
  scope: RunScope,
  exit: Exit.Exit<A, E>,
  { fiberId, mayFail }: Caller
): Exit.Exit<A, E | DeadlineExceeded> => {
  const { run, stoppedBy } = scope
  const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  if (stoppedBy === "cancellation" && Exit.isSuccess(exit)) return Exit.interrupt(fiberId)
  // Where runs share a deadline, the enclosing one may be the first to be interrupted at it.
  const isAtDeadline = stoppedBy === "deadline" || (isInterrupted && scope.stopped?.stoppedBy === "deadline")
  if (!isAtDeadline || run.deadline === undefined) return exit
  if (mayFail) return withDefects(Cause.fail(deadlineExceeded(run, run.deadline)), exit)
  return isInterrupted ? exit : withDefects(Cause.interrupt(fiberId), exit)
}

/**
 * A run that passed its budget fails, also where it was its last call that passed it, so that nothing was left to interrupt.
 */
export const overBudgetAsFailure = <A, E>(
  { budgetMeter, run, stoppedBy }: RunScope,
  exit: Exit.Exit<A, E>
): Exit.Exit<A, E | BudgetExceeded> =>
  stoppedBy === "budget" && budgetMeter !== undefined && (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause))
    ? Exit.fail(budgetMeter.exceeded(run))
    : exit

/** A cause, and beside it the defects of finalizers. */
const withDefects = <E>(cause: Cause.Cause<E>, exit: Exit.Exit<unknown, unknown>): Exit.Exit<never, E> => {
  const defects = Exit.isFailure(exit) ? Cause.keepDefects(exit.cause) : Option.none()
  return Exit.failCause(Option.isSome(defects) ? Cause.sequential(cause, defects.value) : cause)
}

/**
 * The status of a run by its exit. The deadline comes before other failures, any failure before a defect, and interruption
 * last: a failure among parallel fibers interrupts the others. `context` is that of the run's caller.
 */
export const runExitOf = (
  scope: RunScope,
  exit: Exit.Exit<unknown, unknown>,
  context: Context.Context<never>
): RunExit => {
  if (Exit.isSuccess(exit)) return { status: "success" }
  const failures = Cause.failures(exit.cause)
  if (scope.stoppedBy === "deadline" || Chunk.some(failures, (error) => isDeadlineOf(scope.run, error))) {
    return { status: "timeout" }
  }
  const error = Chunk.head(Chunk.appendAll(failures, Cause.defects(exit.cause)))
  if (error._tag === "Some") return { status: "failure", errorClass: errorClass(error.value) }
  const { stopped } = scope
  if (stopped?.stoppedBy === "deadline") return { status: "timeout" }
  if (stopped?.stoppedBy === "budget") return { status: "canceled", reason: "budget_exceeded" }
  if (stopped?.cancellation !== undefined) return { status: "canceled", reason: stopped.cancellation.reason }
  if (scope.run.cancelled) return { status: "canceled", reason: "received_cancelled" }
  return { status: "canceled", reason: requestInterruptionReason(context) ?? "interrupted" }
}

/** The `_tag` of an error, else its name, else its type. Any of these may throw. */
export const errorClass = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return typeof error
  const of = error as { readonly _tag?: unknown; readonly name?: unknown }
  return textOf(() => of._tag) ?? textOf(() => of.name) ?? textOf(() => error.constructor.name) ?? "Object"
}

const textOf = (read: () => unknown): string | undefined => {
  try {
    const text = read()
    return typeof text === "string" ? text : undefined
  } catch {
    return undefined
  }
}
