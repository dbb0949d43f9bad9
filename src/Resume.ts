/**
 * Work on a run that came in, under that run's deadline.
 */
import { Effect, Function, Option } from "effect"
import * as FiberRefValues from "./fiber/FiberRefs.js"
import { yieldAfter } from "./fiber/TracerWrapper.js"
import { withRun } from "./lifecycle/CurrentRun.js"
import { inFiberOf, joinedRunFor, type RunCancelled, whileItLasts } from "./lifecycle/ReceivedRun.js"
import type { RunContext } from "./RunContext.js"
import type * as Deadline from "./run/Deadline.js"
import type { Run } from "./run/Run.js"

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
