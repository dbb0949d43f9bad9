/**
 * What is known of one call from several sides.
 */
import type { Types } from "effect"
import type { Consumption } from "../cost/UsageRecord.js"

/** All that is known; what stands later replaces what stands before. */
export const merge = <Known extends object>(...known: ReadonlyArray<Known>): Known => {
  const all: Record<string, unknown> = {}
  for (const some of known) {
    for (const key in some) {
      const value = some[key]
      if (value !== undefined) all[key] = value
    }
  }
  return all as Known
}

/**
 * Adds what another place of an answer reports: further names of tools and quantities, and what else is not known. Of a name that both
 * have, as of all else, the later one counts: both are of the same thing.
 */
export const add = (known: Types.Mutable<Consumption>, further: Consumption): void => {
  const all = known as Record<string, unknown>
  for (const key in further) {
    const value = further[key as keyof Consumption]
    if (value === undefined) continue
    const before = all[key]
    if (before !== undefined && (key === "toolCalls" || key === "other")) all[key] = { ...before, ...(value as object) }
    else if (before !== undefined && key === "uncounted") {
      all[key] = Array.from(new Set([...(before as ReadonlyArray<string>), ...(value as ReadonlyArray<string>)]))
    } else all[key] = value
  }
}

/** What two places of one answer report. */
export const joined = (one: Consumption, other: Consumption): Consumption => {
  const all = merge(one)
  add(all, other)
  return all
}
