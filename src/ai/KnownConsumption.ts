/**
 * What is known of one call from several sides.
 */
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

/** What two places of one answer report: named quantities and what is not known add up, of all else the later replaces. */
export const joined = (one: Consumption, other: Consumption): Consumption => {
  const all: Record<string, unknown> = { ...merge(one, other) }
  for (const field of ["toolCalls", "other"] as const) {
    if (one[field] !== undefined && other[field] !== undefined) all[field] = { ...one[field], ...other[field] }
  }
  if (one.uncounted !== undefined && other.uncounted !== undefined) {
    all["uncounted"] = Array.from(new Set([...one.uncounted, ...other.uncounted]))
  }
  return all
}
