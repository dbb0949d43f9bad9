/**
 * What an answer of a provider reports, whichever client received it.
 */
import { normalizeProvider } from "../cost/Provider.js"
import { inBatch } from "../cost/ServiceTier.js"
import type { Consumption } from "../cost/UsageRecord.js"
import type { AnswerForm } from "./AnswerForm.js"
import { batchLineIn, isBatch, sumOfBatch } from "./BatchLine.js"
import { converseForm, isConverseAnswer } from "./BedrockUsage.js"
import { billingIn, cohereUsage } from "./CohereUsage.js"
import { interactionIn, interactionsForm, isInteractionEvent } from "./InteractionsUsage.js"
import { joined } from "./KnownConsumption.js"
import { mediaProtocolAt } from "./OpenAiMedia.js"
import { anthropic, geminiProtocol, openAi } from "./ProviderProtocol.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

/**
 * Reads the usage in an answer of a provider, or in an event of a streamed one, as the provider writes it in JSON. By the rules of
 * `RunAi.layer`, for answers that other clients receive: for the `usage` option of `Llm.track`, or `Usage.report`. It understands
 * the forms of OpenAI (Responses, Chat Completions, embeddings, images, transcription), Anthropic, Gemini, Bedrock's Converse API,
 * Gemini's Interactions API, Cohere and Mistral's OCR, and lines of the output of batches, whose answers are of the tier `batch`.
 * What is no such answer gives nothing.
 *
 * @example
 * ```ts
 * import { Botanu, Llm } from "botanu-effect"
 * import { RunAi } from "botanu-effect/ai"
 * import { Effect } from "effect"
 *
 * const generate = Effect.succeed({
 *   candidates: [{ finishReason: "STOP" }],
 *   modelVersion: "gemini-2.5-flash",
 *   usageMetadata: { promptTokenCount: 41, candidatesTokenCount: 5, thoughtsTokenCount: 343, totalTokenCount: 389 }
 * })
 *
 * const program = generate.pipe(
 *   Llm.track({ provider: "gemini", model: "gemini-2.5-flash", usage: RunAi.usageIn("gemini") }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category usage
 */
export const usageIn = (provider: string): ((answer: unknown, soFar?: Consumption) => Consumption | undefined) => {
  const read = formsOf(normalizeProvider(provider))
  return (answer, soFar = {}) => {
    try {
      return isRecord(answer) ? withSplit(read(answer, soFar), soFar) : undefined
    } catch {
      // An answer that is a class of its own may refuse to be read.
      return undefined
    }
  }
}

/** Only the first event of Anthropic's streams says for how long what was written to the cache is kept. */
const withSplit = (consumption: Consumption, soFar: Consumption): Consumption => {
  const { cacheWriteTokens, uncounted } = consumption
  const isKnown = cacheWriteTokens !== undefined && cacheWriteTokens === soFar.cacheWriteTokens
  if (!isKnown || soFar.uncounted !== undefined || uncounted?.join() !== "cacheWrite1hTokens") return consumption
  return { ...consumption, uncounted: undefined }
}

const formsOf = (provider: string) => {
  const openAiForm = openAi(provider, undefined)
  const geminiForm = geminiProtocol(undefined)
  const imagesForm = mediaProtocolAt("/images/generations", provider)
  const readAnswer = (answer: Record<string, unknown>, soFar: Consumption): Consumption => {
    if (interactionIn(answer) !== undefined || isInteractionEvent(answer)) return readBy(interactionsForm, answer)
    const billing = billingIn(answer)
    if (billing !== undefined) return cohereUsage(billing)
    const pages = count(record(answer["usage_info"])?.["pages_processed"])
    if (pages !== undefined) return { responseModel: text(answer["model"]), pages }
    if (isConverseAnswer(answer)) return readBy(converseForm, answer)
    if (isRecord(answer["usageMetadata"]) || Array.isArray(answer["candidates"])) return readBy(geminiForm, answer)
    if (isOfAnthropic(answer)) return readBy(anthropic, withUnchanged(answer, soFar))
    if (imagesForm !== undefined && Array.isArray(answer["data"]) && answer["data"].some(isImage)) {
      return readBy(imagesForm, answer)
    }
    return readBy(openAiForm, answer)
  }
  return (message: Record<string, unknown>, soFar: Consumption): Consumption => {
    const line = batchLineIn(message)
    if (line === undefined) return isBatch(message) ? sumOfBatch(readAnswer(message, {})) : readAnswer(message, soFar)
    return line.consumption ?? inBatch(readAnswer(line.answer, {}))
  }
}

/**
 * The last event of a stream of Anthropic with all kinds of input, where it names one: those that it does not name, or names as null, are
 * as the first event has them (`@anthropic-ai/sdk`, `MessageStream`).
 */
const withUnchanged = (answer: Record<string, unknown>, soFar: Consumption): Record<string, unknown> => {
  const usage = record(answer["usage"])
  if (answer["type"] !== "message_delta" || usage === undefined || soFar.inputTokens === undefined) return answer
  const named = withoutNulls(usage)
  if (!anthropicInputs.some((name) => name in named)) return answer
  const { cacheReadTokens = 0, cacheWriteTokens = 0, inputTokens } = soFar
  const before = {
    input_tokens: inputTokens - cacheReadTokens - cacheWriteTokens,
    cache_read_input_tokens: soFar.cacheReadTokens,
    cache_creation_input_tokens: soFar.cacheWriteTokens
  }
  return { ...answer, usage: { ...before, ...named } }
}

const anthropicInputs = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]

const readBy = (
  { consumption, read }: Pick<AnswerForm, "consumption" | "read">,
  answer: Record<string, unknown>
): Consumption => {
  const { about, usage } = read(answer)
  return usage === undefined ? about : joined(about, consumption(withoutNulls(usage)))
}

/** Null says nothing, as in the events of a stream. */
const withoutNulls = (usage: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null))

const isOfAnthropic = (answer: Record<string, unknown>): boolean => {
  const type = text(answer["type"])
  return type === "message" || (type?.startsWith("message_") ?? false)
}

const isImage = (item: unknown): boolean => isRecord(item) && ("b64_json" in item || "url" in item)
