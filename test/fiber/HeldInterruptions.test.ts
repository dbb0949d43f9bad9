/**
 * Interruptions of a fiber that wait.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FiberId, HashSet } from "effect"
import { FiberRegion } from "../../src/fiber/FiberRegion.js"
import { holdInterruptions } from "../../src/fiber/HeldInterruptions.js"

const by = FiberId.runtime(-7, 0)

/** A fiber that holds interruptions while `isHeld`, then lets them in and goes on for ever. */
const holding = (isHeld: () => boolean) =>
  Effect.gen(function* () {
    const [begun, mayEnd] = yield* Effect.all([Deferred.make<FiberRegion>(), Deferred.make<void>()])
    const worked: Array<string> = []
    const fiber = yield* Effect.fork(
      Effect.withFiberRuntime<never>((fiber) => {
        const end = holdInterruptions(fiber, isHeld)
        return Deferred.succeed(begun, new FiberRegion(fiber)).pipe(
          Effect.zipRight(Deferred.await(mayEnd)),
          Effect.tap(() => {
            worked.push("to its end")
            end()
          }),
          Effect.zipRight(Effect.yieldNow()),
          Effect.tap(() => worked.push("beyond")),
          Effect.zipRight(Effect.never)
        )
      })
    )
    return { fiber, mayEnd, worked, region: yield* Deferred.await(begun) }
  })

const interruptors = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? Array.from(HashSet.toValues(Cause.interruptors(exit.cause))) : []

describe("an interruption of a fiber that holds it", () => {
  it.effect("waits, and comes then in the name of who sent it", () =>
    Effect.gen(function* () {
      const { fiber, mayEnd, worked } = yield* holding(() => true)
      fiber.unsafeInterruptAsFork(by)
      yield* Effect.yieldNow()
      expect(fiber.unsafePoll()).toBe(null)
      yield* Deferred.succeed(mayEnd, undefined)
      expect(interruptors(yield* Fiber.await(fiber))).toEqual([by])
      expect(worked).toEqual(["to its end"])
    })
  )

  it.effect("is dropped where it is that of a region", () =>
    Effect.gen(function* () {
      const { fiber, mayEnd, region, worked } = yield* holding(() => true)
      region.interrupt(by)
      yield* Deferred.succeed(mayEnd, undefined)
      while (worked.length < 2) yield* Effect.yieldNow()
      expect(fiber.unsafePoll()).toBe(null)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("comes at once while it is not held, and after the hold has ended", () =>
    Effect.gen(function* () {
      const first = yield* holding(() => false)
      first.fiber.unsafeInterruptAsFork(by)
      expect(interruptors(yield* Fiber.await(first.fiber))).toEqual([by])
      const second = yield* holding(() => true)
      yield* Deferred.succeed(second.mayEnd, undefined)
      while (second.worked.length < 2) yield* Effect.yieldNow()
      second.fiber.unsafeInterruptAsFork(by)
      expect(interruptors(yield* Fiber.await(second.fiber))).toEqual([by])
    })
  )

  it.effect("waits for the last of two holds", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const ends: Array<() => void> = []
      const fiber = yield* Effect.fork(
        Effect.withFiberRuntime<string>((fiber) => {
          ends.push(
            holdInterruptions(fiber, () => true),
            holdInterruptions(fiber, () => true)
          )
          return Effect.as(Deferred.await(gate), "done")
        })
      )
      yield* Effect.yieldNow()
      fiber.unsafeInterruptAsFork(by)
      ends[1]?.()
      yield* Effect.yieldNow()
      expect(fiber.unsafePoll()).toBe(null)
      ends[0]?.()
      expect(interruptors(yield* Fiber.await(fiber))).toEqual([by])
    })
  )
})
