/**
 * What calls cost: prices, looked up for the time of a usage.
 */
import { BigDecimal, Context, Either, Layer } from "effect"
import { type Bill, billOf } from "./Bill.js"
import { type Cost, nothing, Priced, Unpriced, type UnpricedReason } from "./Cost.js"
import { type CheckedPrice, check, type InvalidPrice, type Price, type Rates } from "./Price.js"
import { trusted } from "./SchemaRecord.js"
import type { Usage } from "./UsageRecord.js"
import { zero } from "./Usd.js"

export {
  InvalidPrice,
  type Price,
  perMillion,
  perThousand,
  type Unit,
  type UnitPrices,
  type Validity
} from "./Price.js"

/** Who pays. */
export interface Payer {
  readonly customerId: string
  readonly tenantId?: string | undefined
}

/** Knows prices. */
export interface Service {
  /** What a usage cost, at the prices of its time for who pays. Total and pure. */
  readonly priceOf: (usage: Usage, payer: Payer) => Cost
}

/** The prices in scope. Without them every usage is unpriced that does not say itself what it cost. */
export class PriceBook extends Context.Tag("botanu/PriceBook")<PriceBook, Service>() {}

/**
 * A book of these prices. Of those that fit a usage, one for its customer comes first, then one for its tenant, then those for
 * all; of those, one for the model that answered, then for the one that was asked for, then for any; then the one that says most
 * of the call, came into force last, or stands last.
 */
export const make = (prices: Iterable<Price>): Either.Either<Service, InvalidPrice> =>
  Either.map(Either.all(Array.from(prices, check)), (checked) => {
    const index = indexed(checked)
    return { priceOf: (usage, payer) => costOf(usage, find(index, usage, payer)) }
  })

/** These prices. A wrong one fails with `InvalidPrice` where the layer is built; it names the entry and the field. */
export const layer = (prices: Iterable<Price>): Layer.Layer<PriceBook, InvalidPrice> =>
  Layer.effect(PriceBook, make(prices))

/** @internal What a usage costs without any prices. */
export const withoutPrices = (usage: Usage): Cost => costOf(usage, undefined)

type Index = ReadonlyMap<string, ReadonlyArray<CheckedPrice>>

const indexed = (prices: ReadonlyArray<CheckedPrice>): Index => {
  const index = new Map<string, Array<CheckedPrice>>()
  for (const price of prices) {
    for (const model of namesOf(price)) {
      const key = keyOf(price.kind, model, ownerOf(price))
      const others = index.get(key)
      if (others === undefined) index.set(key, [price])
      else others.push(price)
    }
  }
  for (const some of index.values()) some.reverse().sort(byPrecedence)
  return index
}

/** A model is known by its name, and without the provider in front of it, as in `azure/…`; such a price names the provider. */
const namesOf = ({ model, provider }: CheckedPrice): ReadonlyArray<string> => {
  if (model === undefined) return [""]
  const slash = model.indexOf("/")
  return provider === undefined || slash === -1 ? [model] : [model, model.slice(slash + 1)]
}

const byPrecedence = (a: CheckedPrice, b: CheckedPrice): number =>
  detailOf(b) - detailOf(a) || (a.from === b.from ? 0 : a.from > b.from ? -1 : 1)

const detailOf = ({ operation, provider }: CheckedPrice): number =>
  (provider === undefined ? 0 : 2) + (operation === undefined ? 0 : 1)

const ownerOf = ({ customerId, tenantId }: CheckedPrice): string => {
  const tenant = tenantId === undefined ? "" : `t${tenantId}`
  return customerId === undefined ? tenant : `c${customerId}\n${tenant}`
}

// No field holds a line break.
const keyOf = (kind: string, model: string, owner: string): string => `${kind}\n${model}\n${owner}`

const find = (index: Index, usage: Usage, { customerId, tenantId }: Payer): CheckedPrice | undefined => {
  const owners =
    tenantId === undefined
      ? [`c${customerId}\n`, ""]
      : [`c${customerId}\nt${tenantId}`, `c${customerId}\n`, `t${tenantId}`, ""]
  const { kind, model, responseModel } = usage
  for (const owner of owners) {
    const found =
      (responseModel !== undefined && fitting(index.get(keyOf(kind, responseModel, owner)), usage)) ||
      (model !== undefined && fitting(index.get(keyOf(kind, model, owner)), usage)) ||
      fitting(index.get(keyOf(kind, "", owner)), usage)
    if (found) return found
  }
  return undefined
}

const fitting = (prices: ReadonlyArray<CheckedPrice> | undefined, usage: Usage): CheckedPrice | undefined =>
  prices?.find(
    ({ from, operation, provider, until }) =>
      (provider === undefined || provider === usage.provider) &&
      (operation === undefined || operation === usage.operation) &&
      from <= usage.time.epochMillis &&
      usage.time.epochMillis < until
  )

const costOf = (usage: Usage, price: CheckedPrice | undefined): Cost => {
  if (usage.usd !== undefined) return priced(usage.usd)
  // Nothing was served.
  if (usage.requests === 0) return nothing
  if (price === undefined) return usage.kind === "llm" ? unknownModel : noPriceForKind
  const rates = ratesFor(price, usage)
  const bill = billOf(usage, rates)
  const usd = BigDecimal.make(bill.amount, rates.scale)
  return bill.problem === undefined ? priced(usd) : unpriced(bill.problem, usd)
}

const ratesFor = ({ rates, tiers }: CheckedPrice, { inputTokens = 0 }: Usage): Rates =>
  tiers.find(({ above }) => inputTokens > above)?.rates ?? rates

const priced = (usd: BigDecimal.BigDecimal): Priced => trusted(Priced, { _tag: "Priced", usd })

const unpriced = ({ missing, reason }: NonNullable<Bill["problem"]>, usd: BigDecimal.BigDecimal): Unpriced =>
  trusted(Unpriced, { _tag: "Unpriced", reason, missing, usd })

const withoutPrice = (reason: UnpricedReason) => new Unpriced({ reason, usd: zero })
const unknownModel = withoutPrice("unknown_model")
const noPriceForKind = withoutPrice("no_price_for_kind")
