/**
 * The operator: watches the runs that are alive, and cancels those of tickets that their customers have withdrawn.
 */
import { Botanu } from "botanu-effect"
import { Context, DateTime, Effect, Layer, Schedule } from "effect"
import type { Ticket } from "./Ticket.js"

export class Operator extends Context.Tag("support-desk/Operator")<
  Operator,
  {
    /** Tells the operator of a ticket that is about to be worked. */
    readonly hear: (ticket: Ticket) => Effect.Effect<void>
  }
>() {}

export const reason = "withdrawn by the customer"

export const layer: Layer.Layer<Operator> = Layer.scoped(
  Operator,
  Effect.gen(function* () {
    const withdrawals = new Map<string, number>()
    yield* cancelWithdrawn(withdrawals).pipe(Effect.repeat(Schedule.spaced("20 millis")), Effect.forkScoped)
    return {
      hear: ({ id, simulate: { withdrawnAfterMs } }) =>
        Effect.sync(() => {
          if (withdrawnAfterMs !== undefined) withdrawals.set(id, withdrawnAfterMs)
        })
    }
  })
)

const cancelWithdrawn = (withdrawals: Map<string, number>) =>
  Effect.gen(function* () {
    if (withdrawals.size === 0) return
    const now = yield* DateTime.now
    for (const run of yield* Botanu.activeRuns) {
      const afterMs = run.parentRunId === undefined ? withdrawals.get(run.eventId) : undefined
      if (afterMs === undefined || DateTime.distance(run.startTime, now) < afterMs) continue
      yield* Botanu.cancel(run.runId, reason)
      withdrawals.delete(run.eventId)
    }
  })
