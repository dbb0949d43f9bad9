/**
 * Calls of language models, embedding models and the tools that they use.
 */
import { normalizeProvider } from "./cost/Provider.js"
import type { RunContext } from "./RunContext.js"
import { type CallDescription, makeTrack, type Track } from "./tracking/TrackedCall.js"
import { GenAi } from "./wire/SemanticConventions.js"

/**
 * What is done with a model (`gen_ai.operation.name`).
 *
 * @example
 * ```ts
 * import type { Llm } from "botanu-effect"
 *
 * const operation: Llm.ModelOperation = "embeddings"
 * console.log(operation)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type ModelOperation =
  | "chat"
  | "text_completion"
  | "embeddings"
  | "generate_content"
  | "image_generation"
  | (string & {})

/** What identifies a call among others. */
interface Identity {
  /** The id that the program gives the request. */
  readonly clientRequestId?: string | undefined
  /** 1 for the first try. */
  readonly attempt?: number | undefined
}

/**
 * A call of a model.
 *
 * @example
 * ```ts
 * import { Botanu, Llm } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const call: Llm.ModelCall = { provider: "openai", model: "quill-2", operation: "chat" }
 * const program = Effect.succeed("a draft").pipe(
 *   Llm.track({ ...call, usage: () => ({ inputTokens: 1200, outputTokens: 214 }) }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelCall extends Identity {
  /** Who provides the model; spelled as the GenAI conventions do, whatever is given: `Azure OpenAI` is `azure.ai.openai`. */
  readonly provider: string
  /** The model that is asked for. */
  readonly model: string
  /**
   * What is done with the model.
   * @default "chat"
   */
  readonly operation?: ModelOperation | undefined
  /**
   * Whether the answer is streamed.
   * @default whether a stream is tracked
   */
  readonly isStreaming?: boolean | undefined
  /**
   * Whether the answer is one of a batch, which is read after the batch has ended. It is of the tier `batch`, unless it names another
   * tier than the standard one.
   * @default false
   */
  readonly isBatch?: boolean | undefined
}

/**
 * A call of a tool that a model asked for. Models that are called inside of it are calls of their own.
 *
 * @example
 * ```ts
 * import { Botanu, Llm } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const call: Llm.ToolCall = { operation: "execute_tool", tool: "search_tickets" }
 * const program = Effect.succeed(["ticket-7"]).pipe(
 *   Llm.track({ ...call }),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCall extends Identity {
  /** Distinguishes the call of a tool from that of a model. */
  readonly operation: "execute_tool"
  /** The name of the tool. */
  readonly tool: string
  /** The id that the model gave the call. */
  readonly toolCallId?: string | undefined
  /** Who provides the tool. */
  readonly provider?: string | undefined
}

/**
 * Tracks an effect or a stream as one call: opens its span, named as the GenAI conventions have it, and records to the current
 * run what it consumed, in a finalizer. So a call that fails, is interrupted, or whose stream is abandoned counts with what
 * the `usage` option or `Usage.report` reported until then. A stream's usage is recorded on the run that started the stream, whichever fiber consumes it. A call that `botanu-effect/ai` sees too is recorded once.
 *
 * @example
 * ```ts
 * import { Botanu, Llm } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const ask = Effect.succeed({ text: "a draft", usage: { inputTokens: 1200, outputTokens: 214 } })
 * const program = Llm.track(ask, { provider: "openai", model: "quill-2", usage: ({ usage }) => usage }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category tracking
 */
export const track: Track<ModelCall | ToolCall, RunContext> = makeTrack((call, isStream) =>
  "tool" in call ? toolCall(call) : modelCall(call, isStream)
)

const modelCall = (
  { attempt, clientRequestId, isBatch, isStreaming, model, operation = "chat", provider }: ModelCall,
  isStream: boolean
): CallDescription => ({
  details: { kind: "llm", provider, operation, model, isStreaming: isStreaming ?? isStream, clientRequestId, attempt },
  isModelCall: true,
  isBatch,
  spanName: `${operation} ${model}`,
  spanKind: "client",
  attributes: {
    [GenAi.operationName]: operation,
    [GenAi.providerName]: normalizeProvider(provider),
    [GenAi.requestModel]: model,
    ...((isStreaming ?? isStream) && { [GenAi.requestStream]: true })
  }
})

const toolCall = ({ attempt, clientRequestId, operation, provider, tool, toolCallId }: ToolCall): CallDescription => ({
  details: { kind: "llm", provider: provider ?? "unknown", operation, model: tool, clientRequestId, attempt },
  isModelCall: false,
  spanName: `${operation} ${tool}`,
  spanKind: "internal",
  attributes: {
    [GenAi.operationName]: operation,
    [GenAi.toolName]: tool,
    ...(provider !== undefined && { [GenAi.providerName]: normalizeProvider(provider) }),
    ...(toolCallId !== undefined && { [GenAi.toolCallId]: toolCallId })
  }
})
