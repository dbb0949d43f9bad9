/**
 * The simulated part of the work: it takes time, and is tried again after a while.
 */
import { Effect, Schedule } from "effect"
import type { Simulated } from "./Simulated.js"
import type { Ticket } from "./Ticket.js"

/** A part of the work, as a span of its own, that takes a share of the ticket's time. */
export const step = (name: string, ticket: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  Effect.sleep(ticket.simulate.workMs * share).pipe(Effect.withSpan(name, { attributes }))

/** A part of the work that others do, who may never answer. */
export const call = (name: string, ticket: Ticket, share: number, attributes: Record<string, unknown> = {}) =>
  ticket.simulate.hangs ? Effect.withSpan(Effect.never, name, { attributes }) : step(name, ticket, share, attributes)

/** The part of the work that a model does: it takes a share of the ticket's time too, at the model's end. */
export const thinking = (
  { id, simulate }: Ticket,
  share: number,
  also: Partial<Pick<Simulated, "hangs" | "isOverloaded">> = {}
): Simulated => ({
  ticket: id,
  workMs: simulate.workMs * share,
  refusals: simulate.refusals ?? 0,
  isTold: simulate.untold !== true,
  hangs: false,
  isOverloaded: false,
  ...also
})

/** Two more attempts, a little later, after failures of these kinds. */
export const retryAfter = <const Tag extends string>(...tags: ReadonlyArray<Tag>) => ({
  schedule: Schedule.spaced("80 millis"),
  times: 2,
  while: (error: { readonly _tag: string }) => tags.some((tag) => tag === error._tag)
})
