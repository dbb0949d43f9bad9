/**
 * The tiers in which providers serve calls, by one name each.
 */

/** The tier of a call that asks for none. */
export const standardTier = "standard"

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
