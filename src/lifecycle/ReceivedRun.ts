/**
 * Work on a run that came in, up to its deadline.
 */
import { Cause, Effect, type HashMap, Schema, type Tracer } from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { withWrappedTracer } from "../fiber/TracerWrapper.js"
import * as Deadline from "../run/Deadline.js"
import { forwardedWith, remoteSpanOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { Uuid } from "../run/RunId.js"
import { propagationModeFor } from "../run/Settings.js"
import { annotated } from "./RunAnnotations.js"
import { currentScope, RunScope } from "./RunScope.js"

/** A run came in that its sender had cancelled already; nothing was done for it. */
export class RunCancelled extends Schema.TaggedError<RunCancelled>()("RunCancelled", {
  runId: Uuid,
  workflow: Schema.String
}) {
  override get message(): string {
    return `run ${this.runId} of workflow "${this.workflow}" was cancelled before it came in`
  }
}

/** `work` in the fiber that works on a run; whose interruption says that the run is being stopped. */
export const inFiberOf = <A, E, R>(joined: JoinedRun, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => inFiberOfFor(fiber, joined, work))

/** The same in a fiber that is about to begin with it. */
export const inFiberOfFor = <A, E, R>(
  fiber: AnyFiber,
  { scope }: JoinedRun,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  scope.fiber = fiber
  return withWrappedTracer(fiber, work)
}

/** `work` on a run that came in, up to its deadline; nothing where that has passed, or the run is cancelled. */
export const whileItLasts = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  run: Run,
  fiber: AnyFiber
): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R> => {
  const { deadline } = run
  if (run.cancelled) return Effect.fail(new RunCancelled({ runId: run.runId, workflow: run.workflow }))
  if (deadline === undefined) return work
  const now = nowOf(fiber)
  const exceeded = Effect.suspend(() => Effect.fail(Deadline.deadlineExceeded(run, deadline)))
  if (run.isPastDeadline(now)) return exceeded
  // A run in the work shares the deadline, and may be the first to be interrupted at it.
  const bounded = Effect.catchAllCause(
    work,
    (cause): Effect.Effect<never, E | Deadline.DeadlineExceeded> =>
      Cause.isInterruptedOnly(cause) && Deadline.isAtDeadline(run, nowOf(fiber)) ? exceeded : Effect.failCause(cause)
  )
  return Deadline.enforce(bounded, deadline, now, () => exceeded)
}

export interface JoinedRun {
  readonly scope: RunScope
  /** The span under which work on the run stands: the one that is open here, else the one under which the run was sent. */
  readonly span: Tracer.AnySpan | undefined
  readonly onSpans: HashMap.HashMap<string, unknown>
  readonly onLogs: HashMap.HashMap<string, unknown>
}

export const joinedRunFor = (fiber: AnyFiber, run: Run): JoinedRun => {
  const span = fiber.currentSpan ?? remoteSpanOf(run)
  const around = currentScope(fiber.currentContext)
  return {
    scope: new RunScope(run, span, around, forwardedWith(run), false),
    span,
    ...annotated(fiber, run, propagationModeFor(fiber))
  }
}
