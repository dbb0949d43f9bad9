/**
 * The simulated part of the work: it takes time, and is tried again after a while.
 */
import { Effect, Schedule } from "effect"
import type { Ticket } from "./Ticket.js"

/** A part of the work, as a span of its own, that takes a share of the ticket's time. */
export const step = (name: string, ticket: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  Effect.sleep(ticket.simulate.workMs * share).pipe(Effect.withSpan(name, { attributes }))

/** A part of the work that others do, who may never answer. */
export const call = (name: string, ticket: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  ticket.simulate.hangs ? Effect.withSpan(Effect.never, name, { attributes }) : step(name, ticket, share, attributes)

/** Two more attempts, a little later, after failures of these kinds. */
export const retryAfter = <const Tag extends string>(...tags: ReadonlyArray<Tag>) => ({
  schedule: Schedule.spaced("80 millis"),
  times: 2,
  while: (error: { readonly _tag: string }) => tags.some((tag) => tag === error._tag)
})
