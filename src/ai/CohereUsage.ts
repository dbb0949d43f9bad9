/**
 * Usage as Cohere reports it: what is billed, which is not all that was processed (docs.cohere.com, "How does pricing work").
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts } from "./NamedCounts.js"
import { count, quantity, record } from "./UnknownJson.js"

/** The billed units of an answer, where it has any: in `usage` of a chat, in `meta` of what embeds and reranks. */
export const billedUnitsIn = (answer: Record<string, unknown>): Record<string, unknown> | undefined => {
  const holder = record(record(answer["delta"])?.["usage"]) ?? record(answer["usage"]) ?? record(answer["meta"])
  return record(holder?.["billed_units"])
}

export const cohereUsage = (units: Record<string, unknown>): Consumption => {
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
    other: other.record
  })
}

const metered: ReadonlySet<string> = new Set([
  ...["input_tokens", "image_tokens", "images", "output_tokens", "search_units", "pages"]
])
