/**
 * Work on a run that came in, done by another fiber than the one that asks for it.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { inFiberOf, joinedRunFor } from "../../src/lifecycle/JoinedRun.js"
import { makeRun } from "../runs.js"

it.effect.each([["interruptible", true] as const, ["uninterruptible", false] as const])(
  "a joined run is cancelled when the fiber that does its work is interrupted: %s",
  ([region, isCancelled]) =>
    Effect.gen(function* () {
      const { scope, ...joined } = yield* Effect.withFiberRuntime<ReturnType<typeof joinedRunFor>>((fiber) =>
        Effect.succeed(joinedRunFor(fiber, makeRun()))
      )
      const latch = yield* Effect.makeLatch()
      const seen: Array<boolean> = []
      const work = Effect.ensuring(
        latch.await,
        Effect.sync(() => seen.push(scope.isCancelled))
      )
      const worker = yield* Effect.fork(Effect[region](inFiberOf({ scope, ...joined }, work)))
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(worker)
      yield* Effect.yieldNow()
      yield* latch.open
      yield* Fiber.await(worker)
      expect(seen).toEqual([isCancelled])
    })
)
