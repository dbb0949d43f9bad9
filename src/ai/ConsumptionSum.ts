/**
 * What several exchanges of one call consumed together.
 */
import { BigDecimal } from "effect"
import type { Consumption } from "../cost/UsageRecord.js"
import { fromNonNegative, zero } from "../cost/Usd.js"
import { joined } from "./KnownConsumption.js"
import { NamedCounts } from "./NamedCounts.js"

/** The sums of what several exchanges consumed, and what else the last of them reported. */
export const sum = (known: ReadonlyArray<Consumption>): Consumption => {
  const [first = {}, ...others] = known
  if (others.length === 0) return first
  const sums: Record<string, unknown> = { ...known.reduce(joined) }
  for (const key in sums) {
    const values = known.map((some) => some[key as keyof Consumption]).filter((value) => typeof value === "number")
    if (values.length > 0) sums[key] = values.reduce((sum, value) => sum + value)
  }
  for (const field of ["toolCalls", "other"] as const) {
    const named = new NamedCounts()
    for (const some of known)
      for (const [name, quantity] of Object.entries(some[field] ?? {})) named.add(name, quantity)
    if (named.record !== undefined) sums[field] = named.record
  }
  const costs = known.map(({ usd }) => fromNonNegative(usd)).filter((usd) => usd !== undefined)
  // The cost of some exchanges is not that of all.
  if (costs.length === known.length) sums["usd"] = costs.reduce(BigDecimal.sum, zero)
  else delete sums["usd"]
  return sums
}
