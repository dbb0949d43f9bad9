import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, FastCheck } from "effect"
import { Cost } from "../../src/index.js"
import { BusinessEvent, Summary } from "../../src/report/index.js"
import { type RecordOptions, record } from "./records.js"

const eventsOf = (options: ReadonlyArray<RecordOptions>) => BusinessEvent.fromRecords(options.map(record))

const events = eventsOf([
  { n: 1, event: "a", end: 2, calls: [{ usd: "0.10" }], details: { valueType: "tickets_resolved", valueAmount: 0.1 } },
  { n: 2, event: "b", end: 4, calls: [{ usd: "0.20" }], details: { valueType: "tickets_resolved", valueAmount: 0.2 } },
  { n: 3, event: "c", end: 6, status: "failure", calls: [{ usd: "0.40" }, {}] },
  { n: 4, event: "d", end: 8, status: "canceled", customer: "smallretail", calls: [{ usd: "0.80" }] },
  { n: 5, event: "e", end: 10, outcome: "partial", calls: [{ usd: "1.60" }] },
  { n: 6, event: "f" },
  { n: 7, event: "g", end: 9, outcome: "none" }
])

describe("the figures of events", () => {
  const summary = Summary.of(events)
  const text = (usd: BigDecimal.BigDecimal | undefined) => usd && Cost.format(usd)

  it("count events, runs, attempts and outcomes", () => {
    expect(summary).toMatchObject({ events: 7, runs: 7, attempts: 7, running: 1, lost: 0 })
    expect(summary.outcomes).toEqual({ success: 2, failure: 1, partial: 1, timeout: 0, canceled: 1 })
  })

  it("have a success rate over events with an outcome", () => {
    expect(summary.successRate).toBe(0.4)
    expect(Summary.of([]).successRate).toBeUndefined()
  })

  it("divide the cost of all events by those that succeeded", () => {
    expect(text(summary.cost.usd)).toBe("3.1")
    expect(text(summary.usdPerSuccess)).toBe("1.55")
    expect(text(summary.costOfSuccesses.usd)).toBe("0.3")
    expect(text(summary.costOfFailures.usd)).toBe("1.2")
    expect(summary.cost.unpricedCalls).toBe(1)
  })

  it("have no cost per success where none succeeded", () => {
    expect(Summary.of(events.filter(Summary.isFailure)).usdPerSuccess).toBeUndefined()
  })

  it("sum values exactly, by their type", () => {
    expect(Array.from(summary.values, ([type, sum]) => [type, text(sum)])).toEqual([["tickets_resolved", "0.3"]])
  })

  it("have percentiles of outermost runs", () => {
    expect([summary.p50Ms, summary.p95Ms]).toEqual([2000, 5000])
    expect(Summary.of([]).p50Ms).toBeUndefined()
  })

  it("are grouped by a key, the dearest group first", () => {
    const groups = Summary.by(events, ({ customerId }) => customerId)
    expect(groups.map(([key, { cost }]) => [key, text(cost.usd)])).toEqual([
      ["bigretail", "2.3"],
      ["smallretail", "0.8"]
    ])
  })
})

it("a ratio is rounded half up to 18 places", () => {
  const amounts = FastCheck.tuple(
    FastCheck.bigInt({ min: 0n, max: 10n ** 30n }),
    FastCheck.integer({ min: 0, max: 18 })
  )
  FastCheck.assert(
    FastCheck.property(amounts, FastCheck.integer({ min: 1, max: 1_000_000 }), ([value, scale], count) => {
      const ratio = Summary.divided(BigDecimal.make(value, scale), count) as BigDecimal.BigDecimal
      const scaled = BigDecimal.scale(ratio, 18).value
      const exact = value * 10n ** BigInt(18 - scale)
      const twiceError = 2n * (scaled * BigInt(count) - exact)
      expect(twiceError <= BigInt(count) && twiceError > -BigInt(count)).toBe(true)
    })
  )
  expect(Summary.divided(BigDecimal.make(1n, 0), 0)).toBeUndefined()
})

it.each([
  [[10, 20, 30, 40], 0.5, 20],
  [[10, 20, 30, 40], 0.51, 30],
  [[10, 20, 30, 40], 1, 40],
  [[10, 20, 30, 40], 0, 10],
  [[], 0.5, undefined]
])("of %j the value at %d is %s", (sorted, share, value) => {
  expect(Summary.percentile(sorted, share)).toBe(value)
})
