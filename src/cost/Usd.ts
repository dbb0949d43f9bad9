/**
 * Amounts of US dollars: exact decimals, never binary floats.
 */
import { BigDecimal, Option, ParseResult, Schema } from "effect"

/**
 * An amount as it may be given. A number counts as the shortest decimal that reads as it: `0.1` is a tenth, exactly.
 *
 * @example
 * ```ts
 * import type { Cost } from "botanu-effect"
 *
 * export const tenths: ReadonlyArray<Cost.UsdInput> = [0.1, "0.1", "1e-1"]
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export type UsdInput = BigDecimal.BigDecimal | bigint | number | string

/** An amount in a record. JSON carries it as decimal text without an exponent, such as `0.0125`. */
export const Usd: Schema.Schema<BigDecimal.BigDecimal, string> = Schema.transformOrFail(
  Schema.String,
  Schema.BigDecimalFromSelf,
  {
    strict: true,
    decode: (text, _, ast) => {
      // Effect reads empty text as zero.
      const amount = text.length > maxText || !digits.test(text) ? Option.none() : BigDecimal.fromString(text)
      return Option.isNone(amount) || bounded(amount.value) === undefined
        ? ParseResult.fail(new ParseResult.Type(ast, text, "expected a decimal amount"))
        : ParseResult.succeed(BigDecimal.normalize(amount.value))
    },
    encode: (amount) => ParseResult.succeed(format(amount))
  }
)

/** A record as `JSON.stringify` takes it: its amounts are decimal text, as its Schema encodes them. */
export const withAmountsAsText = (record: object): Record<string, unknown> => {
  const plain: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(record)) plain[field] = amountsAsText(value)
  return plain
}

const amountsAsText = (value: unknown): unknown => {
  if (BigDecimal.isBigDecimal(value)) return format(value)
  if (Array.isArray(value)) return value.map(amountsAsText)
  return isPlainObject(value) ? withAmountsAsText(value) : value
}

const isPlainObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

export const zero: BigDecimal.BigDecimal = BigDecimal.make(0n, 0)

// What 64 digits cannot hold is no amount of money, and an exponent of a million would take a million digits to add.
const maxDigits = 64
const maxText = 4 * maxDigits + 2
const digits = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i
const decimal = /^[+-]?(\d{1,64})(\.\d{1,64})?(e[+-]?\d{1,2})?$/i
const limit = 10n ** BigInt(2 * maxDigits)

/** The amount that `input` gives; `undefined` where it is not a decimal of at most 64 digits before and after the point. */
export const fromInput = (input: unknown): BigDecimal.BigDecimal | undefined => {
  if (typeof input === "number") return fromText(String(input))
  if (typeof input === "bigint") return bounded(BigDecimal.fromBigInt(input))
  if (typeof input === "string") return fromText(input)
  return BigDecimal.isBigDecimal(input) ? bounded(input) : undefined
}

const fromText = (text: string): BigDecimal.BigDecimal | undefined => {
  if (!decimal.test(text)) return undefined
  return Option.match(BigDecimal.fromString(text), { onNone: () => undefined, onSome: bounded })
}

const bounded = (amount: BigDecimal.BigDecimal): BigDecimal.BigDecimal | undefined =>
  Number.isInteger(amount.scale) &&
  Math.abs(amount.scale) <= 2 * maxDigits &&
  amount.value < limit &&
  amount.value > -limit
    ? amount
    : undefined

/** What is expected of an amount that may not be negative. */
export const expectedAmount = "a decimal amount of US dollars, zero or more"

/** The amount that `input` gives, where it is not negative. */
export const fromNonNegative = (input: unknown): BigDecimal.BigDecimal | undefined => {
  const amount = fromInput(input)
  return amount === undefined || amount.value < 0n ? undefined : amount
}

/** The nearest binary number, for spans and metrics, which know no decimals. */
export const toNumber = ({ scale, value }: BigDecimal.BigDecimal): number => {
  const power = powersOfTen[scale]
  // The quotient of two numbers that are exact is rounded once, to the nearest, as text is.
  return power !== undefined && value <= maxSafe && value >= -maxSafe
    ? Number(value) / power
    : Number(`${value}e${-scale}`)
}

const maxSafe = BigInt(Number.MAX_SAFE_INTEGER)
// 10^22 is the last power of ten that a number holds exactly.
const powersOfTen: ReadonlyArray<number> = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))

/**
 * An amount for people and for log lines, such as `0.0125`.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 * import { BigDecimal } from "effect"
 *
 * console.log(Cost.format(BigDecimal.unsafeFromString("1.250e-3"))) // 0.00125
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export const format = ({ scale, value }: BigDecimal.BigDecimal): string => {
  if (value === 0n) return "0"
  const sign = value < 0n ? "-" : ""
  const digits = String(value < 0n ? -value : value)
  if (scale <= 0) return `${sign}${digits}${"0".repeat(-scale)}`
  const padded = digits.padStart(scale + 1, "0")
  const whole = padded.length - scale
  let end = padded.length
  while (end > whole && padded.charCodeAt(end - 1) === zeroDigit) end -= 1
  return end === whole
    ? `${sign}${padded.slice(0, whole)}`
    : `${sign}${padded.slice(0, whole)}.${padded.slice(whole, end)}`
}

const zeroDigit = 48
