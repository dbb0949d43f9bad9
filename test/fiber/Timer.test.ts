import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { sleepUntil, Timer } from "../../src/fiber/Timer.js"

const days = (count: number) => count * 24 * 60 * 60 * 1000

const thisFiber = Effect.withFiberRuntime<Fiber.RuntimeFiber<unknown, unknown>>((fiber) => Effect.succeed(fiber))

describe("a sleep until an instant", () => {
  it.effect("holds beyond the longest timer of JavaScript", () =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const fiber = yield* Effect.fork(sleepUntil(clock, days(60)))
      yield* TestClock.adjust("59 days")
      expect(fiber.unsafePoll()).toBeNull()
      yield* TestClock.adjust("1 day")
      expect(yield* Fiber.join(fiber)).toBeUndefined()
    })
  )

  it.effect("does not wait for an instant that is past", () =>
    Effect.flatMap(Effect.clock, (clock) => sleepUntil(clock, -1))
  )
})

describe("a timer", () => {
  it.effect("calls back once, when the clock of its fiber shows the instant", () =>
    Effect.gen(function* () {
      let calls = 0
      new Timer(yield* thisFiber, 1000, () => {
        calls += 1
      })
      yield* TestClock.adjust("999 millis")
      expect(calls).toBe(0)
      yield* TestClock.adjust("10 seconds")
      expect(calls).toBe(1)
    })
  )

  it.effect("does not call back after it was stopped", () =>
    Effect.gen(function* () {
      let calls = 0
      const timer = new Timer(yield* thisFiber, 1000, () => {
        calls += 1
      })
      yield* TestClock.adjust("999 millis")
      timer.stop()
      yield* TestClock.adjust("10 seconds")
      expect(calls).toBe(0)
    })
  )
})
