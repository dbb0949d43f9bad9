/**
 * Numbers as exact decimals, without Effect's runtime.
 */

/** A whole number and how many of its digits are decimal places. */
export interface Decimal {
  readonly value: bigint
  readonly places: number
}

/** The shortest decimal that reads as a number. */
export const decimalOf = (quantity: number): Decimal => {
  const [mantissa = "0", exponent = "0"] = String(quantity).split("e")
  const [whole = "0", fraction = ""] = mantissa.split(".")
  const value = BigInt(whole + fraction)
  const places = fraction.length - Number(exponent)
  return places >= 0 ? { value, places } : { value: value * 10n ** BigInt(-places), places: 0 }
}

/** The sum of two numbers as decimals, as text: `1.5e-3` is `15e-4`. */
export const sumOf = (one: number, other: number): string => {
  const [a, b] = [decimalOf(one), decimalOf(other)]
  const places = Math.max(a.places, b.places)
  const scaled = ({ value, places: own }: Decimal) => value * 10n ** BigInt(places - own)
  return `${scaled(a) + scaled(b)}e-${places}`
}
