/**
 * Joining a run that is alive in this process, from work that its fibers did not start: a promise, a callback, another runtime.
 */
import { Cause, Effect, Fiber, FiberRef } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { withWrappedTracer, yieldAfter } from "../fiber/TracerWrapper.js"
import { type DeadlineExceeded, deadlineExceeded } from "../run/Deadline.js"
import type { Run } from "../run/Run.js"
import { propagationModeFor } from "../run/Settings.js"
import { activeRun } from "./ActiveRuns.js"
import { withRun } from "./CurrentRun.js"
import type { JoinedRun } from "./ReceivedRun.js"
import { annotated, businessEntries } from "./RunAnnotations.js"
import { RunScope } from "./RunScope.js"

/**
 * The run as it is worked on here; none where it is over. A run that was received is none either, even if it is of the same id: a
 * message may outlive the run that sent it.
 */
export const liveRunFor = (fiber: AnyFiber, run: Run): JoinedRun | undefined => {
  const active = activeRun(run.runId)
  const scope = active instanceof RunScope ? active : active?.scopeOf?.(run)
  if (scope === undefined || scope.isClosed || scope.run !== run) return undefined
  const business = scope.annotations === undefined ? [] : businessEntries(scope.annotations)
  return {
    scope,
    span: fiber.currentSpan ?? scope.span,
    ...annotated(fiber, scope.run, propagationModeFor(fiber), business)
  }
}

/**
 * `work` as a part of a live run: what is recorded in it is on the run's record, and it is interrupted with the run. It is done in a
 * fiber of its own, so that its caller is not.
 */
export const inLiveRun = <A, E, R>(
  caller: AnyFiber,
  { onLogs, onSpans, scope, span }: JoinedRun,
  work: Effect.Effect<A, E, R>,
  isDeadlineEnforced: boolean
): Effect.Effect<A, E | DeadlineExceeded, R> => {
  const context = withRun(caller.currentContext, scope, span)
  const inside = Effect.withFiberRuntime<A, E, R>((fiber) => yieldAfter(fiber, withWrappedTracer(fiber, work))).pipe(
    Effect.locally(FiberRef.currentTracerSpanAnnotations, onSpans),
    Effect.locally(FiberRef.currentLogAnnotations, onLogs)
  )
  const located = Effect.locally(inside, FiberRef.currentContext, context as never)
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(restore(located)), (fiber) => {
      const leave = scope.join(fiber)
      const ended = restore(Fiber.join(fiber)).pipe(
        Effect.onInterrupt(() => Fiber.interrupt(fiber)),
        Effect.ensuring(Effect.sync(leave))
      )
      return isDeadlineEnforced ? withDeadlineAsFailure(ended, scope) : ended
    })
  )
}

/** The deadline interrupts the work with the run. To a caller that asked for it, it is a failure. */
const withDeadlineAsFailure = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  scope: RunScope
): Effect.Effect<A, E | DeadlineExceeded, R> =>
  Effect.catchAllCause(work, (cause): Effect.Effect<never, E | DeadlineExceeded> => {
    const { deadline } = scope.run
    return deadline !== undefined && scope.stoppedBy === "deadline" && Cause.isInterruptedOnly(cause)
      ? Effect.fail(deadlineExceeded(scope.run, deadline))
      : Effect.failCause(cause)
  })
