/**
 * Which costs are put in place of the ones that were recorded.
 */
import { describe, expect, it } from "@effect/vitest"
import { RecordedUsage } from "../../src/cost/CostTotals.js"
import { repriceUsages } from "../../src/cost/Repricing.js"
import { Cost } from "../../src/index.js"
import { usageOf, usd } from "../usages.js"

const priced = (amount: string) => new Cost.Priced({ usd: usd(amount), charges: [] })
const unpriced = (reason: Cost.UnpricedReason, amount: string, ...missing: ReadonlyArray<string>) =>
  new Cost.Unpriced({ reason, usd: usd(amount), charges: [], missing })

describe("a cost that was recorded", () => {
  it.each<readonly [string, before: Cost.Cost, now: Cost.Cost, isCorrected: boolean]>([
    ["is corrected by another amount", priced("0.5"), priced("0.4"), true],
    ["is not by the same one", priced("0.5"), priced("0.50"), false],
    ["is not given up for one that is not known", priced("0.5"), unpriced("no_usage", "0.6", "outputTokens"), false],
    ["is corrected where all is known now, of the same amount too", unpriced("no_usage", "0"), priced("0"), true],
    ["is corrected by another reason", unpriced("unknown_model", "0"), unpriced("no_usage", "0"), true],
    ["is corrected where more of it is known", unpriced("no_usage", "0", "a"), unpriced("no_usage", "0.1", "a"), true],
    ["is corrected where less is missing", unpriced("no_usage", "0", "a", "b"), unpriced("no_usage", "0", "b"), true],
    ["is not where as much is missing", unpriced("no_usage", "0.1", "a"), unpriced("no_usage", "0.10", "a"), false]
  ])("%s", (_, before, now, isCorrected) => {
    const recorded = new RecordedUsage({ usage: usageOf(), cost: before })
    const { changed, usages } = repriceUsages([recorded, recorded], () => now)
    expect([changed, usages.map(({ cost }) => cost === now)]).toEqual(
      isCorrected ? [2, [true, true]] : [0, [false, false]]
    )
    if (!isCorrected) expect(usages).toEqual([recorded, recorded])
  })
})
