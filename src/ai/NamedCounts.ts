/**
 * Quantities by names that a provider chose, which may be names that objects have of their own.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { quantity } from "./UnknownJson.js"

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

/**
 * Quantities that have no meter, by the provider's names: a call with them is not wholly priced. `known` names those that have one.
 * A name in the details of input and in those of output is of both, which add up. What the usage itself has of it is the whole, and
 * counts the details too.
 */
export const unmodelled = (
  known: ReadonlySet<string>,
  usage: Record<string, unknown>,
  ...details: ReadonlyArray<Record<string, unknown>>
): Readonly<Record<string, number>> | undefined => {
  const whole = new NamedCounts()
  addUnmodelled(whole, known, usage)
  const parts = new NamedCounts()
  for (const some of details) addUnmodelled(parts, known, some)
  const found = new Map(Object.entries(whole.record ?? {}))
  for (const [name, amount] of Object.entries(parts.record ?? {})) {
    found.set(name, Math.max(amount, found.get(name) ?? 0))
  }
  return found.size === 0 ? undefined : Object.fromEntries(found)
}

const addUnmodelled = (counts: NamedCounts, known: ReadonlySet<string>, quantities: Record<string, unknown>): void => {
  for (const [name, value] of Object.entries(quantities)) {
    if (!known.has(name) && !name.endsWith("_time")) counts.add(name, quantity(value))
  }
}
