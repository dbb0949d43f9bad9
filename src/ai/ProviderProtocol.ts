/**
 * What providers say of a call in their HTTP answers: OpenAI's APIs, which many others speak too, Anthropic's Messages API, Google's
 * Gemini and Interactions APIs, on Vertex AI too, and Amazon Bedrock's Converse API.
 */
import type { HttpClientRequest } from "@effect/platform"
import type { Consumption } from "../cost/UsageRecord.js"
import type { AnswerForm, Message } from "./AnswerForm.js"
import { anthropicUsage } from "./AnthropicUsage.js"
import { converseForm, conversePath } from "./BedrockUsage.js"
import { geminiSearches, geminiUsage, isGeminiUsage } from "./GeminiUsage.js"
import { interactionsForm } from "./InteractionsUsage.js"
import { type MediaProtocol, mediaProtocolAt } from "./OpenAiMedia.js"
import { openAiUsage, responseTools } from "./OpenAiUsage.js"
import { providerAt, regionAt } from "./ProviderRules.js"
import { isRecord, record, text } from "./UnknownJson.js"

export interface Protocol extends AnswerForm {
  /** Who answers, as far as the host names them; else whose protocol it is. */
  readonly provider: string
  /** Whether the host names the provider, or no one else speaks the protocol. */
  readonly isNamedByUrl: boolean
  readonly operation: "chat" | "text_completion" | "embeddings" | "generate_content" | MediaProtocol["operation"]
  /** The model, where the URL names it. */
  readonly model?: string | undefined
}

/** Whether a call is one of a language model. */
export const isOfLanguageModel = ({ operation }: Protocol): boolean => languageOperations.has(operation)

const languageOperations: ReadonlySet<Protocol["operation"]> = new Set(["chat", "text_completion", "generate_content"])

/** The protocol of a request that asks a model for something. */
export const protocolOf = ({ headers, method, url }: HttpClientRequest.HttpClientRequest): Protocol | undefined => {
  if (method !== "POST") return undefined
  const ofUrl = "anthropic-version" in headers ? protocols.withVersion : protocols.others
  const known = ofUrl.get(url)
  if (known !== undefined) return known
  const protocol = protocolAt(url, "anthropic-version" in headers)
  if (protocol !== undefined && ofUrl.size < maxProtocols) ofUrl.set(url, protocol)
  return protocol
}

/** By URL: programs call a handful of them, over and over. Bounded, should URLs ever be made up by data. */
const protocols = { withVersion: new Map<string, Protocol>(), others: new Map<string, Protocol>() }

const maxProtocols = 1000

const protocolAt = (url: string, hasAnthropicVersion: boolean): Protocol | undefined => {
  const path = pathOf(url)
  const host = providerAt(url)
  const isNamedByUrl = host !== undefined
  if (path.endsWith("/messages")) {
    return hasAnthropicVersion ? { ...anthropic, provider: host ?? "anthropic", isNamedByUrl } : undefined
  }
  const [, model, verb] = geminiPath.exec(path) ?? []
  const gemini = geminiOperations.get(verb ?? "")
  if (gemini !== undefined) {
    return { ...geminiProtocol(model), operation: gemini, provider: host ?? "gcp.gemini", isNamedByUrl }
  }
  if (interactionsPath.test(path)) {
    return { ...interactionsForm, operation: "generate_content", provider: host ?? "gcp.gemini", isNamedByUrl }
  }
  const [, conversed] = conversePath.exec(path) ?? []
  if (conversed !== undefined) {
    return {
      ...converseForm,
      operation: "chat",
      model: unescaped(conversed),
      provider: "aws.bedrock",
      isNamedByUrl: true
    }
  }
  const media = mediaProtocolAt(path, host ?? "openai")
  if (media !== undefined) return { ...media, provider: host ?? "openai", isNamedByUrl }
  const known = openAiPaths.find(([end]) => path.endsWith(end))
  if (known === undefined) return undefined
  return { ...openAi(host ?? "openai", regionAt(url)), operation: known[1], isNamedByUrl }
}

const pathOf = (url: string): string => {
  const path = url.split(/[?#]/, 1)[0] ?? ""
  return path.endsWith("/") ? path.slice(0, -1) : path
}

const openAiPaths = [
  ["/responses", "chat"],
  ["/chat/completions", "chat"],
  ["/completions", "text_completion"],
  ["/embeddings", "embeddings"]
] as const

const lastOpenAiEvents = new Set<unknown>(["response.completed", "response.incomplete", "response.failed"])

/** The form of OpenAI's Responses, Chat Completions, Completions and Embeddings APIs. */
export const openAi = (provider: string, region: string | undefined) => ({
  provider,
  read: (message: Record<string, unknown>): Message => {
    // Events of the Responses API hold the response as it is by then.
    const answer = record(message["response"]) ?? message
    const responseModel = text(answer["model"])
    const [choice] = Array.isArray(answer["choices"]) ? answer["choices"] : []
    // Groq puts the usage of a stream beside, and Moonshot into the choice.
    const usage =
      record(answer["usage"]) ?? record(record(answer["x_groq"])?.["usage"]) ?? record(record(choice)?.["usage"])
    return {
      about: {
        responseModel,
        providerRequestId: text(answer["id"]),
        finishReason: text(record(answer["incomplete_details"])?.["reason"]) ?? text(record(choice)?.["finish_reason"]),
        serviceTier: text(answer["service_tier"]),
        region,
        ...responseTools(answer["output"]),
        ...unknownIn(answer, responseModel)
      },
      usage
    }
  },
  consumption: (usage: Record<string, unknown>) => openAiUsage(usage, provider),
  isLast: ({ type }: Record<string, unknown>) => lastOpenAiEvents.has(type)
})

/** Models that search for each answer do not say how often, and several models that answer together differ in price. */
const unknownIn = (answer: Record<string, unknown>, model: string | undefined): Consumption => {
  if (searchModel.test(model ?? "")) return { uncounted: ["webSearches"] }
  return isRecord(answer["usage_breakdown"]) ? { uncounted: ["tokensByModel"] } : {}
}

const searchModel = /^gpt-[\w.-]+-search-(?:preview|api)/

/** The form of Anthropic's Messages API. */
export const anthropic = {
  operation: "chat",
  read: (message: Record<string, unknown>): Message => {
    // A stream begins with the message as it is before anything was written: all but the output is known by then.
    const begun = record(message["message"])
    const answer = begun ?? message
    const usage = record(answer["usage"])
    return {
      about: {
        responseModel: text(answer["model"]),
        providerRequestId: text(answer["id"]),
        finishReason: text(answer["stop_reason"]) ?? text(record(answer["delta"])?.["stop_reason"]),
        // Code ran in a container, for a time that no answer has. The last event of a stream names it too.
        ...((isRecord(answer["container"]) || isRecord(record(answer["delta"])?.["container"])) && {
          uncounted: ["sessions"]
        })
      },
      usage: begun === undefined || usage === undefined ? usage : { ...usage, output_tokens: undefined }
    }
  },
  consumption: anthropicUsage,
  isLast: ({ type }: Record<string, unknown>) => type === "message_stop"
} as const

const geminiPath = /\/models\/([^/:]+):(\w+)$/

const interactionsPath = /\/v\d\w*(?:\/projects\/[^/]+\/locations\/[^/]+)?\/interactions$/

/** The name of a model in a path, where a colon may be escaped. */
const unescaped = (name: string): string => {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

const geminiOperations: ReadonlyMap<string, Protocol["operation"]> = new Map([
  ["generateContent", "generate_content"],
  ["streamGenerateContent", "generate_content"],
  ["embedContent", "embeddings"],
  ["batchEmbedContents", "embeddings"]
])

/** The form of Google's Gemini API. */
export const geminiProtocol = (model: string | undefined) => ({
  model,
  read: (answer: Record<string, unknown>): Message => {
    const usage = answer["usageMetadata"]
    const responseModel = text(answer["modelVersion"])
    const [candidate] = Array.isArray(answer["candidates"]) ? answer["candidates"] : []
    return {
      about: {
        responseModel,
        providerRequestId: text(answer["responseId"]),
        finishReason: text(record(candidate)?.["finishReason"]),
        ...geminiSearches(answer["candidates"], responseModel ?? model)
      },
      usage: isGeminiUsage(usage) ? usage : undefined
    }
  },
  consumption: geminiUsage,
  isLast: (answer: Record<string, unknown>) =>
    Array.isArray(answer["candidates"]) &&
    answer["candidates"].some((candidate) => isRecord(candidate) && text(candidate["finishReason"]) !== undefined)
})
