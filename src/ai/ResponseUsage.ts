/**
 * What the parts of a model's response say of its usage.
 */
import type { Tracer, Types } from "effect"
import type { Consumption } from "../cost/UsageRecord.js"
import { anthropicUsage } from "./AnthropicUsage.js"
import { geminiSearches, geminiUsage, isGeminiUsage } from "./GeminiUsage.js"
import { add, joined, merge } from "./KnownConsumption.js"
import { NamedCounts } from "./NamedCounts.js"
import { openAiUsage } from "./OpenAiUsage.js"
import { totalsOf } from "./ReportedTotals.js"
import { modelOn } from "./SpanUsage.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

/**
 * What the `response-metadata` and `finish` parts report, where those have come, and the tools that the provider ran. Where no part
 * names the model, it is the one that was asked for, as the span of the call has it.
 */
export const consumptionIn = (parts: unknown, span?: Tracer.Span): Consumption => {
  if (!Array.isArray(parts)) return {}
  let known: Types.Mutable<Consumption> | undefined
  let providerRequestId: string | undefined
  let responseModel: string | undefined
  let hasTools = false
  for (const part of parts) {
    if (!isRecord(part)) continue
    const type = part["type"]
    if (type === "response-metadata") {
      providerRequestId = optionalText(part["id"]) ?? providerRequestId
      responseModel = optionalText(part["modelId"]) ?? responseModel
    } else if (type === "tool-call") hasTools = true
    else if (type === "finish") {
      const usage = usageIn(part, responseModel, span)
      if (known === undefined) known = usage
      else add(known, usage)
    }
  }
  known ??= {}
  if (hasTools) {
    const tools = toolsIn(parts)
    add(tools, known)
    known = tools
  }
  known.providerRequestId = providerRequestId
  known.responseModel = responseModel
  return known
}

/** A text that is an `Option`, as decoded parts have it, or a plain one. */
const optionalText = (value: unknown): string | undefined => text(value) ?? text(record(value)?.["value"])

/** Tools that the provider ran, which have a fee beside the tokens and are not in every usage. */
const toolsIn = (parts: ReadonlyArray<unknown>): Consumption => {
  let webSearches = 0
  let isCodeRun = false
  const tools = new NamedCounts()
  for (const part of parts) {
    if (!isRecord(part) || part["type"] !== "tool-call" || part["providerExecuted"] !== true) continue
    const name = optionalText(part["providerName"]) ?? text(part["name"]) ?? "unknown"
    const action = text(record(record(part["params"])?.["action"])?.["type"]) ?? "search"
    const isWebSearch = /web_?search/i.test(name)
    if (isWebSearch && action === "search") webSearches += 1
    else if (/code_?interpreter/i.test(name)) isCodeRun = true
    else tools.add(isWebSearch ? action : name, 1)
  }
  return merge<Consumption>({
    webSearches: webSearches || undefined,
    toolCalls: tools.record,
    // A container may serve several calls.
    uncounted: isCodeRun ? ["sessions"] : undefined
  })
}

const usageIn = (
  part: Record<string, unknown>,
  responseModel: string | undefined,
  span: Tracer.Span | undefined
): Types.Mutable<Consumption> => {
  const usage = record(part["usage"])
  if (usage === undefined) return {}
  const metadata = record(part["metadata"])
  const finishReason = text(part["reason"])
  if (metadata === undefined || isEmpty(metadata)) return commonUsage(usage, finishReason)
  const anthropic = anthropicUsage(record(metadata?.["anthropic"])?.["usage"])
  // The metadata of a streamed answer is that of its beginning; the output tokens are reported after it.
  if (anthropic.inputTokens !== undefined) {
    return { ...anthropic, outputTokens: count(usage["outputTokens"]), finishReason }
  }
  const google = record(metadata["google"])
  const geminiTokens = google?.["usageMetadata"]
  if (isGeminiUsage(geminiTokens)) {
    const model = responseModel ?? (span && modelOn(span))
    return { ...joined(geminiUsage(geminiTokens), geminiSearches([google], model)), finishReason }
  }
  const openRouter = record(record(metadata?.["openrouter"])?.["usage"])
  if (openRouter !== undefined) return { ...openRouterUsage(usage, openRouter), finishReason }
  const bedrock = record(metadata?.["bedrock"])
  return {
    ...(bedrock === undefined ? commonUsage(usage, finishReason) : bedrockUsage(usage, bedrock, finishReason)),
    ...openAiTier(metadata)
  }
}

const isEmpty = (metadata: Record<string, unknown>): boolean => {
  for (const _ in metadata) return false
  return true
}

const openAiTier = (metadata: Record<string, unknown> | undefined): Consumption => {
  const serviceTier = text(record(metadata?.["openai"])?.["serviceTier"])
  return serviceTier === undefined ? {} : { serviceTier }
}

/** Usage as `@effect/ai` has it: some providers, such as Google, report reasoning beside the output, as the total shows. */
const commonUsage = (usage: Record<string, unknown>, finishReason: string | undefined): Types.Mutable<Consumption> => {
  const input = count(usage["inputTokens"])
  const output = count(usage["outputTokens"])
  const cacheReadTokens = count(usage["cachedInputTokens"])
  const reasoningTokens = count(usage["reasoningTokens"])
  const total = count(usage["totalTokens"])
  const hasParts = Boolean(cacheReadTokens) || Boolean(reasoningTokens)
  if (input === undefined || output === undefined || (!hasParts && (!total || total === input + output))) {
    return { inputTokens: input, cacheReadTokens, outputTokens: output, reasoningTokens, finishReason }
  }
  const totals = totalsOf({ input, output }, total, [
    { amount: cacheReadTokens ?? 0, side: "input", placement: "inside" },
    { amount: reasoningTokens ?? 0, side: "output", placement: "inside" }
  ])
  return {
    inputTokens: totals?.input ?? input,
    cacheReadTokens,
    outputTokens: totals?.output ?? output,
    reasoningTokens,
    finishReason,
    uncounted: totals === undefined ? ["inputTokens", "outputTokens"] : undefined
  }
}

/** The package of OpenRouter has the totals of the answer among those of all models, and the rest under names of its own. */
const openRouterUsage = (usage: Record<string, unknown>, openRouter: Record<string, unknown>): Consumption =>
  openAiUsage(
    {
      prompt_tokens: usage["inputTokens"],
      completion_tokens: usage["outputTokens"],
      total_tokens: usage["totalTokens"],
      prompt_tokens_details: openRouter["promptTokensDetails"],
      completion_tokens_details: openRouter["completionTokensDetails"],
      cost: openRouter["cost"],
      cost_details: openRouter["costDetails"]
    },
    "openrouter"
  )

/** Amazon Bedrock reports the tokens that no cache was concerned with; the total that `@effect/ai` gives is computed. */
const bedrockUsage = (
  usage: Record<string, unknown>,
  bedrock: Record<string, unknown>,
  finishReason: string | undefined
): Consumption => {
  const tokens = { ...usage, totalTokens: undefined, cachedInputTokens: undefined }
  const { inputTokens: input, ...others } = commonUsage(tokens, finishReason)
  const cacheReadTokens = count(usage["cachedInputTokens"])
  const cacheWriteTokens = count(record(bedrock["usage"])?.["cacheWriteInputTokens"])
  return {
    ...others,
    inputTokens: input === undefined ? undefined : input + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0),
    cacheReadTokens,
    cacheWriteTokens
  }
}
