/**
 * Deadlines of any length, and what decides that one has come.
 */
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { vi } from "vitest"
import { Botanu, DeadlineExceeded, Propagation } from "../../src/index.js"
import { completedRuns, observed } from "../observed.js"
import { ids, instant, makeRun } from "../runs.js"

const day = 86_400_000

describe("a deadline of 30 days, on real timers", () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const endsOn = async (program: Effect.Effect<unknown, unknown>): Promise<number | undefined> => {
    const start = Date.now()
    let end: number | undefined
    const fiber = Effect.runFork(program)
    fiber.addObserver(() => {
      end = Date.now()
    })
    for (let passed = 0; passed < 35 && end === undefined; passed++) await vi.advanceTimersByTimeAsync(day)
    return end === undefined ? undefined : Math.round((end - start) / day)
  }

  it("ends a run", async () => {
    expect(await endsOn(Botanu.workflow(Effect.never, "W", { ...ids, deadline: "30 days" }))).toBe(30)
  })

  it("ends a run that inherits it", async () => {
    const inner = Botanu.workflow(Effect.never, "Inner", ids)
    expect(await endsOn(Botanu.workflow(inner, "W", { ...ids, deadline: "30 days" }))).toBe(30)
  })

  it("ends work on a run that came in", async () => {
    const run = makeRun({ deadline: instant(Date.now() + 30 * day) })
    expect(await endsOn(Botanu.resume(Effect.never, run, { deadline: "enforce" }))).toBe(30)
  })
})

/** The clock of a test, which steps back by so many ms whenever it is asked after a sleep. */
const steppingBack = (clock: Clock.Clock, millis: number): Clock.Clock => {
  let hasSlept = false
  const now = () => clock.unsafeCurrentTimeMillis() - (hasSlept ? millis : 0)
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: now,
    unsafeCurrentTimeNanos: () => BigInt(now()) * 1_000_000n,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanos: Effect.sync(() => BigInt(now()) * 1_000_000n),
    sleep: (duration) =>
      Effect.map(clock.sleep(duration), () => {
        hasSlept = true
      })
  }
}

const atSteppingClock = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.clock, (clock) => Effect.withClock(work, steppingBack(clock, 5)))

describe("what ended a run is decided by its timer", () => {
  it.effect("where the clock steps back at the deadline", () =>
    Effect.gen(function* () {
      const inner = Botanu.workflow(Effect.never, "Inner", ids)
      const outer = Botanu.workflow(inner, "Outer", { ...ids, deadline: "1 second" })
      const fiber = yield* Effect.fork(Effect.flip(atSteppingClock(outer)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBeInstanceOf(DeadlineExceeded)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["timeout", "timeout"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("where a run came in", () =>
    Effect.gen(function* () {
      const inner = Botanu.workflow(Effect.never, "Inner", ids)
      const resumed = Botanu.resume(inner, makeRun({ deadline: instant(1000) }), { deadline: "enforce" })
      const fiber = yield* Effect.fork(Effect.flip(atSteppingClock(resumed)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBeInstanceOf(DeadlineExceeded)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["timeout"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("a deadline that comes during the finalizers of a cancelled run does not count", () =>
    Effect.gen(function* () {
      const body = Effect.ensuring(Effect.never, Effect.sleep("1 minute"))
      const fiber = yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "1 second" }))
      yield* Effect.yieldNow()
      for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "operator")
      yield* TestClock.adjust("1 minute")
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["canceled"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("in a region that cannot be interrupted, the late success counts as a timeout", () =>
    Effect.gen(function* () {
      const work = Botanu.workflow(Effect.sleep("1 minute"), "W", { ...ids, deadline: "1 second" })
      const fiber = yield* Effect.fork(Effect.flip(Effect.uninterruptible(work)))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBeInstanceOf(DeadlineExceeded)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["timeout"])
    }).pipe(Effect.provide(observed))
  )
})

/** Sets the clock forward without ending a sleep, as blocking JavaScript does. */
const blocking = <A, E, R>(millis: number, work: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.clock, (clock) =>
    Effect.withClock(work, { ...steppingBack(clock, 0), unsafeCurrentTimeMillis: () => millis })
  )

const isSentCancelled = Effect.map(Propagation.injectWith({ deadline: true, mode: "full" }), ({ baggage }) =>
  baggage?.includes("botanu.cancelled=true")
)

it.effect("a run that ends as a success is not sent as cancelled, however late it is by the clock", () =>
  Effect.gen(function* () {
    const sent = yield* Botanu.workflow(blocking(5000, isSentCancelled), "W", { ...ids, deadline: "1 second" })
    expect(sent).toBe(false)
    expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success"])
  }).pipe(Effect.provide(observed))
)

it.effect("a run that its deadline stops is sent as cancelled by its finalizers", () =>
  Effect.gen(function* () {
    const seen = yield* Deferred.make<boolean | undefined>()
    const body = Effect.ensuring(
      Effect.never,
      Effect.flatMap(isSentCancelled, (sent) => Deferred.succeed(seen, sent))
    )
    yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "1 second" }))
    yield* TestClock.adjust("1 second")
    expect(yield* Deferred.await(seen)).toBe(true)
  })
)
