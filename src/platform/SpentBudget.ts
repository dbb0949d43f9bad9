/**
 * Requests that a budget of `Budget.layer` refuses. The error is in no type, so most apps do not handle it.
 */
import { HttpServerRespondable, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Clock, Effect } from "effect"
import { BudgetExceeded } from "../cost/BudgetExceeded.js"

/**
 * The same cause, of which a server answers a spent budget with 429, unless code further out handles it. A budget of one run is left
 * alone: it is in the type of its workflow.
 */
export const withAnswer = <E>(cause: Cause.Cause<E>): Cause.Cause<E> => {
  for (const error of Chunk.appendAll<unknown, unknown>(Cause.failures(cause), Cause.defects(cause))) {
    if (!(error instanceof BudgetExceeded) || error.period === undefined) continue
    const { end } = error.period
    // On the error itself: a copy would be another error for code further out.
    Object.defineProperty(error, HttpServerRespondable.symbol, {
      value: () => tooManyRequests(end.epochMillis),
      // Another edge further out may do the same.
      configurable: true
    })
  }
  return cause
}

/** No body: what a customer has spent is nothing for a stranger. */
const tooManyRequests = (endMillis: number): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(Clock.currentTimeMillis, (nowMillis) =>
    HttpServerResponse.empty({
      status: 429,
      headers: { "retry-after": String(Math.max(1, Math.ceil((endMillis - nowMillis) / 1000))) }
    })
  )
