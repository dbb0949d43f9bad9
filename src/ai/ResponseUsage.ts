/**
 * What the parts of a model's response say of its usage.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { anthropicUsage } from "./ProviderProtocol.js"
import { merge } from "./Told.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

/** What is told by the `response-metadata` and `finish` parts, where those have come. */
export const consumptionIn = (parts: unknown): Consumption => {
  if (!Array.isArray(parts)) return {}
  const told: Array<Consumption> = []
  for (const part of parts) {
    if (!isRecord(part)) continue
    if (part["type"] === "response-metadata") told.push(identityIn(part))
    else if (part["type"] === "finish") told.push(usageIn(part))
  }
  return merge(...told)
}

const identityIn = (part: Record<string, unknown>): Consumption => ({
  providerRequestId: optionalText(part["id"]),
  responseModel: optionalText(part["modelId"])
})

/** A text that is an `Option`, as decoded parts have it, or a plain one. */
const optionalText = (value: unknown): string | undefined => text(value) ?? text(record(value)?.["value"])

const usageIn = (part: Record<string, unknown>): Consumption => {
  const usage = record(part["usage"])
  if (usage === undefined) return {}
  const cacheReadTokens = count(usage["cachedInputTokens"])
  const told = {
    inputTokens: count(usage["inputTokens"]),
    cacheReadTokens,
    outputTokens: outputTokensIn(usage),
    reasoningTokens: count(usage["reasoningTokens"])
  }
  const finishReason = text(part["reason"])
  const metadata = record(part["metadata"])
  const anthropic = anthropicUsage(record(metadata?.["anthropic"])?.["usage"])
  // The output tokens of a streamed answer are told after those of the metadata.
  if (anthropic.inputTokens !== undefined) return { ...anthropic, outputTokens: told.outputTokens, finishReason }
  const bedrock = record(metadata?.["bedrock"])
  if (bedrock === undefined || told.inputTokens === undefined) return { ...told, finishReason }
  // As Anthropic, Amazon Bedrock tells the tokens that no cache was concerned with.
  const cacheWriteTokens = count(record(bedrock["usage"])?.["cacheWriteInputTokens"])
  const inputTokens = told.inputTokens + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0)
  return { ...told, inputTokens, cacheWriteTokens, finishReason }
}

/** Some providers, such as Google, tell the tokens of reasoning beside those of the answer: then the total says so. */
const outputTokensIn = (usage: Record<string, unknown>): number | undefined => {
  const input = count(usage["inputTokens"])
  const output = count(usage["outputTokens"])
  const reasoning = count(usage["reasoningTokens"])
  if (input === undefined || output === undefined || reasoning === undefined) return output
  return count(usage["totalTokens"]) === input + output + reasoning ? output + reasoning : output
}
