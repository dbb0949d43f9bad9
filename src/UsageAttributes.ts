/**
 * How a usage looks on the span of its call.
 */
import { BigDecimal } from "effect"
import type { Cost } from "./Cost.js"
import { Db, errorType, GenAi, Messaging } from "./SemanticConventions.js"
import type { Usage } from "./UsageRecord.js"
import { toNumber } from "./Usd.js"
import { CallAttribute } from "./Wire.js"

/** What an attribute of a call's span may hold. */
export type CallAttributeValue = string | number | boolean | ReadonlyArray<string>

type Entry = readonly [name: string, value: CallAttributeValue]

/** What a usage puts on the span of its call: what is told of it, and nothing else. */
export const usageAttributes = (usage: Usage, cost: Cost): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = []
  for (const field in usage) {
    const name = names[usage.kind]?.[field as keyof Usage] ?? common[field as keyof Usage]
    if (name !== undefined) entries.push([name, usage[field as keyof Usage] as CallAttributeValue])
  }
  if (usage.requests !== 1) entries.push([CallAttribute.requests, usage.requests])
  if (usage.finishReason !== undefined) entries.push([GenAi.responseFinishReasons, [usage.finishReason]])
  if (usage.kind === "llm" && usage.providerRequestId !== undefined) {
    entries.push([GenAi.responseId, usage.providerRequestId])
  }
  if (cost._tag === "Unpriced") entries.push([CallAttribute.unpriced, cost.reason])
  // What is not known is not zero.
  if (cost._tag === "Priced" || !BigDecimal.isZero(cost.usd)) entries.push([CallAttribute.costUsd, toNumber(cost.usd)])
  return entries
}

/** What was used: on the span of a call from its start. */
export const identityAttributes = ({ kind, model, operation, provider }: Usage): ReadonlyArray<Entry> => {
  const entries: Array<Entry> = [
    [CallAttribute.kind, kind],
    [CallAttribute.provider, provider],
    [CallAttribute.operation, operation]
  ]
  return model === undefined ? entries : [...entries, [CallAttribute.model, model]]
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
