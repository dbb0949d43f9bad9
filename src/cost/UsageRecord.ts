/**
 * What one call consumed: the record behind `Usage`, and how it is made of what a program says.
 */
import { DateTime, Schema, type Types } from "effect"
import { type FieldProblem, quote, refusal } from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { normalizeSystem } from "./Provider.js"
import { UsageKind } from "./UsageKind.js"
import { expectedAmount, fromNonNegative, Usd, type UsdInput } from "./Usd.js"

export { UsageKind } from "./UsageKind.js"

/** How a call ended. What was consumed until then is recorded in any case. */
export const UsageStatus = Schema.Literal("success", "failure", "interrupted")
export type UsageStatus = typeof UsageStatus.Type

/** What was consumed, as far as it is told. Quantities are whole numbers, zero or more. */
const quantities = {
  /** All tokens that went in, those read from and written to a cache included (OpenTelemetry's GenAI conventions). */
  inputTokens: optional(Schema.NonNegativeInt),
  /** Of the input tokens, those that the provider had in its cache. */
  cacheReadTokens: optional(Schema.NonNegativeInt),
  /** Of the input tokens, those that the provider put into its cache. */
  cacheWriteTokens: optional(Schema.NonNegativeInt),
  /** All tokens that came out, reasoning included. */
  outputTokens: optional(Schema.NonNegativeInt),
  /** Of the output tokens, those of reasoning. */
  reasoningTokens: optional(Schema.NonNegativeInt),
  inputCharacters: optional(Schema.NonNegativeInt),
  outputCharacters: optional(Schema.NonNegativeInt),
  images: optional(Schema.NonNegativeInt),
  rowsReturned: optional(Schema.NonNegativeInt),
  rowsAffected: optional(Schema.NonNegativeInt),
  bytesScanned: optional(Schema.NonNegativeInt),
  bytesRead: optional(Schema.NonNegativeInt),
  bytesWritten: optional(Schema.NonNegativeInt),
  objects: optional(Schema.NonNegativeInt),
  messages: optional(Schema.NonNegativeInt)
}

/** What one call consumed. */
export class Usage extends Schema.Class<Usage>("botanu/Usage")({
  kind: UsageKind,
  /** Who provided it, as the semantic conventions spell it: `openai`, `postgresql`, `aws_sqs`. */
  provider: Schema.String,
  /** What was done: `chat`, `embeddings`, `SELECT`, `send`. */
  operation: Schema.String,
  /** The model that was asked for, or the tool. */
  model: optional(Schema.String),
  /** The model that answered. */
  responseModel: optional(Schema.String),
  /** When it was consumed; the time for which its price is looked up. */
  time: Schema.DateTimeUtc,
  status: UsageStatus,
  /** Requests that were served; 0 where the provider refused. */
  requests: Schema.NonNegativeInt,
  ...quantities,
  /** Time of computing, in milliseconds. */
  computeMs: optional(Schema.NonNegative.pipe(Schema.finite())),
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
  errorType: optional(Schema.String)
}) {}

/** Quantities of what was consumed, by name. */
export type Quantity = keyof typeof quantities

const quantityNames = Object.keys(quantities) as ReadonlyArray<Quantity>

/** What a call consumed, as far as it is known. An absent detail and an `undefined` one are the same: it was not told. */
export interface Consumption extends Readonly<Partial<Record<Quantity, number | undefined>>> {
  readonly computeMs?: number | undefined
  readonly usd?: UsdInput | undefined
  /** 0 where the provider refused the call, so that nothing was served. */
  readonly requests?: number | undefined
  readonly responseModel?: string | undefined
  readonly finishReason?: string | undefined
  readonly providerRequestId?: string | undefined
  readonly clientRequestId?: string | undefined
  readonly attempt?: number | undefined
  readonly isStreaming?: boolean | undefined
  readonly errorType?: string | undefined
}

/** Whether it is known what a call consumed; a part of the tokens says nothing of the whole. */
export const hasQuantity = (consumption: Consumption): boolean => telling.some((key) => consumption[key] !== undefined)

const parts: ReadonlySet<Quantity> = new Set<Quantity>(["cacheReadTokens", "cacheWriteTokens", "reasoningTokens"])

const telling: ReadonlyArray<keyof Consumption> = [
  ...quantityNames.filter((quantity) => !parts.has(quantity)),
  "computeMs",
  "usd"
]

/** What there is to say of a call. */
export interface UsageDetails extends Consumption {
  readonly kind: UsageKind
  readonly provider: string
  readonly operation: string
  readonly model?: string | undefined
  /** @default now */
  readonly time?: DateTime.Utc | undefined
  /** @default "success" */
  readonly status?: UsageStatus | undefined
}

/**
 * A usage of checked details; `further` ones come first. What is wrong with a detail is told to `onProblem`, and the detail
 * left out; what a usage cannot be without becomes `other` and `unknown`.
 */
export const make = (
  details: UsageDetails,
  further: Partial<UsageDetails>,
  now: DateTime.Utc,
  onProblem: (problem: FieldProblem) => void
): Usage => {
  const fields: Record<string, unknown> = Object.create(Usage.prototype)
  fields["requests"] = 1
  fields["status"] = "success"
  fields["time"] = now
  take(fields, details, onProblem)
  take(fields, further, onProblem)
  if (fields["usd"] !== undefined) fields["usd"] = fromNonNegative(fields["usd"])
  return whole(fields as Partial<Unchecked>, onProblem)
}

const take = (
  fields: Record<string, unknown>,
  details: Partial<UsageDetails>,
  onProblem: (problem: FieldProblem) => void
): void => {
  for (const key in details) {
    const field = key as keyof UsageDetails
    const value: unknown = details[field]
    if (value === undefined) continue
    const rule = rules.get(field)
    if (rule === undefined) continue
    const expected = rule(value)
    if (expected === undefined) fields[field] = value
    else onProblem({ field, problem: `${expected}, got ${quote(value)}` })
  }
}

/** A usage while it is put together. */
type Unchecked = Types.Mutable<Usage>

const whole = (fields: Partial<Unchecked>, onProblem: (problem: FieldProblem) => void): Usage => {
  for (const field of required) {
    if (fields[field] !== undefined) continue
    onProblem({ field, problem: "expected it to be told" })
    if (field === "kind") fields.kind = "other"
    else fields[field] = "unknown"
  }
  const usage = fields as Unchecked
  usage.provider = normalizeSystem(usage.kind, usage.provider)
  const cached = (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0)
  if (usage.inputTokens !== undefined && usage.inputTokens < cached) {
    onProblem({
      field: "inputTokens",
      problem: `expected all input tokens, the ${cached} read from and written to a cache included, got ${usage.inputTokens}`
    })
  }
  if (usage.outputTokens !== undefined && usage.outputTokens < (usage.reasoningTokens ?? 0)) {
    onProblem({
      field: "outputTokens",
      problem: `expected all output tokens, the ${usage.reasoningTokens} of reasoning included, got ${usage.outputTokens}`
    })
  }
  return usage
}

const required = ["kind", "provider", "operation"] as const

/** What is expected of a value, where it is not that. */
type Rule = (value: unknown) => string | undefined

const count: Rule = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : "expected a whole number, zero or more"

const oneOf =
  (schema: { readonly literals: ReadonlyArray<unknown> }): Rule =>
  (value) =>
    schema.literals.includes(value) ? undefined : `expected one of ${schema.literals.join(", ")}`

const rules: ReadonlyMap<keyof UsageDetails, Rule> = new Map<keyof UsageDetails, Rule>([
  ...quantityNames.map((quantity) => [quantity, count] as const),
  ["requests", count],
  ["kind", oneOf(UsageKind)],
  ["status", oneOf(UsageStatus)],
  ["provider", refusal],
  ["operation", refusal],
  ["model", refusal],
  ["responseModel", refusal],
  ["finishReason", refusal],
  ["providerRequestId", refusal],
  ["clientRequestId", refusal],
  ["errorType", refusal],
  ["time", (value) => (DateTime.isDateTime(value) && DateTime.isUtc(value) ? undefined : "expected an instant in UTC")],
  [
    "computeMs",
    (value) => (Number.isFinite(value) && (value as number) >= 0 ? undefined : "expected milliseconds, zero or more")
  ],
  ["usd", (value) => (fromNonNegative(value) === undefined ? `expected ${expectedAmount}` : undefined)],
  ["isStreaming", (value) => (typeof value === "boolean" ? undefined : "expected true or false")],
  [
    "attempt",
    (value) => (Number.isSafeInteger(value) && (value as number) > 0 ? undefined : "expected a whole number above zero")
  ]
])
