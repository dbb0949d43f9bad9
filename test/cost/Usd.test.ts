import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, FastCheck, Option, Schema } from "effect"
import { format, fromInput, fromNonNegative, toNumber, Usd, withAmountsAsText } from "../../src/cost/Usd.js"

const text = (input: unknown) => {
  const amount = fromInput(input)
  return amount && format(amount)
}

describe("an amount", () => {
  const amounts: ReadonlyArray<readonly [input: unknown, amount: string]> = [
    [0, "0"],
    [-0, "0"],
    [0.1, "0.1"],
    [0.1 + 0.2, "0.30000000000000004"],
    [1e-7, "0.0000001"],
    [1.5e-10, "0.00000000015"],
    [1e21, "1000000000000000000000"],
    [-2.5, "-2.5"],
    [Number.MAX_SAFE_INTEGER, "9007199254740991"],
    [10n ** 30n, "1000000000000000000000000000000"],
    ["0.10", "0.1"],
    ["+1.5", "1.5"],
    ["-0.0", "0"],
    ["007", "7"],
    ["2.5e-6", "0.0000025"],
    ["1E3", "1000"],
    ["9".repeat(64), "9".repeat(64)],
    [`0.${"9".repeat(64)}`, `0.${"9".repeat(64)}`],
    [BigDecimal.make(125n, 4), "0.0125"],
    [BigDecimal.make(5n, -2), "500"]
  ]
  for (const [input, amount] of amounts) {
    it(`is exact: ${String(input).slice(0, 40)}`, () => expect(text(input)).toBe(amount))
  }

  it.prop(
    "is what a number's shortest text says",
    [FastCheck.double({ noNaN: true, noDefaultInfinity: true })],
    ([n]) => {
      const amount = fromInput(n)
      // What needs a three-digit exponent is no amount of money.
      if (/e[+-]\d{3}/.test(String(n))) {
        expect(amount).toBeUndefined()
        return
      }
      expect(amount).toBeDefined()
      expect(toNumber(amount as BigDecimal.BigDecimal)).toBe(n === 0 ? 0 : n)
      expect(amount && BigDecimal.equals(amount, BigDecimal.unsafeFromString(String(n)))).toBe(true)
    }
  )

  it("is none beyond its digits, to the last one", () => {
    const limit = 10n ** 128n
    expect([limit - 1n, 1n - limit, limit, -limit].map((value) => fromInput(value) !== undefined)).toEqual([
      true,
      true,
      false,
      false
    ])
    const decoded = (length: number) => Schema.decodeUnknownOption(Usd)("0".repeat(length))
    expect([258, 259, 1000].map((length) => Option.isSome(decoded(length)))).toEqual([true, false, false])
    expect(() => Schema.decodeUnknownSync(Usd)("0".repeat(259))).toThrow("expected a decimal amount")
    expect(format(BigDecimal.make(0n, -3))).toBe("0")
  })

  it.prop(
    "is the nearest number on a span",
    [
      FastCheck.oneof(FastCheck.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }), FastCheck.bigInt()),
      FastCheck.integer({ min: -5, max: 40 })
    ],
    ([value, scale]) => {
      expect(toNumber(BigDecimal.make(value, scale))).toBe(Number(`${value}e${-scale}`))
    },
    { fastCheck: { numRuns: 2000 } }
  )

  it.prop(
    "is written as it is read",
    [FastCheck.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }), FastCheck.integer({ min: -60, max: 60 })],
    ([value, scale]) => {
      const amount = BigDecimal.make(value, scale)
      const written = format(amount)
      expect(written).toMatch(/^-?\d+(\.\d+)?$/)
      expect(BigDecimal.equals(BigDecimal.unsafeFromString(written), amount)).toBe(true)
    }
  )
})

describe("no amount", () => {
  const refused: ReadonlyArray<readonly [name: string, input: unknown]> = [
    ["nothing", ""],
    ["space", " "],
    ["space before", " 1"],
    ["space after", "1 "],
    ["a line break after", "1\n"],
    ["two points", "1.2.3"],
    ["no digit after the point", "1."],
    ["no digit before the point", ".5"],
    ["a comma", "1,5"],
    ["an underscore", "1_000"],
    ["hexadecimal", "0x10"],
    ["other digits", "١٢"],
    ["a currency", "$5"],
    ["NaN", "NaN"],
    ["Infinity", "Infinity"],
    ["no exponent", "1e"],
    ["a fractional exponent", "1e1.5"],
    ["an exponent of three digits", "1e100"],
    ["an exponent of a thousand million", "1e999999999"],
    ["65 digits", "1".repeat(65)],
    ["65 digits after the point", `0.${"1".repeat(65)}`],
    ["a million digits", "1".repeat(1_000_000)],
    ["not a number", Number.NaN],
    ["infinity", Number.POSITIVE_INFINITY],
    ["the smallest number", Number.MIN_VALUE],
    ["the greatest number", Number.MAX_VALUE],
    ["an integer of 200 digits", 10n ** 200n],
    ["a negative one of 200 digits", -(10n ** 200n)],
    ["a decimal of a scale of millions", BigDecimal.make(1n, 5_000_000)],
    ["a decimal of a negative scale of millions", BigDecimal.make(1n, -5_000_000)],
    ["a decimal of half a scale", BigDecimal.make(1n, 0.5)],
    ["undefined", undefined],
    ["null", null],
    ["true", true],
    ["an object", { value: 1n, scale: 0 }],
    ["an array", ["1"]]
  ]
  for (const [name, input] of refused) {
    it(`is ${name}`, () => expect(fromInput(input)).toBeUndefined())
  }

  it("is found out at once", () => {
    const started = performance.now()
    for (const hostile of [
      "1".repeat(100_000),
      `1e${"9".repeat(100_000)}`,
      `0.${"0".repeat(100_000)}x`,
      "1e99".repeat(9)
    ]) {
      for (let i = 0; i < 1_000; i++) expect(fromInput(hostile)).toBeUndefined()
    }
    // Four thousand of them; reading one such text digit by digit would take as long.
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  it("is less than zero where that has no meaning", () => {
    expect(fromNonNegative("-0.01")).toBeUndefined()
    expect(fromNonNegative(-1n)).toBeUndefined()
    expect(fromNonNegative("-0")).toEqual(fromInput(0))
  })
})

describe("an amount in a record", () => {
  const decode = Schema.decodeUnknownOption(Usd)

  it.each(["1e-128", "1e128", "0.5", "-2"])("may be %s", (text) => {
    expect(Option.map(decode(text), format)).toEqual(Option.some(format(BigDecimal.unsafeFromString(text))))
  })

  it.each(["1e-129", `1${"0".repeat(128)}`, "1e999999", "x", "", " ", " 1", "1.", "."])("may not be %s", (text) => {
    expect(decode(text)).toEqual(Option.none())
  })

  it("is text in JSON, at any depth, beside what is none", () => {
    const record = {
      usd: BigDecimal.make(5n, 1),
      none: null,
      list: [BigDecimal.make(1n, 0), "x"],
      of: { a: undefined }
    }
    expect(withAmountsAsText(record)).toEqual({ usd: "0.5", none: null, list: ["1", "x"], of: { a: undefined } })
  })
})
