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
import { amended, crowdedEvents, latestAmendments, loneEvents, unamended } from "./EventRelation.js"
import * as Segments from "./Segments.js"
import * as UnsettledRuns from "./UnsettledRuns.js"

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
    const leftOut = yield* make(database, files, depth)
    // Without calls `tail_runs` is a view of the lines, which takes half as long as a table.
    if (hasCalls(depth)) yield* database.query("DROP TABLE read_lines")
    const cut = files.compacted.reduce((sum, { cutLines, problem }) => sum + (problem === undefined ? cutLines : 1), 0)
    return { files, depth, linesLeftOut: leftOut + cut }
  })

/**
 * Makes the tables, and keeps `read_lines`: what was read of each line, with the place of its segment as `source`. Gives how many
 * lines are not counted.
 */
export const make = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<number, CommandError> =>
  Effect.gen(function* () {
    const readable = { ...files, compacted: files.compacted.filter(({ problem }) => problem === undefined) }
    yield* all(database, compactedViews(readable, depth))
    const hasUnsettled = yield* readAll(database, readable, depth)
    const found = yield* countRuns(database)
    const isSorted = found.hasTies && (yield* ordered(database, readable, depth))
    const contents = { ...(isSorted ? yield* countRuns(database) : found), hasUnsettled }
    yield* all(database, runTables(readable, depth, contents))
    if (hasCalls(depth)) yield* all(database, callTables(readable.compacted, depth, hasUnsettled))
    return contents.leftOut
  })

/** Runs statements one after the other, whose results nobody reads. */
const all = (database: DuckDb.DuckDb, statements: ReadonlyArray<string>): Effect.Effect<void, CommandError> =>
  statements.length === 0 ? Effect.void : Effect.asVoid(database.query(statements.join(";\n")))

/** Reads the lines, and the compacted runs of events that may have changed since. Gives whether there are such events. */
const readAll = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<boolean, CommandError> =>
  Effect.gen(function* () {
    const { compacted, segments } = files
    const create = database.query(`CREATE OR REPLACE TEMP TABLE read_lines AS ${readLines(files, segments, depth)}`)
    // A table of lines in their order takes several times as long where there are many segments.
    yield* segments.length === 0 ? create : DuckDb.unordered(database, create)
    if (compacted.length === 0) return false
    const isNoted = UnsettledRuns.areNoted(compacted)
    const hasNoted = isNoted && compacted.some(({ unsettledRuns }) => unsettledRuns !== 0)
    yield* all(database, [
      ...(hasNoted ? [notedRuns(files, depth)] : []),
      unsettledEvents(hasNoted ? "noted_runs" : isNoted ? undefined : "compacted_unsettled", isNoted),
      ...(segments.length > 0 ? eventsOfReadRuns : []),
      ...(hasNoted ? [unsettledRuns(files, depth, "noted_runs")] : [])
    ])
    if (isNoted && segments.length === 0) return hasNoted
    const rows = yield* database.query(
      `SELECT event_key::VARCHAR AS key FROM unsettled WHERE NOT is_noted LIMIT ${maxNamedKeys + 1}`
    )
    if (rows.length === 0) return hasNoted
    const isUnsettled =
      rows.length > maxNamedKeys
        ? "SEMI JOIN (SELECT event_key FROM unsettled WHERE NOT is_noted) USING (event_key)"
        : `WHERE event_key IN (${rows.map(({ key }) => `${String(key)}::UBIGINT`).join(", ")})`
    yield* database.query(unsettledRuns(files, depth, `compacted_runs ${isUnsettled}`))
    return true
  })

/**
 * How many keys a statement names. With more it joins the table of them. Where the keys are in the statement, DuckDB reads only
 * their column of the files that have none of them.
 */
const maxNamedKeys = 500

/** What the tables are made of. */
interface Contents {
  readonly leftOut: number
  readonly hasAmendments: boolean
  /** Whether there are events of several runs. */
  readonly hasCrowds: boolean
  /** Whether the order of lines may count that are in one segment: of one kind for a run, or amendments of one time. */
  readonly hasTies: boolean
  /** Whether there are events that cannot be taken from compacted days. */
  readonly hasUnsettled: boolean
}

/** Finds of each run the line that counts. */
const countRuns = (database: DuckDb.DuckDb): Effect.Effect<Omit<Contents, "hasUnsettled">, CommandError> =>
  Effect.gen(function* () {
    yield* database.query(countedRuns)
    const [row] = yield* database.query(`SELECT count(*) FILTER (WHERE NOT is_counted) AS left_out,
        count(*) FILTER (WHERE ${isAmendment}) AS amendments,
        count(DISTINCT (source, amendment."eventId", amendment."at")) FILTER (WHERE ${isAmendment}) AS times,
        (SELECT count(*) FROM counted_runs WHERE is_crowded) AS crowded,
        (SELECT count(*) FROM counted_runs WHERE is_repeated) AS repeated
      FROM read_lines`)
    const count = (name: string) => Number(row?.[name])
    return {
      leftOut: count("left_out"),
      hasAmendments: count("amendments") > 0,
      hasCrowds: count("crowded") > 0,
      hasTies: count("repeated") > 0 || count("times") < count("amendments")
    }
  })

const isAmendment = "is_counted AND is_amendment"

/**
 * Reads segments once more, in their order, in which that of two lines counts. A writer rarely makes such lines. Gives whether there
 * were any.
 */
const ordered = (database: DuckDb.DuckDb, files: Ledger.Files, depth: Depth): Effect.Effect<boolean, CommandError> =>
  Effect.gen(function* () {
    if (files.segments.length === 0) return false
    const places = placesOf(files)
    const tied = new Set((yield* database.query(tiedSources)).map(({ source }) => Number(source)))
    const segments = files.segments.filter(({ path }) => tied.has(places.get(path) ?? -1))
    if (segments.length === 0) return false
    yield* database.query(
      `DELETE FROM read_lines WHERE source IN (${segments.map(({ path }) => places.get(path)).join(", ")})`
    )
    yield* database.query(`INSERT INTO read_lines BY NAME ${readLines(files, segments, depth)}`)
    return true
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

/** All columns of a run. */
export const columns: ReadonlyArray<string> = Object.keys(runColumns)

const columnsOf = (depth: Depth): ReadonlyArray<string> =>
  columns.filter((name) => depth !== "events" || !notOfEvents.has(name))

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
      SELECT * REPLACE (CASE WHEN type = 'amended' THEN ${Segments.amendmentOf("amendment")} END AS amendment),
        ${segments.length === 0 ? "" : "file_index,"} CASE type WHEN 'started' THEN run ELSE completed.run END AS r
      FROM ${Segments.lines(
        segments.map(({ path }) => path),
        depth
      )}
    )`

/** Compacted days that have amendments, or may have. */
const withAmendments = (compacted: ReadonlyArray<Ledger.CompactedDay>): ReadonlyArray<Ledger.CompactedDay> =>
  compacted.filter(({ amendments }) => amendments !== 0)

/** Compacted days of which a table is read, at a depth. */
const daysWith = (
  { compacted, segments }: Ledger.Files,
  depth: Depth,
  name: (typeof CompactedFiles.names)[number]
): ReadonlyArray<Ledger.CompactedDay> => {
  const isNoted = UnsettledRuns.areNoted(compacted)
  if (name === "events") return compacted
  if (name === "amendments") return withAmendments(compacted)
  if (name === "unsettled") return isNoted ? [] : compacted
  if (name === "runs") return isNoted && segments.length === 0 && depth === "events" ? [] : compacted
  return hasCalls(depth) ? compacted : []
}

const compactedViews = (files: Ledger.Files, depth: Depth): ReadonlyArray<string> =>
  CompactedFiles.names.flatMap((name) => {
    const days = daysWith(files, depth, name)
    if (days.length === 0) return []
    return `CREATE OR REPLACE TEMP VIEW compacted_${name} AS SELECT *, ${placeIn(files, days)} AS source
      FROM read_parquet(${CompactedFiles.list(days, name)})`
  })

/** Segments that have several lines of one kind for a run, or amendments of one event that were made at one time. */
const tiedSources = `SELECT DISTINCT source FROM (
    SELECT source FROM read_lines SEMI JOIN (
      SELECT run_id, is_completed FROM read_lines WHERE is_counted AND run_id IS NOT NULL
      GROUP BY run_id, is_completed HAVING count(*) > 1
    ) USING (run_id, is_completed)
    WHERE is_counted GROUP BY run_id, is_completed, source HAVING count(*) > 1
    UNION ALL
    SELECT source FROM read_lines WHERE ${isAmendment}
    GROUP BY source, amendment."eventId", amendment."at" HAVING count(*) > 1
  )`

/** The key of an event in compacted files: two events rarely have the same one, which does no harm. */
export const eventKey = (alias = ""): string => `md5_number_lower(${alias}event_id || chr(31) || ${alias}customer_id)`

/**
 * Events whose runs are in several places: in segments, or in more than one compacted day; and those that have a run without an
 * end. A day notes which of its events that is known of when it is compacted, here those of a table.
 */
const unsettledEvents = (table: string | undefined, isNoted: boolean): string =>
  `CREATE OR REPLACE TEMP TABLE unsettled AS ${
    table === undefined
      ? "SELECT 0::UBIGINT AS event_key, true AS is_noted WHERE false"
      : `SELECT DISTINCT event_key, ${isNoted} AS is_noted FROM ${table}`
  }`

/** Adds the events of the runs that were read. A run may have been of another event, where a record was wrong. */
const eventsOfReadRuns: ReadonlyArray<string> = [
  `SELECT ${eventKey()} AS event_key FROM read_lines WHERE is_counted AND run_id IS NOT NULL`,
  `SELECT event_key FROM compacted_runs
    WHERE run_id IN (SELECT run_id FROM read_lines WHERE is_counted AND run_id IS NOT NULL)`
].map(
  (keys) => `INSERT INTO unsettled SELECT DISTINCT event_key, false FROM (${keys})
    WHERE event_key NOT IN (SELECT event_key FROM unsettled)`
)

const notedRuns = (files: Ledger.Files, depth: Depth): string => {
  const places = placesOf(files)
  return `CREATE OR REPLACE TEMP TABLE noted_runs AS
    ${UnsettledRuns.select(files.compacted, columnsOf(depth), ({ path }) => places.get(path) ?? 0)}`
}

/** Adds compacted runs to the lines. */
const unsettledRuns = ({ segments }: Ledger.Files, depth: Depth, from: string): string => {
  const alive = new Set(segments.filter(({ isAbandoned }) => !isAbandoned).map(({ writer }) => writer))
  const isAlive =
    alive.size === 0
      ? "false"
      : `coalesce(list_has_any(writers, [${Array.from(alive, DuckDb.literal).join(", ")}]), false)`
  return `INSERT INTO read_lines BY NAME
    SELECT true AS is_counted, false AS is_amendment, is_completed, ${columnsOf(depth).join(", ")}, source, ${isAlive} AS is_alive
      ${nested(depth, "NULL AS usages, NULL AS annotations")}
    FROM ${from}`
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
      bool_or(is_alive AND NOT is_completed) AS is_running,
      greatest(count(*) FILTER (WHERE is_completed), count(*) FILTER (WHERE NOT is_completed)) > 1 AS is_repeated
    FROM read_lines WHERE is_counted AND run_id IS NOT NULL GROUP BY run_id
  )
  SELECT rank, is_running, is_repeated,
    event IN (SELECT event FROM winners GROUP BY event HAVING count(*) > 1) AS is_crowded
  FROM winners`

const tailRuns = (depth: Depth): string => `SELECT c.rank, source, is_completed, ${columnsOf(depth).join(", ")},
    CASE WHEN is_completed THEN outcome_status ELSE ${openStatus} END AS report_status,
    CASE WHEN is_completed THEN status ELSE ${openStatus} END AS run_status, is_crowded
  FROM read_lines l JOIN counted_runs c ON c.rank = ${rank("l.")}`

const runTables = (
  { compacted }: Ledger.Files,
  depth: Depth,
  { hasAmendments, hasCrowds, hasUnsettled }: Contents
): ReadonlyArray<string> => {
  const hasCompactedAmendments = withAmendments(compacted).length > 0
  return [
    ...(hasCalls(depth)
      ? [
          `CREATE OR REPLACE TEMP TABLE kept_runs AS ${tailRuns(depth)}`,
          "CREATE OR REPLACE TEMP VIEW tail_runs AS SELECT * FROM kept_runs"
        ]
      : [`CREATE OR REPLACE TEMP VIEW tail_runs AS ${tailRuns(depth)}`]),
    ...(depth === "events"
      ? []
      : [
          `CREATE OR REPLACE TEMP VIEW runs AS ${together(
            "runs",
            compacted,
            hasUnsettled,
            `is_completed, ${columnsOf(depth).join(", ")}, report_status, run_status`,
            `is_completed, ${columnsOf(depth).join(", ")}, outcome_status AS report_status, status AS run_status`
          )}`
        ]),
    // By their place and their order there: a number of one compacted day is one of another, too.
    `CREATE OR REPLACE TEMP TABLE amendments AS
      SELECT row_number() OVER (ORDER BY source, id) AS id, * EXCLUDE (id, source) FROM (
        SELECT source, rowid AS id, amendment."eventId" AS event_id, amendment."customerId" AS customer_id,
          amendment.outcome.status AS outcome_status, amendment.outcome."valueType" AS outcome_value_type,
          amendment.outcome."valueAmount" AS outcome_value_amount, amendment.outcome.confidence AS outcome_confidence,
          amendment.outcome.reason AS outcome_reason, amendment."by" AS amended_by, amendment."at" AS amended_at
        FROM read_lines WHERE ${isAmendment}
        ${hasCompactedAmendments ? "UNION ALL BY NAME SELECT * FROM compacted_amendments" : ""}
      )`,
    ...(hasCrowds
      ? [
          `CREATE OR REPLACE TEMP TABLE crowded_events AS
            WITH ${crowdedEvents(Dialect.duckDb, "SELECT * FROM tail_runs WHERE is_crowded")} SELECT * FROM crowded_events`,
          `CREATE OR REPLACE TEMP VIEW tail_events AS
            SELECT * FROM crowded_events UNION ALL BY NAME ${loneEvents("tail_runs")} WHERE NOT is_crowded`
        ]
      : [`CREATE OR REPLACE TEMP VIEW tail_events AS ${loneEvents("tail_runs")}`]),
    `CREATE OR REPLACE TEMP VIEW recorded_events AS
      ${together("events", compacted, hasUnsettled, "*", "* EXCLUDE (event_key, source)")}`,
    ...(hasAmendments || hasCompactedAmendments
      ? [
          // A table: a common table expression would have all columns of events be read.
          `CREATE OR REPLACE TEMP TABLE latest_amendments AS ${latestAmendments(Dialect.duckDb, "amendments")}`,
          `CREATE OR REPLACE TEMP VIEW events AS ${amended("recorded_events", "latest_amendments")}`
        ]
      : [`CREATE OR REPLACE TEMP VIEW events AS ${unamended("recorded_events")}`])
  ]
}

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
