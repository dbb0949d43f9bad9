/**
 * Whom an edge believes, where requests of others come in.
 */
import { Context, Effect, FiberRef } from "effect"
import { Untrusted, withAmbientTracer } from "./AmbientTracer.js"

/**
 * Who is believed: everyone who can reach the edge (`"trusted"`), nobody (`"untrusted"`), or whoever sends a request of which a
 * predicate says so. A run that is believed brings ids, a deadline and baggage with it; so there is no default.
 */
export type Inbound<Request, E = never, R = never> =
  | "trusted"
  | "untrusted"
  | ((request: Request) => Effect.Effect<boolean, E, R>)

/** Whether a request is believed. */
export const isTrusted = <Request, E, R>(
  inbound: Inbound<Request, E, R>,
  request: Request
): Effect.Effect<boolean, E, R> =>
  typeof inbound === "function" ? inbound(request) : inbound === "trusted" ? trusted : untrusted

const trusted = Effect.succeed(true)
const untrusted = Effect.succeed(false)

/** `work` for someone who is not believed: nothing that came in with the request goes out again. */
export const forUntrusted = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.locally(
      withAmbientTracer(fiber, work),
      FiberRef.currentContext,
      Context.add(fiber.currentContext, Untrusted, true)
    )
  )
