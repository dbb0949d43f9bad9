/**
 * Where requests of others come in: a request is worked on in the run that it brings, or as a run of its own.
 */
import { Context, Effect, type Fiber, FiberRef, Option } from "effect"
import type { ReadOptions } from "./BaggageHeader.js"
import type { IncomingHeaders } from "./Carrier.js"
import type { DeadlineExceeded } from "./Deadline.js"
import { CurrentEdge, type Edge } from "./Interruption.js"
import type { InvalidRunContext } from "./NewRun.js"
import * as Propagation from "./Propagation.js"
import { type RunCancelled, resume } from "./Resume.js"
import type { Run } from "./Run.js"
import { currentRun } from "./RunContext.js"
import { forUntrusted } from "./Trust.js"
import { type WorkflowOptions, workflow } from "./Workflow.js"

/** A request as a run of its own: the workflow, and its options. A request is not tried again by who serves it. */
export interface RequestRun<in A = never> extends Omit<WorkflowOptions<A>, "retry"> {
  /** The name of the work. */
  readonly workflow: string
}

/** A request, as its edge knows it. */
export interface Arrival<in A> extends ReadOptions {
  readonly headers: IncomingHeaders
  readonly isTrusted: boolean
  /** What an interruption of the serving fiber means. */
  readonly reasonOf: Edge["reasonOf"]
  /** The request as a run, where it brings none that is believed. */
  readonly orElse: (() => RequestRun<A>) | undefined
  /** Learns of the run, whichever it is, before the work begins. */
  readonly onRun: (run: Run) => void
}

/** `work` on a request. In the run that it brings, as `resume` does; else as a run of its own, or in none. */
export const serve = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  arrival: Arrival<A>
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R> =>
  Effect.withFiberRuntime((fiber) => {
    const edge: Edge = { fiber, reasonOf: arrival.reasonOf }
    const served = arrival.isTrusted
      ? Effect.flatMap(Propagation.extract(arrival.headers, arrival), (run) => inRun(work, run, arrival))
      : forUntrusted(inRun(work, Option.none(), arrival))
    return Effect.locally(served, FiberRef.currentContext, Context.add(fiber.currentContext, CurrentEdge, edge))
  })

const inRun = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  received: Option.Option<Run>,
  { onRun, orElse }: Arrival<A>
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R> => {
  if (Option.isSome(received)) {
    onRun(received.value)
    return resume(work, received)
  }
  if (orElse === undefined) return work
  return Effect.suspend(() => {
    const { workflow: name, ...options } = orElse()
    const announced = Effect.withFiberRuntime((fiber: Fiber.RuntimeFiber<A, E>) => {
      const run = currentRun(fiber.currentContext)
      if (run !== undefined) onRun(run)
      return work
    })
    return workflow(announced, name, options)
  })
}
