/**
 * Usage as Amazon Bedrock's Converse API reports it.
 *
 * Cached tokens are beside the input for Anthropic's models, and inside for those of OpenAI, so that the total decides (types of
 * `@aws-sdk/client-bedrock-runtime`, `TokenUsage`). `cacheDetails` says for how long what was written is kept. Optimized latency
 * (`performanceConfig`) is a tier of its own, whose price is not that of the standard one.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import type { AnswerForm } from "./AnswerForm.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts, unmodelled } from "./NamedCounts.js"
import { totalsOf } from "./ReportedTotals.js"
import { count, record, text } from "./UnknownJson.js"

/** Whether a value is an answer of the Converse API, or the event of a streamed one that has its usage. */
export const isConverseAnswer = (message: Record<string, unknown>): boolean => {
  const usage = record(answerIn(message)["usage"])
  return usage !== undefined && count(usage["inputTokens"]) !== undefined && count(usage["outputTokens"]) !== undefined
}

/** The path of a request, with the model. No other API has it. */
export const conversePath = /\/model\/([^/]+)\/converse(?:-stream)?$/

/** The form of the Converse API. */
export const converseForm: AnswerForm = {
  read: (message) => {
    const answer = answerIn(message)
    const usage = record(answer["usage"])
    const { performanceConfig, serviceTier } = answer
    return {
      about: { finishReason: text(answer["stopReason"]) ?? text(record(message["messageStop"])?.["stopReason"]) },
      // What holds for the price stands beside the usage.
      usage: usage && { ...usage, performanceConfig, serviceTier }
    }
  },
  consumption: (usage) => bedrockUsage(usage),
  isLast: (message) => "metadata" in message
}

/** The usage of a streamed answer is in an event with `metadata`. */
const answerIn = (message: Record<string, unknown>): Record<string, unknown> => record(message["metadata"]) ?? message

const bedrockUsage = (usage: Record<string, unknown>): Consumption => {
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
      text(record(usage["serviceTier"])?.["type"]),
      text(record(usage["performanceConfig"])?.["latency"])
    ),
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
