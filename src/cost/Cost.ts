/**
 * What a call cost: an amount that is known, or why it is not.
 */
import { Schema } from "effect"
import { optional } from "../schema/SchemaRecord.js"
import { Usd, withAmountsAsText } from "./Usd.js"

export { allocate, InvalidAllocation } from "./Allocation.js"

export { format, type UsdInput } from "./Usd.js"

/** The cost is known. */
export class Priced extends Schema.TaggedClass<Priced>("botanu/Priced")("Priced", {
  /** In US dollars, exactly. */
  usd: Usd
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/**
 * Why a cost is not known, or not all of it: there is no price for the model; there is one, but not for all that was consumed;
 * or it was not told what was consumed.
 */
export const UnpricedReason = Schema.Literal("unknown_model", "no_price_for_kind", "no_usage")
export type UnpricedReason = typeof UnpricedReason.Type

/** The cost is not known, which is not the same as zero. */
export class Unpriced extends Schema.TaggedClass<Unpriced>("botanu/Unpriced")("Unpriced", {
  reason: UnpricedReason,
  /** The quantity that has no price, or that was not told. */
  missing: optional(Schema.String),
  /** The part that is known, in US dollars; zero where none is. */
  usd: Usd
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/** What a call cost. */
export type Cost = Priced | Unpriced
export const Cost = Schema.Union(Priced, Unpriced)
// A share is cut off after so many places, or after as many as the amount itself has.
// Keys settle ties, so that the order in which they are given does not.
