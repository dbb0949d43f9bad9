/**
 * The tables of a ledger in DuckDB: of the lines of its segments, and of its compacted days. Those are views over Parquet files,
 * from which a statement reads the columns that it needs. Events that may have changed since their day was compacted are made
 * once more from their runs.
 */
import type { Ledger } from "botanu-effect/ledger"
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as CompactedFiles from "./CompactedFiles.js"
import * as Dialect from "./Dialect.js"
import * as DuckDb from "./DuckDb.js"
import { amended, crowdedEvents, latestAmendments, loneEvents } from "./EventRelation.js"
import * as Segments from "./Segments.js"

/**
 * How much of the lines is read: what events are made of, or all of the runs, or their calls too, or all quantities of those. Each
 * takes more time and memory.
 */
export const depths = ["events", "runs", "calls", "quantities"] as const
export type Depth = (typeof depths)[number]

/** What of a ledger is in the tables. */
export interface Loaded {
  readonly files: Ledger.Files
  readonly depth: Depth
  readonly linesLeftOut: number
}

/** Makes the tables, or replaces them. */
export const load = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<Loaded, CommandError> =>
  Effect.gen(function* () {
    yield* make(database, files, depth)
    const [row] = yield* database.query("SELECT count(*) AS left_out FROM read_lines WHERE NOT is_counted")
    // Without calls `tail_runs` is a view of the lines, which takes half as long as a table.
    if (hasCalls(depth)) yield* database.query("DROP TABLE read_lines")
    const cut = files.compacted.reduce((sum, { cutLines, problem }) => sum + (problem === undefined ? cutLines : 1), 0)
    return { files, depth, linesLeftOut: Number(row?.["left_out"] ?? 0) + cut }
  })

/** Makes the tables, and keeps `read_lines`: what was read of each line, with the place of its segment as `source`. */
export const make = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<void, CommandError> =>
  Effect.gen(function* () {
    const readable = { ...files, compacted: files.compacted.filter(({ problem }) => problem === undefined) }
    const { compacted } = readable
    const all = (statements: ReadonlyArray<string>) =>
      Effect.forEach(statements, (statement) => database.query(statement), { discard: true })
    yield* all(compactedViews(readable, depth))
    // A table of lines in their order takes several times as long where there are many segments.
    const hasUnsettled = yield* DuckDb.unordered(
      database,
      Effect.gen(function* () {
        yield* database.query(
          `CREATE OR REPLACE TEMP TABLE read_lines AS ${readLines(readable, readable.segments, depth)}`
        )
        const unsettled = yield* findUnsettled(database, readable)
        if (unsettled.length > 0) yield* database.query(unsettledRuns(readable, depth, unsettled))
        return unsettled.length > 0
      })
    )
    yield* database.query(repeatedRuns)
    yield* ordered(database, readable, depth)
    yield* all(runTables(compacted, depth, hasUnsettled))
    if (hasCalls(depth)) yield* all(callTables(compacted, depth, hasUnsettled))
  })

/** How many keys a statement names. With more it joins the table of them. */
const maxNamedKeys = 500

/** Finds the compacted events that may have changed since. Gives the keys of them, or some where there are many. */
const findUnsettled = (
  database: DuckDb.DuckDb,
  { compacted, segments }: Ledger.Files
): Effect.Effect<ReadonlyArray<string>, CommandError> =>
  Effect.gen(function* () {
    if (compacted.length === 0) return []
    yield* database.query(unsettledEvents)
    if (segments.length > 0) yield* database.query(eventsOfReadRuns)
    const rows = yield* database.query(`SELECT event_key::VARCHAR AS key FROM unsettled LIMIT ${maxNamedKeys + 1}`)
    return rows.map(({ key }) => String(key))
  })

/** Reads segments once more, in their order, in which that of two lines counts. A writer rarely makes such lines. */
const ordered = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<void, CommandError> =>
  Effect.gen(function* () {
    if (files.segments.length === 0) return
    const places = placesOf(files)
    const tied = new Set((yield* database.query(tiedSources)).map(({ source }) => Number(source)))
    const segments = files.segments.filter(({ path }) => tied.has(places.get(path) ?? -1))
    if (segments.length === 0) return
    yield* database.query(
      `DELETE FROM read_lines WHERE source IN (${segments.map(({ path }) => places.get(path)).join(", ")})`
    )
    yield* database.query(`INSERT INTO read_lines BY NAME ${readLines(files, segments, depth)}`)
  })

/** Whether a line is a run that can be counted. */
const isRun = (run: string): string =>
  `(${["runId", "workflow", "eventId", "customerId", "rootRunId", "attempt", "startTime"]
    .map((name) => `${run}."${name}" IS NOT NULL`)
    .join(" AND ")})`

const amount = (text: string): string => `TRY_CAST(${text} AS DECIMAL(38, 24))`

/** Whether a line is in the tables. */
export const isCounted = `v = 1 AND (type = 'started' AND ${isRun("run")}
  OR type = 'completed' AND ${isRun("completed.run")} AND completed.status IS NOT NULL
    AND (completed.totals.usd IS NULL OR ${amount("completed.totals.usd")} IS NOT NULL)
  OR type = 'amended' AND amendment.eventId IS NOT NULL AND amendment.outcome.status IS NOT NULL
  OR type IN ('writer', 'lost'))`

/** Columns of a run, by name, as expressions over a line whose run is `r`. */
const runColumns: Readonly<Record<string, string>> = {
  run_id: 'r."runId"',
  start_time: 'r."startTime"',
  workflow: "r.workflow",
  event_id: 'r."eventId"',
  customer_id: 'r."customerId"',
  environment: "r.environment",
  workflow_version: 'r."workflowVersion"',
  tenant_id: 'r."tenantId"',
  parent_run_id: 'r."parentRunId"',
  root_run_id: 'r."rootRunId"',
  attempt: "r.attempt",
  retry_of_run_id: 'r."retryOfRunId"',
  deadline: "r.deadline",
  status: "completed.status",
  error_class: 'completed."errorClass"',
  cancellation_reason: 'completed."cancellationReason"',
  end_time: 'completed."endTime"',
  duration_ms: 'completed."durationMs"',
  trace_id: 'completed."traceId"',
  outcome_status: "completed.outcome.status",
  outcome_value_type: 'completed.outcome."valueType"',
  outcome_value_amount: 'completed.outcome."valueAmount"',
  outcome_confidence: "completed.outcome.confidence",
  outcome_reason: "completed.outcome.reason",
  outcome_error_type: 'completed.outcome."errorType"',
  usd: amount("completed.totals.usd"),
  input_tokens: 'completed.totals."inputTokens"',
  output_tokens: 'completed.totals."outputTokens"',
  calls: "completed.totals.calls",
  unpriced_calls: 'completed.totals."unpricedCalls"',
  repriced_at: "completed.repriced.time"
}

/** Columns that no event is made of. */
const notOfEvents: ReadonlySet<string> = new Set([
  "retry_of_run_id",
  "deadline",
  "trace_id",
  "outcome_confidence",
  "outcome_reason",
  "outcome_error_type",
  "input_tokens",
  "output_tokens",
  "repriced_at"
])

const columnsOf = (depth: Depth): ReadonlyArray<string> =>
  Object.keys(runColumns).filter((name) => depth !== "events" || !notOfEvents.has(name))

const hasCalls = (depth: Depth): boolean => depth === "calls" || depth === "quantities"

/** The places of files in the order in which their lines count: by day, what was compacted of a day before its segments, by name. */
const placesOf = ({ compacted, segments }: Ledger.Files): ReadonlyMap<string, number> => {
  const ordered = [...compacted, ...segments].sort((one, other) =>
    one.day < other.day ? -1 : one.day > other.day ? 1 : 0
  )
  return new Map(ordered.map(({ path }, index) => [path, index]))
}

/** The place of a file among all, by its `file_index` among these. */
const placeIn = (files: Ledger.Files, read: ReadonlyArray<{ readonly path: string }>): string => {
  const places = placesOf(files)
  return `[${read.map(({ path }) => places.get(path)).join(", ")}][file_index::BIGINT + 1]`
}

/** Where a line is among all lines. Lines of one segment have their order where that counts. */
const position = (alias = ""): string => `((${alias}source::BIGINT << 40) + ${alias}rowid)`

/** Completed records come after starts; of several the last counts. Of several starts the first counts. */
const rank = (alias = ""): string =>
  `CASE WHEN ${alias}is_completed THEN (1::BIGINT << 60) + ${position(alias)} ELSE (1::BIGINT << 60) - 1 - ${position(alias)} END`

/** A run without an end is lost where all processes that reported its start are gone. */
const openStatus = `CASE WHEN is_running THEN 'running' ELSE 'lost' END`

const isAlive = (segments: ReadonlyArray<Ledger.Segment>): string =>
  segments.some(({ isAbandoned }) => !isAbandoned)
    ? `[${segments.map(({ isAbandoned }) => !isAbandoned).join(", ")}][file_index::BIGINT + 1]`
    : "false"

const nested = (depth: Depth, columns: string): string => (hasCalls(depth) ? `, ${columns}` : "")

/** What is read of the lines of some segments. */
const readLines = (files: Ledger.Files, segments: ReadonlyArray<Ledger.Segment>, depth: Depth): string =>
  // Without a filter, so that `rowid` numbers the lines in the order in which they are read.
  `SELECT coalesce(${isCounted}, false) AS is_counted, type = 'completed' AS is_completed, type = 'amended' AS is_amendment,
      ${columnsOf(depth)
        .map((name) => `${runColumns[name]} AS ${name}`)
        .join(", ")},
      ${segments.length === 0 ? "0" : placeIn(files, segments)} AS source,
      ${isAlive(segments)} AS is_alive, amendment
      ${nested(depth, "completed.usages AS usages, completed.annotations AS annotations")}
      ${depth === "quantities" ? `, v IS NULL AS is_cut, CASE WHEN v = 1 AND type = 'lost' THEN "count" END AS lost` : ""}
    FROM (
      SELECT *, ${segments.length === 0 ? "" : "file_index,"} CASE type WHEN 'started' THEN run ELSE completed.run END AS r
      FROM ${Segments.lines(
        segments.map(({ path }) => path),
        depth
      )}
    )`

/** Tables of compacted days that a depth needs. */
const compactedNames = (depth: Depth): ReadonlyArray<(typeof CompactedFiles.names)[number]> =>
  CompactedFiles.names.filter(
    (name) => hasCalls(depth) || !(CompactedFiles.namesOfCalls as ReadonlyArray<string>).includes(name)
  )

const compactedViews = (files: Ledger.Files, depth: Depth): ReadonlyArray<string> =>
  files.compacted.length === 0
    ? []
    : compactedNames(depth).map(
        (
          name
        ) => `CREATE OR REPLACE TEMP VIEW compacted_${name} AS SELECT *, ${placeIn(files, files.compacted)} AS source
          FROM read_parquet([${CompactedFiles.paths(files.compacted, name).map(Segments.literalPath).join(", ")}])`
      )

/** Runs of which a line is not the only one of its kind. */
const repeatedRuns = `CREATE OR REPLACE TEMP TABLE repeated_runs AS SELECT run_id, is_completed FROM read_lines
  WHERE is_counted AND run_id IS NOT NULL GROUP BY run_id, is_completed HAVING count(*) > 1`

/** Segments that have several lines of one kind for a run, or amendments of one event that were made at one time. */
const tiedSources = `SELECT DISTINCT source FROM (
    SELECT source FROM read_lines SEMI JOIN repeated_runs USING (run_id, is_completed) WHERE is_counted
    GROUP BY run_id, is_completed, source HAVING count(*) > 1
    UNION ALL
    SELECT source FROM read_lines WHERE is_counted AND is_amendment
    GROUP BY source, amendment."eventId", amendment."at" HAVING count(*) > 1
  )`

/** The key of an event in compacted files: two events rarely have the same one, which does no harm. */
export const eventKey = (alias = ""): string => `md5_number_lower(${alias}event_id || chr(31) || ${alias}customer_id)`

/**
 * Events whose runs are in several places: in segments, or in more than one compacted day; and those that have a run without an
 * end. A day notes which of its events that is known of when it is compacted.
 */
const unsettledEvents = `CREATE OR REPLACE TEMP TABLE unsettled AS
    SELECT DISTINCT event_key FROM (
      SELECT event_key FROM compacted_unsettled
      UNION ALL SELECT ${eventKey()} FROM read_lines WHERE is_counted AND run_id IS NOT NULL
    )`

/** The run may have been of another event, where a record was wrong. */
const eventsOfReadRuns = `INSERT INTO unsettled SELECT DISTINCT event_key FROM compacted_runs
          WHERE run_id IN (SELECT run_id FROM read_lines WHERE is_counted AND run_id IS NOT NULL)
            AND event_key NOT IN (SELECT event_key FROM unsettled)`

/**
 * Adds the compacted runs of unsettled events to the lines. Where the keys are in the statement, DuckDB reads only their column of
 * the files that have none of them.
 */
const unsettledRuns = ({ segments }: Ledger.Files, depth: Depth, keys: ReadonlyArray<string>): string => {
  const alive = new Set(segments.filter(({ isAbandoned }) => !isAbandoned).map(({ writer }) => writer))
  const isAlive =
    alive.size === 0
      ? "false"
      : `coalesce(list_has_any(writers, [${Array.from(alive, DuckDb.literal).join(", ")}]), false)`
  const isUnsettled =
    keys.length > maxNamedKeys
      ? "SEMI JOIN unsettled USING (event_key)"
      : `WHERE event_key IN (${keys.map((key) => `${key}::UBIGINT`).join(", ")})`
  return `INSERT INTO read_lines BY NAME
    SELECT true AS is_counted, false AS is_amendment, is_completed, ${columnsOf(depth).join(", ")}, source, ${isAlive} AS is_alive
      ${nested(depth, "NULL AS usages, NULL AS annotations")}
    FROM compacted_runs ${isUnsettled}`
}

/** Rows of compacted days and of the others. `columns` are of both. */
const together = (
  name: (typeof CompactedFiles.names)[number],
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  hasUnsettled: boolean,
  columns: string,
  ofCompacted: string = columns
): string =>
  compacted.length === 0
    ? `SELECT ${columns} FROM tail_${name}`
    : `SELECT ${ofCompacted} FROM compacted_${name} ${hasUnsettled ? "ANTI JOIN unsettled USING (event_key)" : ""}
       UNION ALL BY NAME SELECT ${columns} FROM tail_${name}`

/**
 * Of each run the line that counts. A run is crowded where its event has others. Two events rarely have the same hash, which does
 * no harm: what is made from several runs is right for one too.
 */
const countedRuns = `CREATE OR REPLACE TEMP TABLE counted_runs AS
  WITH winners AS (
    SELECT max(${rank()}) AS rank, arg_max(hash(event_id, customer_id), ${rank()}) AS event,
      bool_or(is_alive AND NOT is_completed) AS is_running
    FROM read_lines WHERE is_counted AND run_id IS NOT NULL GROUP BY run_id
  )
  SELECT rank, is_running, event IN (SELECT event FROM winners GROUP BY event HAVING count(*) > 1) AS is_crowded FROM winners`

const tailRuns = (depth: Depth): string => `SELECT c.rank, source, is_completed, ${columnsOf(depth).join(", ")},
    CASE WHEN is_completed THEN outcome_status ELSE ${openStatus} END AS report_status,
    CASE WHEN is_completed THEN status ELSE ${openStatus} END AS run_status, is_crowded
  FROM read_lines l JOIN counted_runs c ON c.rank = ${rank("l.")}`

const runTables = (
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  depth: Depth,
  hasUnsettled: boolean
): ReadonlyArray<string> => [
  countedRuns,
  ...(hasCalls(depth)
    ? [
        `CREATE OR REPLACE TEMP TABLE kept_runs AS ${tailRuns(depth)}`,
        "CREATE OR REPLACE TEMP VIEW tail_runs AS SELECT * FROM kept_runs"
      ]
    : [`CREATE OR REPLACE TEMP VIEW tail_runs AS ${tailRuns(depth)}`]),
  `CREATE OR REPLACE TEMP VIEW runs AS ${together(
    "runs",
    compacted,
    hasUnsettled,
    `is_completed, ${columnsOf(depth).join(", ")}, report_status, run_status`,
    `is_completed, ${columnsOf(depth).join(", ")}, outcome_status AS report_status, status AS run_status`
  )}`,
  `CREATE OR REPLACE TEMP TABLE amendments AS
    SELECT ${position()} AS id, amendment."eventId" AS event_id, amendment."customerId" AS customer_id,
      amendment.outcome.status AS outcome_status, amendment.outcome."valueType" AS outcome_value_type,
      amendment.outcome."valueAmount" AS outcome_value_amount, amendment.outcome.confidence AS outcome_confidence,
      amendment.outcome.reason AS outcome_reason, amendment."by" AS amended_by, amendment."at" AS amended_at
    FROM read_lines WHERE is_amendment AND is_counted
    ${compacted.length === 0 ? "" : "UNION ALL BY NAME SELECT (source::BIGINT << 40) + id AS id, * EXCLUDE (id, source) FROM compacted_amendments"}`,
  `CREATE OR REPLACE TEMP TABLE crowded_events AS
    WITH ${crowdedEvents(Dialect.duckDb, "SELECT * FROM tail_runs WHERE is_crowded")} SELECT * FROM crowded_events`,
  `CREATE OR REPLACE TEMP VIEW tail_events AS
    SELECT * FROM crowded_events UNION ALL BY NAME ${loneEvents("tail_runs")} WHERE NOT is_crowded`,
  `CREATE OR REPLACE TEMP VIEW recorded_events AS ${together("events", compacted, hasUnsettled, "*", "* EXCLUDE (event_key, source)")}`,
  // A table: a common table expression would have all columns of events be read.
  `CREATE OR REPLACE TEMP TABLE latest_amendments AS ${latestAmendments(Dialect.duckDb, "amendments")}`,
  `CREATE OR REPLACE TEMP VIEW events AS ${amended("recorded_events", "latest_amendments")}`
]

/** The calls of lines whose run they say. */
const isWinner = `SEMI JOIN tail_runs r ON r.rank = (1::BIGINT << 60) + ${position("l.")}`

/** Rows of the compacted records that count, of unsettled events. */
const unsettledRows = (name: (typeof CompactedFiles.names)[number]): string =>
  `INSERT INTO tail_${name} BY NAME SELECT c.* EXCLUDE (event_key, source)
    FROM compacted_${name} c SEMI JOIN tail_runs r ON r.run_id = c.run_id AND r.source = c.source`

const callTables = (
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  depth: Depth,
  hasUnsettled: boolean
): ReadonlyArray<string> => {
  const names = CompactedFiles.namesOfCalls.filter((name) => name !== "quantities" || depth === "quantities")
  return [
    `CREATE OR REPLACE TEMP TABLE read_calls AS
      SELECT l.run_id, l.start_time, l.event_id, l.customer_id, unnest(l.usages) AS call,
        generate_subscripts(l.usages, 1) AS number
      FROM read_lines l ${isWinner}`,
    ...names.map((name) => `CREATE OR REPLACE TEMP TABLE tail_${name} AS ${callSelects[name]}`),
    "DROP TABLE read_calls",
    ...(hasUnsettled ? names.map(unsettledRows) : []),
    ...names.map(
      (name) =>
        `CREATE OR REPLACE TEMP VIEW ${name} AS ${together(name, compacted, hasUnsettled, "*", "* EXCLUDE (event_key, source)")}`
    )
  ]
}

const quantity = (name: string): string => `{'meter': '${name}', 'amount': call.usage."${name}"}`

const callSelects = {
  usages: `SELECT run_id, number, start_time, event_id, customer_id, call.usage.kind AS kind, call.usage.provider AS provider,
      call.usage.operation AS operation, call.usage.step AS step, call.usage.model AS model,
      call.usage."responseModel" AS response_model, call.usage.time AS time, call.usage.status AS status,
      call.usage."durationMs" AS duration_ms, call.usage.requests::BIGINT AS requests,
      call.usage."inputTokens"::BIGINT AS input_tokens, call.usage."outputTokens"::BIGINT AS output_tokens,
      call.usage."cacheReadTokens"::BIGINT AS cache_read_tokens,
      call.usage."cacheWriteTokens"::BIGINT AS cache_write_tokens,
      call.usage."reasoningTokens"::BIGINT AS reasoning_tokens, call.usage."serviceTier" AS service_tier,
      call.usage.region AS region, call.usage."finishReason" AS finish_reason, call.usage."errorType" AS error_type,
      call.usage.attempt AS attempt, call.cost._tag AS cost, call.cost.reason AS unpriced_reason,
      coalesce(${amount("call.cost.usd")}, 0) AS usd
    FROM read_calls`,
  charges: `SELECT run_id, usage_number, number, start_time, charge.meter AS meter, charge.quantity::DOUBLE AS quantity,
      charge.unit AS unit, charge."unitPrice" AS unit_price, ${amount("charge.usd")} AS usd,
      charge.price.source AS price_source, charge.price.entry AS price_entry, charge.price.tier AS price_tier,
      charge.price.region AS price_region, charge.price."from" AS price_from,
      charge.price."aboveInputTokens" AS price_above_input_tokens
    FROM (
      SELECT run_id, start_time, number AS usage_number, unnest(call.cost.charges) AS charge,
        generate_subscripts(call.cost.charges, 1) AS number
      FROM read_calls
    )`,
  quantities: `SELECT run_id, usage_number, each.meter AS meter, each.amount AS amount FROM (
      SELECT run_id, number AS usage_number, unnest([${Segments.meters.map(quantity).join(", ")}]) AS each FROM read_calls
      UNION ALL
      SELECT run_id, number,
        unnest([{'meter': 'toolCalls.' || e.key, 'amount': e.value} FOR e IN map_entries(call.usage."toolCalls")])
      FROM read_calls WHERE call.usage."toolCalls" IS NOT NULL
      UNION ALL
      SELECT run_id, number, unnest([{'meter': e.key, 'amount': e.value} FOR e IN map_entries(call.usage.other)])
      FROM read_calls WHERE call.usage.other IS NOT NULL
    ) WHERE each.amount IS NOT NULL`,
  annotations: `SELECT run_id, start_time, event_id, customer_id, entry.key AS name, entry.value AS value FROM (
      SELECT l.run_id, l.start_time, l.event_id, l.customer_id, unnest(map_entries(l.annotations)) AS entry
      FROM read_lines l ${isWinner} WHERE l.annotations IS NOT NULL
    )`
} as const
