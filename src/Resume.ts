/**
 * Work on a run that came in, under that run's deadline.
 */
import { Cause, Effect, Function, Option, Schema } from "effect"
import { type AnyFiber, nowOf } from "./fiber/CurrentFiber.js"
import * as FiberRefValues from "./fiber/FiberRefs.js"
import { withWrappedTracer, yieldAfter } from "./fiber/TracerWrapper.js"
import { type JoinedRun, joinedRunFor } from "./lifecycle/CurrentRun.js"
import { type RunContext, withRun } from "./RunContext.js"
import * as Deadline from "./run/Deadline.js"
import type { Run } from "./run/Run.js"
import { Uuid } from "./run/RunId.js"

/** A run came in that its sender had cancelled already; nothing was done for it. */
export class RunCancelled extends Schema.TaggedError<RunCancelled>()("RunCancelled", {
  runId: Uuid,
  workflow: Schema.String
}) {
  override get message(): string {
    return `run ${this.runId} of workflow "${this.workflow}" was cancelled before it came in`
  }
}

/**
 * Joins a run that came in: provides `RunContext` to the effect, puts the run on every span and log line made in it, and
 * interrupts it at the run's deadline. Where no span is open, the span under which the run was sent is the parent. The run is
 * neither started nor completed here; a workflow in the effect makes a child of it.
 *
 * Fails with `DeadlineExceeded` at the deadline, and without doing anything where that has passed; with `RunCancelled` where
 * the run came in cancelled. Of `None`, the effect remains as it is.
 */
export const resume: {
  (
    run: Run
  ): <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, Exclude<R, RunContext>>
  (
    run: Option.Option<Run>
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    run: Run
  ): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, Exclude<R, RunContext>>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    run: Option.Option<Run>
  ): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R>
} = Function.dual(2, <A, E, R>(effect: Effect.Effect<A, E, R>, run: Run | Option.Option<Run>) => {
  if (!Option.isOption(run)) return joined(effect, run)
  return Option.match(run, { onNone: () => effect, onSome: (run) => joined(effect, run) })
})

const joined = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  run: Run
): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R> =>
  Effect.withFiberRuntime((fiber) => whileItLasts(inside(work, run), run, fiber))

/** `work` with the run in its context, and on its spans and log lines. */
const inside = <A, E, R>(work: Effect.Effect<A, E, R>, run: Run): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const joined = joinedRunFor(fiber, run)
    const context = withRun(fiber.currentContext, joined.scope, joined.span)
    return yieldAfter(fiber, FiberRefValues.within(inFiberOf(joined, work), { ...joined, context }))
  })

/** @internal `work` in the fiber that works on a run; whose interruption says that the run is being stopped. */
export const inFiberOf = <A, E, R>(joined: JoinedRun, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => inFiberOfFor(fiber, joined, work))

/** @internal The same in a fiber that is about to begin with it. */
export const inFiberOfFor = <A, E, R>(
  fiber: AnyFiber,
  { scope }: JoinedRun,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  scope.fiber = fiber
  return withWrappedTracer(fiber, work)
}

/** @internal `work` on a run that came in, up to its deadline; nothing where that has passed, or the run is cancelled. */
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
