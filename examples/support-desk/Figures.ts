/**
 * Numbers as people read them.
 */

/** A duration in the unit that suits it: `412 ms`, `1.24 s`. */
export const duration = (milliseconds: number): string =>
  milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`

const format = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 })

/** An amount with at most two decimals: `1,284.5`. */
export const amount = (value: number): string => format.format(value)

/** A number of things: `1 ticket`, `2 tickets`. */
export const count = (number: number, thing: string): string => `${amount(number)} ${thing}${number === 1 ? "" : "s"}`
