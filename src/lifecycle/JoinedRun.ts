/**
 * Work on a run that came in, up to its deadline.
 */
import { Effect, HashMap, RuntimeFlags, Schema, type Tracer } from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import type * as FiberRefValues from "../fiber/FiberRefs.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { Timer } from "../fiber/Timer.js"
import { withWrappedTracer, wrappedServices, yieldAfter } from "../fiber/TracerWrapper.js"
import { type DeadlineExceeded, deadlineExceeded } from "../run/Deadline.js"
import { forwardedWith, remoteSpanOf, remoteStepOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { Uuid } from "../run/RunId.js"
import { propagationModeFor } from "../run/Settings.js"
import { Key } from "../wire/Wire.js"
import { currentStep } from "./CurrentStep.js"
import { annotated, isRunAnnotation } from "./RunAnnotations.js"
import { exitForCaller } from "./RunExit.js"
import { currentScope, RunScope } from "./RunScope.js"

/**
 * A run came in that its sender had cancelled already; nothing was done for it.
 *
 * @example
 * ```ts
 * import { Botanu, RunCancelled, RunContext } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const run = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
 *   yield* Effect.log("working").pipe(
 *     Botanu.resume(run, { deadline: "enforce" }),
 *     Effect.catchIf(
 *       (error) => error instanceof RunCancelled,
 *       (error) => Effect.log(error.message)
 *     )
 *   )
 * })
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class RunCancelled extends Schema.TaggedError<RunCancelled>()("RunCancelled", {
  runId: Uuid,
  workflow: Schema.String
}) {
  override get message(): string {
    return `run ${this.runId} of workflow "${this.workflow}" was cancelled before it came in`
  }
}

/**
 * `work` on a joined run up to its deadline, with these references of the fiber, if others than it has; no work where the
 * deadline has passed, or the run is cancelled.
 */
export const whileItLasts = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  { scope }: JoinedRun,
  values?: FiberRefValues.Values
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    const { run } = scope
    if (run.cancelled) return Effect.fail(new RunCancelled({ runId: run.runId, workflow: run.workflow }))
    const { deadline } = run
    if (deadline !== undefined && run.isPastDeadline(nowOf(fiber))) return Effect.fail(deadlineExceeded(run, deadline))
    // Nothing here stops the work: without references of its own it is done where no interruption reaches it.
    if (deadline === undefined && values === undefined) return yieldAfter(fiber, withWrappedTracer(fiber, work))
    const region = new FiberRegion(fiber)
    scope.work = { fiber, region, isInterruptible: RuntimeFlags.interruptible(runtimeFlags) }
    const timer = deadline && new Timer(fiber, deadline.epochMillis, () => scope.reachDeadline())
    const worked = Effect.uninterruptibleMask((restore) =>
      inRegion<A, E, R, A, E | DeadlineExceeded>(fiber, restore(work), {
        region,
        context: fiber.currentContext,
        services: wrappedServices(fiber),
        isOwnAnnotation: isRunAnnotation,
        ...values,
        endsChildren: () => scope.stoppedBy !== undefined,
        onExit: (exit) => {
          timer?.stop()
          const seen = exitForCaller(scope, exit, { fiberId: fiber.id(), mayFail: true })
          scope.work = undefined
          return seen
        }
      })
    )
    return yieldAfter(fiber, worked)
  })

/** `work` on a joined run, where another fiber does it than the one that waits for it. */
export const inFiberOf = <A, E, R>({ scope }: JoinedRun, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    scope.work = { ...scope.work, fiber, isInterruptible: RuntimeFlags.interruptible(runtimeFlags) }
    return work
  })

export interface JoinedRun {
  readonly scope: RunScope
  /** The span under which work on the run stands: the one that is open here, else the one under which the run was sent. */
  readonly span: Tracer.AnySpan | undefined
  readonly onSpans: HashMap.HashMap<string, unknown>
  readonly onLogs: HashMap.HashMap<string, unknown>
}

export const joinedRunFor = (fiber: AnyFiber, run: Run): JoinedRun => {
  const span = fiber.currentSpan ?? remoteSpanOf(run)
  const enclosing = currentScope(fiber.currentContext)
  const scope = new RunScope(run, span, enclosing, forwardedWith(run), false)
  const step = remoteStepOf(run)
  const further = step === undefined ? [] : [[Key.step, step] as const]
  const { onLogs, onSpans } = annotated(fiber, run, propagationModeFor(fiber), further)
  return step !== undefined || currentStep(fiber.currentContext) === undefined
    ? { scope, span, onSpans, onLogs }
    : { scope, span, onSpans: HashMap.remove(onSpans, Key.step), onLogs: HashMap.remove(onLogs, Key.step) }
}
