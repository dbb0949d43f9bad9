/**
 * A directory of segments, read by DuckDB.
 */
import { type FileSystem, Path } from "@effect/platform"
import { CompletedRun, Run } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { Figures, RunRecord } from "botanu-effect/report"
import { DateTime, Effect, Either, Ref, Schema, type Scope } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Dialect from "./Dialect.js"
import * as DuckDb from "./DuckDb.js"
import { amended, recordedEvents } from "./EventRelation.js"
import { segments } from "./LedgerDirectory.js"
import type { Health, Records, Relation, Row, Selection, Statement, Store } from "./LedgerStore.js"
import * as Segments from "./Segments.js"

/** How much of the lines is read: runs only, or their calls too, or all quantities of those. Each takes more time and memory. */
const depths = ["runs", "calls", "quantities"] as const
type Depth = (typeof depths)[number]

interface Loaded {
  readonly segments: ReadonlyArray<Ledger.Segment>
  readonly depth: Depth
  readonly linesLeftOut: number
}

/** Opens the ledger in a directory. Fails where there is no such directory. Nothing is read until the first statement. */
export const open = (
  directory: string
): Effect.Effect<Store, CommandError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const path = yield* Path.Path
    const listed = Effect.provide(segments(directory), environment)
    const found = yield* listed
    const database = yield* DuckDb.make
    const state = yield* Ref.make<Loaded | undefined>(undefined)
    // One statement at a time: tables are replaced while they are loaded.
    const lock = yield* Effect.makeSemaphore(1)

    const load = (segments: ReadonlyArray<Ledger.Segment>, depth: Depth) =>
      Effect.tap(loaded(database, segments, depth), (loaded) => Ref.set(state, loaded))

    const loadedFor = (from: ReadonlyArray<Relation>) =>
      Effect.flatMap(Ref.get(state), (known) => {
        const needed = Math.max(0, ...from.map((relation) => depths.indexOf(depthOf[relation] ?? "runs")))
        if (known !== undefined && depths.indexOf(known.depth) >= needed) return Effect.succeed(known)
        return load(known?.segments ?? found, depths[needed] ?? "runs")
      })

    return {
      name: directory,
      dialect: Dialect.duckDb,
      query: ({ from, parameters, text }: Statement) =>
        lock.withPermits(1)(
          Effect.zipRight(
            loadedFor(from),
            Effect.map(database.query(text, parameters), (rows) => rows.map(asText))
          )
        ),
      records: (selection) =>
        lock.withPermits(1)(
          Effect.flatMap(Ref.get(state), (known) => recordsOf(database, known?.segments ?? found, selection))
        ),
      refresh: lock.withPermits(1)(
        Effect.gen(function* () {
          const known = yield* Ref.get(state)
          const now = yield* listed
          if (known === undefined || isSame(known.segments, now)) return false
          yield* load(now, known.depth)
          return true
        })
      ),
      health: lock.withPermits(1)(
        Effect.gen(function* () {
          const { segments } = (yield* Ref.get(state)) ?? { segments: found }
          return yield* healthOf(database, segments, (file) => path.relative(directory, file))
        })
      ),
      linesLeftOut: lock.withPermits(1)(Effect.map(loadedFor([]), ({ linesLeftOut }) => linesLeftOut))
    }
  })

/** Makes all tables in a database, which then holds the ledger as it is now. */
export const materialize = (
  database: DuckDb.DuckDb,
  directory: string
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.flatMap(segments(directory), (segments) => Effect.asVoid(loaded(database, segments, "quantities")))

const depthOf: Readonly<Partial<Record<Relation, Depth>>> = {
  usages: "calls",
  charges: "calls",
  annotations: "calls",
  quantities: "quantities"
}

const isSame = (one: ReadonlyArray<Ledger.Segment>, other: ReadonlyArray<Ledger.Segment>): boolean =>
  one.length === other.length &&
  one.every(({ bytes, isAbandoned, path }, index) => {
    const segment = other[index]
    return segment?.path === path && segment.bytes === bytes && segment.isAbandoned === isAbandoned
  })

/** The texts of the values of a row. */
export const asText = (row: DuckDb.Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null || value === undefined
        ? null
        : typeof value === "string"
          ? value
          : typeof value === "object"
            ? JSON.stringify(value)
            : String(value)
    ])
  )

/** Whether a line is a run that can be counted. */
const isRun = (run: string): string =>
  `(${["runId", "workflow", "eventId", "customerId", "rootRunId", "attempt", "startTime"]
    .map((name) => `${run}."${name}" IS NOT NULL`)
    .join(" AND ")})`

const amount = (text: string): string => `TRY_CAST(${text} AS DECIMAL(38, 24))`

const isCounted = `v = 1 AND (type = 'started' AND ${isRun("run")}
  OR type = 'completed' AND ${isRun("completed.run")} AND completed.status IS NOT NULL
    AND ${amount("completed.totals.usd")} IS NOT NULL
  OR type = 'amended' AND amendment.eventId IS NOT NULL AND amendment.outcome.status IS NOT NULL
  OR type IN ('writer', 'lost'))`

/** Completed records come after starts; of several the last counts. Of several starts the first counts. */
const rank = `CASE WHEN is_completed THEN (1::BIGINT << 60) + rowid ELSE (1::BIGINT << 60) - 1 - rowid END`

const runColumns = (run: string): string => `${run}."runId" AS run_id, ${run}."startTime" AS start_time,
  ${run}.workflow AS workflow, ${run}."eventId" AS event_id, ${run}."customerId" AS customer_id,
  ${run}.environment AS environment, ${run}."workflowVersion" AS workflow_version, ${run}."tenantId" AS tenant_id,
  ${run}."parentRunId" AS parent_run_id, ${run}."rootRunId" AS root_run_id, ${run}.attempt AS attempt,
  ${run}."retryOfRunId" AS retry_of_run_id, ${run}.deadline AS deadline`

const endColumns = `completed.status AS status, completed."errorClass" AS error_class,
  completed."cancellationReason" AS cancellation_reason, completed."endTime" AS end_time,
  completed."durationMs" AS duration_ms, completed."traceId" AS trace_id, completed.outcome.status AS outcome_status,
  completed.outcome."valueType" AS outcome_value_type, completed.outcome."valueAmount" AS outcome_value_amount,
  completed.outcome.confidence AS outcome_confidence, completed.outcome.reason AS outcome_reason,
  completed.outcome."errorType" AS outcome_error_type, ${amount("completed.totals.usd")} AS usd,
  completed.totals."inputTokens" AS input_tokens, completed.totals."outputTokens" AS output_tokens,
  completed.totals.calls AS calls, completed.totals."unpricedCalls" AS unpriced_calls,
  completed.repriced.time AS repriced_at`

/** A run without an end is lost where all processes that reported its start are gone. */
const openStatus = `CASE WHEN run_id IN (SELECT run_id FROM read_lines WHERE is_counted AND is_alive AND NOT is_completed)
  THEN 'running' ELSE 'lost' END`

const isAlive = (segments: ReadonlyArray<Ledger.Segment>): string => {
  const alive = segments.filter(({ isAbandoned }) => !isAbandoned).map(({ path }) => DuckDb.literal(path))
  return alive.length === 0 ? "false" : `filename IN (${alive.join(", ")})`
}

const runTables = (segments: ReadonlyArray<Ledger.Segment>, depth: Depth): ReadonlyArray<string> => [
  // Without a filter, so that `rowid` numbers the lines in the order of the files.
  `CREATE OR REPLACE TEMP TABLE read_lines AS
    SELECT coalesce(${isCounted}, false) AS is_counted, type = 'completed' AS is_completed, type = 'amended' AS is_amendment,
      ${runColumns("r")}, ${endColumns},
      ${isAlive(segments)} AS is_alive, amendment
      ${depth === "runs" ? "" : ", completed.usages AS usages, completed.annotations AS annotations"}
    FROM (
      SELECT *, CASE type WHEN 'started' THEN run ELSE completed.run END AS r FROM ${Segments.lines(
        segments.map(({ path }) => path),
        depth
      )}
    )`,
  `CREATE OR REPLACE TEMP TABLE runs AS
    SELECT ${rank} AS rank, * EXCLUDE (is_counted, is_amendment, is_alive, amendment${depth === "runs" ? "" : ", usages, annotations"}),
      CASE WHEN is_completed THEN outcome_status ELSE ${openStatus} END AS report_status,
      CASE WHEN is_completed THEN status ELSE ${openStatus} END AS run_status
    FROM read_lines SEMI JOIN (
      SELECT max(${rank}) AS winner FROM read_lines WHERE is_counted AND run_id IS NOT NULL GROUP BY run_id
    ) ON winner = ${rank}`,
  `CREATE OR REPLACE TEMP TABLE amendments AS
    SELECT rowid AS id, amendment."eventId" AS event_id, amendment."customerId" AS customer_id,
      amendment.outcome.status AS outcome_status, amendment.outcome."valueType" AS outcome_value_type,
      amendment.outcome."valueAmount" AS outcome_value_amount, amendment.outcome.confidence AS outcome_confidence,
      amendment.outcome.reason AS outcome_reason, amendment."by" AS amended_by, amendment."at" AS amended_at
    FROM read_lines WHERE is_amendment AND is_counted`,
  `CREATE OR REPLACE TEMP TABLE recorded_events AS
    WITH ${recordedEvents(Dialect.duckDb, "runs")} SELECT * FROM recorded_events`,
  `CREATE OR REPLACE TEMP VIEW events AS
    WITH ${amended(Dialect.duckDb, "recorded_events", "amendments")} SELECT * FROM events`
]

const callTables = (depth: Depth): ReadonlyArray<string> => [
  `CREATE OR REPLACE TEMP TABLE read_calls AS
    SELECT l.run_id, l.start_time, l.event_id, l.customer_id, unnest(l.usages) AS call,
      generate_subscripts(l.usages, 1) AS number
    FROM read_lines l SEMI JOIN runs r ON r.rank = (1::BIGINT << 60) + l.rowid`,
  `CREATE OR REPLACE TEMP TABLE usages AS
    SELECT run_id, number, start_time, event_id, customer_id, call.usage.kind AS kind, call.usage.provider AS provider,
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
  `CREATE OR REPLACE TEMP TABLE charges AS
    SELECT run_id, usage_number, number, start_time, charge.meter AS meter, charge.quantity::DOUBLE AS quantity,
      charge.unit AS unit, charge."unitPrice" AS unit_price, ${amount("charge.usd")} AS usd,
      charge.price.source AS price_source, charge.price.entry AS price_entry, charge.price.tier AS price_tier,
      charge.price.region AS price_region, charge.price."from" AS price_from,
      charge.price."aboveInputTokens" AS price_above_input_tokens
    FROM (
      SELECT run_id, start_time, number AS usage_number, unnest(call.cost.charges) AS charge,
        generate_subscripts(call.cost.charges, 1) AS number
      FROM read_calls
    )`,
  ...(depth === "quantities" ? [quantities] : []),
  "DROP TABLE read_calls",
  `CREATE OR REPLACE TEMP TABLE annotations AS
    SELECT run_id, start_time, event_id, customer_id, entry.key AS name, entry.value AS value FROM (
      SELECT l.run_id, l.start_time, l.event_id, l.customer_id, unnest(map_entries(l.annotations)) AS entry
      FROM read_lines l SEMI JOIN runs r ON r.rank = (1::BIGINT << 60) + l.rowid WHERE l.annotations IS NOT NULL
    )`
]

const quantity = (name: string): string => `{'meter': '${name}', 'amount': call.usage."${name}"}`

const quantities = `CREATE OR REPLACE TEMP TABLE quantities AS
  SELECT run_id, usage_number, each.meter AS meter, each.amount AS amount FROM (
    SELECT run_id, number AS usage_number, unnest([${Segments.meters.map(quantity).join(", ")}]) AS each FROM read_calls
    UNION ALL
    SELECT run_id, number,
      unnest([{'meter': 'toolCalls.' || e.key, 'amount': e.value} FOR e IN map_entries(call.usage."toolCalls")])
    FROM read_calls WHERE call.usage."toolCalls" IS NOT NULL
    UNION ALL
    SELECT run_id, number, unnest([{'meter': e.key, 'amount': e.value} FOR e IN map_entries(call.usage.other)])
    FROM read_calls WHERE call.usage.other IS NOT NULL
  ) WHERE each.amount IS NOT NULL`

const loaded = (
  database: DuckDb.DuckDb,
  segments: ReadonlyArray<Ledger.Segment>,
  depth: Depth
): Effect.Effect<Loaded, CommandError> =>
  Effect.gen(function* () {
    for (const statement of runTables(segments, depth)) yield* database.query(statement)
    if (depth !== "runs") for (const statement of callTables(depth)) yield* database.query(statement)
    const [row] = yield* database.query("SELECT count(*) AS left_out FROM read_lines WHERE NOT is_counted")
    yield* database.query("DROP TABLE read_lines")
    return { segments, depth, linesLeftOut: Number(row?.["left_out"] ?? 0) }
  })

/** Lines of runs and amendments, in their order. All of them are read: what is selected may be anywhere. */
const recordsOf = (
  database: DuckDb.DuckDb,
  segments: ReadonlyArray<Ledger.Segment>,
  { customerId, eventId, since, until }: Selection
): Effect.Effect<Records, CommandError> =>
  Effect.gen(function* () {
    const paths = segments.map(({ path }) => path)
    const conditions = [
      ...(eventId === undefined ? [] : ["event_id = $event"]),
      ...(customerId === undefined ? [] : ["(customer_id IS NULL OR customer_id = $customer)"]),
      // Texts of one format sort as the instants do.
      ...(since === undefined ? [] : ["(start_time IS NULL OR start_time >= $since)"]),
      ...(until === undefined ? [] : ["(start_time IS NULL OR start_time < $until)"])
    ]
    const field = (name: string) => `json_extract_string(about, '$.${name}')`
    const rows = yield* database.query(
      `SELECT line FROM (
        SELECT line, ${field("eventId")} AS event_id, ${field("customerId")} AS customer_id, ${field("startTime")} AS start_time
        FROM (
          SELECT json_object('v', v, 'type', type, 'run', run, 'completed', completed, 'amendment', amendment) AS line,
            CASE type WHEN 'started' THEN run WHEN 'completed' THEN completed -> '$.run' ELSE amendment END AS about
          FROM ${Segments.lines(paths, "records")} WHERE v = 1 AND type IN ('started', 'completed', 'amended')
        )
      ) WHERE ${conditions.length === 0 ? "true" : conditions.join(" AND ")}`,
      {
        ...(eventId !== undefined && { event: eventId }),
        ...(customerId !== undefined && { customer: customerId }),
        ...(since !== undefined && { since: DateTime.formatIso(since) }),
        ...(until !== undefined && { until: DateTime.formatIso(until) })
      }
    )
    const records: Array<RunRecord.RunRecord> = []
    const amendments: Array<Ledger.OutcomeAmendment> = []
    for (const { line } of rows) {
      const decoded = decodeLine(line)
      if (Either.isLeft(decoded)) continue
      const { amendment, completed, run } = decoded.right
      if (completed !== null) records.push(RunRecord.fromCompleted(completed))
      else if (run !== null) records.push(RunRecord.started(run))
      else if (amendment !== null) amendments.push(amendment)
    }
    return { records: RunRecord.distinct(records), amendments }
  })

const decodeLine = Schema.decodeUnknownEither(
  Schema.parseJson(
    Schema.Struct({
      run: Schema.NullOr(Run),
      completed: Schema.NullOr(CompletedRun),
      amendment: Schema.NullOr(Ledger.OutcomeAmendment)
    })
  )
)

const healthOf = (
  database: DuckDb.DuckDb,
  segments: ReadonlyArray<Ledger.Segment>,
  nameOf: (file: string) => string
): Effect.Effect<Health, CommandError> =>
  Effect.gen(function* () {
    const lines = Segments.lines(
      segments.map(({ path }) => path),
      "health"
    )
    const [totals] = yield* database.query(
      `SELECT count(*) AS lines, coalesce(sum("count") FILTER (WHERE v = 1 AND type = 'lost'), 0) AS lost FROM ${lines}`
    )
    const problems = yield* database.query(
      `SELECT CASE WHEN v IS NULL THEN 'cut' WHEN v > 1 THEN 'newer_version' ELSE 'invalid' END AS problem,
        count(*) AS lines, list(DISTINCT filename ORDER BY filename) AS files
      FROM ${lines} WHERE NOT coalesce(${isCounted}, false) GROUP BY 1`
    )
    const days = new Set(segments.map(({ day }) => day)).size
    const megabytes = segments.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6
    return {
      sizes: [
        plural(days, "day"),
        plural(segments.length, "segment"),
        plural(Number(totals?.["lines"] ?? 0), "record"),
        `${megabytes.toFixed(1)} MB`
      ],
      problems: problems.map(({ files, lines, problem }) => ({
        problem: problem as Health["problems"][number]["problem"],
        lines: Number(lines),
        places: (files as ReadonlyArray<string>).map(nameOf)
      })),
      lostRecords: Number(totals?.["lost"] ?? 0)
    }
  })

const plural = (count: number, noun: string): string => `${Figures.count(count)} ${noun}${count === 1 ? "" : "s"}`
