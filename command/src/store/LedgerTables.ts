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
import {
  amended,
  columns,
  crowdedEvents,
  type EventColumn,
  latestAmendments,
  loneEvents,
  unamended
} from "./EventRelation.js"
import * as RunColumns from "./RunColumns.js"
import * as Segments from "./Segments.js"
import * as UnsettledRuns from "./UnsettledRuns.js"

/**
 * How much of the lines is read: what events are made of, or all of the runs, or their calls too, or all quantities of those. Each
 * takes more time and memory.
 */
export const depths = ["events", "runs", "calls", "quantities"] as const
export type Depth = (typeof depths)[number]

/** What is read of a ledger. */
export interface Reading {
  readonly depth: Depth
  /** The columns of `events`. Without any there is no such table. */
  readonly events: ReadonlyArray<EventColumn>
  /** The columns of `runs`, besides those that say of which event a run is: `run_status` comes with `status`. */
  readonly runs: ReadonlyArray<RunColumns.Name>
  /** Which calls there are. Those without a price have no charges, and there are no annotations then. */
  readonly calls: "all" | "unpriced"
}

/** All of a ledger at a depth. */
export const whole = (depth: Depth): Reading => ({
  depth,
  events: columns,
  runs: depth === "events" ? [] : RunColumns.names,
  calls: "all"
})

/** The one that includes all of these. */
export const deepest = (some: ReadonlyArray<Depth>): Depth =>
  depths[Math.max(0, ...some.map((depth) => depths.indexOf(depth)))] ?? "events"

/** Whether all that one reads is read by another. */
export const includes = (reading: Reading, needed: Reading): boolean =>
  deepest([reading.depth, needed.depth]) === reading.depth &&
  needed.events.every((column) => reading.events.includes(column)) &&
  needed.runs.every((column) => reading.runs.includes(column)) &&
  (reading.calls === "all" || needed.calls === "unpriced" || !hasCalls(needed.depth))

/** What one and another read. */
export const both = (one: Reading, other: Reading): Reading => ({
  depth: deepest([one.depth, other.depth]),
  events: Array.from(new Set([...one.events, ...other.events])),
  runs: Array.from(new Set([...one.runs, ...other.runs])),
  calls: one.calls === "unpriced" && other.calls === "unpriced" ? "unpriced" : "all"
})

/** What of a ledger is in the tables. */
export interface Loaded {
  readonly files: Ledger.Files
  readonly reading: Reading
  readonly linesLeftOut: number
}

/** Makes the tables, or replaces them. */
export const load = (
  database: DuckDb.DuckDb,
  files: Ledger.Files,
  reading: Reading
): Effect.Effect<Loaded, CommandError> =>
  Effect.gen(function* () {
    const leftOut = yield* make(database, files, reading)
    // Without calls `tail_runs` is a view of the lines, which takes half as long as a table.
    if (holdsCalls(reading)) yield* database.query("DROP TABLE read_lines")
    const cut = files.compacted.reduce((sum, { cutLines, problem }) => sum + (problem === undefined ? cutLines : 1), 0)
    return { files, reading, linesLeftOut: leftOut + cut }
  })

/**
 * Makes the tables, and keeps `read_lines`: what was read of each line, with the place of its segment as `source`. Gives how many
 * lines are not counted.
 */
export const make = (
  database: DuckDb.DuckDb,
  files: Ledger.Files,
  reading: Reading
): Effect.Effect<number, CommandError> =>
  Effect.gen(function* () {
    const { depth } = reading
    const readable = { ...files, compacted: files.compacted.filter(({ problem }) => problem === undefined) }
    yield* all(database, compactedViews(readable, reading))
    const hasUnsettled = yield* readAll(database, readable, reading)
    const found = yield* countRuns(database)
    const isSorted = found.hasTies && (yield* ordered(database, readable, reading))
    const contents = { ...(isSorted ? yield* countRuns(database) : found), hasUnsettled }
    yield* all(database, runTables(readable, reading, contents))
    if (hasCalls(depth)) yield* all(database, callTables(readable.compacted, reading, hasUnsettled))
    return contents.leftOut
  })

/** Runs statements one after the other, whose results nobody reads. */
const all = (database: DuckDb.DuckDb, statements: ReadonlyArray<string>): Effect.Effect<void, CommandError> =>
  statements.length === 0 ? Effect.void : Effect.asVoid(database.query(statements.join(";\n")))

/** Reads the lines, and the compacted runs of events that may have changed since. Gives whether there are such events. */
const readAll = (
  database: DuckDb.DuckDb,
  files: Ledger.Files,
  reading: Reading
): Effect.Effect<boolean, CommandError> =>
  Effect.gen(function* () {
    const { compacted, segments } = files
    const create = database.query(`CREATE OR REPLACE TEMP TABLE read_lines AS ${readLines(files, segments, reading)}`)
    // A table of lines in their order takes several times as long where there are many segments.
    yield* segments.length === 0 ? create : DuckDb.unordered(database, create)
    yield* database.query(lineAmendments)
    if (compacted.length === 0) return false
    const isNoted = UnsettledRuns.areNoted(compacted)
    const hasNoted = isNoted && compacted.some(({ unsettledRuns }) => unsettledRuns !== 0)
    yield* all(database, [
      ...(hasNoted ? [notedRuns(files, reading)] : []),
      unsettledEvents(hasNoted ? "noted_runs" : isNoted ? undefined : "compacted_unsettled", isNoted),
      ...(segments.length > 0 ? eventsOfReadRuns : []),
      ...(hasNoted ? [unsettledRuns(files, reading, "noted_runs")] : [])
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
    yield* database.query(unsettledRuns(files, reading, `compacted_runs ${isUnsettled}`))
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
        count(*) FILTER (WHERE is_counted AND is_amendment) AS amendments,
        (SELECT count(*) FROM counted_runs WHERE is_crowded) AS crowded,
        (SELECT count(*) FROM counted_runs WHERE is_repeated) AS repeated
      FROM read_lines`)
    const count = (name: string) => Number(row?.[name])
    const times =
      count("amendments") < 2
        ? []
        : yield* database.query("SELECT count(DISTINCT (source, event_id, amended_at)) AS times FROM line_amendments")
    return {
      leftOut: count("left_out"),
      hasAmendments: count("amendments") > 0,
      hasCrowds: count("crowded") > 0,
      hasTies: count("repeated") > 0 || times.some(({ times }) => Number(times) < count("amendments"))
    }
  })

/** Amendments of the lines, each with its place. */
const lineAmendments = `CREATE OR REPLACE TEMP VIEW line_amendments AS
  SELECT source, id, amendment."eventId" AS event_id, amendment."customerId" AS customer_id,
    amendment.outcome.status AS outcome_status, amendment.outcome."valueType" AS outcome_value_type,
    amendment.outcome."valueAmount" AS outcome_value_amount, amendment.outcome.confidence AS outcome_confidence,
    amendment.outcome.reason AS outcome_reason, amendment."by" AS amended_by, amendment."at" AS amended_at
  FROM (
    SELECT source, rowid AS id, ${Segments.amendmentOf("amendment")} AS amendment
    FROM read_lines WHERE is_counted AND is_amendment
  )`

/**
 * Reads segments once more, in their order, in which that of two lines counts. A writer rarely makes such lines. Gives whether there
 * were any.
 */
const ordered = (
  database: DuckDb.DuckDb,
  files: Ledger.Files,
  reading: Reading
): Effect.Effect<boolean, CommandError> =>
  Effect.gen(function* () {
    if (files.segments.length === 0) return false
    const places = placesOf(files)
    const tied = new Set((yield* database.query(tiedSources)).map(({ source }) => Number(source)))
    const segments = files.segments.filter(({ path }) => tied.has(places.get(path) ?? -1))
    if (segments.length === 0) return false
    yield* database.query(
      `DELETE FROM read_lines WHERE source IN (${segments.map(({ path }) => places.get(path)).join(", ")})`
    )
    yield* database.query(`INSERT INTO read_lines BY NAME ${readLines(files, segments, reading)}`)
    return true
  })

const areKnown = (values: ReadonlyArray<string>): string =>
  `(${values.map((value) => `${value} IS NOT NULL`).join(" AND ")})`

/** The fields of `Segments.lines` and others, with the run of each as `r`. */
export const withRun = (lines: string, others: ReadonlyArray<string> = []): string =>
  `SELECT ${["*", ...others].join(", ")}, CASE type WHEN 'started' THEN run ELSE completed.run END AS r FROM ${lines}`

/** Whether a line is in the tables. */
export const isCounted = `coalesce(v = 1 AND (type IN ('started', 'completed') AND ${areKnown(
  RunColumns.ofRun.map(RunColumns.expressionOf)
)} AND (type = 'started' OR completed.status IS NOT NULL
      AND (completed.totals.usd IS NULL OR ${RunColumns.expressionOf("usd")} IS NOT NULL))
    OR type = 'amended' AND ${areKnown(
      ["eventId", "outcome.status"].map((path) => `json_extract_string(amendment, '$.${path}')`)
    )}
    OR type IN ('writer', 'lost')), false)`

const columnsOf = ({ events, runs }: Reading): ReadonlyArray<RunColumns.Name> => RunColumns.needed(events, runs)

/** Whether calls are read that would take much memory in `read_lines`: it is dropped then. */
export const holdsCalls = ({ calls, depth }: Reading): boolean => hasCalls(depth) && calls === "all"

const hasCalls = (depth: Depth): boolean => depth === "calls" || depth === "quantities"

/**
 * The places of files in the order in which their lines count: by day, what was compacted of a day before its segments, by name.
 * Those of segments are as far apart as there may be compacted days between them.
 */
const placesOf = ({ compacted, segments }: Ledger.Files): ReadonlyMap<string, number> =>
  new Map([
    ...segments.map(({ path }, index) => [path, index * distance(compacted) + compacted.length] as const),
    ...compacted.map(
      ({ day, path }, index) =>
        [path, segments.filter((segment) => segment.day < day).length * distance(compacted) + index] as const
    )
  ])

const distance = (compacted: ReadonlyArray<Ledger.CompactedDay>): number => compacted.length + 1

/** The place of a file among all, by its `file_index` among these. */
const placeIn = (files: Ledger.Files, read: ReadonlyArray<{ readonly path: string }>): string => {
  // A list of many places takes a third of the time that the lines take.
  if (read === files.segments) return `file_index::BIGINT * ${distance(files.compacted)} + ${files.compacted.length}`
  const places = placesOf(files)
  return `[${read.map(({ path }) => places.get(path)).join(", ")}][file_index::BIGINT + 1]`
}

/** Where a line is among all lines. Lines of one segment have their order where that counts. */
const position = (alias = ""): string => `((${alias}source::BIGINT << 36) + ${alias}rowid)`

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
const readLines = (files: Ledger.Files, segments: ReadonlyArray<Ledger.Segment>, reading: Reading): string => {
  const { depth } = reading
  const columns = columnsOf(reading)
  const read = depth === "events" ? "runs" : hasCalls(depth) && reading.calls === "unpriced" ? "unpriced" : depth
  const lines = Segments.lines(
    segments.map(({ path }) => path),
    read,
    RunColumns.pathsOf(columns)
  )
  // Without a filter, so that `rowid` numbers the lines in the order in which they are read.
  return `SELECT ${isCounted} AS is_counted, type = 'completed' AS is_completed, type = 'amended' AS is_amendment,
      ${columns.map((name) => `${RunColumns.expressionOf(name)} AS ${name}`).join(", ")},
      ${segments.length === 0 ? "0" : placeIn(files, segments)} AS source,
      ${isAlive(segments)} AS is_alive, CASE WHEN type = 'amended' THEN amendment END AS amendment
      ${nested(
        depth,
        reading.calls === "all"
          ? "completed.usages AS usages, completed.annotations AS annotations"
          : `${Segments.unpricedOf("completed.usages")} AS usages`
      )}
      ${read === "quantities" ? `, v IS NULL AS is_cut, CASE WHEN v = 1 AND type = 'lost' THEN "count" END AS lost` : ""}
    FROM (${withRun(lines, segments.length === 0 ? [] : ["file_index"])})`
}

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

const compactedViews = (files: Ledger.Files, { depth, events }: Reading): ReadonlyArray<string> =>
  CompactedFiles.names.flatMap((name) => {
    const days = daysWith(files, depth, name)
    if (days.length === 0) return []
    // By default the first file says the types. Of days that an earlier version compacted it may be an integer.
    const unified = name === "events" && events.includes("usd_before_final") ? ", union_by_name = true" : ""
    return `CREATE OR REPLACE TEMP VIEW compacted_${name} AS SELECT *, ${placeIn(files, days)} AS source
      FROM read_parquet(${CompactedFiles.list(days, name)}${unified})`
  })

/** Segments that have several lines of one kind for a run, or amendments of one event that were made at one time. */
const tiedSources = `SELECT DISTINCT source FROM (
    SELECT source FROM read_lines SEMI JOIN (
      SELECT run_id, is_completed FROM read_lines WHERE is_counted AND run_id IS NOT NULL
      GROUP BY run_id, is_completed HAVING count(*) > 1
    ) USING (run_id, is_completed)
    WHERE is_counted GROUP BY run_id, is_completed, source HAVING count(*) > 1
    UNION ALL
    SELECT source FROM line_amendments GROUP BY source, event_id, amended_at HAVING count(*) > 1
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

const notedRuns = (files: Ledger.Files, reading: Reading): string => {
  const places = placesOf(files)
  return `CREATE OR REPLACE TEMP TABLE noted_runs AS
    ${UnsettledRuns.select(files.compacted, columnsOf(reading), ({ path }) => places.get(path) ?? 0)}`
}

/** Adds compacted runs to the lines. */
const unsettledRuns = ({ segments }: Ledger.Files, reading: Reading, from: string): string => {
  const alive = new Set(segments.filter(({ isAbandoned }) => !isAbandoned).map(({ writer }) => writer))
  const isAlive =
    alive.size === 0
      ? "false"
      : `coalesce(list_has_any(writers, [${Array.from(alive, DuckDb.literal).join(", ")}]), false)`
  return `INSERT INTO read_lines BY NAME
    SELECT true AS is_counted, false AS is_amendment, is_completed, ${columnsOf(reading).join(", ")}, source, ${isAlive} AS is_alive
      ${nested(reading.depth, reading.calls === "all" ? "NULL AS usages, NULL AS annotations" : "NULL AS usages")}
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

const readRuns = (reading: Reading): string => `SELECT c.rank, source, is_completed,
    ${columnsOf(reading).join(", ")}, ${statusesOf(reading, openStatus)}, is_crowded
  FROM read_lines l JOIN counted_runs c ON c.rank = ${rank("l.")}`

/** What is known of how runs ended, with `open` for those that have not. */
const statusesOf = (reading: Reading, open?: string): string => {
  const read = columnsOf(reading)
  return (["outcome_status", "status"] as const)
    .map((name) => {
      const status = !read.includes(name)
        ? "NULL::VARCHAR"
        : open === undefined
          ? name
          : `CASE WHEN is_completed THEN ${name} ELSE ${open} END`
      return `${status} AS ${name === "status" ? "run_status" : "report_status"}`
    })
    .join(", ")
}

/** Columns that are not read are unknown here. What is made of them is not in `events`. */
const tailRuns = (reading: Reading, runs: string): string => {
  const missing = RunColumns.names.filter((name) => !columnsOf(reading).includes(name))
  return `CREATE OR REPLACE TEMP VIEW tail_runs AS
    SELECT ${["*", ...missing.map((name) => `NULL::${RunColumns.typeOf(name)} AS ${name}`)].join(", ")} FROM ${runs}`
}

const runTables = ({ compacted }: Ledger.Files, reading: Reading, contents: Contents): ReadonlyArray<string> => {
  const { depth } = reading
  const hasCompactedAmendments = withAmendments(compacted).length > 0
  const ofRuns = ["is_completed", ...columnsOf(reading)].join(", ")
  return [
    ...(holdsCalls(reading)
      ? [`CREATE OR REPLACE TEMP TABLE kept_runs AS ${readRuns(reading)}`, tailRuns(reading, "kept_runs")]
      : [tailRuns(reading, `(${readRuns(reading)})`)]),
    ...(depth === "events"
      ? []
      : [
          `CREATE OR REPLACE TEMP VIEW runs AS ${together(
            "runs",
            compacted,
            contents.hasUnsettled,
            `${ofRuns}, report_status, run_status`,
            `${ofRuns}, ${statusesOf(reading)}`
          )}`
        ]),
    // By their place and their order there: a number of one compacted day is one of another, too.
    `CREATE OR REPLACE TEMP TABLE amendments AS
      SELECT row_number() OVER (ORDER BY source, id) AS id, * EXCLUDE (id, source) FROM (
        SELECT * FROM line_amendments
        ${hasCompactedAmendments ? "UNION ALL BY NAME SELECT * FROM compacted_amendments" : ""}
      )`,
    ...(reading.events.length === 0 ? [] : eventTables(compacted, reading, contents))
  ]
}

const eventTables = (
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  { events }: Reading,
  { hasAmendments, hasCrowds, hasUnsettled }: Contents
): ReadonlyArray<string> => [
  ...(hasCrowds
    ? [
        `CREATE OR REPLACE TEMP TABLE crowded_events AS
          WITH ${crowdedEvents(Dialect.duckDb, "SELECT * FROM tail_runs WHERE is_crowded", events)} SELECT * FROM crowded_events`,
        `CREATE OR REPLACE TEMP VIEW tail_events AS
          SELECT * FROM crowded_events UNION ALL BY NAME ${loneEvents("tail_runs")} WHERE NOT is_crowded`
      ]
    : [`CREATE OR REPLACE TEMP VIEW tail_events AS ${loneEvents("tail_runs")}`]),
  `CREATE OR REPLACE TEMP VIEW recorded_events AS
    ${together("events", compacted, hasUnsettled, "*", "* EXCLUDE (event_key, source)")}`,
  ...(hasAmendments || withAmendments(compacted).length > 0
    ? // A table: a common table expression would have all columns of events be read.
      [`CREATE OR REPLACE TEMP TABLE latest_amendments AS ${latestAmendments(Dialect.duckDb, "amendments")}`]
    : []),
  `CREATE OR REPLACE TEMP VIEW events AS SELECT ${events.join(", ")} FROM (${
    hasAmendments || withAmendments(compacted).length > 0
      ? amended("recorded_events", "latest_amendments")
      : unamended("recorded_events")
  })`
]

/** The calls of lines whose run they say. */
const isWinner = `SEMI JOIN tail_runs r ON r.rank = (1::BIGINT << 60) + ${position("l.")}`

/** Rows of the compacted records that count, of unsettled events. */
const unsettledRows = (name: (typeof CompactedFiles.names)[number]): string =>
  `INSERT INTO tail_${name} BY NAME SELECT c.* EXCLUDE (event_key, source)
    FROM compacted_${name} c SEMI JOIN tail_runs r ON r.run_id = c.run_id AND r.source = c.source`

const callTables = (
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  { calls, depth }: Reading,
  hasUnsettled: boolean
): ReadonlyArray<string> => {
  const names = CompactedFiles.namesOfCalls.filter(
    (name) =>
      (name !== "quantities" || depth === "quantities") &&
      (calls === "all" || name === "usages" || name === "quantities")
  )
  return [
    `CREATE OR REPLACE TEMP TABLE read_calls AS
      SELECT l.run_id, l.start_time, l.event_id, l.customer_id, ${calls === "all" ? "unnest(l.usages)" : Segments.callOf("unnest(l.usages)")} AS call,
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
      coalesce(${RunColumns.amount("call.cost.usd")}, 0) AS usd
    FROM read_calls`,
  charges: `SELECT run_id, usage_number, number, start_time, charge.meter AS meter, charge.quantity::DOUBLE AS quantity,
      charge.unit AS unit, charge."unitPrice" AS unit_price, ${RunColumns.amount("charge.usd")} AS usd,
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
