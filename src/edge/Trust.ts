/**
 * Which requests an edge trusts.
 */
import { Context, Effect } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { Untrusted, withWrappedTracer, yieldAfter } from "../fiber/TracerWrapper.js"

/**
 * Which requests are trusted: all that reach the edge (`"trusted"`), none (`"untrusted"`), or those for which a predicate gives
 * `true`. A trusted request brings ids, a deadline and baggage; so there is no default. A request that another edge on its way
 * does not trust is not trusted here either.
 *
 * @example
 * ```ts
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * const inbound: RunHttpServer.Inbound<unknown> = "untrusted"
 * export const edge = RunHttpServer.middleware({ inbound })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Inbound<Request, E = never, R = never> =
  | "trusted"
  | "untrusted"
  | ((request: Request) => Effect.Effect<boolean, E, R>)

/** Whether an edge has found that the request on which a fiber works is not trusted. */
export const isDistrusted = (fiber: AnyFiber): boolean => fiber.currentContext.unsafeMap.get(Untrusted.key) === true

/** Whether a request is trusted. */
export const isTrusted = <Request, E, R>(
  inbound: Inbound<Request, E, R>,
  request: Request
): Effect.Effect<boolean, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    if (inbound === "untrusted" || isDistrusted(fiber)) return untrusted
    return typeof inbound === "function" ? evaluate(fiber, inbound(request)) : trusted
  })

const trusted = Effect.succeed(true)
const untrusted = Effect.succeed(false)

/** Nothing of the request is trusted meanwhile, and a client that goes away interrupts the predicate. */
const evaluate = <E, R>(fiber: AnyFiber, predicate: Effect.Effect<boolean, E, R>): Effect.Effect<boolean, E, R> =>
  yieldAfter(
    fiber,
    Effect.mapInputContext(
      // A predicate written without types may give anything.
      withWrappedTracer(fiber, Effect.interruptible(Effect.map(predicate, (answer) => answer === true))),
      (context: Context.Context<R>) => Context.add(context, Untrusted, true)
    )
  )
