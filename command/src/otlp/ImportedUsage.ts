/**
 * What a call consumed, by the attributes of its span: those of this library, of the GenAI, database and messaging conventions,
 * and of the Botanu SDKs for Python and TypeScript.
 */
import { Cost, type PriceBook, type Run, Usage } from "botanu-effect"
import { BigDecimal, DateTime, Either, Schema } from "effect"
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

/** A call, as a span reports it. */
export interface ImportedCall {
  readonly usage: Usage.Usage
  /** What the span says of its cost: all of it, or the part that was known. */
  readonly usd: string | undefined
  /** Why the cost was not known, or not all of it. */
  readonly unpriced: string | undefined
}

/** The call that a span is about; none for a span of no call. */
export const callOf = (span: OtlpSpan): ImportedCall | undefined => {
  const usage = usageOf(span)
  if (usage === undefined) return undefined
  const unpriced = span.attributes.get("botanu.usage.unpriced")
  return {
    usage,
    usd: usdOf(span, "botanu.usage.cost_usd"),
    unpriced: unpriced === undefined ? undefined : String(unpriced)
  }
}

/**
 * What a call cost. A cost that its span reports as a whole is the authority. What the span reports as unknown may have a price here, but
 * for the usage that nobody reported.
 */
export const costOf = ({ unpriced, usage, usd }: ImportedCall, prices: PriceBook.Service, run: Run): Cost.Cost => {
  const priceOf = (usd: string | undefined) =>
    prices.priceOf(
      usd === undefined ? usage : new Usage.Usage({ ...usage, usd: BigDecimal.unsafeFromString(usd) }),
      run
    )
  if (unpriced === undefined) return priceOf(usd)
  const priced = priceOf(undefined)
  if (unpriced !== "no_usage" && priced._tag === "Priced") return priced
  const known = usd === undefined ? priced : priceOf(usd)
  return new Cost.Unpriced({
    reason: priced._tag === "Unpriced" && unpriced !== "no_usage" ? priced.reason : "no_usage",
    usd: known.usd,
    charges: known.charges
  })
}

/** What a run reports to have cost beside the calls that have a span: usage that was recorded without one, and spans that are missing. */
export const callsBeside = (run: OtlpSpan, calls: ReadonlyArray<ImportedCall>): ReadonlyArray<ImportedCall> => {
  const total = usdOf(run, "botanu.run.cost_usd")
  const unpricedCalls = Number(run.attributes.get("botanu.run.unpriced_calls") ?? 0)
  const without = { kind: "other", provider: "unknown", operation: "call", requests: 1, status: "success" } as const
  const usage = new Usage.Usage({ ...without, time: DateTime.unsafeMake(run.endMillis) })
  const found: Array<ImportedCall> = []
  if (total !== undefined) {
    const known = calls.reduce((sum, { usd = "0" }) => BigDecimal.sum(sum, BigDecimal.unsafeFromString(usd)), zero)
    const rest = BigDecimal.subtract(BigDecimal.unsafeFromString(total), known)
    // Less is the rounding of binary numbers.
    if (BigDecimal.unsafeToNumber(rest) > Number(total) * 1e-12) {
      found.push({ usage, usd: BigDecimal.format(rest), unpriced: undefined })
    }
  }
  const missing = Math.min(unpricedCalls - calls.filter(({ unpriced }) => unpriced !== undefined).length, mostMissing)
  for (let count = 0; count < missing; count += 1) found.push({ usage, usd: undefined, unpriced: "no_usage" })
  return found
}

const zero = BigDecimal.make(0n, 0)

/** A file may hold any number. */
const mostMissing = 1000

const usdOf = ({ attributes }: OtlpSpan, name: string): string | undefined => {
  const usd = attributes.get(name)
  return typeof usd === "number" && usd >= 0 ? decimal(usd) : undefined
}

const usageOf = (span: OtlpSpan): Usage.Usage | undefined => {
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
