import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Either, FastCheck, Schema, TestClock } from "effect"
import { RunId } from "../../src/index.js"

const counting = (): RunId.RandomSource => {
  let word = 0
  return {
    nextUint32: () => {
      word = (word + 0x9e3779b9) >>> 0
      return word
    }
  }
}

const always = (word: number): RunId.RandomSource => ({ nextUint32: () => word })

const timestampOf = (id: string): number => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)

const epochMillis = FastCheck.integer({ min: 0, max: 2 ** 48 - 1 })
const bits = FastCheck.integer({ min: 0, max: 2 ** 32 - 1 })

describe("RunId", () => {
  it("is a UUID, and any UUID is known from other text", () => {
    const id = RunId.makeGenerator(always(1)).unsafeMake(1)
    expect(RunId.isUuid(id)).toBe(true)
    expect(RunId.isUuid("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")).toBe(true)
    for (const text of ["ticket-42", "", `${id}0`, ` ${id}`, id.replaceAll("-", "")])
      expect(RunId.isUuid(text)).toBe(false)
  })

  it("is refused where it is a UUID of another version", () => {
    const { message } = Either.getOrThrow(
      Either.flip(Schema.decodeUnknownEither(RunId.RunId)("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"))
    )
    expect(message).toBe("expected a UUIDv7")
  })

  it.prop("is a UUIDv7 of the time that it is given", [epochMillis, bits], ([time, word]) => {
    const id = RunId.makeGenerator(always(word)).unsafeMake(time)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(timestampOf(id)).toBe(time)
  })

  it.prop(
    "increases strictly while the clock stands still, goes on, or steps back by up to 10 s",
    [
      epochMillis.filter((time) => time > 1e6 && time < 2 ** 48 - 1e8),
      FastCheck.array(FastCheck.integer({ min: -10_000, max: 10_000 }), { maxLength: 200 })
    ],
    ([start, offsets]) => {
      const generator = RunId.makeGenerator(counting())
      let latest = start
      let previous: string = generator.unsafeMake(start)
      for (const offset of offsets) {
        const now = latest + offset
        latest = Math.max(latest, now)
        const id = generator.unsafeMake(now)
        expect(id > previous).toBe(true)
        previous = id
      }
    }
  )

  it("increases strictly over a million ids in one millisecond", () => {
    const generator = RunId.makeGenerator(counting())
    let previous: string = ""
    let ordered = true
    for (let made = 0; made < 1_000_000; made++) {
      const id = generator.unsafeMake(1_770_000_000_000)
      ordered &&= id > previous
      previous = id
    }
    expect(ordered).toBe(true)
    expect(timestampOf(previous)).toBe(1_770_000_000_000)
  })

  for (const step of [1, 5_000, 10_000]) {
    it(`keeps its order when the clock steps back by ${step} ms`, () => {
      const generator = RunId.makeGenerator(counting())
      const before = generator.unsafeMake(1_770_000_000_000)
      const after = generator.unsafeMake(1_770_000_000_000 - step)
      expect(after > before).toBe(true)
      expect(timestampOf(after)).toBe(1_770_000_000_000)
    })
  }

  it("follows a clock that steps back by 60 s", () => {
    const generator = RunId.makeGenerator(counting())
    generator.unsafeMake(1_770_000_000_000)
    expect(timestampOf(generator.unsafeMake(1_770_000_000_000 - 60_000))).toBe(1_769_999_940_000)
  })

  for (const time of [-1, 2 ** 48, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`refuses ${time} as a time`, () => {
      const generator = RunId.makeGenerator(counting())
      generator.unsafeMake(5)
      expect(() => generator.unsafeMake(time)).toThrow("48-bit unsigned integer")
    })
  }

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
