/**
 * Lines of the output of a batch, in which the answer of a provider is wrapped.
 *
 * OpenAI's batches, and those of others in its form, wrap the body of the response (platform.openai.com, "Batch API", "The request
 * output object"), Anthropic's a message (types of `@anthropic-ai/sdk`, `MessageBatchIndividualResponse`), Gemini's and Vertex AI's
 * the response (types of `@google/genai`, `InlinedResponse`), and Amazon Bedrock's the output of the model (docs.aws.amazon.com,
 * "View the results of a batch inference job").
 */
import { batchTier, inBatch } from "../cost/ServiceTier.js"
import type { Consumption } from "../cost/UsageRecord.js"
import { joined } from "./KnownConsumption.js"
import { isRecord, record, text } from "./UnknownJson.js"

/** What a line says by itself, or the answer that it wraps. */
export type BatchLine =
  | { readonly consumption: Consumption }
  | { readonly answer: Record<string, unknown>; readonly consumption?: never }

/** Requests of a batch that failed, were cancelled or expired are not billed. */
const refused: BatchLine = { consumption: { requests: 0, serviceTier: batchTier } }

/** The line of a batch that a message is, if it is one. */
export const batchLineIn = (message: Record<string, unknown>): BatchLine | undefined => {
  const response = record(message["response"])
  if ("custom_id" in message) {
    const result = record(message["result"])
    if (result !== undefined) return text(result["type"]) === "succeeded" ? answerIn(result["message"]) : refused
    if (response === undefined) return isRecord(message["error"]) ? refused : undefined
    const { status_code: status } = response
    return typeof status === "number" && status >= 400 ? refused : answerIn(response["body"])
  }
  if ("modelOutput" in message) return answerIn(message["modelOutput"])
  const isOfGemini = response !== undefined && ("usageMetadata" in response || "candidates" in response)
  return isOfGemini ? answerIn(response) : undefined
}

const answerIn = (answer: unknown): BatchLine | undefined => (isRecord(answer) ? { answer } : undefined)

/** The sum over a batch: which prices hold for its requests depends on the size of each. */
export const sumOfBatch = (consumption: Consumption): Consumption =>
  inBatch(joined(consumption, { uncounted: ["tokensByRequest"] }))

/** Whether a message is a batch itself, whose usage is the sum over its requests. */
export const isBatch = (message: Record<string, unknown>): boolean =>
  message["object"] === "batch" && isRecord(message["usage"])
