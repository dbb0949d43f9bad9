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

const others: ReadonlySet<string> = new Set([...texts, "time", "isStreaming", "toolCalls", "other", "uncounted"])

/** The names of the meters. */
export const meters: ReadonlyArray<string> = Object.keys(Usage.Usage.fields).filter(
  (name) => !others.has(name) && !notQuantities.has(name)
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

const runType = struct(run)
const completedType = struct(completed)

const completedWith = (callType: string): string =>
  struct({ ...completed, usages: `${callType}[]`, annotations: "MAP(VARCHAR, VARCHAR)" })

const amendment = { eventId: "VARCHAR", customerId: "VARCHAR", by: "VARCHAR", at: "TIMESTAMPTZ", outcome }

/** The amendment of a line for which it is read as JSON. Few lines have one: to read all of its fields of each takes longer. */
export const amendmentOf = (json: string): string => `from_json(${json}, ${literal(JSON.stringify(amendment))})`

const columns = {
  runs: { run: runType, completed: completedType, amendment: "JSON", filename: "VARCHAR" },
  calls: { run: runType, completed: completedWith(callType), amendment: "JSON", filename: "VARCHAR" },
  quantities: {
    run: runType,
    completed: completedWith(callWithQuantitiesType),
    amendment: "JSON",
    count: "BIGINT",
    filename: "VARCHAR"
  },
  records: { run: "JSON", completed: "JSON", amendment: "JSON" },
  health: { run: runType, completed: completedType, amendment: "JSON", count: "BIGINT", filename: "VARCHAR" }
} as const

/** What is read of lines: fields of completed records, which a start has in its run, or one of these. */
export type Read = ReadonlySet<string> | keyof typeof columns

/** What a line has besides its version and its type. */
const columnsOf = (read: Read): Readonly<Record<string, string>> => {
  if (typeof read === "string") return columns[read]
  const kept = only(completed, read)
  const { run = {} } = kept
  return { run: typeof run === "string" ? run : struct(run), completed: struct(kept), amendment: "JSON" }
}

/** The longest line that is read, in bytes. */
export const longestLine = 64 * 1024 * 1024

/** The lines of these segments, in their order, as a table. */
export const lines = (segments: ReadonlyArray<string>, read: Read): string => {
  const types = { v: "INTEGER", type: "VARCHAR", ...columnsOf(read) }
  if (segments.length === 0) {
    return `(SELECT ${Object.entries(types)
      .map(([name, type]) => `NULL::${type} AS ${name}`)
      .join(", ")} WHERE false)`
  }
  const { filename, ...fields } = types as Readonly<Record<string, string>>
  const declared = Object.entries(fields).map(([name, type]) => `${name}: ${literal(type)}`)
  return `read_json([${segments.map(literalPath).join(", ")}], format = 'newline_delimited', ignore_errors = true,
    maximum_object_size = ${longestLine}, filename = ${filename !== undefined}, columns = {${declared.join(", ")}})`
}

/** The path as DuckDB takes it: as itself, whatever characters of a pattern are in it. */
export const literalPath = (path: string): string => literal(path.replace(/[[*?]/g, "[$&]"))
