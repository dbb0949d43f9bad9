/**
 * Work that starts in a run and belongs to none.
 */
import { Context, Effect, FiberRef } from "effect"
import { withLocals } from "./fiber/LocalRefs.js"
import { withoutRun } from "./lifecycle/CurrentRun.js"
import { withoutOurs } from "./lifecycle/RunAnnotations.js"
import type { RunContext } from "./RunContext.js"
import { CurrentCall } from "./tracking/OpenCall.js"

/**
 * An effect that asks for no run: in detached work there is none.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const inBackground = <A, E, R>(worker: Effect.Effect<A, E, R> & Botanu.NeedsNoRun<R>) =>
 *   Effect.forkDaemon(Botanu.detached(worker))
 * ```
 *
 * @since 0.2.0
 * @category detached
 */
export type NeedsNoRun<R> = [Extract<R, RunContext | CurrentCall>] extends [never]
  ? unknown
  : { readonly "detached work is in no run, so it cannot require RunContext": never }

/**
 * Runs an effect in no run, wherever it is started: a worker that the first run starts and that lives on, a cron fiber, the
 * look-up of a cache that many runs share. Its spans are roots, its spans and log lines carry no run, its workflows have no
 * parent and inherit no deadline, and its calls carry nothing of the run. What `Botanu.annotate` and `Botanu.step` said does not
 * hold in it either.
 *
 * It starts no fiber: `Effect.forkDaemon(Botanu.detached(worker))` does.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect, Queue } from "effect"
 *
 * const startWorker = (queue: Queue.Queue<string>) =>
 *   Queue.take(queue).pipe(
 *     Effect.flatMap((orderId) =>
 *       Effect.log("shipping").pipe(Botanu.workflow("Ship Order", { eventId: orderId, customerId: "bigretail" }))
 *     ),
 *     Effect.forever,
 *     Botanu.detached,
 *     Effect.forkDaemon
 *   )
 * ```
 *
 * @since 0.2.0
 * @category detached
 */
export const detached = <A, E, R>(effect: Effect.Effect<A, E, R> & NeedsNoRun<R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    withLocals(effect as Effect.Effect<A, E, R>, {
      context: Context.omit(CurrentCall)(withoutRun(fiber.currentContext)) as Context.Context<never>,
      onSpans: withoutOurs(fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations)),
      onLogs: withoutOurs(fiber.getFiberRef(FiberRef.currentLogAnnotations))
    })
  )

/**
 * The same, under the span that is open: for work whose fiber was started in a run by chance, as that of an entity in one process is
 * by the fiber that sends it its first message.
 */
export const inNoRun = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const span = fiber.currentSpan
    const inSpan = span === undefined ? work : Effect.withParentSpan(work, span)
    return detached(inSpan as Effect.Effect<A, E>) as Effect.Effect<A, E, R>
  })
