/**
 * How a usage looks on the span of its call.
 */
import { BigDecimal } from "effect"
import type { Cost } from "../cost/Cost.js"
import type { Usage } from "../cost/UsageRecord.js"
import { toNumber } from "../cost/Usd.js"
import { Db, errorType, GenAi, Messaging } from "../wire/SemanticConventions.js"
import { CallAttribute } from "../wire/Wire.js"

/** What an attribute of a call's span may hold. */
export type CallAttributeValue = string | number | boolean | ReadonlyArray<string>

/** Puts an attribute somewhere. */
export type Put = (name: string, value: CallAttributeValue) => void

/** Puts on the span of a call what a usage tells of it, and nothing else. */
export const putUsage = (usage: Usage, cost: Cost, put: Put): void => {
  const own = names[usage.kind]
  for (const field in usage) {
    const name = own?.[field as keyof Usage] ?? common[field as keyof Usage]
    if (name !== undefined) put(name, usage[field as keyof Usage] as CallAttributeValue)
  }
  if (usage.requests !== 1) put(CallAttribute.requests, usage.requests)
  if (usage.finishReason !== undefined) put(GenAi.responseFinishReasons, [usage.finishReason])
  if (usage.kind === "llm" && usage.providerRequestId !== undefined) put(GenAi.responseId, usage.providerRequestId)
  if (cost._tag === "Unpriced") put(CallAttribute.unpriced, cost.reason)
  // What is not known is not zero.
  if (cost._tag === "Priced" || !BigDecimal.isZero(cost.usd)) put(CallAttribute.costUsd, toNumber(cost.usd))
}

/** Puts there what was used, which the span of a call says from its start. */
export const putIdentity = ({ kind, model, operation, provider }: Usage, put: Put): void => {
  put(CallAttribute.kind, kind)
  put(CallAttribute.provider, provider)
  put(CallAttribute.operation, operation)
  if (model !== undefined) put(CallAttribute.model, model)
}

type Names = Partial<Record<keyof Usage, string>>

const common: Names = {
  inputTokens: GenAi.inputTokens,
  cacheReadTokens: GenAi.cacheReadTokens,
  cacheWriteTokens: GenAi.cacheWriteTokens,
  outputTokens: GenAi.outputTokens,
  reasoningTokens: GenAi.reasoningTokens,
  inputCharacters: CallAttribute.inputCharacters,
  outputCharacters: CallAttribute.outputCharacters,
  images: CallAttribute.images,
  rowsReturned: CallAttribute.rowsReturned,
  rowsAffected: CallAttribute.rowsAffected,
  bytesScanned: CallAttribute.bytesScanned,
  bytesRead: CallAttribute.bytesRead,
  bytesWritten: CallAttribute.bytesWritten,
  objects: CallAttribute.objects,
  messages: Messaging.messageCount,
  computeMs: CallAttribute.computeMs,
  responseModel: GenAi.responseModel,
  providerRequestId: CallAttribute.providerRequestId,
  clientRequestId: CallAttribute.clientRequestId,
  attempt: CallAttribute.attempt,
  errorType
}

const names: Partial<Record<Usage["kind"], Names>> = {
  database: { rowsReturned: Db.returnedRows, providerRequestId: CallAttribute.queryId }
}
