/**
 * What calls cost: prices, looked up for the time of a usage.
 */
import { BigDecimal, Context, Either, Layer, type Types } from "effect"
import type { FieldProblem } from "../schema/FieldText.js"
import { makeUnsafe } from "../schema/SchemaRecord.js"
import { type Charged, type ChargeLine, chargesOf } from "./Charge.js"
import { type Charge, type Cost, Priced, type PriceSource, Unpriced, type UnpricedReason } from "./Cost.js"
import { InvalidPrice, type Price } from "./Price.js"
import { type Explanation, type Lookup, PriceIndex } from "./PriceIndex.js"
import { deploymentsProblem, listProblem } from "./PriceProblem.js"
import { type CheckedPrice, check, type PriceRate } from "./PriceRates.js"
import type { Usage } from "./UsageRecord.js"
import { zero } from "./Usd.js"

export {
  InvalidPrice,
  type NamedPrices,
  type Price,
  type PriceTier,
  perMillion,
  perThousand,
  type ServiceTierPrices,
  type Unit,
  type UnitPrices,
  type Validity
} from "./Price.js"
export type { ConsideredPrice, Explanation } from "./PriceIndex.js"

/**
 * Who pays.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const payer: PriceBook.Payer = { customerId: "bigretail", tenantId: "acme" }
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export interface Payer {
  /** The customer of the run. */
  readonly customerId: string
  /** The tenant of the run. */
  readonly tenantId?: string | undefined
}

/**
 * Knows prices.
 *
 * @example
 * ```ts
 * import { Cost, PriceBook } from "botanu-effect"
 * import { BigDecimal } from "effect"
 *
 * const usd = BigDecimal.unsafeFromString("0.01")
 *
 * export const flat: PriceBook.Service = { priceOf: () => new Cost.Priced({ usd }) }
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export interface Service {
  /** What a usage cost, at the prices of its time for who pays. Total and pure. */
  readonly priceOf: (usage: Usage, payer: Payer) => Cost
  /** Which prices were considered for a usage, and which won. A book of your own need not explain itself. */
  readonly explain?: ((usage: Usage, payer: Payer) => Explanation) | undefined
}

/**
 * A book that explains itself, as `PriceBook.make` gives it.
 *
 * @example
 * ```ts
 * import { PriceBook, type Usage } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const book: PriceBook.Book = Either.getOrThrow(PriceBook.make([{ model: "quill-2", usd: { inputToken: "0.01" } }]))
 *
 * export const winnerOf = (usage: Usage.Usage) => book.explain(usage, { customerId: "bigretail" }).winner?.source
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface Book extends Service {
  /** Which prices were considered for a usage, and which won. */
  readonly explain: (usage: Usage, payer: Payer) => Explanation
}

/**
 * The prices in scope. Without them every usage is unpriced that does not say itself what it cost.
 *
 * @example
 * ```ts
 * import { PriceBook, type Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * export const costOf = (usage: Usage.Usage) =>
 *   Effect.map(PriceBook.PriceBook, (book) => book.priceOf(usage, { customerId: "bigretail" }))
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export class PriceBook extends Context.Tag("botanu/PriceBook")<PriceBook, Service>() {}

/**
 * How a book finds prices.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const options: PriceBook.BookOptions = { deployments: { "support-chat": "quill-2" } }
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface BookOptions {
  /**
   * The models behind deployments and inference profiles, by the name or ARN that calls ask for, such as
   * `{ "support-chat": "gpt-4o" }`.
   */
  readonly deployments?: Readonly<Record<string, string>> | undefined
}

/**
 * A book of these prices. Of those that fit a usage, in this order:
 *
 * 1. an override, which is a price without a `source`, before one with a source;
 * 2. one for the customer in the tenant, for the customer, for the tenant, for all;
 * 3. one for the model of a deployment that is asked for, for the model that answered, for the one that was asked for, for any; an
 *    override for a model also fits its dated versions;
 * 4. one that has exactly that name, before one that has it without the provider in front;
 * 5. one for the provider, then one for the operation, then one for any;
 * 6. the one that came into force last;
 * 7. the one that is last in the list.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 * import { Either } from "effect"
 *
 * const book = PriceBook.make([{ model: "quill-2", usd: { inputToken: "0.01", outputToken: "0.03" } }])
 *
 * console.log(Either.isRight(book)) // true
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export const make = (prices: Iterable<Price>, options: BookOptions = {}): Either.Either<Book, InvalidPrice> =>
  Either.map(checkAll(prices, options), (checked) => {
    const index = new PriceIndex(checked, options.deployments ?? {})
    const priceOf: Service["priceOf"] = (usage, payer) =>
      freeOrReported(usage) ?? priced(usage, index.find(usage, payer))
    return { priceOf, explain: (usage, payer) => ({ ...index.explain(usage, payer), cost: priceOf(usage, payer) }) }
  })

/** Prices as a list; nothing is said of what is in it. */
export const listOf = (prices: Iterable<Price>): Either.Either<ReadonlyArray<Price>, InvalidPrice> => {
  const wrong = listProblem(prices)
  return wrong === undefined ? Either.right(Array.from(prices)) : refused(wrong)
}

const checkAll = (
  prices: Iterable<Price>,
  { deployments }: BookOptions
): Either.Either<ReadonlyArray<CheckedPrice>, InvalidPrice> => {
  const wrong = deploymentsProblem(deployments)
  return wrong === undefined
    ? Either.flatMap(listOf(prices), (list) => Either.all(list.map((price, index) => check(price, index))))
    : refused(wrong)
}

const refused = (problem: FieldProblem): Either.Either<never, InvalidPrice> =>
  Either.left(new InvalidPrice({ entry: "list", ...problem }))

/**
 * These prices. A wrong one fails with `InvalidPrice` where the layer is built; it names the entry and the field.
 *
 * @example
 * ```ts
 * import { Botanu, PriceBook, Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const work = Usage.record({ kind: "llm", provider: "openai", operation: "chat", model: "quill-2", inputTokens: 100 })
 *
 * const prices = PriceBook.layer([{ model: "quill-2", usd: { inputToken: PriceBook.perMillion("2.50") } }])
 *
 * Effect.runPromise(
 *   work.pipe(
 *     Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }),
 *     Effect.provide(prices)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category prices
 */
export const layer = (prices: Iterable<Price>, options?: BookOptions): Layer.Layer<PriceBook, InvalidPrice> =>
  Layer.effect(PriceBook, make(prices, options))

/**
 * A book without prices: it knows the cost of a usage only where that names its cost itself, or where nothing was served.
 *
 * @example
 * ```ts
 * import { PriceBook } from "botanu-effect"
 * import { Layer } from "effect"
 *
 * export const noPrices = Layer.succeed(PriceBook.PriceBook, PriceBook.empty)
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export const empty: Service = { priceOf: (usage) => freeOrReported(usage) ?? priced(usage, undefined) }

/** What a usage costs where no price decides: what its provider reports, and nothing where nothing was served. */
const freeOrReported = ({ requests, usd }: Usage): Cost | undefined => {
  if (usd !== undefined) return reported(usd)
  return requests === 0 ? free : undefined
}

const priced = (usage: Usage, price: Lookup): Cost => {
  if (price === undefined) return usage.kind === "llm" ? unknownModel : noPriceForKind
  return sum(chargesOf(usage, price.ratesFor(usage.inputTokens ?? 0, usage.serviceTier, usage.region)))
}

const sum = ({ lines, uncounted, unpriced }: Charged<PriceRate>): Cost => {
  let scale = 0
  for (const line of lines) if (line.scale > scale) scale = line.scale
  let amount = 0n
  const charges: Array<Charge> = []
  for (const line of lines) {
    amount += line.scale === scale ? line.value : line.value * 10n ** BigInt(scale - line.scale)
    charges.push(chargeOf(line))
  }
  const usd = BigDecimal.make(amount, scale)
  if (unpriced.length === 0 && uncounted.length === 0) return pricedAs(usd, charges)
  const reason: UnpricedReason = unpriced.length > 0 ? "no_price_for_kind" : "no_usage"
  const fields = { _tag: "Unpriced" as const, reason, missing: [...unpriced, ...uncounted], usd, charges }
  return makeUnsafe(Unpriced, fields)
}

/** What `makeUnsafe` gives. Most calls have such a cost, and fields that are set by name take a fraction of the time. */
const pricedAs = (usd: BigDecimal.BigDecimal, charges: ReadonlyArray<Charge>): Priced => {
  const cost: Types.Mutable<Priced> = Object.create(Priced.prototype)
  cost._tag = "Priced"
  cost.usd = usd
  cost.charges = charges
  return cost
}

const chargeOf = ({ meter, quantity, rate, scale, unit, value }: ChargeLine<PriceRate>): Charge => ({
  meter,
  quantity,
  unit,
  unitPrice: rate.unitPrice,
  usd: BigDecimal.make(value, scale),
  price: rate.source
})

const fromProvider: PriceSource = { source: "provider" }

/** A cost that the provider itself reported. */
const reported = (usd: BigDecimal.BigDecimal): Priced =>
  pricedAs(usd, [{ meter: "usd", quantity: 1, unit: "usd", unitPrice: usd, usd, price: fromProvider }])

const free = new Priced({ usd: zero })

const withoutPrice = (reason: UnpricedReason) => new Unpriced({ reason, usd: zero })
const unknownModel = withoutPrice("unknown_model")
const noPriceForKind = withoutPrice("no_price_for_kind")
