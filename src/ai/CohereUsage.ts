/**
 * Usage as Cohere reports it: what is billed, which is not all that was processed (docs.cohere.com, "How does pricing work").
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts } from "./NamedCounts.js"
import { count, quantity, record } from "./UnknownJson.js"

/** What holds the billed units of an answer: `usage` of a chat, `meta` of what embeds and reranks. */
export const billingIn = (answer: Record<string, unknown>): Record<string, unknown> | undefined => {
  const holder = record(record(answer["delta"])?.["usage"]) ?? record(answer["usage"]) ?? record(answer["meta"])
  return record(holder?.["billed_units"]) && holder
}

export const cohereUsage = (billing: Record<string, unknown>): Consumption => {
  const units = record(billing["billed_units"]) ?? {}
  const other = new NamedCounts()
  for (const [name, value] of Object.entries(units)) if (!metered.has(name)) other.add(name, quantity(value))
  const images = count(units["image_tokens"])
  const text = count(units["input_tokens"])
  return merge<Consumption>({
    // Tokens of images are beside those of text.
    inputTokens: text === undefined && images === undefined ? undefined : (text ?? 0) + (images ?? 0),
    inputImageTokens: images,
    inputImages: count(units["images"]) || undefined,
    outputTokens: count(units["output_tokens"]),
    queries: quantity(units["search_units"]) || undefined,
    pages: count(units["pages"]) || undefined,
    other: other.record,
    // Which tokens include the cached ones is not documented.
    uncounted: count(billing["cached_tokens"]) ? ["cacheReadTokens"] : undefined
  })
}

const metered: ReadonlySet<string> = new Set([
  ...["input_tokens", "image_tokens", "images", "output_tokens", "search_units", "pages"]
])
