/**
 * What calls cost: prices, looked up for the time of a usage.
 */
import { BigDecimal, Context, Either, Layer } from "effect"
import { makeUnsafe } from "../schema/SchemaRecord.js"
import { type Charge, chargeOf } from "./Charge.js"
import { type Cost, Priced, Unpriced, type UnpricedReason } from "./Cost.js"
import { type CheckedPrice, check, type InvalidPrice, type Price, type Rates } from "./Price.js"
import type { Usage, UsageKind } from "./UsageRecord.js"
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

/** A book without prices: it knows the cost of a usage only where that names its cost itself, or where nothing was served. */
export const empty: Service = { priceOf: (usage) => costOf(usage, undefined) }

/** These prices. A wrong one fails with `InvalidPrice` where the layer is built; it names the entry and the field. */
export const layer = (prices: Iterable<Price>): Layer.Layer<PriceBook, InvalidPrice> =>
  Layer.effect(PriceBook, make(prices))

const free = new Priced({ usd: zero })

/** Prices of each model, by its name, and those for any model, whose name is empty. */
type Index = ReadonlyMap<UsageKind, ReadonlyMap<string, ModelPrices>>

interface ModelPrices {
  readonly forAll: ReadonlyArray<CheckedPrice>
  /** By customer and tenant. */
  readonly owned: ReadonlyMap<string, ReadonlyArray<CheckedPrice>>
}

const indexed = (prices: ReadonlyArray<CheckedPrice>): Index => {
  const index = new Map<
    UsageKind,
    Map<string, { forAll: Array<CheckedPrice>; owned: Map<string, Array<CheckedPrice>> }>
  >()
  for (const price of prices) {
    const owner = ownerOf(price.customerId, price.tenantId)
    const models = getOrAdd(index, price.kind, () => new Map())
    for (const model of namesOf(price)) {
      const { forAll, owned } = getOrAdd(models, model, () => ({ forAll: [], owned: new Map() }))
      if (owner === "") forAll.push(price)
      else getOrAdd(owned, owner, (): Array<CheckedPrice> => []).push(price)
    }
  }
  for (const models of index.values()) {
    for (const { forAll, owned } of models.values()) {
      for (const some of [forAll, ...owned.values()]) some.reverse().sort(byPrecedence)
    }
  }
  return index
}

const getOrAdd = <Key, A>(map: Map<Key, A>, key: Key, make: () => A): A => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
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

// No field holds a line break.
const ownerOf = (customerId: string | undefined, tenantId: string | undefined): string =>
  customerId === undefined ? (tenantId ?? "") : `${customerId}\n${tenantId ?? ""}`

const find = (index: Index, usage: Usage, payer: Payer): CheckedPrice | undefined => {
  const models = index.get(usage.kind)
  if (models === undefined) return undefined
  const { model, responseModel } = usage
  const answered = responseModel === undefined ? undefined : models.get(responseModel)
  const asked = model === undefined || model === responseModel ? undefined : models.get(model)
  const any = models.get("")
  for (const owner of ownersOf(payer, answered, asked, any)) {
    const found =
      fitting(answered?.owned.get(owner), usage) ??
      fitting(asked?.owned.get(owner), usage) ??
      fitting(any?.owned.get(owner), usage)
    if (found !== undefined) return found
  }
  return fitting(answered?.forAll, usage) ?? fitting(asked?.forAll, usage) ?? fitting(any?.forAll, usage)
}

const nobody: ReadonlyArray<string> = []

/** Whose prices come before those for all, where there are any of that kind. */
const ownersOf = (
  { customerId, tenantId }: Payer,
  ...prices: ReadonlyArray<ModelPrices | undefined>
): ReadonlyArray<string> => {
  if (prices.every((some) => some === undefined || some.owned.size === 0)) return nobody
  const ofCustomer = ownerOf(customerId, undefined)
  return tenantId === undefined
    ? [ofCustomer]
    : [ownerOf(customerId, tenantId), ofCustomer, ownerOf(undefined, tenantId)]
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
  if (usage.requests === 0) return free
  if (price === undefined) return usage.kind === "llm" ? unknownModel : noPriceForKind
  const rates = ratesFor(price, usage)
  const bill = chargeOf(usage, rates)
  const usd = BigDecimal.make(bill.amount, rates.scale)
  return bill.problem === undefined ? priced(usd) : unpriced(bill.problem, usd)
}

const ratesFor = ({ rates, tiers }: CheckedPrice, { inputTokens = 0 }: Usage): Rates =>
  tiers.find(({ above }) => inputTokens > above)?.rates ?? rates

const priced = (usd: BigDecimal.BigDecimal): Priced => makeUnsafe(Priced, { _tag: "Priced", usd })

const unpriced = ({ missing, reason }: NonNullable<Charge["problem"]>, usd: BigDecimal.BigDecimal): Unpriced =>
  makeUnsafe(Unpriced, { _tag: "Unpriced", reason, missing, usd })

const withoutPrice = (reason: UnpricedReason) => new Unpriced({ reason, usd: zero })
const unknownModel = withoutPrice("unknown_model")
const noPriceForKind = withoutPrice("no_price_for_kind")
