/**
 * What was told of one call from several sides.
 */
import type { Consumption } from "../cost/UsageRecord.js"

/** All that is known; what stands later replaces what stands before. */
export const merge = <Told extends object>(...told: ReadonlyArray<Told>): Told => {
  const known: Record<string, unknown> = {}
  for (const some of told) {
    for (const key in some) {
      const value = some[key]
      if (value !== undefined) known[key] = value
    }
  }
  return known as Told
}

/** The sums of what several exchanges consumed, and what else the last of them told. */
export const sum = (told: ReadonlyArray<Consumption>): Consumption => {
  const [first = {}, ...others] = told
  if (others.length === 0) return first
  const sums: Record<string, unknown> = { ...merge(...told) }
  for (const key in sums) {
    const values = told.map((some) => some[key as keyof Consumption]).filter((value) => typeof value === "number")
    if (values.length > 0) sums[key] = values.reduce((sum, value) => sum + value)
  }
  return sums
}
