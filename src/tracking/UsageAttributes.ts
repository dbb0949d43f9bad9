/**
 * How a usage looks on the span of its call.
 */
import { BigDecimal } from "effect"
import type { Cost } from "../cost/Cost.js"
import { attributeOf, meterNames, meters } from "../cost/Meter.js"
import type { Usage } from "../cost/UsageRecord.js"
import { toNumber } from "../cost/Usd.js"
import { errorType, GenAi } from "../wire/SemanticConventions.js"
import { CallAttribute, Key } from "../wire/Wire.js"

/** What an attribute of a call's span may hold. */
export type CallAttributeValue = string | number | boolean | ReadonlyArray<string>

/** Puts an attribute somewhere. */
export type Put = (name: string, value: CallAttributeValue) => void

/** Puts on the span of a call what its usage reports, and its cost. Outside of a run nobody pays, and there is no cost. */
export const putUsage = (usage: Usage, cost: Cost | undefined, put: Put): void => {
  if (!putPlain(usage, put)) putAny(usage, put)
  if (cost === undefined) return
  if (cost._tag === "Unpriced") put(CallAttribute.unpriced, cost.reason)
  // What is not known is not zero.
  if (cost._tag === "Priced" || !BigDecimal.isZero(cost.usd)) put(CallAttribute.costUsd, toNumber(cost.usd))
}

/** Puts there what was used, which the span of a call says from its start. */
export const putIdentity = ({ kind, model, operation, provider, step }: Usage, put: Put): void => {
  put(CallAttribute.kind, kind)
  put(CallAttribute.provider, provider)
  put(CallAttribute.operation, operation)
  if (model !== undefined) put(CallAttribute.model, model)
  if (step !== undefined) put(Key.step, step)
}

/**
 * Puts there the fields of a usage by name, which takes a fraction of the time; false where it has others. Most usages are of a model, its
 * tokens and ids.
 */
const putPlain = (usage: Usage, put: Put): boolean => {
  if (usage.kind !== "llm" || usage.requests !== 1) return false
  const { cacheReadTokens, durationMs, finishReason, inputTokens, isStreaming, model } = usage
  const { outputTokens, providerRequestId, reasoningTokens, responseModel, step } = usage
  // Those that every usage has: who and what it was, when, how it ended, how many requests.
  let left = -6
  for (const _ in usage) left += 1
  if (step !== undefined) left -= 1
  if (model !== undefined) left -= 1
  if (durationMs !== undefined) left -= 1
  if (isStreaming !== undefined) left -= 1
  if (inputTokens !== undefined) left -= 1
  if (cacheReadTokens !== undefined) left -= 1
  if (outputTokens !== undefined) left -= 1
  if (reasoningTokens !== undefined) left -= 1
  if (responseModel !== undefined) left -= 1
  if (providerRequestId !== undefined) left -= 1
  if (finishReason !== undefined) left -= 1
  if (left !== 0) return false
  if (inputTokens !== undefined) put(meters.inputTokens.attribute, inputTokens)
  if (cacheReadTokens !== undefined) put(meters.cacheReadTokens.attribute, cacheReadTokens)
  if (outputTokens !== undefined) put(meters.outputTokens.attribute, outputTokens)
  if (reasoningTokens !== undefined) put(meters.reasoningTokens.attribute, reasoningTokens)
  if (responseModel !== undefined) put(GenAi.responseModel, responseModel)
  if (providerRequestId !== undefined) {
    put(CallAttribute.providerRequestId, providerRequestId)
    put(GenAi.responseId, providerRequestId)
  }
  if (finishReason !== undefined) put(GenAi.responseFinishReasons, [finishReason])
  return true
}

const putAny = (usage: Usage, put: Put): void => {
  const names = usage.kind === "database" ? databaseNames : commonNames
  for (const field in usage) {
    const name = names.get(field)
    if (name !== undefined) put(name, usage[field as keyof Usage] as CallAttributeValue)
  }
  if (usage.requests !== 1) put(meters.requests.attribute, usage.requests)
  putNamed(usage.toolCalls, CallAttribute.toolCallsPrefix, put)
  putNamed(usage.other, CallAttribute.otherPrefix, put)
  if (usage.finishReason !== undefined) put(GenAi.responseFinishReasons, [usage.finishReason])
  if (usage.kind === "llm" && usage.providerRequestId !== undefined) put(GenAi.responseId, usage.providerRequestId)
}

const putNamed = (quantities: Usage["other"], prefix: string, put: Put): void => {
  for (const name in quantities) put(prefix + name, quantities[name] as number)
}

/** The attributes of the fields that are put as they are. */
const namesFor = (kind: Usage["kind"], providerRequestId: string): ReadonlyMap<string, string> => {
  const names: Partial<Record<keyof Usage, string>> = {
    uncounted: CallAttribute.uncounted,
    serviceTier: CallAttribute.serviceTier,
    region: CallAttribute.region,
    responseModel: GenAi.responseModel,
    providerRequestId,
    clientRequestId: CallAttribute.clientRequestId,
    attempt: CallAttribute.attempt,
    errorType
  }
  for (const name of meterNames) if (name !== "requests") names[name] = attributeOf(name, kind)
  return new Map(Object.entries(names))
}

const commonNames = namesFor("llm", CallAttribute.providerRequestId)
const databaseNames = namesFor("database", CallAttribute.queryId)
