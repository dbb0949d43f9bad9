/**
 * What something costs, as a plain record; and the same checked, ready to be multiplied.
 */
import { BigDecimal, DateTime, Either, Schema } from "effect"
import { type FieldProblem, quote, refusal } from "../schema/FieldText.js"
import { decimalPlacesOf, type Rate, type Rates } from "./Charge.js"
import type { PriceSource } from "./Cost.js"
import { meterNames, meterOf, type Unit, units } from "./Meter.js"
import { normalizeSystem } from "./Provider.js"
import { normalizeServiceTier, standardTier } from "./ServiceTier.js"
import { UsageKind } from "./UsageRecord.js"
import { expectedAmount, fromNonNegative, type UsdInput } from "./Usd.js"

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

/** The rate of a unit, with what its price was. */
export interface PriceRate extends Rate<PriceSource> {
  /** The price of one unit, in US dollars. */
  readonly unitPrice: BigDecimal.BigDecimal
}

export type PriceRates = Rates<PriceRate>

/** A price whose fields are as they should be. */
export interface CheckedPrice {
  readonly kind: UsageKind
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly operation: string | undefined
  readonly customerId: string | undefined
  readonly tenantId: string | undefined
  /** In epoch milliseconds. */
  readonly from: number
  readonly until: number
  /** `undefined` for an override. */
  readonly source: string | undefined
  /** The prices that hold for so many input tokens, in a service tier and a region. */
  readonly ratesFor: (inputTokens: number, serviceTier: string | undefined, region: string | undefined) => PriceRates
}

/** What prices without a source are called where they are shown. */
export const overrideSource = "override"

/** The price at a place in a list, checked. */
export const check = (price: Price, index: number): Either.Either<CheckedPrice, InvalidPrice> => {
  const from = instantOf(price.from) ?? Number.NEGATIVE_INFINITY
  const until = instantOf(price.until) ?? Number.POSITIVE_INFINITY
  const wrong = selectorProblem(price) ?? periodProblem(price, from, until) ?? amountsProblem(price)
  if (wrong !== undefined) return Either.left(new InvalidPrice({ entry: nameOf(price, index), ...wrong }))
  const { customerId, kind = "llm", model, operation, provider, source, tenantId } = price
  // Of thousands of prices few are looked up.
  let ratesFor: CheckedPrice["ratesFor"] | undefined
  return Either.right({
    kind,
    model,
    operation,
    customerId,
    tenantId,
    provider: provider === undefined ? undefined : normalizeSystem(kind, provider),
    from,
    until,
    source,
    ratesFor: (inputTokens, serviceTier, region) => {
      ratesFor ??= ratesOf(price, from)
      return ratesFor(inputTokens, serviceTier, region)
    }
  })
}

const nameOf = ({ kind, model, provider }: Price, index: number): string => {
  const what = [provider, model].filter((text) => text !== undefined).join("/") || kind
  return what === undefined ? `${index}` : `${index} (${quote(what)})`
}

const selectorProblem = (price: Price): FieldProblem | undefined => {
  const { kind, model, provider } = price
  if (kind !== undefined && !UsageKind.literals.includes(kind)) {
    return { field: "kind", problem: `expected one of ${UsageKind.literals.join(", ")}, got ${quote(kind)}` }
  }
  if (model === undefined && provider === undefined && kind === undefined) {
    return { field: "model", problem: "expected a model, a provider or a kind" }
  }
  for (const field of ["model", "provider", "operation", "customerId", "tenantId"] as const) {
    const expected = price[field] === undefined ? undefined : refusal(price[field])
    if (expected !== undefined) return { field, problem: `${expected}, got ${quote(price[field])}` }
  }
  return undefined
}

const periodProblem = (price: Validity, from: number, until: number): FieldProblem | undefined => {
  if (Number.isNaN(from)) return { field: "from", problem: `expected an instant, got ${quote(price.from)}` }
  return until > from
    ? undefined
    : { field: "until", problem: `expected an instant after from, got ${quote(price.until)}` }
}

/** In epoch milliseconds; `NaN` where it is no instant. */
const instantOf = (instant: Validity["from"]): number | undefined => {
  if (instant === undefined) return undefined
  if (DateTime.isDateTime(instant)) return instant.epochMillis
  return instant instanceof Date ? instant.getTime() : Date.parse(instant)
}

const amountsProblem = (price: Price): FieldProblem | undefined => {
  const standard = tierPricesProblem(price, "")
  if (standard !== undefined) return standard
  for (const [name, prices] of Object.entries(price.serviceTiers ?? {})) {
    const problem = tierPricesProblem(prices, `serviceTiers.${name}.`)
    if (problem !== undefined) return problem
  }
  return namedProblem(price.regions, "regions", "a factor, zero or more")
}

const tierPricesProblem = ({ tiers = [], usd }: ServiceTierPrices, path: string): FieldProblem | undefined => {
  const problem = pricesProblem(usd, `${path}usd`)
  if (problem !== undefined) return problem
  for (const [i, { aboveInputTokens: above, usd }] of tiers.entries()) {
    if (!Number.isSafeInteger(above) || above < 0) {
      return { field: `${path}tiers.${i}.aboveInputTokens`, problem: "expected a whole number, zero or more" }
    }
    const problem = pricesProblem(usd, `${path}tiers.${i}.usd`)
    if (problem !== undefined) return problem
  }
  return undefined
}

const pricesProblem = (prices: UnitPrices, path: string): FieldProblem | undefined => {
  for (const unit in prices) {
    if (!isUnit(unit)) continue
    const price = prices[unit]
    if (price !== undefined && !isAmount(price)) return amountProblem(`${path}.${unit}`, price)
  }
  return namedProblem(prices.toolCalls, `${path}.toolCalls`) ?? namedProblem(prices.other, `${path}.other`)
}

const namedProblem = (
  prices: NamedPrices | undefined,
  path: string,
  expected: string = expectedAmount
): FieldProblem | undefined => {
  for (const [name, price] of Object.entries(prices ?? {})) {
    if (!isAmount(price)) return amountProblem(`${path}.${name}`, price, expected)
  }
  return undefined
}

const amountProblem = (field: string, price: unknown, expected: string = expectedAmount): FieldProblem => ({
  field,
  problem: `expected ${expected}, got ${quote(price)}`
})

const isAmount = (price: unknown): boolean => isOrdinary(price) || fromNonNegative(price) !== undefined

/** Whether a value is a number that is surely an amount, as nearly all of them are. */
export const isOrdinary = (amount: unknown): amount is number =>
  typeof amount === "number" && (amount === 0 || (amount > 1e-20 && amount < 1e20))

const knownUnits: ReadonlySet<string> = new Set(units)

const isUnit = (name: string): name is Unit => knownUnits.has(name)

/** Units of which the price depends on the service tier. */
const tieredUnits: ReadonlySet<Unit> = new Set(
  meterNames.filter((name) => !meterOf(name).isTierless).map((name) => meterOf(name).unit as Unit)
)

/** Units of tokens, whose prices factors multiply. */
export const tokenUnits: ReadonlySet<Unit> = new Set(units.filter((unit) => unit.endsWith("Token")))

/** Prices of one size of requests. */
interface Step {
  readonly above: number | undefined
  readonly usd: UnitPrices
}

/** Gives the rates of a price. They are computed when they are asked for first. */
const ratesOf = (price: Price, from: number): CheckedPrice["ratesFor"] => {
  const standard = stepsOf(price)
  const tiers = new Map(
    Object.entries(price.serviceTiers ?? {}).map(([name, prices]) => [normalizeServiceTier(name), stepsOf(prices)])
  )
  const regions = new Map(Object.entries(price.regions ?? {}))
  const known = new Map<string, PriceRates>()
  const ofStandard = new Map<Step | undefined, PriceRates>()
  const base: Partial<PriceSource> = {
    source: price.source ?? overrideSource,
    entry: price.model ?? price.provider ?? price.kind ?? "llm",
    ...(Number.isFinite(from) && { from: DateTime.unsafeMake(from) })
  }
  const layersOf = (step: Step | undefined, tier: string, tierStep: Step | undefined): ReadonlyArray<Layer> => {
    const usd = step?.usd ?? {}
    const standardSource = sourceOf(base, standardTier, step)
    if (tier === standardTier) return [{ usd, source: standardSource }]
    return [
      { usd: onlyTierless(usd), source: standardSource },
      { usd: pricesOfTier(tierStep, step), source: sourceOf(base, tier, tierStep) }
    ]
  }
  return (inputTokens, serviceTier = standardTier, region) => {
    const step = stepFor(standard, inputTokens)
    const factor = region === undefined ? undefined : regions.get(region.toLowerCase())
    if (serviceTier === standardTier && factor === undefined) {
      let rates = ofStandard.get(step)
      if (rates === undefined) {
        rates = compile(layersOf(step, standardTier, undefined), undefined)
        ofStandard.set(step, rates)
      }
      return rates
    }
    const tierStep = stepFor(tiers.get(serviceTier) ?? [], inputTokens)
    const key = `${step?.above} ${serviceTier} ${tierStep?.above} ${factor === undefined ? "" : region}`
    const computed = known.get(key)
    if (computed !== undefined) return computed
    const layers = layersOf(step, serviceTier, tierStep)
    const rates = compile(layers, factor === undefined ? undefined : { factor, name: region as string })
    // A provider may name tiers and regions without end.
    if (known.size < maxRemembered) known.set(key, rates)
    return rates
  }
}

const maxRemembered = 100

/** The highest step first. Each holds the prices of the first, changed by its own. */
const stepsOf = ({ tiers = [], usd }: ServiceTierPrices): ReadonlyArray<Step> => [
  ...tiers
    .map(({ aboveInputTokens, usd: changed }) => ({ above: aboveInputTokens, usd: { ...usd, ...changed } }))
    .sort((a, b) => b.above - a.above),
  { above: undefined, usd }
]

const stepFor = (steps: ReadonlyArray<Step>, inputTokens: number): Step | undefined =>
  steps.find(({ above }) => above === undefined || inputTokens > above)

const onlyTierless = (usd: UnitPrices): UnitPrices =>
  Object.fromEntries(Object.entries(usd).filter(([unit]) => !tieredUnits.has(unit as Unit)))

/**
 * The prices of a service tier. Where the standard tier has other prices for long requests and this one does not, what it has is
 * not known to hold for those.
 */
const pricesOfTier = (tier: Step | undefined, standard: Step | undefined): UnitPrices => {
  if (tier === undefined) return {}
  if (standard?.above === undefined || tier.above === standard.above) return tier.usd
  return onlyTierless(tier.usd)
}

const sourceOf = (base: Partial<PriceSource>, tier: string, step: Step | undefined): PriceSource => ({
  ...(base as PriceSource),
  tier,
  ...(step?.above !== undefined && { aboveInputTokens: step.above })
})

interface Layer {
  readonly usd: UnitPrices
  readonly source: PriceSource
}

interface Region {
  readonly name: string
  readonly factor: UsdInput
}

/** The rates of some prices; a later one replaces an earlier one of the same unit. */
const compile = (layers: ReadonlyArray<Layer>, region: Region | undefined): PriceRates => {
  const byUnit = new Map<Unit, Amount>()
  const toolCalls = new Map<string, Amount>()
  const other = new Map<string, Amount>()
  for (const { source, usd } of layers) {
    for (const unit of units) {
      const price = usd[unit]
      if (price === undefined) continue
      byUnit.set(unit, amountOf(price, source, placesOf(unit), tokenUnits.has(unit) ? region : undefined))
    }
    for (const [name, price] of Object.entries(usd.toolCalls ?? {})) toolCalls.set(name, amountOf(price, source))
    for (const [name, price] of Object.entries(usd.other ?? {})) other.set(name, amountOf(price, source))
  }
  let scale = minScale
  for (const amounts of [byUnit, toolCalls, other]) {
    for (const { amount } of amounts.values()) scale = Math.max(scale, amount.scale)
  }
  const rateOf = ({ amount, source, unitPrice }: Amount): PriceRate => ({
    value: BigDecimal.scale(amount, scale).value,
    unitPrice,
    source
  })
  const ratesIn = (amounts: ReadonlyMap<string, Amount>) =>
    new Map(Array.from(amounts, ([name, amount]) => [name, rateOf(amount)] as const))
  return {
    scale,
    byUnit: Object.fromEntries(ratesIn(byUnit)),
    toolCalls: ratesIn(toolCalls),
    other: ratesIn(other),
    isFlat: byUnit.size === 1 && byUnit.has("request") && toolCalls.size === 0 && other.size === 0
  }
}

interface Amount {
  /** The price of one of the quantity. */
  readonly amount: BigDecimal.BigDecimal
  readonly unitPrice: BigDecimal.BigDecimal
  readonly source: PriceSource
}

const amountOf = (price: UsdInput, source: PriceSource, places = 0, region?: Region): Amount => {
  const amount = fromNonNegative(price) as BigDecimal.BigDecimal
  const factor = region && fromNonNegative(region.factor)
  const unitPrice = factor === undefined ? amount : BigDecimal.multiply(amount, factor)
  return {
    amount: BigDecimal.make(unitPrice.value, unitPrice.scale + places),
    unitPrice,
    source: region === undefined ? source : { ...source, region: region.name }
  }
}

/** What a unit is given in, as a power of ten: the price of a byte has nine places more than that of a gigabyte. */
const placesOf = (unit: Unit): number => unitPlaces.get(unit) ?? 0

const unitPlaces: ReadonlyMap<string, number> = new Map(
  meterNames.map((name) => [meterOf(name).unit, decimalPlacesOf(meterOf(name)) ?? 0])
)

// What computing costs is rounded there, for an hour has no decimal part that is a millisecond.
const minScale = 18
