/**
 * What something costs, as a plain record.
 */
import { BigDecimal, type DateTime, Schema } from "effect"
import type { MeterName, Unit } from "./Meter.js"
import type { UsageKind } from "./UsageKind.js"
import { fromNonNegative, type UsdInput } from "./Usd.js"

export type { Unit } from "./Meter.js"

/**
 * Prices of what has no meter, in US dollars, each for one of it.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const tools: PriceBook.NamedPrices = { code_execution: "0.03", file_search: "0.0025" }
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export type NamedPrices = Readonly<Record<string, UsdInput>>

/**
 * Prices in US dollars, each for one of its unit. A reasoning token costs what an output token does, and a web search of a known
 * context what any web search does, unless the price names them.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * export const usd: PriceBook.UnitPrices = {
 *   inputToken: PriceBook.perMillion("2.50"),
 *   outputToken: PriceBook.perMillion(10),
 *   toolCalls: { code_execution: "0.03" }
 * }
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export interface UnitPrices extends Readonly<Partial<Record<Unit, UsdInput | undefined>>> {
  /** Of a call of a tool that the provider runs, by the name of the tool. */
  readonly toolCalls?: NamedPrices | undefined
  /** Of quantities that are in `other` of a usage, by their names. */
  readonly other?: NamedPrices | undefined
}

/**
 * When and for whom a price holds.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const summer: PriceBook.Validity = { from: "2026-06-01", until: "2026-09-01", customerId: "bigretail" }
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export interface Validity {
  /** From this instant on; always, where it is not given. Text is in ISO 8601. */
  readonly from?: DateTime.Utc | Date | string | undefined
  /** Up to this instant, exclusively. */
  readonly until?: DateTime.Utc | Date | string | undefined
  /** For this customer alone. Comes before what holds for a tenant. */
  readonly customerId?: string | undefined
  /** For this tenant alone. Comes before what holds for all. */
  readonly tenantId?: string | undefined
}

/**
 * Prices for requests of more input tokens than `aboveInputTokens`: for the whole of such a request.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * export const long: PriceBook.PriceTier = {
 *   aboveInputTokens: 200_000,
 *   usd: { inputToken: PriceBook.perMillion(6) }
 * }
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface PriceTier {
  /** The threshold: a request of exactly so many is not above it. */
  readonly aboveInputTokens: number
  /** Prices that differ. `undefined` says that there is none. */
  readonly usd: UnitPrices
}

/**
 * Prices of a service tier. A meter of tokens that they do not name has no price in that tier.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * export const batch: PriceBook.ServiceTierPrices = {
 *   usd: { inputToken: PriceBook.perMillion("1.25"), outputToken: PriceBook.perMillion(5) }
 * }
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface ServiceTierPrices {
  /** The prices in the tier, each for one of its unit. */
  readonly usd: UnitPrices
  /** Other prices in the tier for requests of more input tokens. */
  readonly tiers?: ReadonlyArray<PriceTier> | undefined
}

/**
 * What a model, or anything else that is used, costs.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * export const price: PriceBook.Price = {
 *   provider: "openai",
 *   model: "quill-2",
 *   usd: { inputToken: PriceBook.perMillion("2.50"), outputToken: PriceBook.perMillion(10) },
 *   tiers: [{ aboveInputTokens: 200_000, usd: { inputToken: PriceBook.perMillion(5) } }],
 *   serviceTiers: { batch: { usd: { inputToken: PriceBook.perMillion("1.25"), outputToken: PriceBook.perMillion(5) } } }
 * }
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export interface Price extends Validity {
  /**
   * What kind of thing it is the price of.
   * @default "llm"
   */
  readonly kind?: UsageKind | undefined
  /** The model or the tool; any of the provider's, where it is not given. */
  readonly model?: string | undefined
  /** Who provides it, as in a usage; any, where it is not given. */
  readonly provider?: string | undefined
  /** Any operation, where it is not given. */
  readonly operation?: string | undefined
  /** The prices, each for one of its unit. */
  readonly usd: UnitPrices
  /** Other prices for requests of more input tokens. The highest tier that fits holds for the whole request. */
  readonly tiers?: ReadonlyArray<PriceTier> | undefined
  /** Prices by service tier, such as `priority`, `flex` or `batch`. `usd` and `tiers` are those of the standard tier. */
  readonly serviceTiers?: Readonly<Record<string, ServiceTierPrices>> | undefined
  /** By what the prices of tokens are multiplied where the call was served in a region, such as `{ us: "1.1" }`. */
  readonly regions?: Readonly<Record<string, UsdInput>> | undefined
  /**
   * Parts of the tokens that a usage must name, such as `["outputImageTokens"]` for a model that makes images: without them the
   * cost of the tokens is unknown, unless the part costs what the rest does. `0` says that there are none.
   * @default none
   */
  readonly expects?: ReadonlyArray<MeterName> | undefined
  /**
   * The list that the price was taken from, such as the path of a price file. A price without a source is an override: it comes
   * before all prices that have one.
   */
  readonly source?: string | undefined
}

/**
 * A price was refused: `field` of `entry` is not what was expected.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const made = PriceBook.make([{ model: "quill-2", usd: { inputToken: -1 } }])
 *
 * console.log(Either.flip(made).pipe(Either.map((error: PriceBook.InvalidPrice) => error.message)))
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export class InvalidPrice extends Schema.TaggedError<InvalidPrice>()("InvalidPrice", {
  /** The place of the price in its list, and what it is the price of. */
  entry: Schema.String,
  /** The field of the price. */
  field: Schema.String,
  /** What was expected of it, and what was found. */
  problem: Schema.String
}) {
  override get message(): string {
    return `price ${this.entry}: ${this.field}: ${this.problem}`
  }
}

/**
 * The price of one, from that of a thousand.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * console.log({ model: "quill-2", usd: { webSearch: PriceBook.perThousand(10) } })
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export const perThousand = (usd: UsdInput): UsdInput => shifted(usd, 3)

/**
 * The price of one, from that of a million.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 *
 * console.log({ model: "quill-2", usd: { inputToken: PriceBook.perMillion("2.50") } })
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export const perMillion = (usd: UsdInput): UsdInput => shifted(usd, 6)

// What is no amount is refused, by name, where the price is made.
const shifted = (usd: UsdInput, places: number): UsdInput => {
  const amount = fromNonNegative(usd)
  return amount === undefined ? usd : BigDecimal.make(amount.value, amount.scale + places)
}
