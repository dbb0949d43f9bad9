/**
 * The segments of a ledger as tables of DuckDB: JSON lines with the types that they should have. A line that was cut by a crash
 * comes as a row of NULLs.
 */
import { Usage } from "botanu-effect"
import { literal } from "./DuckDb.js"

/** Numbers of a usage that are no quantities. */
const notQuantities: ReadonlySet<string> = new Set(["durationMs", "attempt", "usd"])

const texts: ReadonlyArray<string> = [
  "kind",
  "provider",
  "operation",
  "step",
  "model",
  "responseModel",
  "status",
  "serviceTier",
  "region",
  "finishReason",
  "providerRequestId",
  "clientRequestId",
  "errorType",
  "database",
  "collection",
  "bucket",
  "destination"
]

const otherFields: ReadonlySet<string> = new Set([...texts, "time", "isStreaming", "toolCalls", "other", "uncounted"])

/** The names of the meters. */
export const meters: ReadonlyArray<string> = Object.keys(Usage.Usage.fields).filter(
  (name) => !otherFields.has(name) && !notQuantities.has(name)
)

/** Fields of an object of JSON: types of DuckDB, and objects. */
interface Fields {
  readonly [name: string]: string | Fields
}

const struct = (fields: Fields): string =>
  `STRUCT(${Object.entries(fields)
    .map(([name, type]) => `"${name}" ${typeof type === "string" ? type : struct(type)}`)
    .join(", ")})`

const run = {
  runId: "UUID",
  workflow: "VARCHAR",
  eventId: "VARCHAR",
  customerId: "VARCHAR",
  environment: "VARCHAR",
  workflowVersion: "VARCHAR",
  tenantId: "VARCHAR",
  parentRunId: "UUID",
  rootRunId: "UUID",
  attempt: "INTEGER",
  startTime: "TIMESTAMPTZ",
  retryOfRunId: "UUID",
  deadline: "TIMESTAMPTZ"
}

const outcome = {
  status: "VARCHAR",
  valueType: "VARCHAR",
  valueAmount: "DOUBLE",
  confidence: "DOUBLE",
  reason: "VARCHAR",
  errorType: "VARCHAR"
}
const priceType = struct({
  source: "VARCHAR",
  entry: "VARCHAR",
  tier: "VARCHAR",
  region: "VARCHAR",
  from: "TIMESTAMPTZ",
  aboveInputTokens: "BIGINT"
})

const chargeType = struct({
  meter: "VARCHAR",
  quantity: "VARCHAR",
  unit: "VARCHAR",
  unitPrice: "VARCHAR",
  usd: "VARCHAR",
  price: priceType
})

const usage = {
  ...Object.fromEntries(texts.map((name) => [name, "VARCHAR"])),
  time: "TIMESTAMPTZ",
  durationMs: "DOUBLE",
  attempt: "INTEGER",
  ...Object.fromEntries(
    ["requests", "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"].map(
      (name) => [name, "DOUBLE"]
    )
  )
}

const cost = struct({ _tag: "VARCHAR", reason: "VARCHAR", usd: "VARCHAR", charges: `${chargeType}[]` })

const callType = struct({ usage: struct(usage), cost })

const callWithQuantitiesType = struct({
  usage: struct({
    ...usage,
    ...Object.fromEntries(meters.map((name) => [name, "DOUBLE"])),
    toolCalls: "MAP(VARCHAR, DOUBLE)",
    other: "MAP(VARCHAR, DOUBLE)"
  }),
  cost
})

const completed = {
  run,
  status: "VARCHAR",
  errorClass: "VARCHAR",
  cancellationReason: "VARCHAR",
  endTime: "TIMESTAMPTZ",
  durationMs: "DOUBLE",
  traceId: "VARCHAR",
  outcome,
  totals: {
    usd: "VARCHAR",
    inputTokens: "BIGINT",
    outputTokens: "BIGINT",
    calls: "BIGINT",
    unpricedCalls: "BIGINT"
  },
  repriced: { time: "TIMESTAMPTZ" }
}

/** The type of a field of a completed record, such as `run.runId`. */
export const typeAt = (path: string): string => {
  let found: string | Fields | undefined = completed
  for (const name of path.split(".")) found = typeof found === "object" ? found[name] : undefined
  if (typeof found !== "string") throw new Error(`no field of a record: ${path}`)
  return found
}

/** Of these fields those at some paths. */
const only = (fields: Fields, paths: ReadonlySet<string>, prefix = ""): Fields =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, type]): ReadonlyArray<readonly [string, string | Fields]> => {
      if (typeof type === "string") return paths.has(`${prefix}${name}`) ? [[name, type]] : []
      const kept = only(type, paths, `${prefix}${name}.`)
      return Object.keys(kept).length === 0 ? [] : [[name, kept]]
    })
  )

const amendment = { eventId: "VARCHAR", customerId: "VARCHAR", by: "VARCHAR", at: "TIMESTAMPTZ", outcome }

/** The amendment of a line for which it is read as JSON. Few lines have one: to read all of its fields of each takes longer. */
export const amendmentOf = (json: string): string => `from_json(${json}, ${literal(JSON.stringify(amendment))})`

/** What a completed record has besides the fields of `completed`, by what is read of it. */
const others = {
  runs: {},
  calls: { usages: `${callType}[]`, annotations: "MAP(VARCHAR, VARCHAR)" },
  unpriced: { usages: "JSON[]" },
  quantities: { usages: `${callWithQuantitiesType}[]`, annotations: "MAP(VARCHAR, VARCHAR)" }
} as const

/**
 * What is read of lines: runs, with their calls, with all quantities of those, or with calls of which few will be kept; or what records
 * are made of; or what shows problems.
 */
export type Read = keyof typeof others | "records" | "health"

/** What a line has besides its version and its type. */
const columnsOf = (read: Read, paths: ReadonlySet<string> | undefined): Readonly<Record<string, string>> => {
  if (read === "records") return { run: "JSON", completed: "JSON", amendment: "JSON" }
  const { run = {}, ...rest } = paths === undefined ? completed : only(completed, paths)
  const ofRun = typeof run === "string" ? run : struct(run)
  return {
    run: ofRun,
    completed: struct({ run: ofRun, ...rest, ...(read === "health" ? {} : others[read]) }),
    amendment: "JSON",
    ...((read === "quantities" || read === "health") && { count: "BIGINT" }),
    ...(read === "health" && { filename: "VARCHAR" })
  }
}

/** An expression for calls that are kept of `unpriced`: those without a price. */
export const unpricedOf = (calls: string): string =>
  `list_filter(${calls}, lambda call: json_extract_string(call, '$.cost._tag') = 'Unpriced')`

/** Such a call as one of `quantities`. */
export const callOf = (json: string): string => `TRY_CAST(${json} AS ${callWithQuantitiesType})`

/** The longest line that is read, in bytes. */
export const longestLine = 64 * 1024 * 1024

/** The lines of these segments, in their order, as a table. `paths` are what is read of the fields of a run, such as `run.runId`; all by default. */
export const lines = (segments: ReadonlyArray<string>, read: Read, paths?: ReadonlySet<string>): string => {
  const types: Readonly<Record<string, string>> = { v: "INTEGER", type: "VARCHAR", ...columnsOf(read, paths) }
  if (segments.length === 0) {
    return `(SELECT ${Object.entries(types)
      .map(([name, type]) => `NULL::${type} AS ${name}`)
      .join(", ")} WHERE false)`
  }
  const { filename, ...fields } = types
  const declared = Object.entries(fields).map(([name, type]) => `${name}: ${literal(type)}`)
  return `read_json([${segments.map(literalPath).join(", ")}], format = 'newline_delimited', ignore_errors = true,
    maximum_object_size = ${longestLine}, filename = ${filename !== undefined}, columns = {${declared.join(", ")}})`
}

/** The path as DuckDB takes it: as itself, whatever characters of a pattern are in it. */
export const literalPath = (path: string): string => literal(path.replace(/[[*?]/g, "[$&]"))
