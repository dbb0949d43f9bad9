/**
 * Prices of usages that were recorded before, by the prices of now.
 */
import { BigDecimal, Schema } from "effect"
import type { Cost } from "./Cost.js"
import { RecordedUsage } from "./CostTotals.js"
import type { Usage } from "./UsageRecord.js"
import { Usd, withAmountsAsText } from "./Usd.js"

/**
 * That a run was priced again: when, and what it was recorded with.
 *
 * @example
 * ```ts
 * import { type CompletedRun, Cost } from "botanu-effect"
 * import type { PriceBook } from "botanu-effect"
 *
 * const correction = ({ calls, recordedUsd }: PriceBook.Repricing): string =>
 *   `${calls} calls have another cost; recorded with ${Cost.format(recordedUsd)} USD`
 *
 * export const correctionOf = (run: CompletedRun) => run.repriced && correction(run.repriced)
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export class Repricing extends Schema.Class<Repricing>("botanu/Repricing")({
  /** When it was priced again. */
  time: Schema.DateTimeUtc,
  /** What was known of the cost when the run completed, in US dollars. */
  recordedUsd: Usd,
  /** How many usages have another cost now. */
  calls: Schema.NonNegativeInt
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/** Usages with their costs of now, and how many of those are others than before. */
export interface Repriced {
  readonly usages: ReadonlyArray<RecordedUsage>
  readonly changed: number
}

/** Prices usages again. A cost that was known is not given up for one that is not. */
export const repriceUsages = (usages: ReadonlyArray<RecordedUsage>, priceOf: (usage: Usage) => Cost): Repriced => {
  let changed = 0
  const repriced = usages.map((recorded) => {
    const cost = priceOf(recorded.usage)
    if (!isCorrection(recorded.cost, cost)) return recorded
    changed += 1
    return new RecordedUsage({ usage: recorded.usage, cost }, { disableValidation: true })
  })
  return { usages: repriced, changed }
}

const isCorrection = (before: Cost, now: Cost): boolean => {
  if (now._tag === "Priced") return before._tag === "Unpriced" || !BigDecimal.equals(before.usd, now.usd)
  if (before._tag === "Priced") return false
  return (
    before.reason !== now.reason ||
    !BigDecimal.equals(before.usd, now.usd) ||
    String(before.missing ?? "") !== String(now.missing ?? "")
  )
}
