import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, Either, FastCheck, Schema } from "effect"
import { format } from "../../src/cost/Usd.js"
import { Cost } from "../../src/index.js"

/** Shares as text, by key. */
const shares = (usd: Cost.UsdInput, weights: Readonly<Record<string, Cost.UsdInput>>) =>
  Object.fromEntries(
    Object.entries(Either.getOrThrow(Cost.allocate(usd, weights))).map(([key, share]) => [key, format(share)])
  )

describe("one cost over several runs", () => {
  const splits: ReadonlyArray<
    readonly [what: string, usd: Cost.UsdInput, weights: Record<string, Cost.UsdInput>, shares: Record<string, string>]
  > = [
    ["goes by weight", 10, { a: 1, b: 3 }, { a: "2.5", b: "7.5" }],
    ["leaves its last digit to who lost most", "1", { a: 1, b: 2 }, { a: "0.333333333333", b: "0.666666666667" }],
    [
      "leaves it to the first key of equals",
      1,
      { c: 1, a: 1, b: 1 },
      { a: "0.333333333334", b: "0.333333333333", c: "0.333333333333" }
    ],
    [
      "leaves it to who lost most, and not to who has most",
      1,
      { a: 16, b: 1 },
      { a: "0.941176470588", b: "0.058823529412" }
    ],
    ["gives nothing for no weight", "0.3", { a: 0, b: 5 }, { a: "0", b: "0.3" }],
    ["may be nothing", 0, { a: 1, b: 1 }, { a: "0", b: "0" }],
    ["has a single part", "0.1", { a: "0.0001" }, { a: "0.1" }],
    ["takes weights of any kind", 6n, { a: 1n, b: "2", c: BigDecimal.make(30n, 1) }, { a: "1", b: "2", c: "3" }],
    ["takes weights of any size", 1, { a: "1e60", b: "1e-60" }, { a: "1", b: "0" }],
    [
      "has as many places as the amount",
      "0.00000000000003",
      { a: 2, b: 1 },
      { a: "0.00000000000002", b: "0.00000000000001" }
    ],
    ["takes any name", 2, { __proto__x: 1, constructor: 1 }, { __proto__x: "1", constructor: "1" }]
  ]
  for (const [what, usd, weights, expected] of splits) {
    it(what, () => expect(shares(usd, weights)).toEqual(expected))
  }

  it("takes a key that an object already has", () => {
    const weights = JSON.parse('{"__proto__": 1, "b": 1}') as Record<string, number>
    expect(JSON.stringify(shares(2, weights))).toBe('{"__proto__":"1","b":"1"}')
  })

  const decimal = FastCheck.tuple(
    FastCheck.bigInt({ min: 0n, max: 10n ** 20n }),
    FastCheck.integer({ min: -6, max: 18 })
  ).map(([value, scale]) => BigDecimal.make(value, scale))
  const weights = FastCheck.dictionary(FastCheck.string({ minLength: 1, maxLength: 3 }), decimal, {
    minKeys: 1,
    maxKeys: 30
  }).filter((weights) => Object.values(weights).some((weight) => weight.value > 0n))

  it.prop(
    "sums to the whole, each share within a last digit of what is exact",
    [decimal, weights],
    ([usd, weights]) => {
      const parts = Either.getOrThrow(Cost.allocate(usd, weights))
      expect(Object.keys(parts)).toEqual(Object.keys(weights))
      expect(BigDecimal.equals(BigDecimal.sumAll(Object.values(parts)), usd)).toBe(true)
      const whole = BigDecimal.sumAll(Object.values(weights))
      const lastDigit = BigDecimal.make(1n, Math.max(12, usd.scale))
      for (const [key, part] of Object.entries(parts)) {
        const weight = weights[key] as BigDecimal.BigDecimal
        // |part - usd * weight / whole| < last digit, without a division.
        const off = BigDecimal.abs(
          BigDecimal.subtract(BigDecimal.multiply(part, whole), BigDecimal.multiply(usd, weight))
        )
        expect(BigDecimal.lessThan(off, BigDecimal.multiply(lastDigit, whole))).toBe(true)
        expect(part.value >= 0n).toBe(true)
      }
    }
  )

  it.prop(
    "does not depend on the order of its parts",
    [decimal, weights, FastCheck.infiniteStream(FastCheck.nat())],
    ([usd, weights, order]) => {
      const shuffled = Object.fromEntries(
        Object.entries(weights)
          .map((entry) => ({ entry, at: order.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ entry }) => entry)
      )
      expect(shares(usd, shuffled)).toEqual(shares(usd, weights))
    }
  )

  const refused: ReadonlyArray<
    readonly [field: string, usd: unknown, weights: Record<string, unknown>, problem: string]
  > = [
    ["usd", -1, { a: 1 }, "expected a decimal amount of US dollars, zero or more, got -1"],
    ["usd", "1 USD", { a: 1 }, 'expected a decimal amount of US dollars, zero or more, got "1 USD"'],
    ["usd", undefined, { a: 1 }, "expected a decimal amount of US dollars, zero or more, got undefined"],
    ["b", 1, { a: 1, b: -1 }, "expected a weight, zero or more, got -1"],
    ["b", 1, { a: 1, b: Number.NaN }, "expected a weight, zero or more, got NaN"],
    ["a", 1, { a: null, b: 1 }, "expected a weight, zero or more, got null"],
    ["weights", 1, {}, "expected at least one weight above zero"],
    ["weights", 1, { a: 0, b: "0.0" }, "expected at least one weight above zero"]
  ]
  for (const [field, usd, weights, problem] of refused) {
    it(`is refused with an error that names ${field}: ${problem}`, () => {
      const error = Either.getOrThrow(Either.flip(Cost.allocate(usd as number, weights as Record<string, number>)))
      expect(error).toBeInstanceOf(Cost.InvalidAllocation)
      expect([error.field, error.problem]).toEqual([field, problem])
      expect(error.message).toBe(`${field}: ${problem}`)
    })
  }
})

describe("a cost", () => {
  const costs: ReadonlyArray<readonly [json: object, cost: Cost.Cost]> = [
    [{ _tag: "Priced", usd: "0.000000000000000001" }, new Cost.Priced({ usd: BigDecimal.make(1n, 18) })],
    [
      { _tag: "Unpriced", reason: "no_price_for_kind", missing: ["images"], usd: "2.5" },
      new Cost.Unpriced({ reason: "no_price_for_kind", missing: ["images"], usd: BigDecimal.make(25n, 1) })
    ],
    [
      { _tag: "Unpriced", reason: "unknown_model", usd: "0" },
      new Cost.Unpriced({ reason: "unknown_model", usd: BigDecimal.make(0n, 0) })
    ]
  ]
  for (const [json, cost] of costs) {
    it(`is JSON and back: ${JSON.stringify(json)}`, () => {
      const decoded = Schema.decodeUnknownSync(Cost.Cost)(json)
      expect(decoded._tag).toBe(cost._tag)
      expect(BigDecimal.equals(decoded.usd, cost.usd)).toBe(true)
      expect(JSON.parse(JSON.stringify(Schema.encodeSync(Cost.Cost)(decoded)))).toEqual(
        JSON.parse(JSON.stringify(Schema.encodeSync(Cost.Cost)(cost)))
      )
    })
  }
})
