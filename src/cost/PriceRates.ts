/**
 * A price that was checked, and what it says a unit costs under the conditions of a usage.
 */
import { BigDecimal, DateTime, Either } from "effect"
import { ChargePlans, decimalPlacesOf, type Rate, type Rates } from "./Charge.js"
import type { PriceSource } from "./Cost.js"
import { type MeterName, meterNames, meterOf, type Unit, units } from "./Meter.js"
import { InvalidPrice, type Price, type ServiceTierPrices, type UnitPrices } from "./Price.js"
import { epochMillisOf, nameOf, problemOf } from "./PriceProblem.js"
import { normalizeSystem } from "./Provider.js"
import { normalizeServiceTier, standardTier } from "./ServiceTier.js"
import type { UsageKind } from "./UsageKind.js"
import { fromNonNegative, type UsdInput, zero } from "./Usd.js"

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
  const wrong = problemOf(price)
  if (wrong !== undefined) return Either.left(new InvalidPrice({ entry: nameOf(price, index), ...wrong }))
  const { customerId, kind = "llm", model, operation, provider, source, tenantId } = price
  const from = price.from === undefined ? Number.NEGATIVE_INFINITY : epochMillisOf(price.from)
  const until = price.until === undefined ? Number.POSITIVE_INFINITY : epochMillisOf(price.until)
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
  /** What they come to in the standard tier, once it was asked for. */
  rates: PriceRates | undefined
}

/** Gives the rates of a price. They are computed when they are asked for first. */
const ratesOf = (price: Price, from: number): CheckedPrice["ratesFor"] => {
  const standard = stepsOf(price)
  const tiers = new Map(
    Object.entries(price.serviceTiers ?? {}).map(([name, prices]) => [normalizeServiceTier(name), stepsOf(prices)])
  )
  const regions = new Map(Object.entries(price.regions ?? {}).map(([name, factor]) => [name.toLowerCase(), factor]))
  const named = namedIn([...standard, ...Array.from(tiers.values()).flat()])
  const expects = price.expects ?? []
  const known = new Map<string, PriceRates>()
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
    if (serviceTier === standardTier && factor === undefined && step !== undefined) {
      step.rates ??= compile(layersOf(step, standardTier, undefined), named, expects, undefined)
      return step.rates
    }
    const tierStep = stepFor(tiers.get(serviceTier) ?? [], inputTokens)
    const key = `${step?.above} ${serviceTier} ${tierStep?.above} ${factor === undefined ? "" : region}`
    const computed = known.get(key)
    if (computed !== undefined) return computed
    const layers = layersOf(step, serviceTier, tierStep)
    const rates = compile(layers, named, expects, factor === undefined ? undefined : { factor, name: region as string })
    // A provider may name tiers and regions without end.
    if (known.size < maxRemembered) known.set(key, rates)
    return rates
  }
}

const maxRemembered = 100

/** The highest step first. Each holds the prices of the first, changed by its own. */
const stepsOf = ({ tiers = [], usd }: ServiceTierPrices): ReadonlyArray<Step> => [
  ...tiers
    .map(({ aboveInputTokens, usd: changed }) => ({
      above: aboveInputTokens,
      usd: { ...usd, ...changed },
      rates: undefined
    }))
    .sort((a, b) => b.above - a.above),
  { above: undefined, usd, rates: undefined }
]

const stepFor = (steps: ReadonlyArray<Step>, inputTokens: number): Step | undefined => {
  for (const step of steps) if (step.above === undefined || inputTokens > step.above) return step
  return undefined
}

/** What a price names under any of its conditions. */
interface NamedUnits {
  /** Units that it has a price above zero for. */
  readonly paid: ReadonlyArray<Unit>
  readonly isRequestAlone: boolean
}

const namedIn = (steps: ReadonlyArray<Step>): NamedUnits => {
  const has = (unit: Unit, isPriced: (price: UsdInput) => boolean): boolean =>
    steps.some(({ usd }) => usd[unit] !== undefined && isPriced(usd[unit]))
  const hasNamed = steps.some(({ usd }) =>
    [usd.toolCalls, usd.other].some((prices) => Object.keys(prices ?? {}).length > 0)
  )
  return {
    paid: units.filter((unit) => has(unit, (price) => (fromNonNegative(price) ?? zero).value > 0n)),
    isRequestAlone: !hasNamed && units.every((unit) => unit === "request" || !has(unit, () => true))
  }
}

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
const compile = (
  layers: ReadonlyArray<Layer>,
  named: NamedUnits,
  expects: ReadonlyArray<MeterName>,
  region: Region | undefined
): PriceRates => {
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
    isFlat: named.isRequestAlone && byUnit.has("request"),
    lacking: new Set(named.paid.filter((unit) => !byUnit.has(unit))),
    expects,
    plans: new ChargePlans()
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
