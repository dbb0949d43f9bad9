/**
 * Whom an edge believes, where requests of others come in.
 */
import { Effect } from "effect"

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
