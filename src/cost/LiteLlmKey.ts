/**
 * The keys of an entry in LiteLLM's price file: which price each holds, under which condition. A key is a base, such as
 * `input_cost_per_token`, then `_above_<n>[k]_tokens`, then `_priority`, `_flex` or `_batches`.
 */
import { meterNames, meterOf, type PriceKey, type Unit } from "./Meter.js"
import { normalizeServiceTier, standardTier } from "./ServiceTier.js"

/** What a key of an entry holds. */
export type EntryKey =
  | { readonly _tag: "Price"; readonly base: string; readonly above: number; readonly tier: string }
  | { readonly _tag: "Region"; readonly region: string }
  | { readonly _tag: "Provider" | "Mode" | "Factors" | "SearchContext" | "Ranges" | "Other" }
  /** A price under a condition that no usage names. Where the base is known, its price does not always hold either. */
  | { readonly _tag: "NotModelled"; readonly base: string | undefined }

/** The price of the base, whatever the number of tokens. */
export const always = -1

const named: ReadonlyMap<string, EntryKey> = new Map<string, EntryKey>([
  ["litellm_provider", { _tag: "Provider" }],
  ["mode", { _tag: "Mode" }],
  ["provider_specific_entry", { _tag: "Factors" }],
  ["search_context_cost_per_query", { _tag: "SearchContext" }],
  ["tiered_pricing", { _tag: "Ranges" }],
  // They qualify a price, or repeat one in another currency.
  ["web_search_billing_unit", { _tag: "Other" }],
  ["input_dbu_cost_per_token", { _tag: "Other" }],
  ["output_dbu_cost_per_token", { _tag: "Other" }]
])

/** Keys of seconds and images mean something else in each mode. */
const bases: ReadonlySet<string> = new Set([
  "input_cost_per_second",
  "output_cost_per_second",
  "input_cost_per_image",
  ...meterNames.flatMap((name) => (meterOf(name).keys ?? []).map(nameOf))
])

/** Files hold the same few keys in thousands of entries. Bounded, should keys ever be made up. */
const known = new Map<string, EntryKey>()
const maxKnown = 1000
const maxLength = 128

/** What a key holds. */
export const keyOf = (name: string): EntryKey => {
  const answer = known.get(name)
  if (answer !== undefined) return answer
  const key = name.length > maxLength ? other : read(name)
  if (known.size < maxKnown && name.length <= maxLength) known.set(name, key)
  return key
}

const other: EntryKey = { _tag: "Other" }

const read = (name: string): EntryKey => named.get(name) ?? regionIn(name) ?? priceIn(name) ?? unknown(name)

const regionPrefix = "regional_processing_uplift_multiplier_"

const regionIn = (name: string): EntryKey | undefined =>
  name.startsWith(regionPrefix) ? { _tag: "Region", region: name.slice(regionPrefix.length) } : undefined

const tierEnd = /_(priority|flex|batches|ultrafast)$/
const thresholdEnd = /_above_(\d{1,9})(k?)_tokens$/

const priceIn = (name: string): EntryKey | undefined => {
  const [ending = "", tier = standardTier] = tierEnd.exec(name) ?? []
  const sized = name.slice(0, name.length - ending.length)
  const [size = "", digits, thousands] = thresholdEnd.exec(sized) ?? []
  const base = sized.slice(0, sized.length - size.length)
  if (!bases.has(base)) return undefined
  const above = digits === undefined ? always : Number(digits) * (thousands === "k" ? 1000 : 1)
  return { _tag: "Price", base, above, tier: normalizeServiceTier(tier) }
}

const unknown = (name: string): EntryKey => {
  if (!/cost|pric|multiplier/.test(name)) return other
  for (let end = name.lastIndexOf("_"); end > 0; end = name.lastIndexOf("_", end - 1)) {
    const base = name.slice(0, end)
    if (bases.has(base)) return { _tag: "NotModelled", base }
  }
  return { _tag: "NotModelled", base: undefined }
}

function nameOf(key: PriceKey): string {
  return typeof key === "string" ? key : key.key
}

/** A unit, and the keys that hold its price. */
export interface UnitKeys {
  readonly unit: Unit
  readonly keys: ReadonlyArray<PriceKey>
}

const unitKeys: ReadonlyArray<UnitKeys> = meterNames.flatMap((name) => {
  const { keys, unit } = meterOf(name)
  return keys === undefined ? [] : [{ unit: unit as Unit, keys }]
})

const unitsByKey: ReadonlyMap<string, ReadonlyArray<UnitKeys>> = new Map(
  Array.from(bases, (base) => [base, unitKeys.filter(({ keys }) => keys.some((key) => nameOf(key) === base))])
)

const noUnits: ReadonlyArray<UnitKeys> = []

/** The units whose price a key may hold. */
export const unitsOf = (base: string): ReadonlyArray<UnitKeys> => unitsByKey.get(base) ?? noUnits

/** The amount of the first key above zero that holds in a mode, else of the first one that is there. */
export const amountIn = <A extends string | number>(
  keys: ReadonlyArray<PriceKey>,
  amounts: ReadonlyMap<string, A>,
  mode: string
): A | undefined => {
  let first: A | undefined
  for (const key of keys) {
    if (typeof key !== "string" && !key.modes.includes(mode)) continue
    const amount = amounts.get(nameOf(key))
    if (amount === undefined) continue
    if (Number(amount) > 0) return amount
    first ??= amount
  }
  return first
}
