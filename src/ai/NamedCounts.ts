/**
 * Quantities by names that a provider chose, which may be names that objects have of their own.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { quantity } from "./UnknownJson.js"

/** Quantities that have no meter, by the provider's names: a call with them is not wholly priced. `known` names those that have one. */
export const unmodelled = (
  known: ReadonlySet<string>,
  ...records: ReadonlyArray<Record<string, unknown>>
): Readonly<Record<string, number>> | undefined => {
  const found = new Map<string, number>()
  for (const some of records) {
    for (const [name, value] of Object.entries(some)) {
      if (known.has(name) || name.endsWith("_time")) continue
      const amount = quantity(value)
      if (amount !== undefined && amount > 0) found.set(name, amount)
    }
  }
  return found.size === 0 ? undefined : Object.fromEntries(found)
}

export class NamedCounts {
  private readonly counts = new Map<string, number>()

  add(name: string, quantity: number | undefined): void {
    if (quantity !== undefined && quantity > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + quantity)
  }

  /** The quantities as a record; none where there are none. */
  get record(): Readonly<Record<string, number>> | undefined {
    return this.counts.size === 0 ? undefined : Object.fromEntries(this.counts)
  }

  /** The quantities as calls of tools that the provider runs. */
  get toolCalls(): Consumption {
    return this.record === undefined ? {} : { toolCalls: this.record }
  }
}
