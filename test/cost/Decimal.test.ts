/**
 * Numbers as exact decimals.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, FastCheck } from "effect"
import { decimalOf, sumOf } from "../../src/cost/Decimal.js"

const finite = FastCheck.double({ noNaN: true, noDefaultInfinity: true, min: 0 })
const bigDecimal = (number: number) => BigDecimal.unsafeFromString(String(number))

describe("decimalOf", () => {
  it.each([
    [0, 0n, 0],
    [7, 7n, 0],
    [2.5, 25n, 1],
    [1e-7, 1n, 7],
    [1.5e-7, 15n, 8],
    [1e21, 10n ** 21n, 0],
    [1.5e22, 15n * 10n ** 21n, 0]
  ])("gives %d its digits, and how many are decimal places", (number, value, places) => {
    expect(decimalOf(number)).toEqual({ value, places })
  })

  it.prop("is the number, to the last digit that it is written with", [finite], ([number]) => {
    const { places, value } = decimalOf(number)
    expect(places).toBeGreaterThanOrEqual(0)
    expect(BigDecimal.equals(BigDecimal.make(value, places), bigDecimal(number))).toBe(true)
  })
})

describe("sumOf", () => {
  it("is exact, and is not the sum of binary numbers", () => {
    expect(sumOf(0.1, 0.2)).toBe("3e-1")
    expect(sumOf(1, 0.25)).toBe("125e-2")
    expect(sumOf(2, 3)).toBe("5e-0")
  })

  it.prop("reads as the sum of the two", [finite, finite], ([one, other]) => {
    const [value = "", exponent = ""] = sumOf(one, other).split("e-")
    const sum = BigDecimal.make(BigInt(value), Number(exponent))
    expect(BigDecimal.equals(sum, BigDecimal.sum(bigDecimal(one), bigDecimal(other)))).toBe(true)
  })
})
