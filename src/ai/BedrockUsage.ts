/**
 * Usage as Amazon Bedrock's Converse API reports it.
 *
 * Cached tokens are beside the input for Anthropic's models, and inside for those of OpenAI, so that the total decides (types of
 * `@aws-sdk/client-bedrock-runtime`, `TokenUsage`). `cacheDetails` says for how long what was written is kept. Optimized latency
 * (`performanceConfig`) is a tier of its own, whose price is not that of the standard one.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts, unmodelled } from "./NamedCounts.js"
import { totalsOf } from "./ReportedTotals.js"
import { count, record, text } from "./UnknownJson.js"

/** Whether a value is usage of the Converse API. */
export const isBedrockUsage = (usage: Record<string, unknown>): boolean =>
  count(usage["inputTokens"]) !== undefined && count(usage["outputTokens"]) !== undefined

/** What an answer of the Converse API reports, or the `metadata` event of a streamed one. */
export const bedrockUsage = (usage: Record<string, unknown>, answer: Record<string, unknown>): Consumption => {
  const reads = countsOf(usage, ["cacheReadInputTokens", "cacheReadInputTokenCount"])
  const writes = countsOf(usage, ["cacheWriteInputTokens", "cacheWriteInputTokenCount"])
  const [read] = reads
  const [write] = writes
  const [input, output] = [count(usage["inputTokens"]) ?? 0, count(usage["outputTokens"]) ?? 0]
  const totals = totalsOf({ input, output }, count(usage["totalTokens"]), [
    { amount: (read ?? 0) + (write ?? 0), side: "input", placement: "unknown" }
  ])
  const details = Array.isArray(usage["cacheDetails"]) ? usage["cacheDetails"].map(record) : []
  const writtenFor = (ttl: string): number =>
    details.reduce((sum, detail) => sum + (detail?.["ttl"] === ttl ? (count(detail["inputTokens"]) ?? 0) : 0), 0)
  const isSplitKnown = !write || writtenFor("5m") + writtenFor("1h") === write
  const uncounted = [
    ...(totals === undefined ? ["inputTokens"] : []),
    // Counts under two names that differ.
    ...(reads.length > 1 ? ["cacheReadTokens"] : []),
    ...(writes.length > 1 ? ["cacheWriteTokens"] : []),
    ...(isSplitKnown ? [] : ["cacheWrite1hTokens"])
  ]
  const tools = new NamedCounts()
  for (const [name, calls] of Object.entries(record(usage["serverToolUsage"]) ?? {})) tools.add(name, count(calls))
  return merge<Consumption>({
    inputTokens: totals?.input ?? input,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWrite1hTokens: isSplitKnown ? writtenFor("1h") || undefined : undefined,
    outputTokens: output,
    toolCalls: tools.record,
    other: unmodelled(known, usage),
    serviceTier: tierOf(
      text(record(answer["serviceTier"])?.["type"]),
      text(record(answer["performanceConfig"])?.["latency"])
    ),
    finishReason: text(answer["stopReason"]),
    uncounted: uncounted.length > 0 ? uncounted : undefined
  })
}

const tierOf = (tier: string | undefined, latency: string | undefined): string | undefined => {
  if (latency === undefined || latency === "standard") return tier
  return tier === undefined || tier === "default" ? `${latency}_latency` : `${tier}_${latency}_latency`
}

/** The counts under several names of one thing, each once. */
const countsOf = (usage: Record<string, unknown>, names: ReadonlyArray<string>): ReadonlyArray<number> =>
  Array.from(new Set(names.map((name) => count(usage[name])).filter((value) => value !== undefined)))

const known: ReadonlySet<string> = new Set([
  ...["inputTokens", "outputTokens", "totalTokens"],
  ...["cacheReadInputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokens", "cacheWriteInputTokenCount"]
])
