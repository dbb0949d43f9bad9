/**
 * Joining a run that is alive in this process, from work that its fibers did not start: a promise, a callback, another runtime.
 */
import { Cause, Effect, Exit } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { wrappedServices, yieldAfter } from "../fiber/TracerWrapper.js"
import { type DeadlineExceeded, deadlineExceeded } from "../run/Deadline.js"
import type { Run } from "../run/Run.js"
import { propagationModeFor } from "../run/Settings.js"
import { activeRun } from "./ActiveRuns.js"
import { withRun } from "./CurrentRun.js"
import type { JoinedRun } from "./JoinedRun.js"
import { annotated, businessEntries, isRunAnnotation } from "./RunAnnotations.js"
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
 * `work` as a part of a live run, in the fiber of its caller: what is recorded in it is on the run's record. What stops the run interrupts
 * the work, and not the caller.
 */
export const inLiveRun = <A, E, R>(
  caller: AnyFiber,
  { onLogs, onSpans, scope, span }: JoinedRun,
  work: Effect.Effect<A, E, R>,
  isDeadlineEnforced: boolean
): Effect.Effect<A, E | DeadlineExceeded, R> =>
  yieldAfter(
    caller,
    Effect.uninterruptibleMask((restore) => {
      const region = new FiberRegion(caller)
      const leave = scope.join(region)
      return inRegion<A, E, R, A, E | DeadlineExceeded>(caller, restore(work), {
        region,
        context: withRun(caller.currentContext, scope, span),
        services: wrappedServices(caller),
        onSpans,
        onLogs,
        isOwnAnnotation: isRunAnnotation,
        endsChildren: () => scope.isCancelled,
        onExit: (exit) => {
          leave()
          return isDeadlineEnforced ? deadlineAsFailure(scope, exit) : exit
        }
      })
    })
  )

/** The deadline interrupts the work with the run. To a caller that asked for it, it is a failure. */
const deadlineAsFailure = <A, E>(
  { run, stoppedBy }: RunScope,
  exit: Exit.Exit<A, E>
): Exit.Exit<A, E | DeadlineExceeded> =>
  run.deadline !== undefined && stoppedBy === "deadline" && Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    ? Exit.fail(deadlineExceeded(run, run.deadline))
    : exit
