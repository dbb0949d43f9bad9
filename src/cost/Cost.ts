/**
 * What a call cost: an amount that is known, or why it is not.
 */
import { Schema } from "effect"
import { optional } from "../schema/SchemaRecord.js"
import { Usd, withAmountsAsText } from "./Usd.js"

export { allocate, InvalidAllocation } from "./Allocation.js"

export { format, type UsdInput } from "./Usd.js"

/**
 * Where the price of a charge comes from.
 *
 * @example
 * ```ts
 * import type { Cost } from "botanu-effect"
 *
 * export const origin = ({ entry, source, tier }: Cost.PriceSource): string => `${source}: ${entry} (${tier})`
 * ```
 *
 * @since 0.2.0
 * @category charges
 */
export const PriceSource = Schema.Struct({
  /** The list of prices: the path of a price file, `override` for a price of your own, `provider` for a cost that it reported. */
  source: Schema.String,
  /** The model, else the provider, else the kind that the price is for. */
  entry: optional(Schema.String),
  /** The service tier of the price: `standard` also where the price is the same in all tiers. */
  tier: optional(Schema.String),
  /** The threshold that the request passed, in input tokens. */
  aboveInputTokens: optional(Schema.NonNegativeInt),
  /** The region by whose factor the price was multiplied. */
  region: optional(Schema.String),
  /** Since when the price holds. */
  from: optional(Schema.DateTimeUtc)
})
export type PriceSource = typeof PriceSource.Type

/**
 * What one meter of a usage comes to.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 *
 * export const line = ({ meter, quantity, unitPrice, usd }: Cost.Charge): string =>
 *   `${quantity} ${meter} at ${Cost.format(unitPrice)} USD: ${Cost.format(usd)} USD`
 * ```
 *
 * @since 0.2.0
 * @category charges
 */
export const Charge = Schema.Struct({
  /** The meter: the name of a quantity of the usage, such as `inputTokens`, or `toolCalls.<name>`, or `usd`. */
  meter: Schema.String,
  /** What is charged of it, in the measure of the usage. Of a total, what is in no part that is charged by itself. */
  quantity: Schema.NonNegative.pipe(Schema.finite()),
  /** What the unit price is for: one of it. */
  unit: Schema.String,
  /** In US dollars. */
  unitPrice: Usd,
  /** What it comes to, in US dollars. */
  usd: Usd,
  price: PriceSource
})
export type Charge = typeof Charge.Type

const charges = Schema.optionalWith(Schema.Array(Charge), { default: (): ReadonlyArray<Charge> => [] })

/**
 * The cost is known.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 * import { BigDecimal } from "effect"
 *
 * const cost = new Cost.Priced({ usd: BigDecimal.unsafeFromString("0.0125") })
 *
 * console.log(Cost.format(cost.usd), cost.charges.length)
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export class Priced extends Schema.TaggedClass<Priced>("botanu/Priced")("Priced", {
  /** In US dollars, exactly. */
  usd: Usd,
  /** What it is the sum of: one for each meter. */
  charges
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/**
 * Why a cost is not known, or not all of it: there is no price for the model; there is one, but not for all that was consumed;
 * or it is not known what was consumed.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 *
 * console.log(Cost.UnpricedReason.literals)
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export const UnpricedReason = Schema.Literal("unknown_model", "no_price_for_kind", "no_usage")
export type UnpricedReason = typeof UnpricedReason.Type

/**
 * The cost is not known, which is not the same as zero.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 * import { BigDecimal } from "effect"
 *
 * const cost = new Cost.Unpriced({
 *   reason: "no_price_for_kind",
 *   missing: ["inputAudioTokens"],
 *   usd: BigDecimal.unsafeFromString("0.01")
 * })
 *
 * console.log(`${cost.reason} of ${cost.missing}; ${Cost.format(cost.usd)} USD are known`)
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export class Unpriced extends Schema.TaggedClass<Unpriced>("botanu/Unpriced")("Unpriced", {
  reason: UnpricedReason,
  /** The meters that have no price, or whose quantity is not known. */
  missing: optional(Schema.Array(Schema.String)),
  /** The part that is known, in US dollars; zero where none is. */
  usd: Usd,
  /** What that part is the sum of. */
  charges
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/**
 * What a call cost.
 *
 * @example
 * ```ts
 * import { Cost } from "botanu-effect"
 *
 * export const text = (cost: Cost.Cost): string =>
 *   cost._tag === "Priced" ? Cost.format(cost.usd) : `at least ${Cost.format(cost.usd)} (${cost.reason})`
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export type Cost = Priced | Unpriced
export const Cost = Schema.Union(Priced, Unpriced)
