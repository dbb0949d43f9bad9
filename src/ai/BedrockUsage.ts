/**
 * Usage as Amazon Bedrock's Converse API reports it.
 *
 * Cached tokens are beside the input for Anthropic's models, and inside for those of OpenAI, so that the total decides (types of
 * `@aws-sdk/client-bedrock-runtime`, `TokenUsage`). `cacheDetails` says for how long what was written is kept.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { totalsOf } from "./ReportedTotals.js"
import { count, record, text } from "./UnknownJson.js"

/** Whether a value is usage of the Converse API. */
export const isBedrockUsage = (usage: Record<string, unknown>): boolean =>
  count(usage["inputTokens"]) !== undefined && count(usage["outputTokens"]) !== undefined

/** What an answer of the Converse API reports, or the `metadata` event of a streamed one. */
export const bedrockUsage = (usage: Record<string, unknown>, answer: Record<string, unknown>): Consumption => {
  const read = agreed(usage, ["cacheReadInputTokens", "cacheReadInputTokenCount"])
  const write = agreed(usage, ["cacheWriteInputTokens", "cacheWriteInputTokenCount"])
  const [input, output] = [count(usage["inputTokens"]) ?? 0, count(usage["outputTokens"]) ?? 0]
  const totals = totalsOf({ input, output }, count(usage["totalTokens"]), [
    { amount: (read ?? 0) + (write ?? 0), side: "input", placement: "unknown" }
  ])
  const details = Array.isArray(usage["cacheDetails"]) ? usage["cacheDetails"].map(record) : []
  const writtenFor = (ttl: string): number =>
    details.reduce((sum, detail) => sum + (detail?.["ttl"] === ttl ? (count(detail["inputTokens"]) ?? 0) : 0), 0)
  const isSplitKnown = !write || writtenFor("5m") + writtenFor("1h") === write
  const uncounted = [...(totals === undefined ? ["inputTokens"] : []), ...(isSplitKnown ? [] : ["cacheWrite1hTokens"])]
  return merge<Consumption>({
    inputTokens: totals?.input ?? input,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWrite1hTokens: isSplitKnown ? writtenFor("1h") || undefined : undefined,
    outputTokens: output,
    serviceTier: text(record(answer["serviceTier"])?.["type"]),
    finishReason: text(answer["stopReason"]),
    uncounted: uncounted.length > 0 ? uncounted : undefined
  })
}

const agreed = (usage: Record<string, unknown>, names: ReadonlyArray<string>): number | undefined =>
  names.map((name) => count(usage[name])).find((value) => value !== undefined)
