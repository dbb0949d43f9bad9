/**
 * One attempt at a workflow: the work on a run, from its opening to its completion.
 */
import { Effect, Either, Exit, RuntimeFlags } from "effect"
import type { BudgetExceeded } from "../cost/Budget.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { Timer } from "../fiber/Timer.js"
import { wrappedServices, yieldAfterUninterruptible } from "../fiber/TracerWrapper.js"
import type { DeadlineExceeded } from "../run/Deadline.js"
import { fromOptions, type InvalidRunContext, type RunRequest } from "../run/NewRun.js"
import type { Run } from "../run/Run.js"
import { propagationModeFor, withSettings } from "../run/Settings.js"
import { complete } from "./Completion.js"
import { currentRun, withRun } from "./CurrentRun.js"
import { type OpenOptions, type OpenRun, open, type Previous } from "./OpenRun.js"
import { annotated, isRunAnnotation } from "./RunAnnotations.js"
import type { OutcomeOptions } from "./RunEnd.js"
import { attempted } from "./Trouble.js"

export type { Previous } from "./OpenRun.js"

/** What an attempt needs to know beside the run itself. */
export interface AttemptOptions<A> extends RunRequest, OutcomeOptions<A>, OpenOptions {}

/** How an attempt itself may fail. */
export type AttemptError = InvalidRunContext | DeadlineExceeded | BudgetExceeded

/** The work on a run, once it is open. */
export type Body<A, E, R> = (fiber: AnyFiber, run: Run) => Effect.Effect<A, E, R>

/**
 * Does what `body` gives as one attempt, in the fiber of the caller, and completes the run exactly once, whatever the exit. `onOpen`
 * learns of the attempt.
 */
export const attempt = <A, E, R>(
  body: Body<A, E, R>,
  options: AttemptOptions<A>,
  previous: Previous | undefined,
  onOpen: (opened: Previous) => void
): Effect.Effect<A, E | AttemptError, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) =>
    withSettings(fiber, (settings) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | AttemptError, R> => {
        const run = fromOptions(fiber, options, currentRun(fiber.currentContext), previous?.run, settings)
        if (Either.isLeft(run)) return Effect.fail(run.left)
        const opened = open(fiber, run.right, options, previous)
        onOpen({ run: run.right, span: opened.span })
        const isInterruptible = RuntimeFlags.interruptible(runtimeFlags)
        return work((fiber, run) => restore(body(fiber, run)), fiber, opened, options, isInterruptible)
      })
    )
  )

const work = <A, E, R>(
  body: Body<A, E, R>,
  fiber: AnyFiber,
  opened: OpenRun,
  options: AttemptOptions<A>,
  isInterruptible: boolean
): Effect.Effect<A, E | DeadlineExceeded | BudgetExceeded, R> => {
  const { business, scope, span } = opened
  const { run } = scope
  const region = new FiberRegion(fiber)
  scope.work = { fiber, region, isInterruptible }
  const { onLogs, onSpans } = annotated(fiber, run, propagationModeFor(fiber), business)
  const timer =
    run.deadline === undefined ? undefined : new Timer(fiber, run.deadline.epochMillis, () => scope.reachDeadline())
  const worked = inRegion<A, E | BudgetExceeded, R, A, E | DeadlineExceeded | BudgetExceeded>(
    fiber,
    Effect.suspend((): Effect.Effect<A, E | BudgetExceeded, R> => refusal(fiber, opened) ?? body(fiber, run)),
    {
      region,
      context: withRun(fiber.currentContext, scope, span),
      services: wrappedServices(fiber),
      onSpans,
      onLogs,
      isOwnAnnotation: isRunAnnotation,
      endsChildren: () => true,
      onExit: (exit) => {
        timer?.stop()
        return complete(fiber, opened, exit, options)
      }
    }
  )
  return yieldAfterUninterruptible(fiber, worked)
}

/**
 * How a run ends whose body is not to run: one that was received as cancelled, is past its deadline or its budget, or was
 * stopped before it began.
 */
export const refusal = (fiber: AnyFiber, { scope, trouble }: OpenRun): Exit.Exit<never, BudgetExceeded> | undefined => {
  const { budgetMeter, run } = scope
  if (run.cancelled || scope.stoppedBy !== undefined) return Exit.interrupt(fiber.id())
  const isPast = () => run.deadline !== undefined && run.isPastDeadline(nowOf(fiber))
  if (attempted(trouble, "reading the clock for the deadline of a run", isPast) === true) {
    scope.reachDeadline()
    return Exit.interrupt(fiber.id())
  }
  return budgetMeter?.isExceeded === true ? Exit.fail(budgetMeter.exceeded(run)) : undefined
}
