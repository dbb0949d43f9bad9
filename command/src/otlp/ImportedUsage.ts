/**
 * What a call consumed, by the attributes of its span: those of this library, of the GenAI, database and messaging conventions,
 * and of the Botanu SDKs for Python and TypeScript.
 */
import { Usage } from "botanu-effect"
import { DateTime, Either, Schema } from "effect"
import type { OtlpSpan } from "./OtlpSpan.js"

type Kind = Usage.Usage["kind"]

/** Attributes that hold the system of a call, with the kind that they mean. The first that is there counts. */
const systems: ReadonlyArray<readonly [attribute: string, kind: Kind]> = [
  ["gen_ai.provider.name", "llm"],
  ["gen_ai.system", "llm"],
  ["db.system.name", "database"],
  ["db.system", "database"],
  ["botanu.storage.system", "storage"],
  ["messaging.system", "messaging"],
  ["botanu.vendor", "llm"]
]

const operations: ReadonlyArray<string> = [
  "botanu.usage.operation",
  "gen_ai.operation.name",
  "db.operation.name",
  "db.operation",
  "botanu.storage.operation",
  "messaging.operation.name",
  "messaging.operation"
]

/** Fields of texts, with the attributes that hold them. The first that is there counts. */
const texts = {
  model: ["botanu.usage.model", "gen_ai.request.model", "gen_ai.tool.name"],
  responseModel: ["gen_ai.response.model"],
  step: ["botanu.step"],
  providerRequestId: [
    "gen_ai.response.id",
    "botanu.vendor.request_id",
    "botanu.provider.request_id",
    "botanu.warehouse.query_id"
  ],
  clientRequestId: ["botanu.vendor.client_request_id"],
  serviceTier: ["botanu.usage.service_tier", "gen_ai.openai.response.service_tier"],
  region: ["botanu.usage.region"],
  finishReason: ["gen_ai.response.finish_reasons"],
  errorType: ["error.type"],
  database: ["db.namespace", "db.name"],
  collection: ["db.collection.name"],
  bucket: ["botanu.storage.bucket"],
  destination: ["messaging.destination.name"]
} as const

/** Fields of whole numbers, likewise. */
const counts = {
  inputTokens: ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
  outputTokens: ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
  cacheReadTokens: [
    "gen_ai.usage.cache_read.input_tokens",
    "botanu.usage.cache_read_tokens",
    "botanu.usage.cached_tokens"
  ],
  cacheWriteTokens: ["gen_ai.usage.cache_creation.input_tokens", "botanu.usage.cache_write_tokens"],
  reasoningTokens: ["gen_ai.usage.reasoning.output_tokens"],
  rowsReturned: ["db.response.returned_rows", "botanu.data.rows_returned"],
  rowsAffected: ["botanu.data.rows_affected"],
  bytesRead: ["botanu.data.bytes_read", "botanu.tool.bytes_processed"],
  bytesWritten: ["botanu.data.bytes_written"],
  bytesScanned: ["botanu.warehouse.bytes_scanned"],
  objects: ["botanu.data.objects_count", "botanu.tool.items_returned"],
  messages: ["messaging.batch.message_count", "botanu.messaging.message_count"],
  attempt: ["botanu.request.attempt"]
} as const

/** The usage of the call that a span is about; none for a span of no call. */
export const usageOf = (span: OtlpSpan): Usage.Usage | undefined => {
  const { attributes } = span
  const text = (names: ReadonlyArray<string>): string | undefined => {
    for (const name of names) {
      const value = attributes.get(name)
      if (typeof value === "string" && value !== "") return value
    }
    return undefined
  }
  const count = (names: ReadonlyArray<string>): number | undefined => {
    for (const name of names) {
      const value = Number(attributes.get(name) ?? Number.NaN)
      if (Number.isSafeInteger(value) && value >= 0) return value
    }
    return undefined
  }
  const [systemName, kindOfSystem] = systems.find(([name]) => typeof attributes.get(name) === "string") ?? []
  const operation = text(operations)
  const model = text(texts.model)
  const kind = text(["botanu.usage.kind"]) ?? kindOfSystem ?? (model === undefined ? undefined : "llm")
  const provider = text(["botanu.usage.provider"]) ?? (systemName === undefined ? undefined : text([systemName]))
  if (kind === undefined || (provider === undefined && model === undefined)) return undefined
  const usd = attributes.get("botanu.usage.cost_usd")
  const requests = count(["botanu.usage.requests"]) ?? (attributes.get("botanu.request.cache_hit") === true ? 0 : 1)
  const known = {
    ...Object.fromEntries(Object.entries(texts).map(([field, names]) => [field, text(names)])),
    ...Object.fromEntries(Object.entries(counts).map(([field, names]) => [field, count(names)]))
  }
  return Either.getOrUndefined(
    decodeUsage({
      kind,
      provider: provider ?? "unknown",
      operation: operation ?? "call",
      time: DateTime.formatIso(DateTime.unsafeMake(span.endMillis)),
      status: span.isError ? "failure" : "success",
      durationMs: Math.max(0, span.endMillis - span.startMillis),
      requests,
      ...(typeof usd === "number" && usd >= 0 && { usd: decimal(usd) }),
      ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
    })
  )
}

const decodeUsage = Schema.decodeUnknownEither(Usage.Usage)

/** Without an exponent. What was recorded as a binary number has no more than 15 digits that mean anything. */
const decimal = (value: number): string => {
  const [digits = "0", exponent = "0"] = value.toPrecision(15).split("e")
  if (exponent === "0") return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits
  return value.toFixed(24).replace(/\.?0+$/, "")
}
