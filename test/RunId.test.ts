import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Either, FastCheck, Schema, TestClock } from "effect"
import { RunId } from "../src/index.js"

describe("RunId", () => {
  it.prop("says when it was made", [FastCheck.integer({ min: 0, max: 8.64e13 })], ([time]) => {
    const id = RunId.makeGenerator({ nextUint32: () => 0 }).unsafeMake(time)
    expect(Schema.is(RunId.RunId)(id)).toBe(true)
    expect(DateTime.toEpochMillis(RunId.timestamp(id))).toBe(time)
  })

  it.effect("comes from the Clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1234)
      expect(RunId.timestamp(yield* RunId.make).epochMillis).toBe(1234)
    }).pipe(Effect.provide(RunId.layerSeeded(1)))
  )

  it.effect("is the same in every run of a test that seeds it, and another with another seed", () =>
    Effect.gen(function* () {
      const withSeed = (seed: number) => RunId.make.pipe(Effect.provide(RunId.layerSeeded(seed)))
      expect(yield* withSeed(7)).toBe(yield* withSeed(7))
      expect(yield* withSeed(7)).not.toBe(yield* withSeed(8))
    })
  )

  it.effect("is unique without a seed", () =>
    Effect.gen(function* () {
      const ids = yield* Effect.replicateEffect(RunId.make, 10_000)
      expect(new Set(ids).size).toBe(10_000)
      expect([...ids].sort()).toEqual(ids)
    })
  )

  it("takes a UUID of any version from elsewhere, and says what it expected otherwise", () => {
    const v4 = "6f1fc2b8-3a0f-4a57-9a3f-2f2c5a3b1c11"
    expect(Schema.is(RunId.Uuid)(v4)).toBe(true)
    expect(Schema.is(RunId.RunId)(v4)).toBe(false)
    const refused = Schema.decodeUnknownEither(RunId.Uuid)("not-an-id")
    expect(Either.isLeft(refused) && refused.left.message).toContain("expected a UUID")
  })
})
