/**
 * Whom an edge believes, where requests of others come in.
 */
import { Context, Effect } from "effect"
import { Untrusted, withWrappedTracer, yieldAfter } from "../fiber/TracerWrapper.js"

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
  typeof inbound === "function" ? evaluate(inbound(request)) : inbound === "trusted" ? trusted : untrusted

const trusted = Effect.succeed(true)
const untrusted = Effect.succeed(false)

/** As long as it is not known, nobody is believed; and whoever asks for it can go away. */
const evaluate = <E, R>(predicate: Effect.Effect<boolean, E, R>): Effect.Effect<boolean, E, R> =>
  Effect.withFiberRuntime((fiber) =>
    yieldAfter(
      fiber,
      Effect.mapInputContext(withWrappedTracer(fiber, Effect.interruptible(predicate)), (context: Context.Context<R>) =>
        Context.add(context, Untrusted, true)
      )
    )
  )
