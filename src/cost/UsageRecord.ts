/**
 * What one call consumed: the record behind `Usage`, and how it is made of what a program says.
 */
import { DateTime, Schema, type Types } from "effect"
import { type FieldProblem, quote, refusal } from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { type Aspect, isMeterName, type MeterName, meterNames, meterOf, type meters } from "./Meter.js"
import { normalizeSystem } from "./Provider.js"
import { normalizeServiceTier } from "./ServiceTier.js"
import { UsageKind } from "./UsageKind.js"
import { expectedAmount, fromNonNegative, Usd, type UsdInput, withAmountsAsText } from "./Usd.js"

export { UsageKind } from "./UsageKind.js"

/**
 * How a call ended. What was consumed until then is recorded in any case.
 *
 * @example
 * ```ts
 * import { Usage } from "botanu-effect"
 *
 * console.log(Usage.UsageStatus.literals)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export const UsageStatus = Schema.Literal("success", "failure", "interrupted")
export type UsageStatus = typeof UsageStatus.Type

type FieldSchema = Schema.optionalWith<Schema.Schema<number>, { exact: true }>

/** What was consumed, as far as it is known: a field for each meter. */
const quantities = Object.fromEntries(
  meterNames.map((name) => [
    name,
    optional(meterOf(name).isFractional ? Schema.NonNegative.pipe(Schema.finite()) : Schema.NonNegativeInt)
  ])
) as { readonly [Name in keyof typeof meters]: FieldSchema }

/** Quantities by names that are not in the table of meters. */
const NamedQuantities = Schema.Record({ key: Schema.String, value: Schema.NonNegative.pipe(Schema.finite()) })

/** What was used of a database, a store or a messaging system. */
const targets = {
  /** The name of the database. */
  database: optional(Schema.String),
  /** The table or collection. */
  collection: optional(Schema.String),
  bucket: optional(Schema.String),
  /** The queue or topic. */
  destination: optional(Schema.String)
}

type Target = keyof typeof targets

const targetNames = Object.keys(targets) as ReadonlyArray<Target>

/**
 * What one call consumed.
 *
 * @example
 * ```ts
 * import { Usage } from "botanu-effect"
 * import { DateTime } from "effect"
 *
 * const usage = new Usage.Usage({
 *   kind: "llm",
 *   provider: "openai",
 *   operation: "chat",
 *   model: "quill-2",
 *   time: DateTime.unsafeMake("2026-06-01T00:00:00Z"),
 *   status: "success",
 *   requests: 1,
 *   inputTokens: 1204,
 *   outputTokens: 87
 * })
 *
 * console.log(usage.inputTokens)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export class Usage extends Schema.Class<Usage>("botanu/Usage")({
  kind: UsageKind,
  /** Who provided it, as the semantic conventions spell it: `openai`, `postgresql`, `aws_sqs`. */
  provider: Schema.String,
  /** What was done: `chat`, `embeddings`, `SELECT`, `send`. */
  operation: Schema.String,
  /** The step of the run in which it was consumed. */
  step: optional(Schema.String),
  /** The model that was asked for, or the tool. */
  model: optional(Schema.String),
  /** The model that answered. */
  responseModel: optional(Schema.String),
  /** When it was consumed; the time for which its price is looked up. */
  time: Schema.DateTimeUtc,
  /** How the call ended. */
  status: UsageStatus,
  /** How long the call took until `time`, in milliseconds. Absent where its start is not known. */
  durationMs: optional(Schema.NonNegative.pipe(Schema.finite())),
  ...quantities,
  /** Requests that were served; 0 where the provider refused. */
  requests: Schema.NonNegativeInt,
  /** Calls of tools that the provider ran for the call, by the name of the tool. Searches of the web are `webSearches`. */
  toolCalls: optional(NamedQuantities),
  /** Quantities that the provider reported and for which there is no meter, by the provider's name. */
  other: optional(NamedQuantities),
  /** What was consumed in an amount that is not known, such as `cacheWrite1hTokens`. It makes the call unpriced. */
  uncounted: optional(Schema.Array(Schema.String)),
  /** The tier in which the call was served: `standard`, `priority`, `flex`, `batch`, `fast`, or the provider's own name. */
  serviceTier: optional(Schema.String),
  /** Where the call was served, in the provider's words, such as `us`. */
  region: optional(Schema.String),
  /** What it cost in US dollars, where the provider says so. No price is looked up then. */
  usd: optional(Usd),
  isStreaming: optional(Schema.Boolean),
  /** 1 for the first try of this call. */
  attempt: optional(Schema.Positive.pipe(Schema.int())),
  finishReason: optional(Schema.String),
  /** The provider's id of the request or of the answer. */
  providerRequestId: optional(Schema.String),
  /** The id that the program gave the request. */
  clientRequestId: optional(Schema.String),
  /** The class of the error, where the call failed. */
  errorType: optional(Schema.String),
  ...targets
}) {
  /** The record as plain JSON. */
  toJSON(): unknown {
    return withAmountsAsText(this)
  }
}

/**
 * The name of a quantity of what was consumed: that of its meter.
 *
 * @example
 * ```ts
 * import type { Usage } from "botanu-effect"
 *
 * export const tokens: ReadonlyArray<Usage.Quantity> = ["inputTokens", "outputTokens"]
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export type Quantity = MeterName

/**
 * What a call consumed, as far as it is known. An absent detail and an `undefined` one are the same: it is not known.
 *
 * @example
 * ```ts
 * import { Usage } from "botanu-effect"
 *
 * const consumed: Usage.Consumption = { inputTokens: 1204, outputTokens: 87, serviceTier: "flex" }
 *
 * export const report = Usage.report(consumed)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export interface Consumption extends Readonly<Partial<Record<Quantity, number | undefined>>> {
  /** Calls of tools that the provider ran for the call, by the name of the tool. Searches of the web are `webSearches`. */
  readonly toolCalls?: Readonly<Record<string, number>> | undefined
  /** Quantities that the provider reported and for which there is no meter, by the provider's name. */
  readonly other?: Readonly<Record<string, number>> | undefined
  /** What was consumed in an amount that is not known, such as `cacheWrite1hTokens`. It makes the call unpriced. */
  readonly uncounted?: ReadonlyArray<string> | undefined
  /** The tier in which the call was served, such as `priority`. `default` and `on_demand` are `standard`. */
  readonly serviceTier?: string | undefined
  /** Where the call was served, in the provider's words, such as `us`. */
  readonly region?: string | undefined
  /** What the call cost, where the provider says so. */
  readonly usd?: UsdInput | undefined
  /** The model that answered. */
  readonly responseModel?: string | undefined
  /** Why the model stopped, in the words of the provider. */
  readonly finishReason?: string | undefined
  /** The id of the request or of the answer that the provider gave. */
  readonly providerRequestId?: string | undefined
  /** The id that the program gave the request. */
  readonly clientRequestId?: string | undefined
  /** 1 for the first try of this call. */
  readonly attempt?: number | undefined
  /** Whether the answer came as a stream. */
  readonly isStreaming?: boolean | undefined
  /** The class of the error, where the call failed. */
  readonly errorType?: string | undefined
}

/** Whether it is known what a call consumed. A part says nothing of its total. */
export const hasQuantity = (consumption: Consumption): boolean => {
  if (consumption.inputTokens !== undefined || consumption.outputTokens !== undefined) return true
  // A call names a few of them.
  for (const key in consumption) if (consumption[key as keyof Consumption] !== undefined && wholes.has(key)) return true
  return false
}

const wholes: ReadonlySet<string> = new Set([
  ...meterNames.filter((name) => name !== "requests" && meterOf(name).partOf === undefined),
  "toolCalls",
  "other",
  "usd"
])

/**
 * What there is to say of a call.
 *
 * @example
 * ```ts
 * import { Usage } from "botanu-effect"
 *
 * const details: Usage.UsageDetails = { kind: "database", provider: "bigquery", operation: "SELECT", bytesScanned: 80_000_000 }
 *
 * export const record = Usage.record(details)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export interface UsageDetails extends Consumption, Readonly<Partial<Record<Target, string | undefined>>> {
  /** What kind of thing was consumed. */
  readonly kind: UsageKind
  /** Who provided it; spelled as the semantic conventions do, whatever is given. */
  readonly provider: string
  /** What was done: `chat`, `embeddings`, `SELECT`, `send`. */
  readonly operation: string
  /**
   * The step of the run in which it was consumed.
   * @default the step of the run in which it is recorded
   */
  readonly step?: string | undefined
  /** The model that was asked for, or the tool. */
  readonly model?: string | undefined
  /**
   * When it was consumed; the time for which its price is looked up.
   * @default now
   */
  readonly time?: DateTime.Utc | undefined
  /**
   * How the call ended.
   * @default "success"
   */
  readonly status?: UsageStatus | undefined
  /** How long the call took until `time`, in milliseconds. */
  readonly durationMs?: number | undefined
}

/** What the place of a usage knows of it, where its details do not name it. */
export interface KnownDetails {
  readonly time: DateTime.Utc
  readonly durationMs?: number | undefined
  readonly step?: string | undefined
}

/**
 * A usage of checked details; `further` ones come first. What is wrong with a detail is passed to `onProblem`, and the detail
 * left out; what a usage cannot be without becomes `other` and `unknown`.
 */
export const make = (
  details: UsageDetails,
  further: Partial<UsageDetails>,
  known: KnownDetails,
  onProblem: (problem: FieldProblem) => void
): Usage => plainUsage(details, further, known) ?? anyUsage(details, further, known, onProblem)

/**
 * Most usages name no more than a model, its tokens and ids, and nothing is wrong with them. Those are put together field by field, by
 * name, which takes a fraction of the time; `undefined` is any other.
 */
const plainUsage = (details: UsageDetails, further: Partial<UsageDetails>, known: KnownDetails): Usage | undefined => {
  // The fields that are not taken yet.
  let left = fieldsIn(details) + fieldsIn(further)
  const { isStreaming, kind, model, operation, provider, status } = details
  const {
    cacheReadTokens,
    finishReason,
    inputTokens,
    outputTokens,
    providerRequestId,
    reasoningTokens,
    responseModel
  } = further
  if (kind !== "llm") return undefined
  const names = namesOf(provider, operation, model, responseModel, finishReason)
  if (names === undefined) return undefined
  left -= 3
  const usage: Unchecked = Object.create(Usage.prototype)
  usage.requests = 1
  usage.status = "success"
  usage.time = known.time
  if (known.durationMs !== undefined) usage.durationMs = known.durationMs
  if (known.step !== undefined) usage.step = known.step
  usage.kind = kind
  usage.provider = names.normalized
  usage.operation = operation
  if (model !== undefined) {
    usage.model = model
    left -= 1
  }
  if (isStreaming !== undefined) {
    if (typeof isStreaming !== "boolean") return undefined
    usage.isStreaming = isStreaming
    left -= 1
  }
  if (status !== undefined) {
    if (status !== "success" && status !== "interrupted") return undefined
    usage.status = status
    left -= 1
  }
  if (inputTokens !== undefined) {
    if (!isCount(inputTokens)) return undefined
    usage.inputTokens = inputTokens
    left -= 1
  }
  if (cacheReadTokens !== undefined) {
    if (!isCount(cacheReadTokens) || inputTokens === undefined || cacheReadTokens > inputTokens) return undefined
    usage.cacheReadTokens = cacheReadTokens
    left -= 1
  }
  if (outputTokens !== undefined) {
    if (!isCount(outputTokens)) return undefined
    usage.outputTokens = outputTokens
    left -= 1
  }
  if (reasoningTokens !== undefined) {
    if (!isCount(reasoningTokens) || outputTokens === undefined || reasoningTokens > outputTokens) return undefined
    usage.reasoningTokens = reasoningTokens
    left -= 1
  }
  if (finishReason !== undefined) {
    usage.finishReason = finishReason
    left -= 1
  }
  if (providerRequestId !== undefined) {
    if (!isText(providerRequestId)) return undefined
    usage.providerRequestId = providerRequestId
    left -= 1
  }
  if (responseModel !== undefined) {
    usage.responseModel = responseModel
    left -= 1
  }
  return left === 0 ? usage : undefined
}

/** Names of a call, which are the same in many. */
interface CallNames {
  readonly provider: string
  /** As the conventions have it. */
  readonly normalized: string
  readonly operation: string
  readonly model: string | undefined
  readonly responseModel: string | undefined
  readonly finishReason: string | undefined
}

let lastNames: CallNames | undefined

/** The names of a call, where they are texts that fields may hold. Those of the call before need not be checked again. */
const namesOf = (
  provider: string,
  operation: string,
  model: string | undefined,
  responseModel: string | undefined,
  finishReason: string | undefined
): CallNames | undefined => {
  const last = lastNames
  if (
    last !== undefined &&
    last.provider === provider &&
    last.operation === operation &&
    last.model === model &&
    last.responseModel === responseModel &&
    last.finishReason === finishReason
  ) {
    return last
  }
  if (!isText(provider) || !isText(operation)) return undefined
  for (const name of [model, responseModel, finishReason]) if (name !== undefined && !isText(name)) return undefined
  lastNames = { provider, normalized: normalizeSystem("llm", provider), operation, model, responseModel, finishReason }
  return lastNames
}

/** How many details are given; of what the place knows too, also where it is `undefined`. */
const fieldsIn = (details: Partial<UsageDetails>): number => {
  let fields = 0
  for (const field in details) {
    if (details[field as keyof UsageDetails] !== undefined || field === "durationMs" || field === "step") fields += 1
  }
  return fields
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

const isText = (value: unknown): value is string => refusal(value) === undefined

const anyUsage = (
  details: UsageDetails,
  further: Partial<UsageDetails>,
  known: KnownDetails,
  onProblem: (problem: FieldProblem) => void
): Usage => {
  const fields: Record<string, unknown> = Object.create(Usage.prototype)
  fields["requests"] = 1
  fields["status"] = "success"
  fields["time"] = known.time
  if (known.durationMs !== undefined && !("durationMs" in details)) fields["durationMs"] = known.durationMs
  if (known.step !== undefined && !("step" in details)) fields["step"] = known.step
  const hasParts = take(fields, details, onProblem)
  const hasFurtherParts = take(fields, further, onProblem)
  if (fields["usd"] !== undefined) fields["usd"] = fromNonNegative(fields["usd"])
  const usage = whole(fields as Partial<Unchecked>, onProblem)
  if (hasParts || hasFurtherParts) checkSums(usage, onProblem)
  return usage
}

/** Takes over details, and says whether any is a part of a total. */
const take = (
  fields: Record<string, unknown>,
  details: Partial<UsageDetails>,
  onProblem: (problem: FieldProblem) => void
): boolean => {
  let hasParts = false
  for (const key in details) {
    const field = key as keyof UsageDetails
    const value: unknown = details[field]
    if (value === undefined) continue
    const rule = rules.get(field)
    if (rule === undefined) continue
    const expected = rule.expected(value)
    hasParts ||= rule.isPart
    if (expected === undefined) fields[field] = value
    else onProblem({ field, problem: `${expected}, got ${quote(value)}` })
  }
  return hasParts
}

/** A usage while it is put together. */
type Unchecked = Types.Mutable<Usage>

const whole = (fields: Partial<Unchecked>, onProblem: (problem: FieldProblem) => void): Usage => {
  for (const field of required) {
    if (fields[field] !== undefined) continue
    onProblem({ field, problem: "expected it to be given" })
    if (field === "kind") fields.kind = "other"
    else fields[field] = "unknown"
  }
  const usage = fields as Unchecked
  usage.provider = normalizeSystem(usage.kind, usage.provider)
  if (usage.serviceTier !== undefined) usage.serviceTier = normalizeServiceTier(usage.serviceTier)
  return usage
}

const checkSums = (usage: Usage, onProblem: (problem: FieldProblem) => void): void => {
  for (const { parts, total, what } of sums) {
    const whole = usage[total]
    if (whole === undefined) continue
    const sum = parts.reduce((sum, part) => sum + (usage[part] ?? 0), 0)
    if (sum <= whole) continue
    onProblem({ field: total, problem: `expected all ${wordsOf(total)}, the ${sum} ${what} included, got ${whole}` })
  }
}

const required = ["kind", "provider", "operation"] as const

/** Parts of a total that exclude each other, and so are at most the total together. */
interface Sum {
  readonly total: MeterName
  readonly parts: ReadonlyArray<MeterName>
  /** What the parts are. */
  readonly what: string
}

const aspects: Readonly<Record<Aspect, string>> = {
  cache: "read from and written to a cache",
  ttl: "kept for 1 hour",
  modality: "of audio, images and video",
  reasoning: "of reasoning",
  context: "of a known search context"
}

const sums: ReadonlyArray<Sum> = meterNames.flatMap((total) =>
  (Object.keys(aspects) as ReadonlyArray<Aspect>).flatMap((aspect) => {
    const parts = meterNames.filter((name) => meterOf(name).partOf?.[total] === aspect)
    return parts.length === 0 ? [] : [{ total, parts, what: aspects[aspect] }]
  })
)

/** `inputTokens` as words: `input tokens`. */
const wordsOf = (name: MeterName): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** What is expected of a value, where it is not that. */
type Rule = (value: unknown) => string | undefined

const count: Rule = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : "expected a whole number, zero or more"

const quantity: Rule = (value) =>
  Number.isFinite(value) && (value as number) >= 0 ? undefined : "expected a finite number, zero or more"

const milliseconds: Rule = (value) =>
  quantity(value) === undefined ? undefined : "expected milliseconds, zero or more"

const ruleOf = (name: MeterName): Rule => {
  if (name === "computeMs") return milliseconds
  return meterOf(name).isFractional ? quantity : count
}

// A record that is decoded from JSON has no place for `__proto__`.
const namedQuantities: Rule = (value) =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(value).every(
    ([name, count]) => name !== "__proto__" && refusal(name) === undefined && quantity(count) === undefined
  )
    ? undefined
    : "expected quantities by name, each zero or more"

const names: Rule = (value) =>
  Array.isArray(value) && value.every((name) => refusal(name) === undefined) ? undefined : "expected a list of names"

const oneOf =
  (schema: { readonly literals: ReadonlyArray<unknown> }): Rule =>
  (value) =>
    schema.literals.includes(value) ? undefined : `expected one of ${schema.literals.join(", ")}`

const ruleEntries: ReadonlyArray<readonly [keyof UsageDetails, Rule]> = [
  ...meterNames.map((name) => [name, ruleOf(name)] as const),
  ["toolCalls", namedQuantities],
  ["other", namedQuantities],
  ["uncounted", names],
  ["serviceTier", refusal],
  ["region", refusal],
  ...targetNames.map((target) => [target, refusal] as const),
  ["kind", oneOf(UsageKind)],
  ["status", oneOf(UsageStatus)],
  ["provider", refusal],
  ["operation", refusal],
  ["step", refusal],
  ["model", refusal],
  ["responseModel", refusal],
  ["finishReason", refusal],
  ["providerRequestId", refusal],
  ["clientRequestId", refusal],
  ["errorType", refusal],
  ["time", (value) => (DateTime.isDateTime(value) && DateTime.isUtc(value) ? undefined : "expected an instant in UTC")],
  ["durationMs", milliseconds],
  ["usd", (value) => (fromNonNegative(value) === undefined ? `expected ${expectedAmount}` : undefined)],
  ["isStreaming", (value) => (typeof value === "boolean" ? undefined : "expected true or false")],
  [
    "attempt",
    (value) => (Number.isSafeInteger(value) && (value as number) > 0 ? undefined : "expected a whole number above zero")
  ]
]

const rules = new Map(
  ruleEntries.map(([field, expected]) => {
    const isPart = isMeterName(field) && meterOf(field).partOf !== undefined
    return [field, { expected, isPart }] as const
  })
)
