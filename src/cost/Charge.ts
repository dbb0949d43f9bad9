/**
 * Prices times quantities.
 */
import type { UnpricedReason } from "./Cost.js"
import type { Rates, Unit } from "./Price.js"
import type { Usage } from "./UsageRecord.js"
import { fromNonNegative } from "./Usd.js"

/** What a usage comes to, as a multiple of 10^-scale of the rates; and what is missing of it, if anything is. */
export interface Charge {
  readonly amount: bigint
  readonly problem: { readonly reason: UnpricedReason; readonly missing: string } | undefined
}

/**
 * What a usage comes to. Tokens and characters are paid in full: a quantity of them that has no price, or a price whose quantity
 * was not told, is a problem. Of all else, what has no price is not what is paid for.
 */
export const chargeOf = (usage: Usage, rates: Rates): Charge => {
  const bill = new Sum(usage, rates)
  const isByToken = has(rates, tokenUnits)
  const isByCharacter = has(rates, characterUnits)
  if (isByToken && (!isByCharacter || tells(usage, tokenQuantities) || !tells(usage, characterQuantities)))
    bill.tokens()
  else if (isByCharacter) bill.characters()
  bill.others(isByToken || isByCharacter)
  return bill
}

type Quantity = keyof Usage

const tokenUnits = ["inputToken", "cacheReadToken", "cacheWriteToken", "outputToken", "reasoningToken"] as const
const characterUnits = ["inputCharacter", "outputCharacter"] as const
const tokenQuantities = ["inputTokens", "outputTokens"] as const
const characterQuantities = ["inputCharacters", "outputCharacters"] as const

/** Quantities of one thing, which are told together: to tell one of them is to say that there is none of the others. */
const families: ReadonlyArray<ReadonlyArray<readonly [Unit, ReadonlyArray<Quantity>]>> = [
  [["image", ["images"]]],
  [["row", ["rowsReturned", "rowsAffected"]]],
  [
    ["gigabyteScanned", ["bytesScanned"]],
    ["gigabyteRead", ["bytesRead"]],
    ["gigabyteWritten", ["bytesWritten"]]
  ],
  [["object", ["objects"]]],
  [["message", ["messages"]]]
]

const has = (rates: Rates, units: ReadonlyArray<Unit>): boolean => units.some((unit) => rates[unit] !== undefined)

const tells = (usage: Usage, quantities: ReadonlyArray<Quantity>): boolean =>
  quantities.some((quantity) => usage[quantity] !== undefined)

/** What is paid for on the side of a model; a usage that tells others of them than the price is for has no price. */
const modelQuantities = [...tokenQuantities, ...characterQuantities, "images", "computeMs"] as const

class Sum implements Charge {
  amount = 0n
  problem: Charge["problem"] = undefined

  constructor(
    private readonly usage: Usage,
    private readonly rates: Rates
  ) {}

  tokens(): void {
    const {
      cacheReadTokens = 0,
      cacheWriteTokens = 0,
      inputTokens,
      operation,
      outputTokens,
      reasoningTokens = 0
    } = this.usage
    const fresh = (inputTokens ?? 0) - cacheReadTokens - cacheWriteTokens
    if (inputTokens === undefined) this.expect("inputToken", "inputTokens")
    else if (fresh >= 0) this.charge("inputToken", "inputTokens", fresh)
    // Fewer in all than in the cache: those that no cache was concerned with, as some providers tell them, or nonsense.
    else this.refuse("no_usage", "inputTokens")
    this.charge("cacheReadToken", "cacheReadTokens", cacheReadTokens)
    this.charge("cacheWriteToken", "cacheWriteTokens", cacheWriteTokens)
    if (outputTokens === undefined) {
      if (operation !== "embeddings") this.expect("outputToken", "outputTokens")
      return
    }
    const apart = this.rates.reasoningToken === undefined ? 0 : Math.min(reasoningTokens, outputTokens)
    this.charge("reasoningToken", "reasoningTokens", apart)
    this.charge("outputToken", "outputTokens", outputTokens - apart)
  }

  characters(): void {
    this.measured("inputCharacter", "inputCharacters")
    if (this.usage.operation !== "embeddings" || this.usage.outputCharacters !== undefined) {
      this.measured("outputCharacter", "outputCharacters")
    }
  }

  /** What is neither tokens nor characters, which a call of a model may do without. */
  others(isPaidOtherwise: boolean): void {
    this.charge("request", "requests", this.usage.requests)
    this.computing(isPaidOtherwise)
    for (const family of families) {
      if (!family.some(([unit]) => this.rates[unit] !== undefined)) continue
      const isTold = family.some(([, quantities]) => tells(this.usage, quantities))
      for (const [unit, quantities] of family) {
        if (this.rates[unit] === undefined) continue
        for (const quantity of quantities)
          this.charge(unit, quantity, (this.usage[quantity] as number | undefined) ?? 0)
        if (!isTold && !isPaidOtherwise) this.expect(unit, quantities[0] as Quantity)
      }
    }
    if (!isPaidOtherwise && Object.keys(this.rates).length === 1) {
      this.refuse("no_price_for_kind", this.firstTold() ?? "requests")
    }
  }

  private measured(unit: Unit, quantity: Quantity): void {
    const told = this.usage[quantity] as number | undefined
    if (told === undefined) this.expect(unit, quantity)
    else this.charge(unit, quantity, told)
  }

  private charge(unit: Unit, quantity: Quantity, count: number): void {
    if (count === 0) return
    const rate = this.rates[unit]
    if (rate !== undefined) this.amount += rate * BigInt(count)
    else if (unit !== "request") this.refuse("no_price_for_kind", quantity)
  }

  /** A price above zero is for something that was not told. */
  private expect(unit: Unit, quantity: Quantity): void {
    if (!this.rates[unit]) return
    const other = this.usage.kind === "llm" && this.rates.inputToken === undefined ? this.firstTold() : undefined
    if (other === undefined) this.refuse("no_usage", quantity)
    else this.refuse("no_price_for_kind", other)
  }

  private computing(isPaidOtherwise: boolean): void {
    const rate = this.rates.computeHour
    if (rate === undefined) return
    const millis = fromNonNegative(this.usage.computeMs)
    if (millis !== undefined)
      this.amount += roundedHalfUp(rate * millis.value, millisOfHour * 10n ** BigInt(millis.scale))
    else if (!isPaidOtherwise) this.expect("computeHour", "computeMs")
  }

  private firstTold(): Quantity | undefined {
    return modelQuantities.find((quantity) => this.usage[quantity] !== undefined)
  }

  private refuse(reason: UnpricedReason, missing: string): void {
    this.problem ??= { reason, missing }
  }
}

const millisOfHour = 3_600_000n

const roundedHalfUp = (numerator: bigint, denominator: bigint): bigint =>
  (2n * numerator + denominator) / (2n * denominator)
