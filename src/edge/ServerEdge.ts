/**
 * Incoming requests: the run that a request brings, and work in that run, in a run of its own, or in none.
 */
import { Context, Effect, FiberRef, Option, Tracer } from "effect"
import type { ReadOptions } from "../baggage/BaggageHeader.js"
import type { IncomingHeaders } from "../baggage/Carrier.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import * as FiberRefValues from "../fiber/FiberRefs.js"
import { Untrusted, withWrappedTracer, yieldAfter } from "../fiber/TracerWrapper.js"
import { currentRun, withRun } from "../lifecycle/CurrentRun.js"
import { extractFor } from "../lifecycle/IncomingRun.js"
import { CurrentRequestEdge, currentEdge, type RequestEdge } from "../lifecycle/Interruption.js"
import { inFiberOf, type JoinedRun, joinedRunFor, type RunCancelled, whileItLasts } from "../lifecycle/JoinedRun.js"
import { withoutRun } from "../lifecycle/RunAnnotations.js"
import { CurrentRunScope } from "../lifecycle/RunScope.js"
import { RunContext } from "../RunContext.js"
import type { DeadlineExceeded } from "../run/Deadline.js"
import type { InvalidRunContext } from "../run/NewRun.js"
import type { Run } from "../run/Run.js"
import { runOfEffect, type WorkflowRequest } from "../tracking/WorkflowRun.js"
import type { WorkflowOptions } from "../WorkflowOptions.js"

/**
 * A request as a run of its own: the workflow and its options. The server of a request does not retry it.
 *
 * @example
 * ```ts
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * const run: RunHttpServer.RequestRun<unknown> = { workflow: "Web", eventId: "request-1", customerId: "unknown" }
 * export const edge = RunHttpServer.middleware({ inbound: "untrusted", orElse: () => run })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RequestRun<in A = never> extends Omit<WorkflowOptions<A>, "retry" | "budget"> {
  /** The name of the workflow. */
  readonly workflow: string
  /** A request is worked on once: what retries it sends another one. */
  readonly retry?: never
  /** A request has no place for `BudgetExceeded`; a workflow in it has. */
  readonly budget?: never
}

/** What a request brings. */
export interface ReceivedRequest {
  /** The run of a trusted request, where its headers carry one. */
  readonly run: Option.Option<Run>
  /** Logs what is wrong with the headers, if anything is. */
  readonly report: Effect.Effect<void> | undefined
}

/** Reads the headers of a request. Those of an untrusted request are not read. */
export const receive = (
  fiber: AnyFiber,
  headers: IncomingHeaders,
  isTrusted: boolean,
  options: ReadOptions
): ReceivedRequest => (isTrusted ? extractFor(fiber, headers, options) : nothingReceived)

const nothingReceived: ReceivedRequest = { run: Option.none(), report: undefined }

/**
 * `work` in the run that a request brings, as `Botanu.resume` does it. To be called by the fiber that serves the request, where the
 * work comes next. That fiber does nothing else, so the run stays on what it does after the work, such as the access log.
 * `isInterruptible` makes the work interruptible; without it the work is in the region of its caller.
 */
export const inReceivedRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  run: Run,
  edge: RequestEdge,
  isInterruptible = false
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled, Exclude<R, RunContext>> => {
  const { fiber } = edge
  edge.received = run
  const joined = joinedRunFor(fiber, run)
  const { onLogs, onSpans, scope, span } = joined
  FiberRefValues.setFor(fiber, { context: withRun(fiber.currentContext, scope, span, edge), onLogs, onSpans })
  return inJoinedRun(work, joined, edge, isInterruptible) as never
}

const inJoinedRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  joined: JoinedRun,
  edge: RequestEdge,
  isInterruptible: boolean
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled, R> => {
  if (!isInterruptible) return whileItLasts(work, joined)
  const { scope } = joined
  if (scope.run.cancelled || scope.run.deadline !== undefined) {
    return whileItLasts(Effect.interruptible(inFiberOf(joined, work)), joined)
  }
  // Nothing here stops the work.
  const { fiber } = edge
  scope.work = { fiber, isInterruptible }
  edge.joined = scope
  return yieldAfter(fiber, withWrappedTracer(fiber, Effect.interruptible(work)))
}

/** The work on a request is over. Without this, daemons of the work would keep the fiber that served the request. */
export const letGo = ({ joined }: RequestEdge): void => {
  if (joined !== undefined) joined.work = undefined
}

/**
 * `work` on a request that brings no run. To be called by the fiber that serves the request, where the work comes next. The edge
 * stays on what the fiber does after the work.
 */
export const inNoReceivedRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  isTrusted: boolean,
  edge: RequestEdge
): Effect.Effect<A, E, R> => {
  const { fiber } = edge
  const context = withEdge(fiber.currentContext, edge)
  if (!isTrusted) context.unsafeMap.set(Untrusted.key, true)
  FiberRefValues.setFor(fiber, { context })
  return isTrusted ? work : withWrappedTracer(fiber, work)
}

/** Whether a fiber works on a request that an edge has received. */
export const isBehindEdge = (fiber: AnyFiber): boolean => fiber.currentContext.unsafeMap.has(CurrentRequestEdge.key)

/**
 * `served`, which an edge makes of a request that it does not trust. Where an edge further out has joined the run of that request,
 * it is left first, there too.
 */
export const distrusting = <A, E, R>(fiber: AnyFiber, served: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const outer = currentEdge(fiber.currentContext)
  if (outer?.received === undefined || currentRun(fiber.currentContext) !== outer.received) return served()
  outer.isDistrusted = true
  return Effect.zipRight(leaveRun(fiber, outer), Effect.suspend(served))
}

/** Takes what a fiber does next out of the run that was received at an edge, and marks the request as not trusted. */
export const leaveRun = (fiber: AnyFiber, edge: RequestEdge): Effect.Effect<void> =>
  Effect.sync(() => {
    const context = withEdge(fiber.currentContext, edge)
    const services = context.unsafeMap
    services.set(Untrusted.key, true)
    services.delete(RunContext.key)
    services.delete(CurrentRunScope.key)
    if ((services.get(Tracer.ParentSpan.key) as Tracer.AnySpan | undefined)?._tag === "ExternalSpan") {
      services.delete(Tracer.ParentSpan.key)
    }
    FiberRefValues.setFor(fiber, {
      context,
      onSpans: withoutRun(fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations)),
      onLogs: withoutRun(fiber.getFiberRef(FiberRef.currentLogAnnotations))
    })
  })

const withEdge = (context: Context.Context<never>, edge: RequestEdge) => {
  const services = new Map(context.unsafeMap)
  services.set(CurrentRequestEdge.key, edge)
  return Context.unsafeMake<never>(services)
}

/** `work` as a run of its own. `onOpen` learns of the run before the work begins, and where the run ends without. */
export const inOwnRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  options: RequestRun<A>,
  onOpen?: (run: Run) => void
): Effect.Effect<A, E | DeadlineExceeded | InvalidRunContext, Exclude<R, RunContext>> =>
  runOfEffect(work as Effect.Effect<unknown, unknown>, options as WorkflowRequest, onOpen) as never
