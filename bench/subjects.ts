/**
 * The two programs that are compared: a run, and what a plain Effect program does to have as much on its span.
 */
import { randomUUID } from "node:crypto"
import { Context, Duration, Effect } from "effect"
import { Botanu } from "../src/index.js"

const workflow = "Customer Support"
const customerId = "cust-Zoé-17"

let events = 0

const nextEventId = (): string => {
  events += 1
  return `ticket-${events}`
}

/** One run. */
export const run = <A, E>(body: Effect.Effect<A, E>) =>
  Botanu.workflow(body, workflow, { eventId: nextEventId(), customerId })

/** One run under a deadline. */
export const runWithDeadline = <A, E>(body: Effect.Effect<A, E>, deadline: Duration.DurationInput) =>
  Botanu.workflow(body, workflow, { eventId: nextEventId(), customerId, deadline })

/** The service that the plain program provides, where a run provides `RunContext`. */
class Work extends Context.Tag("bench/Work")<
  Work,
  { readonly id: string; readonly workflow: string; readonly eventId: string; readonly customerId: string }
>() {}

/**
 * One service, one span with the attributes of a run, and its two events, in the fewest effects. Unlike a run it checks
 * nothing, counts nothing, cannot be cancelled by others and says nothing where the body fails.
 */
export const plain = <A, E>(body: Effect.Effect<A, E>) => plainWith(body, {})

/** The plain program under a timeout. */
export const plainWithTimeout = <A, E>(body: Effect.Effect<A, E>, timeout: Duration.DurationInput) =>
  plainWith(Effect.timeout(body, timeout), {
    "botanu.run.deadline_ts": (Date.now() + Duration.toMillis(timeout)) / 1000
  })

const plainWith = <A, E>(body: Effect.Effect<A, E>, furtherAttributes: Record<string, unknown>) => {
  const id = randomUUID()
  const eventId = nextEventId()
  const attributes = {
    "botanu.run_id": id,
    "botanu.workflow": workflow,
    "botanu.event_id": eventId,
    "botanu.customer_id": customerId,
    "botanu.environment": "production",
    "botanu.root_run_id": id,
    "botanu.attempt": 1,
    "botanu.run.start_time": new Date().toISOString(),
    ...furtherAttributes
  }
  return withEvents(body, id).pipe(
    Effect.provideService(Work, { id, workflow, eventId, customerId }),
    Effect.withSpan(`botanu.run/${workflow}`, { kind: "server", attributes, captureStackTrace: false })
  )
}

const withEvents = <A, E>(body: Effect.Effect<A, E>, id: string) =>
  Effect.flatMap(Effect.currentSpan, (span) =>
    Effect.clockWith((clock) => {
      const start = clock.unsafeCurrentTimeNanos()
      span.event("botanu.run.started", start, { run_id: id, workflow })
      return Effect.map(body, (result) => {
        const end = clock.unsafeCurrentTimeNanos()
        const durationMs = Number(end - start) / 1e6
        span.attribute("botanu.run.duration_ms", durationMs)
        span.attribute("botanu.outcome.status", "success")
        span.event("botanu.run.completed", end, {
          run_id: id,
          workflow,
          status: "success",
          duration_ms: durationMs
        })
        return result
      })
    })
  )
