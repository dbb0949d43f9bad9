/**
 * The figures of a report, computed by DuckDB over the lines of a ledger. What each figure means is that of
 * `botanu-effect/report`.
 */
import { BigDecimal, Effect } from "effect"
import type { CommandError } from "./CommandError.js"
import type { DuckDb, Parameter, Row } from "./DuckDb.js"

/** What events can be grouped by, with the expression of it. */
const eventKeys = {
  workflow: "e.workflow",
  customer: "e.customerId",
  tenant: "e.tenantId",
  environment: "e.environment",
  day: "left(e.startTime, 10)",
  outcome: "e.status",
  status: "e.runStatus"
} as const

/** What calls can be grouped by. A step is the operation of a call. */
const callKeys = {
  model: "coalesce(u.responseModel, u.model)",
  provider: "u.provider",
  step: "u.operation"
} as const

export type EventKey = keyof typeof eventKeys
export type CallKey = keyof typeof callKeys
export type Key = EventKey | CallKey

export const keys: ReadonlyArray<Key> = [
  ...(Object.keys(eventKeys) as ReadonlyArray<EventKey>),
  ...(Object.keys(callKeys) as ReadonlyArray<CallKey>)
]

export const isCallKey = (key: Key): key is CallKey => key in callKeys

/** Which events a report is about. Absent: any. */
export interface Filter {
  /** Events that first started at this time or later, as an ISO instant in UTC with milliseconds. */
  readonly since?: string | undefined
  /** Events that first started before this time. */
  readonly until?: string | undefined
  readonly workflow?: string | undefined
  readonly customer?: string | undefined
  readonly tenant?: string | undefined
  readonly environment?: string | undefined
  readonly outcome?: string | undefined
}

/** The figures of a group of events. Amounts are exact, in US dollars. */
export interface EventFigures {
  readonly keys: ReadonlyArray<string | undefined>
  readonly events: number
  readonly runs: number
  readonly attempts: number
  readonly successes: number
  /** Events with an outcome. */
  readonly ended: number
  readonly running: number
  readonly usd: BigDecimal.BigDecimal
  readonly calls: number
  readonly unpricedCalls: number
  readonly usdOfSuccesses: BigDecimal.BigDecimal
  readonly usdOfFailures: BigDecimal.BigDecimal
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
}

/** The figures of a group of calls. */
export interface CallFigures {
  readonly keys: ReadonlyArray<string | undefined>
  readonly calls: number
  /** Events that the calls were made for. */
  readonly events: number
  /** Calls that did not end in success. */
  readonly failed: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly usd: BigDecimal.BigDecimal
  readonly unpricedCalls: number
  readonly p95Ms: number | undefined
}

/** The figures of events by keys. No key: one group of all, also where there is no event. */
export const eventFigures = (
  database: DuckDb,
  segments: ReadonlyArray<string>,
  by: ReadonlyArray<EventKey>,
  filter: Filter = {}
): Effect.Effect<ReadonlyArray<EventFigures>, CommandError> => {
  const selected = by.map((key, index) => `${eventKeys[key]} AS key${index}, `).join("")
  return Effect.map(
    database.query(
      `${withEvents(false)}
      SELECT ${selected}
        count(*) AS events, sum(e.runs) AS runs, sum(e.attempts) AS attempts,
        count(*) FILTER (e.status = 'success') AS successes,
        count(*) FILTER (e.status IS NOT NULL AND e.status <> 'running') AS ended,
        count(*) FILTER (e.status = 'running') AS running,
        sum(e.usd) AS usd, sum(e.calls) AS calls, sum(e.unpricedCalls) AS unpricedCalls,
        sum(e.usd) FILTER (e.status = 'success') AS usdOfSuccesses,
        sum(e.usd) FILTER (e.status IN ('failure', 'timeout', 'canceled')) AS usdOfFailures,
        ${percentile("flatten(list(e.durations))", 0.5)} AS p50Ms,
        ${percentile("flatten(list(e.durations))", 0.95)} AS p95Ms
      FROM events e WHERE ${isWanted} ${groupBy(by.length)}`,
      parametersOf(segments, filter)
    ),
    (rows) =>
      rows.map((row) => ({
        keys: keysOf(row, by.length),
        events: numberOf(row.events),
        runs: numberOf(row.runs),
        attempts: numberOf(row.attempts),
        successes: numberOf(row.successes),
        ended: numberOf(row.ended),
        running: numberOf(row.running),
        usd: usdOf(row.usd),
        calls: numberOf(row.calls),
        unpricedCalls: numberOf(row.unpricedCalls),
        usdOfSuccesses: usdOf(row.usdOfSuccesses),
        usdOfFailures: usdOf(row.usdOfFailures),
        p50Ms: knownOf(row.p50Ms),
        p95Ms: knownOf(row.p95Ms)
      }))
  )
}

/** The figures of the calls of events, by keys of events and of calls. */
export const callFigures = (
  database: DuckDb,
  segments: ReadonlyArray<string>,
  by: ReadonlyArray<Key>,
  filter: Filter = {}
): Effect.Effect<ReadonlyArray<CallFigures>, CommandError> => {
  const selected = by
    .map((key, index) => `${isCallKey(key) ? callKeys[key] : eventKeys[key]} AS key${index}, `)
    .join("")
  return Effect.map(
    database.query(
      `${withEvents(true)}
      SELECT ${selected}
        count(*) AS calls, count(DISTINCT (e.eventId, e.customerId)) AS events,
        count(*) FILTER (u.status <> 'success') AS failed,
        coalesce(sum(u.inputTokens), 0) AS inputTokens, coalesce(sum(u.outputTokens), 0) AS outputTokens,
        sum(u.usd) AS usd, count(*) FILTER (u.cost = 'Unpriced') AS unpricedCalls,
        ${percentile("list(u.durationMs) FILTER (u.durationMs IS NOT NULL)", 0.95)} AS p95Ms
      FROM events e JOIN calls u ON u.eventId = e.eventId AND u.customerId = e.customerId
      WHERE ${isWanted} ${groupBy(by.length)}`,
      parametersOf(segments, filter)
    ),
    (rows) =>
      rows.map((row) => ({
        keys: keysOf(row, by.length),
        calls: numberOf(row.calls),
        events: numberOf(row.events),
        failed: numberOf(row.failed),
        inputTokens: numberOf(row.inputTokens),
        outputTokens: numberOf(row.outputTokens),
        usd: usdOf(row.usd),
        unpricedCalls: numberOf(row.unpricedCalls),
        p95Ms: knownOf(row.p95Ms)
      }))
  )
}

const runType = `STRUCT("runId" VARCHAR, "workflow" VARCHAR, "eventId" VARCHAR, "customerId" VARCHAR,
  "environment" VARCHAR, "tenantId" VARCHAR, "parentRunId" VARCHAR, "rootRunId" VARCHAR, "attempt" INTEGER,
  "startTime" VARCHAR)`

const usageType = `STRUCT("usage" STRUCT("provider" VARCHAR, "operation" VARCHAR, "model" VARCHAR,
  "responseModel" VARCHAR, "status" VARCHAR, "durationMs" DOUBLE, "inputTokens" HUGEINT, "outputTokens" HUGEINT),
  "cost" STRUCT("_tag" VARCHAR, "usd" VARCHAR))`

const completedType = (hasCalls: boolean) => `STRUCT("run" ${runType}, "status" VARCHAR,
  "outcome" STRUCT("status" VARCHAR), "durationMs" DOUBLE,
  "totals" STRUCT("usd" VARCHAR, "calls" BIGINT, "unpricedCalls" BIGINT)${hasCalls ? `, "usages" ${usageType}[]` : ""})`

const amendmentType = `STRUCT("eventId" VARCHAR, "customerId" VARCHAR, "outcome" STRUCT("status" VARCHAR), "at" VARCHAR)`

/** Whether a line is a run that can be counted. */
const isRun = `v = 1 AND (type = 'started' AND run.runId IS NOT NULL OR type = 'completed'
  AND completed.run.runId IS NOT NULL AND TRY_CAST(completed.totals.usd AS DECIMAL(38, 18)) IS NOT NULL)`

const lines = (hasCalls: boolean): string => `
  SELECT row_number() OVER () AS line, * FROM read_json($segments, format = 'newline_delimited', ignore_errors = true,
    maximum_object_size = 268435456, columns = {v: 'INTEGER', type: 'VARCHAR', run: '${runType}',
      completed: '${completedType(hasCalls)}', amendment: '${amendmentType}'})`

/** How many lines are in no figure, because they were cut, are not valid, or are of a later version. */
export const linesLeftOut = (database: DuckDb, segments: ReadonlyArray<string>): Effect.Effect<number, CommandError> =>
  Effect.map(
    database.query(
      `SELECT count(*) AS leftOut FROM (${lines(false)})
      WHERE NOT coalesce(${isRun} OR v = 1 AND (type = 'lost' OR type = 'amended' AND amendment.eventId IS NOT NULL), false)`,
      { segments: segments.map(literalPath) }
    ),
    ([row]) => numberOf(row?.leftOut)
  )

/**
 * The tables `events` and, where wanted, `calls`. A line that was cut by a crash comes as a row of NULLs; `v = 1` leaves it
 * out. Times are ISO texts of one length, which sort as the instants do.
 */
const withEvents = (hasCalls: boolean): string => `
WITH lines AS MATERIALIZED (${lines(hasCalls)}
),
-- A completed line replaces that of the start and an earlier completed line of the run.
reported AS (
  SELECT line, type = 'completed' AS isCompleted, CASE type WHEN 'started' THEN run ELSE completed.run END AS run, completed
  FROM lines WHERE ${isRun}
),
runs AS MATERIALIZED (
  SELECT run.*, isCompleted, completed.status AS runStatus, completed.durationMs AS durationMs,
    CASE WHEN isCompleted THEN completed.outcome.status ELSE 'running' END AS status,
    TRY_CAST(completed.totals.usd AS DECIMAL(38, 18)) AS usd, completed.totals.calls AS calls,
    completed.totals.unpricedCalls AS unpricedCalls${hasCalls ? ", completed.usages AS usages" : ""}
  FROM reported
  QUALIFY row_number() OVER (
    PARTITION BY run.runId ORDER BY isCompleted DESC, CASE WHEN isCompleted THEN -line ELSE line END
  ) = 1
),
related AS (
  SELECT r.*, p.runId IS NULL AS isOutermost FROM runs r
  LEFT JOIN runs p ON p.runId = r.parentRunId AND p.eventId = r.eventId AND p.customerId = r.customerId
),
-- Where parents go round in a circle, every run of the event is in a chain, and none is an attempt.
members AS (
  SELECT * FROM related
  QUALIFY isOutermost OR NOT bool_or(isOutermost) OVER (PARTITION BY eventId, customerId)
),
chains AS (
  SELECT eventId, customerId, arg_min(startTime, (attempt, startTime, runId)) AS firstStart,
    arg_min(runId, (attempt, startTime, runId)) AS firstId,
    arg_min({'workflow': workflow, 'environment': environment, 'tenantId': tenantId}, (attempt, startTime, runId)) AS first,
    arg_max({'status': status, 'runStatus': CASE WHEN isCompleted THEN runStatus ELSE 'running' END},
      (attempt, startTime, runId)) AS final
  FROM members GROUP BY eventId, customerId, rootRunId
),
recorded AS (
  SELECT eventId, customerId, arg_min(first, (firstStart, firstId)) AS first, arg_max(final, (firstStart, firstId)) AS final
  FROM chains GROUP BY eventId, customerId
),
durations AS (
  SELECT eventId, customerId, list(durationMs) FILTER (isCompleted) AS durations FROM members GROUP BY eventId, customerId
),
sums AS (
  SELECT eventId, customerId, min(startTime) AS startTime, count(*) AS runs,
    count(*) FILTER (isOutermost) AS attempts, coalesce(sum(usd), 0) AS usd, coalesce(sum(calls), 0) AS calls,
    coalesce(sum(unpricedCalls), 0) AS unpricedCalls
  FROM related GROUP BY eventId, customerId
),
amended AS (
  SELECT s.eventId, s.customerId, arg_max(l.amendment.outcome.status, (l.amendment.at, l.line)) AS status
  FROM lines l JOIN sums s ON s.eventId = l.amendment.eventId
    AND (l.amendment.customerId IS NULL OR l.amendment.customerId = s.customerId)
  WHERE l.v = 1 AND l.type = 'amended' GROUP BY s.eventId, s.customerId
),
events AS (
  SELECT s.*, d.durations, r.first.workflow AS workflow, r.first.environment AS environment,
    r.first.tenantId AS tenantId, r.final.runStatus AS runStatus, coalesce(a.status, r.final.status) AS status
  FROM sums s JOIN recorded r USING (eventId, customerId) JOIN durations d USING (eventId, customerId)
  LEFT JOIN amended a USING (eventId, customerId)
)${
  hasCalls
    ? `,
calls AS (
  SELECT eventId, customerId, usage.*, cost._tag AS cost, TRY_CAST(cost.usd AS DECIMAL(38, 18)) AS usd
  FROM (
    SELECT eventId, customerId, call.usage AS usage, call.cost AS cost
    FROM (SELECT eventId, customerId, unnest(usages) AS call FROM runs)
  )
)`
    : ""
}`

const isWanted = `($since IS NULL OR e.startTime >= $since) AND ($until IS NULL OR e.startTime < $until)
  AND ($workflow IS NULL OR e.workflow = $workflow) AND ($customer IS NULL OR e.customerId = $customer)
  AND ($tenant IS NULL OR e.tenantId = $tenant) AND ($environment IS NULL OR e.environment = $environment)
  AND ($outcome IS NULL OR e.status = $outcome)`

const groupBy = (count: number): string =>
  count === 0 ? "" : `GROUP BY ${Array.from({ length: count }, (_, index) => `key${index}`).join(", ")}`

/** The smallest value that is not below this share of the values. */
const percentile = (values: string, share: number): string =>
  `list_extract(list_sort(${values}), ceil(len(${values})::DOUBLE * ${share}::DOUBLE)::BIGINT)`

const parametersOf = (segments: ReadonlyArray<string>, filter: Filter): Record<string, Parameter> => ({
  segments: segments.map(literalPath),
  since: filter.since ?? null,
  until: filter.until ?? null,
  workflow: filter.workflow ?? null,
  customer: filter.customer ?? null,
  tenant: filter.tenant ?? null,
  environment: filter.environment ?? null,
  outcome: filter.outcome ?? null
})

/** The path as DuckDB takes it: as itself, whatever characters of a pattern are in it. */
const literalPath = (path: string): string => path.replace(/[[*?]/g, "[$&]")

const keysOf = (row: Row, count: number): ReadonlyArray<string | undefined> =>
  Array.from({ length: count }, (_, index) => row[`key${index}`] ?? undefined)

const numberOf = (value: string | null | undefined): number => Number(value ?? 0)

const knownOf = (value: string | null | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value)

const usdOf = (value: string | null | undefined): BigDecimal.BigDecimal =>
  BigDecimal.normalize(BigDecimal.unsafeFromString(value ?? "0"))
