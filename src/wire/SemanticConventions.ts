/**
 * Attribute names of OpenTelemetry's semantic conventions for calls to models, databases and messaging systems, as
 * `@opentelemetry/semantic-conventions` 1.45 spells them.
 */

/** GenAI conventions. */
export const GenAi = {
  operationName: "gen_ai.operation.name",
  providerName: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  requestStream: "gen_ai.request.stream",
  responseModel: "gen_ai.response.model",
  responseId: "gen_ai.response.id",
  responseFinishReasons: "gen_ai.response.finish_reasons",
  inputTokens: "gen_ai.usage.input_tokens",
  cacheReadTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheWriteTokens: "gen_ai.usage.cache_creation.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  toolName: "gen_ai.tool.name",
  toolCallId: "gen_ai.tool.call.id"
} as const

/** Database conventions. */
export const Db = {
  systemName: "db.system.name",
  operationName: "db.operation.name",
  namespace: "db.namespace",
  collectionName: "db.collection.name",
  returnedRows: "db.response.returned_rows"
} as const

/** Messaging conventions. */
export const Messaging = {
  system: "messaging.system",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  destinationName: "messaging.destination.name",
  messageCount: "messaging.batch.message_count"
} as const

/** The class of the error that ended an operation. */
export const errorType = "error.type"
