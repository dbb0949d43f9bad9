/**
 * Splitting one cost over several runs, to the last digit.
 */
import { BigDecimal, Either, Schema } from "effect"
import { quote } from "../schema/FieldText.js"
import { expectedAmount, fromNonNegative, type UsdInput } from "./Usd.js"

/**
 * A cost could not be split: `field` is not what was expected.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const failed = Either.flip(Cost.allocate(-1, { "ticket-1": 1 }))
 *
 * console.log(Either.map(failed, (error: Cost.InvalidAllocation) => error.field))
 * ```
 *
 * @since 0.1.0
 * @category allocation
 */
export class InvalidAllocation extends Schema.TaggedError<InvalidAllocation>()("InvalidAllocation", {
  /** `usd`, `weights`, or the key of a weight. */
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

// A share is cut off after so many places, or after as many as the amount itself has.
const sharePlaces = 12

/**
 * Splits one cost over several runs by weight, such as that of a batch over the tickets in it. The keys are yours, run ids for
 * instance. Shares have 12 decimal places, or as many as `usd` has where that is more; what is left over by cutting them goes,
 * one last digit each, to those who lost most by it, so that the shares sum to `usd` exactly.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 * import { Either, Record } from "effect"
 *
 * const shares = Either.getOrThrow(Cost.allocate("0.10", { "ticket-1": 1, "ticket-2": 3 }))
 *
 * console.log(Record.map(shares, Cost.format)) // { "ticket-1": "0.025", "ticket-2": "0.075" }
 * ```
 *
 * @since 0.1.0
 * @category allocation
 */
export const allocate = <K extends string>(
  usd: UsdInput,
  weights: Readonly<Record<K, UsdInput>>
): Either.Either<Record<K, BigDecimal.BigDecimal>, InvalidAllocation> => {
  const total = fromNonNegative(usd)
  if (total === undefined) return Either.left(invalid("usd", `expected ${expectedAmount}, got ${quote(usd)}`))
  const keys = Object.keys(weights) as Array<K>
  const parts: Array<Part<K>> = []
  for (const key of keys) {
    const weight = fromNonNegative(weights[key])
    if (weight === undefined)
      return Either.left(invalid(key, `expected a weight, zero or more, got ${quote(weights[key])}`))
    parts.push({ key, weight, units: 0n, lost: 0n })
  }
  return cut(total, parts)
}

interface Part<K> {
  readonly key: K
  readonly weight: BigDecimal.BigDecimal
  /** The share, as a multiple of the last decimal place. */
  units: bigint
  /** What cutting took from it. */
  lost: bigint
}

const cut = <K extends string>(
  total: BigDecimal.BigDecimal,
  parts: ReadonlyArray<Part<K>>
): Either.Either<Record<K, BigDecimal.BigDecimal>, InvalidAllocation> => {
  const places = Math.max(sharePlaces, total.scale)
  const units = BigDecimal.scale(total, places).value
  const weightPlaces = parts.reduce((most, { weight }) => Math.max(most, weight.scale), 0)
  const weightOf = ({ weight }: Part<K>) => BigDecimal.scale(weight, weightPlaces).value
  const sum = parts.reduce((sum, part) => sum + weightOf(part), 0n)
  if (sum === 0n) return Either.left(invalid("weights", "expected at least one weight above zero"))
  let left = units
  for (const part of parts) {
    const product = units * weightOf(part)
    part.units = product / sum
    part.lost = product % sum
    left -= part.units
  }
  const byLoss = parts.slice().sort(byLossAndKey)
  for (let i = 0; BigInt(i) < left; i++) (byLoss[i] as Part<K>).units += 1n
  const shares = parts.map(({ key, units }) => [key, BigDecimal.make(units, places)] as const)
  return Either.right(Object.fromEntries(shares) as Record<K, BigDecimal.BigDecimal>)
}

// Keys settle ties, so that the order in which they are given does not.
const byLossAndKey = (a: Part<string>, b: Part<string>): number => {
  if (a.lost !== b.lost) return a.lost > b.lost ? -1 : 1
  return a.key < b.key ? -1 : 1
}

const invalid = (field: string, problem: string): InvalidAllocation => new InvalidAllocation({ field, problem })
