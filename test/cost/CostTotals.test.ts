import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Effect, FastCheck, Schema } from "effect"
import { RecordedUsage, UsageTotals } from "../../src/cost/CostTotals.js"
import { format } from "../../src/cost/Usd.js"
import { Botanu, Cost, CostTotals, Usage } from "../../src/index.js"
import { makeUnsafe } from "../../src/schema/SchemaRecord.js"
import { completedRuns, observed, onlyRun } from "../observed.js"
import { ids } from "../runs.js"
import { costing, costText, spanNamed, spend, usd } from "../usages.js"

type Amount = BigDecimal.BigDecimal

const usage = (fields?: Partial<Usage.Usage>) =>
  new Usage.Usage({
    kind: "llm",
    provider: "openai",
    operation: "chat",
    time: DateTime.unsafeMake(0),
    status: "success",
    requests: 1,
    ...fields
  })

const anyUsage = usage()
// Constructors that check all fields would take longer over a million than the sums.
const priced = (usd: Amount) =>
  makeUnsafe(RecordedUsage, { usage: anyUsage, cost: makeUnsafe(Cost.Priced, { _tag: "Priced", usd }) })

const totalsOf = (recorded: ReadonlyArray<RecordedUsage>): CostTotals => {
  const tally = new UsageTotals()
  for (const one of recorded) tally.add(one)
  return tally.totals
}

// No amount has more places.
const oraclePlaces = 40

/** The sum in whole numbers of the last place. */
const oracle = (amounts: ReadonlyArray<Amount>): Amount =>
  BigDecimal.make(
    amounts.reduce((sum, { scale, value }) => sum + value * 10n ** BigInt(oraclePlaces - scale), 0n),
    oraclePlaces
  )

/** The same numbers each time, so that a failure can be had again (Numerical Recipes' linear congruential generator). */
const generator = (seed: number) => {
  let state = seed >>> 0
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const shuffle = <A>(items: ReadonlyArray<A>, seed: number): ReadonlyArray<A> => {
  const next = generator(seed)
  const shuffled = items.slice()
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = next(i + 1)
    ;[shuffled[i], shuffled[j]] = [shuffled[j] as A, shuffled[i] as A]
  }
  return shuffled
}

const amount: FastCheck.Arbitrary<Amount> = FastCheck.tuple(
  FastCheck.bigInt({ min: 0n, max: 10n ** 25n }),
  FastCheck.integer({ min: -5, max: oraclePlaces })
).map(([value, scale]) => BigDecimal.make(value, scale))

describe("a sum over a million usages", () => {
  it("is exact to the last digit, in any order", { timeout: 60_000 }, () => {
    const next = generator(1)
    const amounts = Array.from({ length: 1_000_000 }, () =>
      BigDecimal.make(BigInt(next(1e9)) * BigInt(next(1e9)), next(oraclePlaces + 5) - 4)
    )
    const expected = oracle(amounts)
    const recorded = amounts.map(priced)
    for (const order of [recorded, shuffle(recorded, 2), shuffle(recorded, 3)]) {
      const { calls, usd } = totalsOf(order)
      expect(calls).toBe(amounts.length)
      expect(BigDecimal.equals(usd, expected)).toBe(true)
      expect(format(usd)).toBe(format(expected))
    }
  })

  it.prop(
    "is exact for any amounts, in any order",
    [FastCheck.array(amount, { maxLength: 200 }), FastCheck.nat()],
    ([amounts, seed]) => {
      const expected = format(oracle(amounts))
      expect(format(totalsOf(amounts.map(priced)).usd)).toBe(expected)
      expect(format(totalsOf(shuffle(amounts, seed).map(priced)).usd)).toBe(expected)
    }
  )

  it.effect.prop(
    "is that of a run, whichever of its fibers record them",
    [FastCheck.array(amount, { maxLength: 60 }), FastCheck.nat()],
    ([amounts, seed]) =>
      Effect.gen(function* () {
        const record = Effect.forEach(
          shuffle(amounts, seed),
          (usd, index) =>
            Effect.zipRight(index % 3 === 0 ? Effect.yieldNow() : Effect.void, Usage.record(costing(usd))),
          { concurrency: 7 }
        )
        yield* Botanu.workflow(record, "W", ids)
        const { completed } = yield* onlyRun
        expect(format(completed.totals.usd)).toBe(format(oracle(amounts)))
        expect(completed.totals.calls).toBe(amounts.length)
      }).pipe(Effect.provide(observed)),
    { fastCheck: { numRuns: 50 } }
  )

  it.effect("is that of ten thousand in one run", () =>
    Effect.gen(function* () {
      const next = generator(7)
      const amounts = Array.from({ length: 10_000 }, () => BigDecimal.make(BigInt(next(1e9)), next(20)))
      yield* Botanu.workflow(
        Effect.forEach(amounts, (usd) => Usage.record(costing(usd)), { concurrency: 16 }),
        "W",
        ids
      )
      const { totals, usages } = (yield* onlyRun).completed
      expect(usages).toHaveLength(amounts.length)
      expect(format(totals.usd)).toBe(format(oracle(amounts)))
    }).pipe(Effect.provide(observed))
  )
})

describe("totals", () => {
  const unpriced = (reason: Cost.UnpricedReason, known = "0") =>
    new RecordedUsage({ usage: anyUsage, cost: new Cost.Unpriced({ reason, usd: usd(known) }) })

  it("are zero over nothing, and nothing on the span then", () => {
    const totals = totalsOf([])
    expect(format(totals.usd)).toBe("0")
    expect(totals).toMatchObject({ inputTokens: 0, outputTokens: 0, calls: 0, unpricedCalls: 0 })
    expect(totals).not.toHaveProperty("unpriced")
    expect(totals.toSpanAttributes()).toEqual({})
  })

  const noCall: ReadonlyArray<readonly [what: string, work: Effect.Effect<unknown, unknown>]> = [
    ["called nothing", Effect.void],
    ["failed before it called anything", Effect.fail("early")],
    ["leaves all calls to a run inside of it", Botanu.workflow(spend(1), "Child", ids)]
  ]
  for (const [what, work] of noCall) {
    it.effect(`are not on the span of a run that ${what}`, () =>
      Effect.gen(function* () {
        yield* Effect.exit(Botanu.workflow(work, "W", ids))
        const { attributes } = yield* spanNamed("botanu.run/W")
        expect(Object.keys(attributes).filter((key) => /cost|tokens|unpriced/.test(key))).toEqual([])
        expect((yield* completedRuns).at(-1)).toMatchObject({ usages: [], totals: { calls: 0, unpricedCalls: 0 } })
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("are on the span of a run that called something, however it ended", () =>
    Effect.gen(function* () {
      const chat: Usage.UsageDetails = { kind: "llm", provider: "openai", operation: "chat", inputTokens: 7 }
      const work = Effect.all([
        spend("0.1"),
        spend("0.2"),
        Usage.record({ ...chat, outputTokens: 5 }),
        Effect.interrupt
      ])
      yield* Effect.exit(Botanu.workflow(work, "W", ids))
      const { completed, span } = yield* onlyRun
      expect(span.attributes).toMatchObject({
        "botanu.run.cost_usd": 0.3,
        "botanu.run.input_tokens": 7,
        "botanu.run.output_tokens": 5,
        "botanu.run.unpriced_calls": 1
      })
      expect(completed.usages.map(({ cost }) => costText(cost))).toEqual(["0.1", "0.2", "unknown_model"])
      expect(completed.totals).toMatchObject({ calls: 3, unpriced: { unknown_model: 1 } })
    }).pipe(Effect.provide(observed))
  )

  it("count tokens, and what has no price by its reason, with the part that is known", () => {
    const totals = totalsOf([
      new RecordedUsage({
        usage: usage({ inputTokens: 100, outputTokens: 20 }),
        cost: new Cost.Priced({ usd: usd("0.1") })
      }),
      new RecordedUsage({ usage: usage({ inputTokens: 1 }), cost: new Cost.Priced({ usd: usd("0.2") }) }),
      unpriced("unknown_model"),
      unpriced("no_usage", "0.05"),
      unpriced("no_usage")
    ])
    expect(totals).toMatchObject({
      inputTokens: 101,
      outputTokens: 20,
      calls: 5,
      unpricedCalls: 3,
      unpriced: { unknown_model: 1, no_price_for_kind: 0, no_usage: 2 }
    })
    expect(format(totals.usd)).toBe("0.35")
    expect(totals.toSpanAttributes()).toEqual({
      "botanu.run.cost_usd": 0.35,
      "botanu.run.input_tokens": 101,
      "botanu.run.output_tokens": 20,
      "botanu.run.unpriced_calls": 3
    })
  })

  it("stop at the greatest count, whatever is said", () => {
    const many = new RecordedUsage({
      usage: usage({ inputTokens: Number.MAX_SAFE_INTEGER, outputTokens: Number.MAX_SAFE_INTEGER }),
      cost: new Cost.Priced({ usd: usd("1") })
    })
    const { inputTokens, outputTokens } = totalsOf([many, many, many])
    expect([inputTokens, outputTokens]).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
  })

  it.prop("are JSON and back", [FastCheck.array(amount, { maxLength: 5 })], ([amounts]) => {
    const totals = totalsOf([...amounts.map(priced), unpriced("no_price_for_kind", "0.5")])
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(CostTotals)(totals)))
    const back = Schema.decodeUnknownSync(CostTotals)(json)
    expect(format(back.usd)).toBe(format(totals.usd))
    expect({ ...back, usd: undefined }).toEqual({ ...totals, usd: undefined })
  })
})
