/**
 * Quantities by names that a provider chose, which may be names that objects have of their own.
 */
export class NamedCounts {
  private readonly counts = new Map<string, number>()

  add(name: string, quantity: number | undefined): void {
    if (quantity !== undefined && quantity > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + quantity)
  }

  /** The quantities as a record; none where there are none. */
  get record(): Readonly<Record<string, number>> | undefined {
    return this.counts.size === 0 ? undefined : Object.fromEntries(this.counts)
  }
}
