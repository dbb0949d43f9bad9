/**
 * What was consumed in this process and is in no stored result: by an activity that was interrupted, or outside of activities.
 */
import type { RecordedUsage } from "../cost/CostTotals.js"

type Usages = ReadonlyArray<RecordedUsage>

/** How the place begins that an entry of the body is. */
const ofEntry = "botanu/body/"

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

  /** Takes out what was consumed by the body in each of its entries, by the id of the entry. */
  takeEntries(executionId: string): ReadonlyMap<string, Usages> {
    const places = Array.from(this.executions.get(executionId)?.keys() ?? [])
    const entries = places.filter((place) => place.startsWith(ofEntry))
    return new Map(entries.map((place) => [place.slice(ofEntry.length), this.take(executionId, place).flat()]))
  }

  /** Keeps what the body consumed in an entry. */
  addEntry(executionId: string, id: string, usages: Usages): void {
    this.add(executionId, `${ofEntry}${id}`, usages)
  }

  /** Takes out all that an execution consumed. */
  takeAll(executionId: string): Usages {
    const places = this.executions.get(executionId)
    this.executions.delete(executionId)
    return places === undefined ? [] : Array.from(places.values()).flat(2)
  }
}
