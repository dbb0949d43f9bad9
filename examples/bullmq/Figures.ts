/**
 * Numbers as people read them.
 */
import { BigDecimal } from "effect"

/** A duration in the unit that suits it: `412 ms`, `1.24 s`. */
export const duration = (milliseconds: number): string =>
  milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`

const format = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 })

/** An amount with at most two decimals: `1,284.5`. */
export const amount = (value: number): string => format.format(value)

/** A number of things: `1 ticket`, `2 tickets`. */
export const count = (number: number, thing: string): string => `${amount(number)} ${thing}${number === 1 ? "" : "s"}`

/** How many decimal places tell an amount of US dollars exactly; at least four. */
export const placesOf = (usd: BigDecimal.BigDecimal): number => Math.max(4, BigDecimal.normalize(usd).scale)

/** An amount of US dollars with so many decimal places: `0.0123`. */
export const usd = (usd: BigDecimal.BigDecimal, places: number = placesOf(usd)): string => {
  const digits = String(BigDecimal.round(usd, { scale: places, mode: "half-from-zero" }).value).padStart(
    places + 1,
    "0"
  )
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`
}
