/**
 * Where requests of others come in: a request is worked on in the run that it brings, or as a run of its own.
 */
import { Context, Effect, Option } from "effect"
import type { ReadOptions } from "../baggage/BaggageHeader.js"
import type { IncomingHeaders } from "../baggage/Carrier.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import * as FiberRefValues from "../fiber/FiberRefs.js"
import { Untrusted, withWrappedTracer } from "../fiber/TracerWrapper.js"
import { currentRun, withRun } from "../lifecycle/CurrentRun.js"
import { extractFor } from "../lifecycle/IncomingRun.js"
import { CurrentRequestEdge, type RequestEdge } from "../lifecycle/Interruption.js"
import { inFiberOf, inFiberOfFor, joinedRunFor, type RunCancelled, whileItLasts } from "../lifecycle/ReceivedRun.js"
import type { DeadlineExceeded } from "../run/Deadline.js"
import type { InvalidRunContext } from "../run/NewRun.js"
import type { Run } from "../run/Run.js"
import { type WorkflowOptions, workflow } from "../Workflow.js"

/** A request as a run of its own: the workflow, and its options. A request is not tried again by who serves it. */
export interface RequestRun<in A = never> extends Omit<WorkflowOptions<A>, "retry" | "budget"> {
  /** The name of the work. */
  readonly workflow: string
  readonly retry?: never
  /** A request has no place for `BudgetExceeded`; a workflow in it has. */
  readonly budget?: never
}

/** A request, as its edge knows it. */
export interface Arrival<A> extends ReadOptions {
  readonly headers: IncomingHeaders
  readonly isTrusted: boolean
  /** What an interruption of the serving fiber means. */
  readonly reasonOf: RequestEdge["reasonOf"]
  /** The request as a run, where it brings none that is believed. */
  readonly orElse: (() => RequestRun<A>) | undefined
  /** Learns of the run, whichever it is, before the work begins. */
  onRun(run: Run): void
  /** Put around the work where another fiber does it than the one that serves the request. */
  elsewhere?<E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
  /** Where a run of its own goes on after its result is there: makes it of the work and of what makes the work that run. */
  readonly lasting?: <E, R, E2, R2>(
    work: Effect.Effect<A, E, R>,
    inRun: (work: Effect.Effect<A, E, R>) => Effect.Effect<A, E2, R2>
  ) => Effect.Effect<A, E2, R2>
}

/**
 * `work` on a request. In the run that it brings, as `resume` does; else as a run of its own, or in none. The fiber that serves
 * a request does nothing else, so what it does after the work, such as writing the access log, is left in the run too.
 */
export const serve = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  arrival: Arrival<A>
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R> =>
  Effect.withFiberRuntime<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R>((fiber) => {
    const edge: RequestEdge = { fiber, reasonOf: arrival.reasonOf }
    if (!arrival.isTrusted) {
      const own = withWrappedTracer(fiber, inOwnRun(work, arrival))
      return Effect.zipRight(FiberRefValues.set({ context: withEdge(fiber.currentContext, edge, true) }), own)
    }
    const { report, run } = extractFor(fiber, arrival.headers, arrival)
    const served: Effect.Effect<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R> = Option.isSome(run)
      ? inReceivedRun(work, run.value, arrival, fiber, edge)
      : Effect.zipRight(
          FiberRefValues.set({ context: withEdge(fiber.currentContext, edge, false) }),
          inOwnRun(work, arrival)
        )
    return report === undefined ? served : Effect.zipRight(report, served)
  })

const withEdge = (context: Context.Context<never>, edge: RequestEdge, isUntrusted: boolean): Context.Context<never> => {
  const services = new Map(context.unsafeMap)
  services.set(CurrentRequestEdge.key, edge)
  if (isUntrusted) services.set(Untrusted.key, true)
  return Context.unsafeMake(services)
}

const inReceivedRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  run: Run,
  arrival: Arrival<A>,
  fiber: AnyFiber,
  edge: RequestEdge
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled, R> => {
  const joined = joinedRunFor(fiber, run)
  arrival.onRun(run)
  const { onLogs, onSpans, scope, span } = joined
  const values = { context: withRun(fiber.currentContext, scope, span, edge), onLogs, onSpans }
  // A deadline takes the work to another fiber.
  const inRun =
    run.deadline === undefined
      ? inFiberOfFor(fiber, joined, work)
      : inFiberOf(joined, arrival.elsewhere?.(work) ?? work)
  return Effect.zipRight(FiberRefValues.set(values), whileItLasts(inRun, run, fiber))
}

const inOwnRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  arrival: Arrival<A>
): Effect.Effect<A, E | DeadlineExceeded | InvalidRunContext, R> => {
  const { lasting, orElse } = arrival
  if (orElse === undefined) return work
  const asRun = (work: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const { workflow: name, ...options } = orElse()
      return workflow(announced(work, arrival), name, options)
    })
  const elsewhere = arrival.elsewhere?.(work) ?? work
  return lasting === undefined ? asRun(elsewhere) : lasting(elsewhere, asRun)
}

const announced = <A, E, R>(work: Effect.Effect<A, E, R>, arrival: Arrival<A>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const run = currentRun(fiber.currentContext)
    if (run !== undefined) arrival.onRun(run)
    return work
  })
