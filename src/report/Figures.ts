/**
 * Numbers and times as people read them. One rule for the terminal and for the page.
 */
import { BigDecimal, type DateTime } from "effect"

/**
 * An amount of US dollars that stands alone: two decimals from 1, four below, two significant digits below 0.001. `0` only for
 * exactly nothing.
 *
 * @example
 * import { Figures } from "botanu-effect/report"
 * import { BigDecimal } from "effect"
 *
 * Figures.usd(BigDecimal.unsafeFromString("4316.6712")) // "4,316.67"
 * Figures.usd(BigDecimal.unsafeFromString("0.000128")) // "0.00013"
 *
 * @since 0.2.0
 * @category formatting
 */
export const usd = (amount: BigDecimal.BigDecimal): string => {
  if (BigDecimal.isZero(amount)) return "0"
  const magnitude = BigDecimal.abs(amount)
  if (BigDecimal.greaterThanOrEqualTo(magnitude, one)) return fixed(amount, 2)
  if (BigDecimal.greaterThanOrEqualTo(magnitude, thousandth)) return fixed(amount, 4)
  return fixed(amount, firstDigit(magnitude) + 1)
}

/**
 * How many decimals a column of amounts in US dollars has: none from 100, two from 1, else until the smallest amount has two
 * significant digits, at least four, at most six.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 * import { BigDecimal } from "effect"
 *
 * console.log(Figures.usdPlaces([BigDecimal.unsafeFromString("0.00514")]))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const usdPlaces = (amounts: Iterable<BigDecimal.BigDecimal>): number => {
  const magnitudes = Array.from(amounts, BigDecimal.abs).filter((amount) => !BigDecimal.isZero(amount))
  const largest = magnitudes.reduce(BigDecimal.max, BigDecimal.make(0n, 0))
  if (BigDecimal.greaterThanOrEqualTo(largest, hundred)) return 0
  if (BigDecimal.greaterThanOrEqualTo(largest, one)) return 2
  const places = magnitudes.map((amount) => firstDigit(amount) + 1)
  return Math.min(6, Math.max(4, ...places))
}

/**
 * An amount with exactly so many decimals, rounded half away from zero, with commas between thousands.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 * import { BigDecimal } from "effect"
 *
 * console.log(Figures.fixed(BigDecimal.unsafeFromString("0.00514"), 4))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const fixed = (amount: BigDecimal.BigDecimal, places: number): string => {
  const { value } = BigDecimal.round(amount, { scale: places, mode: "half-from-zero" })
  const digits = String(value < 0n ? -value : value).padStart(places + 1, "0")
  const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, ",")
  const decimals = places === 0 ? "" : `.${digits.slice(-places)}`
  return `${value < 0n ? "−" : ""}${whole}${decimals}`
}

/**
 * A count, with commas between thousands: `143,930`.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.count(12_345))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const count = (value: number): string => counts.format(value)

const counts = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 })

/**
 * A duration in the units that suit it: `640 ms`, `8.4 s`, `1 m 04 s`, `2 h 05 m`, `3 d 4 h`. Takes milliseconds.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.duration(1500))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const duration = (milliseconds: number): string => {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${twoDigits(seconds % 60)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} m`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/**
 * A share from 0 to 1 in percent with one decimal, without the sign: `94.1`.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.percent(0.75))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const percent = (share: number): string => (share * 100).toFixed(1)

/**
 * An instant in UTC, to the second: `2026-11-18 14:03:21`.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 * import { DateTime } from "effect"
 *
 * console.log(Figures.instant(DateTime.unsafeMake("2026-11-23T10:00:00Z")))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const instant = (time: DateTime.Utc): string =>
  new Date(time.epochMillis).toISOString().slice(0, 19).replace("T", " ")

/**
 * A count for a list of large ones: with commas below a million, then `6.41 M`, `512.0 M`, `1.42 B`.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.large(1_420_000_000)) // "1.42 B"
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const large = (value: number): string => {
  if (value < 1e6) return count(value)
  const [unit, letter] = value < 999.95e6 ? [1e6, "M"] : [1e9, "B"]
  const scaled = value / unit
  return `${fixed(BigDecimal.unsafeFromNumber(Number(scaled.toPrecision(12))), scaled < 9.995 ? 2 : 1)} ${letter}`
}

/**
 * An instant in UTC for a list that names the zone in its head: `Nov 18 14:03:21`. Takes milliseconds since the epoch.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.listInstant(Date.UTC(2026, 10, 18, 14, 3, 21)))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const listInstant = (epochMillis: number): string => {
  const time = new Date(epochMillis)
  return `${monthOf(time)} ${twoDigits(time.getUTCDate())} ${time.toISOString().slice(11, 19)}`
}

/**
 * An instant with its date and zone, to the millisecond: `Nov 18, 2026 14:03:21.904 UTC`. Takes milliseconds since the epoch.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.fullInstant(Date.UTC(2026, 10, 18, 14, 3, 21, 904)))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const fullInstant = (epochMillis: number): string =>
  `${date(epochMillis)}, ${new Date(epochMillis).getUTCFullYear()} ${new Date(epochMillis).toISOString().slice(11, 23)} UTC`

/**
 * A date in UTC without its year: `Nov 8`. Takes milliseconds since the epoch.
 *
 * @example
 * ```ts
 * import { Figures } from "botanu-effect/report"
 *
 * console.log(Figures.date(Date.UTC(2026, 10, 8)))
 * ```
 *
 * @since 0.2.0
 * @category formatting
 */
export const date = (epochMillis: number): string => {
  const time = new Date(epochMillis)
  return `${monthOf(time)} ${time.getUTCDate()}`
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const monthOf = (time: Date): string => months[time.getUTCMonth()] ?? ""

const one = BigDecimal.make(1n, 0)
const hundred = BigDecimal.make(100n, 0)
const thousandth = BigDecimal.make(1n, 3)

const twoDigits = (value: number): string => String(value).padStart(2, "0")

/** At which decimal the first digit of an amount below one stands: 4 for 0.00013. */
const firstDigit = (amount: BigDecimal.BigDecimal): number => {
  const { scale, value } = BigDecimal.normalize(amount)
  return Math.max(0, scale - String(value).length + 1)
}
