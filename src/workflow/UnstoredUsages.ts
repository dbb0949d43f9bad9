/**
 * What was consumed in this process and is in no stored result: by an activity that was interrupted, or outside of activities.
 */
import type { RecordedUsage } from "../cost/CostTotals.js"

type Usages = ReadonlyArray<RecordedUsage>

// Executions may go on in another process, which does not say so here.
const maxExecutions = 1000

export class UnstoredUsages {
  private readonly executions = new Map<string, Map<string, Array<Usages>>>()

  /** Keeps what an execution consumed, by the place in it. */
  add(executionId: string, place: string, usages: Usages): void {
    const places = this.executions.get(executionId) ?? new Map<string, Array<Usages>>()
    places.set(place, [...(places.get(place) ?? []), usages])
    this.executions.set(executionId, places)
    for (const oldest of this.executions.keys()) {
      if (this.executions.size <= maxExecutions) break
      this.executions.delete(oldest)
    }
  }

  /** Takes out what was consumed at a place, once for each time that it was kept. */
  take(executionId: string, place: string): ReadonlyArray<Usages> {
    const places = this.executions.get(executionId)
    const taken = places?.get(place) ?? []
    places?.delete(place)
    if (places?.size === 0) this.executions.delete(executionId)
    return taken
  }

  /** Takes out all that an execution consumed. */
  takeAll(executionId: string): Usages {
    const places = this.executions.get(executionId)
    this.executions.delete(executionId)
    return places === undefined ? [] : Array.from(places.values()).flat(2)
  }
}
