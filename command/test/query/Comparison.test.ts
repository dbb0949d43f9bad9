import { FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import { isSure, perEvent, perSuccess, type Sample, successRate } from "../../src/query/Comparison.js"

const figures = { perSuccess, perEvent, successRate }
const names = ["perSuccess", "perEvent", "successRate"] as const

interface Event {
  readonly usd: number
  readonly isSuccess: boolean
}

const sampleOf = (events: ReadonlyArray<Event>): Sample => ({
  events: events.length,
  successes: events.filter(({ isSuccess }) => isSuccess).length,
  unpricedCalls: 0,
  usd: events.reduce((sum, { usd }) => sum + usd, 0),
  usdSquared: events.reduce((sum, { usd }) => sum + usd * usd, 0),
  usdOfSuccesses: events.reduce((sum, { isSuccess, usd }) => sum + (isSuccess ? usd : 0), 0),
  attempts: events.length,
  attemptsSquared: events.length
})

/** Numbers from 0 to 1, of a seed (Park and Miller). */
const randomOf = (seed: number) => {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

const drawn = (random: () => number, count: number, success: number, mean: number): ReadonlyArray<Event> =>
  Array.from({ length: count }, () => ({ usd: -mean * Math.log(1 - random()), isSuccess: random() < success }))

describe("an interval", () => {
  it("holds the true difference in about 95 of 100 samples", () => {
    const random = randomOf(7)
    const truth = { perSuccess: 0.03 / 0.9 - 0.02 / 0.8, perEvent: 0.01, successRate: 0.1 }
    const held = { perSuccess: 0, perEvent: 0, successRate: 0 }
    const samples = 1000
    for (let sample = 0; sample < samples; sample++) {
      const before = sampleOf(drawn(random, 400, 0.8, 0.02))
      const after = sampleOf(drawn(random, 300, 0.9, 0.03))
      for (const name of names) {
        const [low, high] = figures[name](before, after).interval ?? [1, 0]
        if (low <= truth[name] && truth[name] <= high) held[name] += 1
      }
    }
    for (const [name, count] of Object.entries(held)) {
      expect(count / samples, name).toBeGreaterThan(0.92)
      expect(count / samples, name).toBeLessThan(0.98)
    }
  })

  it("of a rate is Newcombe's: 56 of 70 against 48 of 80", () => {
    const of = (successes: number, events: number) =>
      sampleOf(Array.from({ length: events }, (_, index) => ({ usd: 1, isSuccess: index < successes })))
    // R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10: 0.0524 to 0.3339.
    const { interval } = successRate(of(48, 80), of(56, 70))
    expect(interval?.[0]).toBeCloseTo(0.0524, 4)
    expect(interval?.[1]).toBeCloseTo(0.3339, 4)
  })

  it("is not known of one event, and no figure of none", () => {
    const [none, one] = [sampleOf([]), sampleOf([{ usd: 1, isSuccess: true }])]
    expect(perEvent(one, one)).toMatchObject({ before: 1, after: 1, difference: 0, interval: undefined })
    expect(perEvent(none, one)).toMatchObject({ before: undefined, difference: undefined })
    expect(perSuccess(none, one).before).toBe(undefined)
    expect(isSure(perEvent(one, one))).toBe(false)
  })

  it("never has its ends the wrong way round", () => {
    const anyEvents = FastCheck.array(FastCheck.record({ usd: FastCheck.nat(1000), isSuccess: FastCheck.boolean() }), {
      minLength: 2
    })
    FastCheck.assert(
      FastCheck.property(anyEvents, anyEvents, (before, after) => {
        for (const name of names) {
          const { difference, interval } = figures[name](sampleOf(before), sampleOf(after))
          if (interval === undefined || difference === undefined) continue
          expect(interval[0]).toBeLessThanOrEqual(difference + 1e-9)
          expect(interval[1]).toBeGreaterThanOrEqual(difference - 1e-9)
        }
      })
    )
  })
})

it("is sure where the interval leaves out 0, on either side", () => {
  const within = (low: number, high: number) => isSure({ before: 1, after: 1, difference: 0, interval: [low, high] })
  expect([within(0.1, 0.2), within(-0.2, -0.1), within(-0.1, 0.1), within(0, 0.1)]).toEqual([true, true, false, false])
  expect(isSure({ before: 1, after: 1, difference: 0, interval: undefined })).toBe(false)
})
