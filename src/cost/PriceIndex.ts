/**
 * Which price holds for a usage: prices by model, and the order in which they come.
 */
import type { Cost } from "./Cost.js"
import { type CheckedPrice, overrideSource } from "./PriceRates.js"
import { normalizeProvider } from "./Provider.js"
import type { UsageKind } from "./UsageKind.js"
import type { Usage } from "./UsageRecord.js"

/** The price of a usage, where there is one. */
export type Lookup = CheckedPrice | undefined

/** Who pays. */
interface Payer {
  readonly customerId: string
  readonly tenantId?: string | undefined
}

/**
 * A price that was considered for a usage.
 *
 * @example
 * ```ts
 * import type { PriceBook } from "botanu-effect"
 *
 * export const line = ({ model, source, why }: PriceBook.ConsideredPrice): string => `${source} ${model}: ${why}`
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface ConsideredPrice {
  /** The list of the price, or `override`. */
  readonly source: string
  /** The model that it is for; `undefined` is any, here and below. */
  readonly model: string | undefined
  /** The provider that it is for. */
  readonly provider: string | undefined
  /** The operation that it is for. */
  readonly operation: string | undefined
  /** The customer that it is for. */
  readonly customerId: string | undefined
  /** The tenant that it is for. */
  readonly tenantId: string | undefined
  /** Whether the usage costs what it says. */
  readonly isWinner: boolean
  /** Why it won, or why it did not, for people. */
  readonly why: string
}

/**
 * How the price of a usage was found.
 *
 * @example
 * ```ts
 * import { PriceBook, type Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const sourceOf = ({ winner }: PriceBook.Explanation): string => winner?.source ?? "no price"
 *
 * export const whose = (usage: Usage.Usage) => Effect.map(PriceBook.explain(usage), sourceOf)
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export interface Explanation {
  /** The names under which prices were looked for, in this order. The empty name is that of prices for any model. */
  readonly names: ReadonlyArray<string>
  /** The prices that were considered, in the order of precedence. Of those that fit, the first one wins. */
  readonly considered: ReadonlyArray<ConsideredPrice>
  /** The price that won, where one fits. */
  readonly winner: ConsideredPrice | undefined
  /** What the usage costs. */
  readonly cost: Cost
}

/** Prices of one name of one source, for one owner, in the order in which they come. */
interface Named {
  readonly exact: Array<CheckedPrice>
  readonly alias: Array<CheckedPrice>
}

/** By owner, and by name in it. */
type Names = Map<string, Map<string, Named>>

interface Shelf {
  readonly overrides: Names
  readonly others: Names
}

/** Prices, found by the name of the model in a time that does not depend on how many there are. */
export class PriceIndex {
  private readonly shelves = new Map<UsageKind, Shelf>()
  private readonly deployments: ReadonlyMap<string, string>
  private readonly known: SearchCache
  /** The instants at which a price begins or ends to hold, in order. */
  private readonly changes: ReadonlyArray<number>
  /** Whether no price is for a customer or a tenant alone. */
  private isForAll = true

  constructor(prices: ReadonlyArray<CheckedPrice>, deployments: Readonly<Record<string, string>>) {
    this.deployments = new Map(Object.entries(deployments))
    this.known = new SearchCache(this.deployments)
    this.changes = Array.from(new Set(prices.flatMap(({ from, until }) => [from, until])))
      .filter(Number.isFinite)
      .sort((a, b) => a - b)
    for (const price of prices) this.add(price)
    for (const { others, overrides } of this.shelves.values()) {
      for (const names of [...overrides.values(), ...others.values()]) {
        for (const { alias, exact } of names.values()) {
          for (const some of [exact, alias]) if (some.length > 1) some.reverse().sort(byDetail)
        }
      }
    }
  }

  find(usage: Usage, payer: Payer): Lookup {
    const search = this.known.searchFor(usage)
    const { last } = search
    if (last !== undefined && this.isSame(last, usage, payer)) return last.price
    const price = this.search(search, usage, payer)
    const { epochMillis } = usage.time
    search.last = {
      kind: usage.kind,
      operation: usage.operation,
      customerId: payer.customerId,
      tenantId: payer.tenantId,
      from: this.changes.findLast((instant) => instant <= epochMillis) ?? Number.NEGATIVE_INFINITY,
      until: this.changes.find((instant) => instant > epochMillis) ?? Number.POSITIVE_INFINITY,
      price
    }
    return price
  }

  private isSame(last: Found, usage: Usage, payer: Payer): boolean {
    const { epochMillis } = usage.time
    return (
      last.kind === usage.kind &&
      last.operation === usage.operation &&
      last.from <= epochMillis &&
      epochMillis < last.until &&
      (this.isForAll || (last.customerId === payer.customerId && last.tenantId === payer.tenantId))
    )
  }

  private search({ others, overrides }: Search, usage: Usage, payer: Payer): Lookup {
    const shelf = this.shelves.get(usage.kind)
    if (shelf === undefined) return undefined
    return findIn(shelf.overrides, overrides, usage, payer) ?? findIn(shelf.others, others, usage, payer)
  }

  explain(usage: Usage, payer: Payer): Omit<Explanation, "cost"> {
    const winner = this.find(usage, payer)
    const considered: Array<ConsideredPrice> = []
    const searched = new Set<string>()
    const shelf = this.shelves.get(usage.kind)
    const seen = new Set<CheckedPrice>()
    for (const [names, namesFor] of [
      [shelf?.overrides, overrideNames],
      [shelf?.others, listNames]
    ] as const) {
      const looked = namesFor(usage, this.deployments)
      for (const name of looked) searched.add(name)
      // All owners: that a price is for another customer is what an explanation is asked for.
      for (const owner of orderedOwners(names, payer)) {
        for (const name of looked) {
          const named = names?.get(owner)?.get(name)
          for (const price of [...(named?.exact ?? []), ...(named?.alias ?? [])]) {
            if (seen.has(price)) continue
            seen.add(price)
            considered.push(describe(price, winner, usage, payer))
          }
        }
      }
    }
    return { names: Array.from(searched), considered, winner: considered.find(({ isWinner }) => isWinner) }
  }

  private add(price: CheckedPrice): void {
    const shelf = getOrAdd(this.shelves, price.kind, () => ({ overrides: new Map(), others: new Map() }))
    const owners = price.source === undefined ? shelf.overrides : shelf.others
    const owner = ownerOf(price.customerId, price.tenantId)
    if (owner !== everybody) this.isForAll = false
    const names = getOrAdd(owners, owner, () => new Map())
    const [exact, alias] = namesOf(price)
    getOrAdd(names, exact, emptyNamed).exact.push(price)
    if (alias !== undefined) getOrAdd(names, alias, emptyNamed).alias.push(price)
  }
}

const findIn = (owners: Names, looked: ReadonlyArray<string>, usage: Usage, payer: Payer): Lookup => {
  if (owners.size === 0) return undefined
  for (const owner of ownersOf(payer, owners)) {
    const names = owners.get(owner)
    if (names === undefined) continue
    for (const name of looked) {
      const named = names.get(name)
      if (named === undefined) continue
      const found = fitting(named.exact, usage) ?? fitting(named.alias, usage)
      if (found !== undefined) return found
    }
  }
  return undefined
}

/** What is looked for, for the models of a usage. */
interface Search {
  readonly model: string | undefined
  readonly provider: string
  readonly responseModel: string | undefined
  /** The names of overrides. */
  readonly overrides: ReadonlyArray<string>
  /** The names of prices with a source. */
  readonly others: ReadonlyArray<string>
  /** What was found last. */
  last: Found | undefined
}

/** What was found, for whom, and from when until when the same is found. */
interface Found extends Payer {
  readonly kind: UsageKind
  readonly operation: string
  readonly from: number
  readonly until: number
  readonly price: Lookup
}

type NamesFor = (usage: Usage, deployments: ReadonlyMap<string, string>) => ReadonlyArray<string>

/** Programs call a handful of models, over and over. Bounded, should models ever be made up. */
const maxCached = 1000

type ByModel<A> = Map<string | undefined, A>

/** Remembers what is looked for. */
class SearchCache {
  /** By provider, the model that was asked for, and the one that answered: a key of all three would be made anew each time. */
  private readonly known = new Map<string, ByModel<ByModel<Search>>>()
  private size = 0
  private last: Search | undefined

  constructor(private readonly deployments: ReadonlyMap<string, string>) {}

  searchFor(usage: Usage): Search {
    const { model, provider, responseModel } = usage
    const { last } = this
    if (
      last !== undefined &&
      last.responseModel === responseModel &&
      last.model === model &&
      last.provider === provider
    )
      return last
    const search = this.known.get(provider)?.get(model)?.get(responseModel) ?? this.add(usage)
    this.last = search
    return search
  }

  private add(usage: Usage): Search {
    const { model, provider, responseModel } = usage
    const { deployments } = this
    const overrides = overrideNames(usage, deployments)
    const search: Search = {
      model,
      provider,
      responseModel,
      overrides,
      others: listNames(usage, deployments),
      last: undefined
    }
    if (this.size >= maxCached) return search
    this.size += 1
    const ofProvider = getOrAdd(this.known, provider, () => new Map())
    getOrAdd(ofProvider, model, () => new Map()).set(responseModel, search)
    return search
  }
}

/** The names of prices with a source: the model behind a deployment, the one that answered, the one that was asked for, and any. */
const listNames: NamesFor = ({ model, provider, responseModel }, deployments) => {
  const names: Array<string> = []
  const mapped = model === undefined ? undefined : deployments.get(model)
  addName(names, mapped, provider)
  addName(names, responseModel, provider)
  // The name of a deployment is not that of a model, even where it reads as one.
  if (mapped === undefined) addName(names, model, provider)
  names.push("")
  return names
}

/** The names of overrides. One for a deployment comes first, and one for a model covers its dated versions. */
const overrideNames: NamesFor = ({ model, provider, responseModel }, deployments) => {
  const names: Array<string> = []
  const mapped = model === undefined ? undefined : deployments.get(model)
  if (mapped !== undefined) {
    addName(names, model, provider)
    addName(names, mapped, provider)
  }
  addName(names, responseModel, provider)
  addName(names, model, provider)
  for (const dated of [...names]) {
    const family = familyOf(dated)
    if (family !== undefined) addName(names, family, provider)
  }
  names.push("")
  return names
}

/** Adds a name as it is, and without the provider in front of it. */
const addName = (names: Array<string>, name: string | undefined, provider: string): void => {
  if (name === undefined || names.includes(name)) return
  names.push(name)
  const slash = name.indexOf("/")
  if (slash <= 0) return
  const bare = name.slice(slash + 1)
  if (bare !== "" && normalizeProvider(name.slice(0, slash)) === provider && !names.includes(bare)) names.push(bare)
}

// `-2024-08-06`, `-20251001`, `@20251001` or `-0613`, and what Amazon Bedrock puts behind that.
const date = /[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6}|\d{4})(?:-v\d+(?::\d+)?)?$/

/** The model of which a name is a dated version. */
const familyOf = (name: string): string | undefined => {
  const at = name.search(date)
  return at <= 0 ? undefined : name.slice(0, at)
}

/** A model is known by its name, and without the provider in front of it, as in `azure/…`; such a price names the provider. */
const namesOf = ({ model, provider }: CheckedPrice): readonly [exact: string, alias: string | undefined] => {
  if (model === undefined) return ["", undefined]
  const slash = model.indexOf("/")
  return [model, provider === undefined || slash === -1 ? undefined : model.slice(slash + 1)]
}

const emptyNamed = (): Named => ({ exact: [], alias: [] })

const getOrAdd = <Key, A>(map: Map<Key, A>, key: Key, make: () => A): A => {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

const byDetail = (a: CheckedPrice, b: CheckedPrice): number =>
  detailOf(b) - detailOf(a) || (a.from === b.from ? 0 : a.from > b.from ? -1 : 1)

const detailOf = ({ operation, provider }: CheckedPrice): number =>
  (provider === undefined ? 0 : 2) + (operation === undefined ? 0 : 1)

const everybody = ""

// No field holds a line break.
const ownerOf = (customerId: string | undefined, tenantId: string | undefined): string =>
  customerId === undefined ? (tenantId === undefined ? everybody : `\n${tenantId}`) : `${customerId}\n${tenantId ?? ""}`

const forAll: ReadonlyArray<string> = [everybody]

/** Whose prices come before those for all, where there are any of that kind. */
const ownersOf = ({ customerId, tenantId }: Payer, owners: Names): ReadonlyArray<string> => {
  if (owners.size === 1 && owners.has(everybody)) return forAll
  const ofCustomer = ownerOf(customerId, undefined)
  return tenantId === undefined
    ? [ofCustomer, everybody]
    : [ownerOf(customerId, tenantId), ofCustomer, ownerOf(undefined, tenantId), everybody]
}

const orderedOwners = (owners: Names | undefined, payer: Payer): ReadonlyArray<string> => {
  if (owners === undefined) return []
  const first = ownersOf(payer, owners)
  return [...first, ...Array.from(owners.keys()).filter((owner) => !first.includes(owner))]
}

const fitting = (prices: ReadonlyArray<CheckedPrice>, usage: Usage): Lookup =>
  prices.find((price) => misfit(price, usage) === undefined)

/** Why a price of the right name and owner does not hold for a usage. */
const misfit = ({ from, operation, provider, until }: CheckedPrice, usage: Usage): string | undefined => {
  if (provider !== undefined && provider !== usage.provider) return `holds for the provider ${provider}`
  if (operation !== undefined && operation !== usage.operation) return `holds for the operation ${operation}`
  if (usage.time.epochMillis < from) return `holds from ${new Date(from).toISOString()} on`
  if (usage.time.epochMillis >= until) return `held up to ${new Date(until).toISOString()}`
  return undefined
}

const describe = (price: CheckedPrice, winner: Lookup, usage: Usage, payer: Payer): ConsideredPrice => {
  const { customerId, model, operation, provider, source = overrideSource, tenantId } = price
  const isWinner = price === winner
  const isForOther =
    (customerId !== undefined && customerId !== payer.customerId) ||
    (tenantId !== undefined && tenantId !== payer.tenantId)
  const why = isForOther
    ? `holds for ${[customerId, tenantId].filter((owner) => owner !== undefined).join(" in ")}`
    : (misfit(price, usage) ?? (isWinner ? "fits, and comes first" : "fits, and comes after the one that won"))
  return { source, model, provider, operation, customerId, tenantId, isWinner, why }
}
