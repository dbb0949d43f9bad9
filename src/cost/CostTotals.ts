/**
 * What all calls of a run consumed and cost together.
 */
import { BigDecimal, Schema, type Types } from "effect"
import type { AttributeValue } from "../run/Run.js"
import { type FieldsOf, makeUnsafe, optional } from "../schema/SchemaRecord.js"
import { Attribute } from "../wire/Wire.js"
import { Cost, type UnpricedReason } from "./Cost.js"
import { Usage } from "./UsageRecord.js"
import { toNumber, Usd, withAmountsAsText, zero } from "./Usd.js"

/**
 * A usage and what it cost.
 *
 * @example
 * ```ts
 * import { Cost, type Usage } from "botanu-effect"
 *
 * export const line = ({ cost, usage }: Usage.RecordedUsage): string =>
 *   `${usage.provider} ${usage.model}: ${Cost.format(cost.usd)} USD`
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export class RecordedUsage extends Schema.Class<RecordedUsage>("botanu/RecordedUsage")({
  usage: Usage,
  cost: Cost
}) {}

/**
 * Sums over the usages of a run.
 *
 * @example
 * ```ts
 * import { Cost, type CostTotals } from "botanu-effect"
 *
 * export const summary = ({ calls, unpricedCalls, usd }: CostTotals): string =>
 *   `${Cost.format(usd)} USD in ${calls} calls, ${unpricedCalls} of them unpriced`
 * ```
 *
 * @since 0.1.0
 * @category cost
 */
export class CostTotals extends Schema.Class<CostTotals>("botanu/CostTotals")({
  /** The sum of what is known, in US dollars, exactly. Where calls are unpriced the run cost more than that. */
  usd: Usd,
  /** All input tokens, those of caches included. */
  inputTokens: Schema.NonNegativeInt,
  /** All output tokens, reasoning included. */
  outputTokens: Schema.NonNegativeInt,
  /** Usages, whatever their kind. */
  calls: Schema.NonNegativeInt,
  /** Those of them whose cost is not known, or not all of it. */
  unpricedCalls: Schema.NonNegativeInt,
  /** The unpriced calls by reason; absent where there is none. */
  unpriced: optional(
    Schema.Struct({
      unknown_model: Schema.NonNegativeInt,
      no_price_for_kind: Schema.NonNegativeInt,
      no_usage: Schema.NonNegativeInt
    })
  )
}) {
  /** The attributes of the run span; none for a run that consumed nothing. */
  toSpanAttributes(): Record<string, AttributeValue> {
    if (this.calls === 0) return {}
    return {
      [Attribute.costUsd]: toNumber(this.usd),
      [Attribute.inputTokens]: this.inputTokens,
      [Attribute.outputTokens]: this.outputTokens,
      [Attribute.unpricedCalls]: this.unpricedCalls
    }
  }

  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/** The totals of a run that consumed nothing. */
export const none: CostTotals = new CostTotals({
  usd: zero,
  inputTokens: 0,
  outputTokens: 0,
  calls: 0,
  unpricedCalls: 0
})

/** Usages as they come in, and their sums so far. */
export class UsageTotals {
  readonly usages: Array<RecordedUsage> = []
  private usd = zero
  private inputTokens = 0
  private outputTokens = 0
  private readonly unpriced: Record<UnpricedReason, number> = { unknown_model: 0, no_price_for_kind: 0, no_usage: 0 }
  private unpricedCalls = 0

  add(recorded: RecordedUsage): void {
    const { cost, usage } = recorded
    this.usages.push(recorded)
    this.usd = BigDecimal.sum(this.usd, cost.usd)
    this.inputTokens = added(this.inputTokens, usage.inputTokens)
    this.outputTokens = added(this.outputTokens, usage.outputTokens)
    if (cost._tag === "Priced") return
    this.unpricedCalls += 1
    this.unpriced[cost.reason] += 1
  }

  get totals(): CostTotals {
    const { inputTokens, outputTokens, unpriced, unpricedCalls, usages } = this
    const { scale, value } = BigDecimal.normalize(this.usd)
    const fields: FieldsOf<typeof CostTotals> = {
      usd: BigDecimal.make(value, scale),
      inputTokens,
      outputTokens,
      calls: usages.length,
      unpricedCalls
    }
    if (unpricedCalls > 0) fields.unpriced = { ...unpriced }
    return makeUnsafe(CostTotals, fields)
  }
}

/** What `makeUnsafe` gives, at a fraction of its time: each call has one. */
export const recordedAs = (usage: Usage, cost: Cost): RecordedUsage => {
  const recorded: Types.Mutable<RecordedUsage> = Object.create(RecordedUsage.prototype)
  recorded.usage = usage
  recorded.cost = cost
  return recorded
}

/** Nobody consumes as much, but anybody may say so. */
const added = (sum: number, count: number | undefined): number => Math.min(sum + (count ?? 0), Number.MAX_SAFE_INTEGER)
