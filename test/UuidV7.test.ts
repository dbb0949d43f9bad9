import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { type RandomSource, UuidV7Generator } from "../src/UuidV7.js"

const counting = (): RandomSource => {
  let word = 0
  return {
    nextUint32: () => {
      word = (word + 0x9e3779b9) >>> 0
      return word
    }
  }
}

const always = (word: number): RandomSource => ({ nextUint32: () => word })

const timestampOf = (id: string): number => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)

const epochMillis = FastCheck.integer({ min: 0, max: 2 ** 48 - 1 })
const bits = FastCheck.integer({ min: 0, max: 2 ** 32 - 1 })

describe("UuidV7", () => {
  it.prop("is a UUIDv7 of the time that it is given", [epochMillis, bits], ([time, word]) => {
    const id = new UuidV7Generator(always(word)).next(time)
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
      const generator = new UuidV7Generator(counting())
      let latest = start
      let previous = generator.next(start)
      for (const offset of offsets) {
        const now = latest + offset
        latest = Math.max(latest, now)
        const id = generator.next(now)
        expect(id > previous).toBe(true)
        previous = id
      }
    }
  )

  it("increases strictly over a million ids in one millisecond", () => {
    const generator = new UuidV7Generator(counting())
    let previous = ""
    let ordered = true
    for (let made = 0; made < 1_000_000; made++) {
      const id = generator.next(1_770_000_000_000)
      ordered &&= id > previous
      previous = id
    }
    expect(ordered).toBe(true)
    expect(timestampOf(previous)).toBe(1_770_000_000_000)
  })

  for (const step of [1, 5_000, 10_000]) {
    it(`keeps its order when the clock steps back by ${step} ms`, () => {
      const generator = new UuidV7Generator(counting())
      const before = generator.next(1_770_000_000_000)
      const after = generator.next(1_770_000_000_000 - step)
      expect(after > before).toBe(true)
      expect(timestampOf(after)).toBe(1_770_000_000_000)
    })
  }

  it("follows a clock that steps back by 60 s", () => {
    const generator = new UuidV7Generator(counting())
    generator.next(1_770_000_000_000)
    expect(timestampOf(generator.next(1_770_000_000_000 - 60_000))).toBe(1_769_999_940_000)
  })

  it("carries from the lower counter bits into the upper ones", () => {
    const generator = new UuidV7Generator(always(0xffff_ffff))
    expect(generator.next(1000)).toBe("00000000-03e8-77ff-bfff-ffffffffffff")
    expect(generator.next(1000)).toBe("00000000-03e8-7800-8000-0000ffffffff")
    expect(generator.next(1000)).toBe("00000000-03e8-7800-8000-0001ffffffff")
  })

  it("runs ahead of the clock when the counter overflows", () => {
    const generator = new UuidV7Generator(always(0xffff_ffff))
    generator.next(1000)
    generator.counterHigh = 0xfff
    generator.counterLow = 0x3fff_fffe
    const last = generator.next(1000)
    expect(generator.timestamp).toBe(1000)
    const next = generator.next(1000)
    expect(next > last).toBe(true)
    expect(generator.timestamp).toBe(1001)
    expect(generator.next(1000) > next).toBe(true)
  })

  it("starts each millisecond with the top bit of the counter clear", () => {
    const generator = new UuidV7Generator(always(0xffff_ffff))
    generator.next(1)
    generator.next(2)
    expect(generator.counterHigh).toBe(0x7ff)
  })

  for (const time of [-1, 2 ** 48, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`refuses ${time} as a time`, () => {
      const generator = new UuidV7Generator(counting())
      generator.next(5)
      expect(() => generator.next(time)).toThrow("needs a time from 0 to 281474976710655")
    })
  }
})
