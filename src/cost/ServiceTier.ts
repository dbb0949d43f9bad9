/**
 * The tiers in which providers serve calls, by one name each.
 */

/** The tier of a call that asks for none. */
export const standardTier = "standard"

/** The tier of calls that are served in a batch. */
export const batchTier = "batch"

/** What was consumed in a batch. An answer need not name the tier, or names that of its request. */
export const inBatch = <Consumed extends { readonly serviceTier?: string | undefined }>(
  consumed: Consumed
): Consumed => {
  const { serviceTier } = consumed
  const isStandard = serviceTier === undefined || normalizeServiceTier(serviceTier) === standardTier
  return isStandard ? { ...consumed, serviceTier: batchTier } : consumed
}

/** The name of a tier that providers spell differently: `on_demand` is `standard`. Others stay as they are, in lower case. */
export const normalizeServiceTier = (name: string): string => {
  const bare = name.trim().toLowerCase()
  return tiers.get(bare) ?? bare
}

const tiers: ReadonlyMap<string, string> = new Map([
  ["default", standardTier],
  ["on_demand", standardTier],
  ["on_demand_priority", "priority"],
  ["on_demand_flex", "flex"],
  ["batches", "batch"]
])
