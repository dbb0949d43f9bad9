/**
 * What providers say of a call's usage in their HTTP answers: OpenAI's Responses, Chat Completions, Completions and Embeddings
 * APIs, which many others speak too, and Anthropic's Messages API.
 */
import type { HttpClientRequest } from "@effect/platform"
import type { Consumption } from "../cost/UsageRecord.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

export interface Protocol {
  readonly provider: string
  readonly operation: "chat" | "text_completion" | "embeddings"
  /** What an answer says, or one event of a streamed one. */
  readonly read: (message: Record<string, unknown>) => Consumption
  /** Whether an event is the last one. */
  readonly isLast: (event: Record<string, unknown>) => boolean
}

/** The protocol of a request that asks a model for something. */
export const protocolOf = (request: HttpClientRequest.HttpClientRequest): Protocol | undefined => {
  if (request.method !== "POST") return undefined
  const path = pathOf(request.url)
  if (path.endsWith("/messages")) return "anthropic-version" in request.headers ? anthropic : undefined
  const known = openAiPaths.find(([end]) => path.endsWith(end))
  return known === undefined ? undefined : { ...known[1], provider: providerAt(request.url) }
}

const pathOf = (url: string): string => {
  const path = url.split(/[?#]/, 1)[0] ?? ""
  return path.endsWith("/") ? path.slice(0, -1) : path
}

const readOpenAi = (message: Record<string, unknown>): Consumption => {
  // Events of the Responses API hold the response as it is by then.
  const answer = record(message["response"]) ?? message
  const about = {
    responseModel: text(answer["model"]),
    providerRequestId: text(answer["id"]),
    finishReason: text(record(answer["incomplete_details"])?.["reason"]) ?? finishReasonOf(answer["choices"])
  }
  const usage = record(answer["usage"])
  if (usage === undefined) return about
  const input = record(usage["input_tokens_details"]) ?? record(usage["prompt_tokens_details"])
  const output = record(usage["output_tokens_details"]) ?? record(usage["completion_tokens_details"])
  return {
    ...about,
    inputTokens: count(usage["input_tokens"]) ?? count(usage["prompt_tokens"]),
    cacheReadTokens: count(input?.["cached_tokens"]),
    cacheWriteTokens: count(input?.["cache_write_tokens"]),
    outputTokens: count(usage["output_tokens"]) ?? count(usage["completion_tokens"]),
    reasoningTokens: count(output?.["reasoning_tokens"])
  }
}

const finishReasonOf = (choices: unknown): string | undefined =>
  Array.isArray(choices) ? text(record(choices[0])?.["finish_reason"]) : undefined

const lastOpenAiEvents = new Set<unknown>(["response.completed", "response.incomplete", "response.failed"])

const openAi = { read: readOpenAi, isLast: ({ type }: Record<string, unknown>) => lastOpenAiEvents.has(type) }

const openAiPaths = [
  ["/responses", { ...openAi, operation: "chat" }],
  ["/chat/completions", { ...openAi, operation: "chat" }],
  ["/completions", { ...openAi, operation: "text_completion" }],
  ["/embeddings", { ...openAi, operation: "embeddings" }]
] as const

/** Who answers there, by the end of the host's name; whoever is not known is taken for what they speak. */
const providerAt = (url: string): string => {
  const host = /^[a-z]+:\/\/([^/:?#]+)/i.exec(url)?.[1]?.toLowerCase() ?? ""
  return hosts.find(([end]) => host === end || host.endsWith(`.${end}`))?.[1] ?? "openai"
}

const hosts = [
  ["openai.azure.com", "azure.ai.openai"],
  ["services.ai.azure.com", "azure.ai.inference"],
  ["groq.com", "groq"],
  ["mistral.ai", "mistral_ai"],
  ["deepseek.com", "deepseek"],
  ["x.ai", "x_ai"],
  ["perplexity.ai", "perplexity"],
  ["together.xyz", "together_ai"],
  ["fireworks.ai", "fireworks_ai"],
  ["openrouter.ai", "openrouter"]
] as const

const readAnthropic = (message: Record<string, unknown>): Consumption => {
  // A stream begins with the message as it is before anything was written, and what `message_delta` tells later are sums.
  const begun = record(message["message"])
  const answer = begun ?? message
  const usage = anthropicUsage(answer["usage"])
  return {
    responseModel: text(answer["model"]),
    providerRequestId: text(answer["id"]),
    finishReason: text(answer["stop_reason"]) ?? text(record(answer["delta"])?.["stop_reason"]),
    ...usage,
    outputTokens: begun === undefined ? usage.outputTokens : undefined
  }
}

/** Usage as Anthropic tells it, whose input tokens are only those that no cache was concerned with. */
export const anthropicUsage = (usage: unknown): Consumption => {
  if (!isRecord(usage)) return {}
  const fresh = count(usage["input_tokens"])
  const read = count(usage["cache_read_input_tokens"])
  const written = count(usage["cache_creation_input_tokens"])
  return {
    inputTokens: fresh === undefined ? undefined : fresh + (read ?? 0) + (written ?? 0),
    cacheReadTokens: read,
    cacheWriteTokens: written,
    outputTokens: count(usage["output_tokens"])
  }
}

const anthropic: Protocol = {
  provider: "anthropic",
  operation: "chat",
  read: readAnthropic,
  isLast: ({ type }) => type === "message_stop"
}
