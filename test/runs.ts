/**
 * Runs to test with.
 */
import { DateTime, Effect, FastCheck, Fiber, Schema } from "effect"
import { Run, type RunContext } from "../src/index.js"

type Fields = ConstructorParameters<typeof Run>[0]

/** The options that every run needs. */
export const ids = { eventId: "ticket-42", customerId: "bigretail" }

export const instant = (epochMillis: number): DateTime.Utc => DateTime.unsafeMake(epochMillis)

const id = Schema.decodeSync(Run.fields.runId)

export const runId = id("019abc12-def3-7890-abcd-1234567890ab")
export const otherRunId = id("019abc11-0000-7000-8000-00000000000b")
export const thirdRunId = id("019abc12-0000-7000-8000-00000000000a")

/** What spans and log lines in `makeRun()` carry. */
export const leanKeys = {
  "botanu.run_id": runId,
  "botanu.workflow": "Customer Support",
  "botanu.event_id": "ticket-42",
  "botanu.customer_id": "bigretail"
}

/** The header of `makeRun()` in lean mode. */
export const leanHeader = `botanu.run_id=${runId},botanu.workflow=Customer%20Support,botanu.event_id=ticket-42,botanu.customer_id=bigretail`

export const makeRun = (fields?: Partial<Fields>): Run =>
  new Run({
    runId,
    workflow: "Customer Support",
    eventId: "ticket-42",
    customerId: "bigretail",
    environment: "production",
    rootRunId: runId,
    attempt: 1,
    startTime: instant(1_770_000_000_250),
    cancelled: false,
    ...fields
  })

/** Text that a field may hold: any Unicode but control characters, 1 to 256 bytes. */
export const fieldText = FastCheck.string({ unit: "binary", minLength: 1, maxLength: 80 }).filter(
  (text) => !/[\p{Cc}\u2028\u2029]/u.test(text) && new TextEncoder().encode(text).length <= 256
)

const uuid = FastCheck.uuid().map((text) => id(text))

const epochMillis = FastCheck.integer({ min: -8.64e15, max: 8.64e15 }).map(instant)

/** Any run that baggage can carry whole. */
export const anyRun: FastCheck.Arbitrary<Run> = FastCheck.record(
  {
    runId: uuid,
    workflow: fieldText,
    eventId: fieldText,
    customerId: fieldText,
    environment: fieldText,
    tenantId: fieldText,
    parentRunId: uuid,
    rootRunId: uuid,
    attempt: FastCheck.integer({ min: 1, max: 999_999 }),
    retryOfRunId: uuid,
    deadline: epochMillis,
    cancelled: FastCheck.boolean()
  },
  { requiredKeys: ["runId", "workflow", "eventId", "customerId", "environment", "rootRunId", "attempt", "cancelled"] }
).map((fields) => new Run({ ...fields, startTime: instant(0) }))

/** Something that is said of a run, from places in it that are far from where it began. */
export const fromAfar = <E>(
  said: Effect.Effect<void, E, RunContext>
): ReadonlyArray<readonly [where: string, work: Effect.Effect<void, E, RunContext>]> => {
  const nested = (depth: number): Effect.Effect<void, E, RunContext> =>
    depth === 0
      ? said
      : Effect.withSpan(
          Effect.suspend(() => nested(depth - 1)),
          `depth ${depth}`
        )
  return [
    ["at depth 5", nested(5)],
    ["in a forked fiber", Effect.flatMap(Effect.fork(nested(2)), Fiber.join)],
    ["in a daemon that is waited for", Effect.flatMap(Effect.forkDaemon(nested(1)), Fiber.join)],
    ["in a finalizer", Effect.ensuring(Effect.void, Effect.ignore(said))]
  ]
}
