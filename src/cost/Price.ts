/**
 * What something costs, as a plain record; and the same checked, ready to be multiplied.
 */
import { BigDecimal, DateTime, Either, Schema } from "effect"
import { type FieldProblem, quote, refusal } from "../schema/FieldText.js"
import { normalizeSystem } from "./Provider.js"
import { UsageKind } from "./UsageRecord.js"
import { expectedAmount, fromNonNegative, type UsdInput } from "./Usd.js"

const units = [
  "inputToken",
  "cacheReadToken",
  "cacheWriteToken",
  "outputToken",
  "reasoningToken",
  "inputCharacter",
  "outputCharacter",
  "image",
  "request",
  "row",
  "gigabyteScanned",
  "gigabyteRead",
  "gigabyteWritten",
  "object",
  "message",
  "computeHour"
] as const

/** What a price is for: one of it. A gigabyte is 10^9 bytes. */
export type Unit = (typeof units)[number]

/** Prices in US dollars, each for one of its unit. A reasoning token costs what an output token does, unless said otherwise. */
export interface UnitPrices extends Readonly<Partial<Record<Unit, UsdInput | undefined>>> {}

/** When and for whom a price holds. */
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

/** What a model, or anything else that is used, costs. */
export interface Price extends Validity {
  /** @default "llm" */
  readonly kind?: UsageKind | undefined
  /** The model or the tool; any of the provider's, where it is not given. */
  readonly model?: string | undefined
  /** Who provides it, as in a usage; any, where it is not given. */
  readonly provider?: string | undefined
  /** Any operation, where it is not given. */
  readonly operation?: string | undefined
  readonly usd: UnitPrices
  /** Other prices for requests of more input tokens: for the whole of such a request. */
  readonly tiers?: ReadonlyArray<{ readonly aboveInputTokens: number; readonly usd: UnitPrices }> | undefined
}

/** A price was refused: `field` of `entry` is not what was expected. */
export class InvalidPrice extends Schema.TaggedError<InvalidPrice>()("InvalidPrice", {
  /** The place of the price in its list, and what it is the price of. */
  entry: Schema.String,
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `price ${this.entry}: ${this.field}: ${this.problem}`
  }
}

/** The price of one, from that of a thousand. */
export const perThousand = (usd: UsdInput): UsdInput => shifted(usd, 3)

/** The price of one, from that of a million. */
export const perMillion = (usd: UsdInput): UsdInput => shifted(usd, 6)

// What is no amount is refused, by name, where the price is made.
const shifted = (usd: UsdInput, places: number): UsdInput => {
  const amount = fromNonNegative(usd)
  return amount === undefined ? usd : BigDecimal.make(amount.value, amount.scale + places)
}

/** Prices as multiples of 10^-scale US dollars. */
export interface Rates extends Readonly<Partial<Record<Unit, bigint>>> {
  readonly scale: number
}

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
  readonly rates: Rates
  /** The highest first. */
  readonly tiers: ReadonlyArray<{ readonly above: number; readonly rates: Rates }>
}

/** The price at a place in a list, checked. */
export const check = (price: Price, index: number): Either.Either<CheckedPrice, InvalidPrice> => {
  const rates = ratesOf(price.usd, "usd")
  const tiers = (price.tiers ?? []).map(({ aboveInputTokens, usd }, i) => ({
    above: aboveInputTokens,
    // A tier changes the prices that it names.
    rates: ratesOf({ ...price.usd, ...usd }, `tiers.${i}.usd`)
  }))
  const from = instantOf(price.from) ?? Number.NEGATIVE_INFINITY
  const until = instantOf(price.until) ?? Number.POSITIVE_INFINITY
  const wrong =
    selectorProblem(price) ??
    periodProblem(price, from, until) ??
    [rates, ...tiers.map((tier) => tier.rates)].find(isProblem) ??
    tierProblem(price)
  if (wrong !== undefined) return Either.left(new InvalidPrice({ entry: nameOf(price, index), ...wrong }))
  const { customerId, kind = "llm", model, operation, provider, tenantId } = price
  return Either.right({
    kind,
    model,
    operation,
    customerId,
    tenantId,
    provider: provider === undefined ? undefined : normalizeSystem(kind, provider),
    from,
    until,
    rates: rates as Rates,
    tiers: (tiers as CheckedPrice["tiers"]).toSorted((a, b) => b.above - a.above)
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

const tierProblem = ({ tiers }: Price): FieldProblem | undefined => {
  const at = (tiers ?? []).findIndex(({ aboveInputTokens: above }) => !Number.isSafeInteger(above) || above < 0)
  return at === -1
    ? undefined
    : { field: `tiers.${at}.aboveInputTokens`, problem: "expected a whole number, zero or more" }
}

const isProblem = (rates: Rates | FieldProblem): rates is FieldProblem => "problem" in rates

/** What a unit is given in, as a power of ten: the price of a byte has nine places more than that of a gigabyte. */
const placesOf = (unit: Unit): number => (unit.startsWith("gigabyte") ? 9 : 0)

const ratesOf = (prices: UnitPrices, path: string): Rates | FieldProblem => {
  const amounts: Array<readonly [Unit, BigDecimal.BigDecimal]> = []
  for (const unit of units) {
    const price = prices[unit]
    if (price === undefined) continue
    const amount = fromNonNegative(price)
    if (amount === undefined)
      return { field: `${path}.${unit}`, problem: `expected ${expectedAmount}, got ${quote(price)}` }
    amounts.push([unit, BigDecimal.make(amount.value, amount.scale + placesOf(unit))])
  }
  const scale = amounts.reduce((most, [, amount]) => Math.max(most, amount.scale), minScale)
  return {
    scale,
    ...Object.fromEntries(amounts.map(([unit, amount]) => [unit, BigDecimal.scale(amount, scale).value]))
  }
}

// What computing costs is rounded there, for an hour has no decimal part that is a millisecond.
const minScale = 18
