import * as conventions from "@opentelemetry/semantic-conventions/incubating"
import { expect, it } from "vitest"
import * as ours from "../../src/wire/SemanticConventions.js"

/** Which constant of the conventions each of our names is. */
const constants = {
  GenAi: {
    operationName: conventions.ATTR_GEN_AI_OPERATION_NAME,
    providerName: conventions.ATTR_GEN_AI_PROVIDER_NAME,
    requestModel: conventions.ATTR_GEN_AI_REQUEST_MODEL,
    requestStream: conventions.ATTR_GEN_AI_REQUEST_STREAM,
    responseModel: conventions.ATTR_GEN_AI_RESPONSE_MODEL,
    responseId: conventions.ATTR_GEN_AI_RESPONSE_ID,
    responseFinishReasons: conventions.ATTR_GEN_AI_RESPONSE_FINISH_REASONS,
    inputTokens: conventions.ATTR_GEN_AI_USAGE_INPUT_TOKENS,
    cacheReadTokens: conventions.ATTR_GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    cacheWriteTokens: conventions.ATTR_GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
    outputTokens: conventions.ATTR_GEN_AI_USAGE_OUTPUT_TOKENS,
    reasoningTokens: conventions.ATTR_GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    toolName: conventions.ATTR_GEN_AI_TOOL_NAME,
    toolCallId: conventions.ATTR_GEN_AI_TOOL_CALL_ID
  },
  Db: {
    systemName: conventions.ATTR_DB_SYSTEM_NAME,
    operationName: conventions.ATTR_DB_OPERATION_NAME,
    namespace: conventions.ATTR_DB_NAMESPACE,
    collectionName: conventions.ATTR_DB_COLLECTION_NAME,
    returnedRows: conventions.ATTR_DB_RESPONSE_RETURNED_ROWS
  },
  Messaging: {
    system: conventions.ATTR_MESSAGING_SYSTEM,
    operationName: conventions.ATTR_MESSAGING_OPERATION_NAME,
    operationType: conventions.ATTR_MESSAGING_OPERATION_TYPE,
    destinationName: conventions.ATTR_MESSAGING_DESTINATION_NAME,
    messageCount: conventions.ATTR_MESSAGING_BATCH_MESSAGE_COUNT
  },
  errorType: conventions.ATTR_ERROR_TYPE
}

it("names of attributes are constants of the conventions", () => {
  expect({ ...ours }).toEqual(constants)
})
