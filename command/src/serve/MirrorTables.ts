/**
 * The tables of the ledger in memory: `runs` and `calls` as they are recorded, and `events`, which are derived from them. What
 * each figure means is that of `botanu-effect/report`.
 *
 * Rows refer to each other by numbers, which are joined and grouped faster than texts: an event by its key in `keys`, a run by
 * the number of its line, what calls have in common by its row in `kinds`.
 */
import * as DuckDb from "../store/DuckDb.js"
import * as LineProblems from "../store/LineProblems.js"

const tables = `
CREATE TABLE keys (event INTEGER, eventId VARCHAR, customerId VARCHAR);
CREATE TABLE runs (
  run BIGINT, event INTEGER, runId VARCHAR, workflow VARCHAR, environment VARCHAR, tenantId VARCHAR,
  parentRunId VARCHAR, rootRunId VARCHAR, attempt INTEGER, startMs BIGINT, isCompleted BOOLEAN, status VARCHAR,
  outcome STRUCT(status VARCHAR, "valueType" VARCHAR, "valueAmount" DOUBLE, reason VARCHAR, "errorType" VARCHAR),
  errorClass VARCHAR, cancellationReason VARCHAR, endMs BIGINT, durationMs DOUBLE, usd DECIMAL(38, 18), calls BIGINT,
  unpricedCalls BIGINT, writer VARCHAR, segment VARCHAR
);
CREATE TABLE kinds (
  kind INTEGER, name VARCHAR, provider VARCHAR, model VARCHAR, step VARCHAR, isUnpriced BOOLEAN, reason VARCHAR, missing VARCHAR
);
CREATE TABLE calls (
  run BIGINT, event INTEGER, kind INTEGER, durationMs DOUBLE, tokens BIGINT, usd DECIMAL(38, 18)
);
CREATE TABLE unpriced (run BIGINT, event INTEGER, kind INTEGER, usd DECIMAL(38, 18), usage JSON);
CREATE TABLE unpricedQuantities (run BIGINT, event INTEGER, kind INTEGER, quantity VARCHAR, amount DOUBLE);
CREATE TABLE amendments (
  eventId VARCHAR, customerId VARCHAR,
  outcome STRUCT(status VARCHAR, "valueType" VARCHAR, "valueAmount" DOUBLE, reason VARCHAR, "errorType" VARCHAR),
  atMs BIGINT, line BIGINT, segment VARCHAR
);
CREATE TABLE events (
  event INTEGER, eventId VARCHAR, customerId VARCHAR, workflow VARCHAR, environment VARCHAR, tenantId VARCHAR,
  startMs BIGINT, durationMs DOUBLE, status VARCHAR, isAmended BOOLEAN, reason VARCHAR, valueType VARCHAR,
  valueAmount DOUBLE, attempts VARCHAR[], tries INTEGER, runs BIGINT, calls BIGINT, unpricedCalls BIGINT,
  usd DECIMAL(38, 18), usdBeforeFinal DECIMAL(38, 18), unpricedBeforeFinal BIGINT
);
CREATE TABLE durations (event INTEGER, durationMs DOUBLE);
CREATE TABLE workflows (workflow VARCHAR, median DECIMAL(38, 18), p95 DECIMAL(38, 18));
CREATE TABLE touched (event INTEGER);
CREATE TABLE alive (writer VARCHAR);
CREATE TABLE problems (segment VARCHAR, problem VARCHAR, lines BIGINT);
CREATE TABLE losses (count BIGINT);
CREATE TABLE numbered (lines BIGINT);
INSERT INTO numbered VALUES (0);
CREATE SEQUENCE eventNumbers;
CREATE SEQUENCE kindNumbers
`

/** Makes the tables, statement by statement. */
export const create: ReadonlyArray<string> = tables.split(";").map((statement) => statement.trim())

const runType = `STRUCT("runId" VARCHAR, "workflow" VARCHAR, "eventId" VARCHAR, "customerId" VARCHAR,
  "environment" VARCHAR, "tenantId" VARCHAR, "parentRunId" VARCHAR, "rootRunId" VARCHAR, "attempt" INTEGER,
  "startTime" VARCHAR)`

const outcomeType = `STRUCT("status" VARCHAR, "valueType" VARCHAR, "valueAmount" DOUBLE, "reason" VARCHAR, "errorType" VARCHAR)`

const callType = `STRUCT("usage" JSON,
  "cost" STRUCT("_tag" VARCHAR, "usd" VARCHAR, "reason" VARCHAR, "missing" VARCHAR[]))`

const completedType = `STRUCT("run" ${runType}, "status" VARCHAR, "outcome" ${outcomeType}, "errorClass" VARCHAR,
  "cancellationReason" VARCHAR, "endTime" VARCHAR, "durationMs" DOUBLE,
  "totals" STRUCT("usd" VARCHAR, "calls" BIGINT, "unpricedCalls" BIGINT), "usages" ${callType}[])`

const amendmentType = `STRUCT("eventId" VARCHAR, "customerId" VARCHAR, "outcome" ${outcomeType}, "at" VARCHAR)`

const msOf = (text: string): string => `epoch_ms(TRY_CAST(${text} AS TIMESTAMPTZ))`

const hasKey = (run: string): string =>
  `${run}.runId IS NOT NULL AND ${run}.eventId IS NOT NULL AND ${run}.customerId IS NOT NULL AND ${msOf(`${run}.startTime`)} IS NOT NULL`

const isRun = `v = 1 AND (type = 'started' AND ${hasKey("run")} OR type = 'completed' AND ${hasKey("completed.run")}
  AND TRY_CAST(completed.totals.usd AS DECIMAL(38, 18)) IS NOT NULL)`

/** The number of a line among all that were taken. Rows of a table are numbered from 0, in their order. */
const numberOfLine = (alias = ""): string => `${alias}rowid + (SELECT lines FROM numbered)`

/** Of several completed lines of a run the last counts; of several starts the first, where there is no other. */
const rank = `CASE type WHEN 'completed' THEN (1::BIGINT << 60) + rowid ELSE (1::BIGINT << 60) - 1 - rowid END`

/** What calls have in common. */
const kindColumns = "name, provider, model, step, isUnpriced, reason, missing"

const fields: Readonly<Record<string, string>> = {
  v: "INTEGER",
  type: "VARCHAR",
  run: runType,
  completed: completedType,
  amendment: amendmentType,
  count: "BIGINT"
}

const lineColumns = `v, type, CASE type WHEN 'started' THEN run ELSE completed.run END AS run, completed, amendment, count,
    coalesce(${isRun}, false) AS isRun`

/**
 * Takes the lines of the files `$files`, in their order. `$segment` names the segment where the files are parts of one. A line that
 * was cut by a crash comes as a row of NULLs.
 */
export const linesOfSegments: ReadonlyArray<string> = DuckDb.inOrder(`CREATE OR REPLACE TEMP TABLE lines AS
  SELECT coalesce($segment, filename) AS segment,
    regexp_extract(parse_filename(coalesce($segment, filename)), '^(.+?)(-\\d+)?\\.jsonl$', 1) AS writer, ${lineColumns}
  FROM read_json($files, format = 'newline_delimited', ignore_errors = true, maximum_object_size = 268435456,
    filename = true, columns = {${Object.entries(fields)
      .map(([name, type]) => `${name}: '${type}'`)
      .join(", ")}})`)

/** Takes the lines of compacted days, of which `$files` are the files of records. */
export const linesOfCompacted: ReadonlyArray<string> = DuckDb.inOrder(`CREATE OR REPLACE TEMP TABLE lines AS
  SELECT segment, writer, ${lineColumns}
  FROM (
    SELECT filename AS segment, writer, unnest(json_transform(line, '${JSON.stringify(fields)}'))
    FROM read_parquet($files, filename = true) ORDER BY filename, number
  )`)

/** Fails where a table does not have all rows that it should have: what is missing would be in no figure. */
const isWhole = (what: string, there: string, expected: string): string =>
  `SELECT CASE WHEN there <> expected THEN error(printf('%d of %d ${what} are in memory', there, expected)) END
  FROM (SELECT (${there})::BIGINT AS there, (${expected})::BIGINT AS expected)`

/** Adds the lines that were taken to the tables, and notes the events that they are about. */
export const load: ReadonlyArray<string> = [
  // A completed line replaces that of the start and an earlier completed line of the run.
  `CREATE OR REPLACE TEMP TABLE fresh AS
  SELECT ${numberOfLine("l.")} AS line, l.* FROM lines l
  SEMI JOIN (SELECT max(${rank}) AS winner FROM lines WHERE isRun GROUP BY run.runId) w ON w.winner = ${rank}
  WHERE isRun`,
  `DELETE FROM fresh WHERE type = 'started' AND run.runId IN (SELECT runId FROM runs)`,
  `INSERT INTO keys
  SELECT nextval('eventNumbers'), eventId, customerId
  FROM (SELECT DISTINCT run.eventId AS eventId, run.customerId AS customerId FROM fresh) ANTI JOIN keys USING (eventId, customerId)`,
  `CREATE OR REPLACE TEMP TABLE replaced AS SELECT r.run, r.event FROM runs r SEMI JOIN fresh f ON f.run.runId = r.runId`,
  // The run may have been of another event, where a record was wrong.
  "INSERT INTO touched SELECT event FROM replaced",
  ...["runs", "calls", "unpriced", "unpricedQuantities"].map(
    (table) => `DELETE FROM ${table} WHERE run IN (SELECT run FROM replaced)`
  ),
  `INSERT INTO runs
  SELECT line, k.event, run.runId, run.workflow, run.environment, run.tenantId, run.parentRunId,
    run.rootRunId, run.attempt, ${msOf("run.startTime")}, type = 'completed', completed.status, completed.outcome,
    completed.errorClass, completed.cancellationReason, ${msOf("completed.endTime")}, completed.durationMs,
    TRY_CAST(completed.totals.usd AS DECIMAL(38, 18)), completed.totals.calls, completed.totals.unpricedCalls, writer, segment
  FROM fresh f JOIN keys k ON k.eventId = f.run.eventId AND k.customerId = f.run.customerId`,
  isWhole("runs", "SELECT count(*) FROM runs WHERE run IN (SELECT line FROM fresh)", "SELECT count(*) FROM fresh"),
  "INSERT INTO touched SELECT DISTINCT event FROM runs WHERE run IN (SELECT line FROM fresh)",
  `CREATE OR REPLACE TEMP TABLE freshCalls AS
  SELECT line, coalesce(u.responseModel, u.model, u.provider) AS name, u.provider AS provider,
    coalesce(u.responseModel, u.model) AS model, coalesce(u.step, u.operation) AS step, cost._tag = 'Unpriced' AS isUnpriced,
    cost.reason AS reason, array_to_string(coalesce(cost.missing, []), ',') AS missing, u.durationMs AS durationMs,
    coalesce(u.inputTokens, 0) + coalesce(u.outputTokens, 0) AS tokens,
    coalesce(TRY_CAST(cost.usd AS DECIMAL(38, 18)), 0) AS usd, CASE cost._tag WHEN 'Unpriced' THEN usage END AS usage
  FROM (
    SELECT line, call.cost AS cost, call.usage AS usage,
      json_transform(call.usage, '{"provider": "VARCHAR", "operation": "VARCHAR", "step": "VARCHAR", "model": "VARCHAR",
        "responseModel": "VARCHAR", "durationMs": "DOUBLE", "inputTokens": "BIGINT", "outputTokens": "BIGINT"}') AS u
    FROM (SELECT line, unnest(completed.usages) AS call FROM fresh WHERE type = 'completed')
  )`,
  `INSERT INTO kinds
  SELECT nextval('kindNumbers'), * FROM (
    SELECT ${kindColumns} FROM freshCalls EXCEPT SELECT ${kindColumns} FROM kinds
  )`,
  `CREATE OR REPLACE TEMP TABLE numberedCalls AS
  SELECT c.line AS run, r.event, k.kind, c.durationMs, c.tokens, c.usd, c.usage
  FROM freshCalls c JOIN runs r ON r.run = c.line
  JOIN kinds k ON ${kindColumns
    .split(", ")
    .map((column) => `k.${column} IS NOT DISTINCT FROM c.${column}`)
    .join(" AND ")}`,
  "INSERT INTO calls SELECT run, event, kind, durationMs, tokens, usd FROM numberedCalls",
  isWhole(
    "calls",
    "SELECT count(*) FROM calls WHERE run IN (SELECT line FROM fresh)",
    "SELECT count(*) FROM freshCalls"
  ),
  "INSERT INTO unpriced SELECT run, event, kind, usd, usage FROM numberedCalls WHERE usage IS NOT NULL",
  `INSERT INTO unpricedQuantities
  SELECT run, event, kind, quantity, TRY_CAST(json_extract_string(usage, quantity) AS DOUBLE)
  FROM (SELECT run, event, kind, usage, unnest(json_keys(usage)) AS quantity FROM numberedCalls WHERE usage IS NOT NULL)
  WHERE quantity NOT IN ('durationMs', 'attempt', 'requests') AND json_type(usage, quantity) IN ('UBIGINT', 'BIGINT', 'DOUBLE')`,
  `INSERT INTO amendments
  SELECT amendment.eventId, amendment.customerId, amendment.outcome, ${msOf("amendment.at")}, ${numberOfLine()}, segment
  FROM lines WHERE v = 1 AND type = 'amended' AND amendment.eventId IS NOT NULL AND ${msOf("amendment.at")} IS NOT NULL`,
  `INSERT INTO touched
  SELECT DISTINCT k.event FROM keys k JOIN lines l ON l.amendment.eventId = k.eventId
    AND (l.amendment.customerId IS NULL OR l.amendment.customerId = k.customerId) WHERE l.type = 'amended'`,
  `INSERT INTO losses SELECT count FROM lines WHERE v = 1 AND type = 'lost' AND count IS NOT NULL`,
  `INSERT INTO problems
  SELECT segment, ${LineProblems.nameOfLine}, count(*) FROM lines
  WHERE NOT isRun AND NOT coalesce(v = 1 AND (type IN ('lost', 'writer') OR type = 'amended' AND amendment.eventId IS NOT NULL), false)
  GROUP BY ALL`,
  "UPDATE numbered SET lines = lines + (SELECT count(*) FROM lines)",
  ...["lines", "fresh", "replaced", "freshCalls", "numberedCalls"].map((table) => `DROP TABLE ${table}`)
]

/** Takes `$alive` as the writers that are there, and notes the events that this is about. */
export const alive: ReadonlyArray<string> = [
  "CREATE OR REPLACE TABLE alive AS SELECT unnest($alive::VARCHAR[]) AS writer",
  "INSERT INTO touched SELECT DISTINCT event FROM runs WHERE NOT isCompleted"
]

/** Empties the tables of what is read of the ledger. */
export const clear: ReadonlyArray<string> = [
  "keys",
  "runs",
  "kinds",
  "calls",
  "unpriced",
  "unpricedQuantities",
  "amendments",
  "events",
  "durations",
  "touched",
  "problems",
  "losses"
].map((table) => `DELETE FROM ${table}`)

/** The segments `$segments` were compacted: their lines are in `$file` now, without those that were cut. */
export const move: ReadonlyArray<string> = [
  ...["runs", "amendments"].map(
    (table) => `UPDATE ${table} SET segment = $file WHERE segment IN (SELECT unnest($segments::VARCHAR[]))`
  ),
  "DELETE FROM problems WHERE segment IN (SELECT unnest($segments::VARCHAR[]))"
]

/** Derives the events that were touched once more. */
export const derive: ReadonlyArray<string> = [
  "DELETE FROM events WHERE event IN (SELECT event FROM touched)",
  "DELETE FROM durations WHERE event IN (SELECT event FROM touched)",
  `INSERT INTO events
  WITH scope AS (
    -- A run without an end is lost where its process is gone.
    SELECT * REPLACE (CASE WHEN isCompleted THEN status WHEN writer IN (SELECT writer FROM alive) THEN 'running'
      ELSE 'lost' END AS status)
    FROM runs SEMI JOIN touched USING (event)
  ),
  related AS (
    SELECT r.*, p.runId IS NULL AS isOutermost FROM scope r
    LEFT JOIN scope p ON p.runId = r.parentRunId AND p.event = r.event
  ),
  -- Where parents go round in a circle, every run of the event is in a chain.
  members AS (
    SELECT * FROM related QUALIFY isOutermost OR NOT bool_or(isOutermost) OVER (PARTITION BY event)
  ),
  chains AS (
    SELECT event, arg_min(startMs, (attempt, startMs, runId)) AS firstStart,
      arg_min(runId, (attempt, startMs, runId)) AS firstId,
      arg_min({'workflow': workflow, 'environment': environment, 'tenantId': tenantId}, (attempt, startMs, runId)) AS first,
      arg_max({'isCompleted': isCompleted, 'status': status, 'outcome': outcome, 'startMs': startMs,
        'errorClass': errorClass, 'cancellationReason': cancellationReason}, (attempt, startMs, runId)) AS final
    FROM members GROUP BY event, rootRunId
  ),
  recorded AS (
    SELECT event, arg_min(first, (firstStart, firstId)) AS first,
      arg_max(final, (firstStart, firstId)) AS final
    FROM chains GROUP BY event
  ),
  tries AS (
    SELECT event, list(status ORDER BY startMs, runId) AS attempts FROM members WHERE isOutermost GROUP BY event
  ),
  sums AS (
    SELECT r.event, min(r.startMs) AS startMs,
      CASE WHEN bool_and(r.isCompleted) THEN max(r.endMs) - min(r.startMs) END AS durationMs, count(*) AS runs,
      coalesce(sum(r.calls), 0) AS calls, coalesce(sum(r.unpricedCalls), 0) AS unpricedCalls,
      coalesce(sum(r.usd), 0) AS usd,
      coalesce(sum(r.usd) FILTER (r.startMs < f.final.startMs), 0) AS usdBeforeFinal,
      coalesce(sum(r.unpricedCalls) FILTER (r.startMs < f.final.startMs), 0) AS unpricedBeforeFinal
    FROM related r JOIN recorded f USING (event) GROUP BY r.event
  ),
  amended AS (
    SELECT k.event, arg_max(a.outcome, (a.atMs, a.line)) AS outcome
    FROM amendments a JOIN keys k ON k.eventId = a.eventId AND (a.customerId IS NULL OR a.customerId = k.customerId)
    SEMI JOIN touched USING (event) GROUP BY k.event
  )
  SELECT s.event, k.eventId, k.customerId, r.first.workflow, r.first.environment, r.first.tenantId, s.startMs, s.durationMs,
    CASE WHEN a.outcome IS NOT NULL THEN a.outcome.status WHEN r.final.isCompleted THEN r.final.outcome.status
      ELSE r.final.status END AS status,
    a.outcome IS NOT NULL,
    CASE WHEN a.outcome IS NOT NULL THEN coalesce(a.outcome.errorType, a.outcome.reason)
      ELSE coalesce(r.final.outcome.errorType, r.final.errorClass, r.final.cancellationReason, r.final.outcome.reason,
        CASE r.final.status WHEN 'timeout' THEN 'deadline' END) END,
    CASE WHEN a.outcome IS NOT NULL THEN a.outcome.valueType ELSE r.final.outcome.valueType END,
    CASE WHEN a.outcome IS NOT NULL THEN a.outcome.valueAmount ELSE r.final.outcome.valueAmount END,
    coalesce(t.attempts, []), coalesce(len(t.attempts), 0), s.runs, s.calls, s.unpricedCalls, s.usd, s.usdBeforeFinal,
    s.unpricedBeforeFinal
  FROM sums s JOIN keys k USING (event) JOIN recorded r USING (event) LEFT JOIN tries t USING (event)
  LEFT JOIN amended a USING (event)`,
  `INSERT INTO durations
  WITH scope AS (SELECT event, runId, parentRunId, isCompleted, durationMs FROM runs SEMI JOIN touched USING (event))
  SELECT r.event, r.durationMs FROM scope r ANTI JOIN scope p ON p.runId = r.parentRunId AND p.event = r.event
  WHERE r.isCompleted AND r.durationMs IS NOT NULL`,
  "DELETE FROM touched",
  isWhole("runs of events", "SELECT coalesce(sum(runs), 0) FROM events", "SELECT count(*) FROM runs"),
  `CREATE OR REPLACE TABLE workflows AS
  SELECT workflow, CAST(quantile_disc(usd, 0.5) AS DECIMAL(38, 18)) AS median, CAST(quantile_disc(usd, 0.95) AS DECIMAL(38, 18)) AS p95
  FROM events WHERE status IS NOT NULL AND status NOT IN ('running', 'lost') GROUP BY workflow`
]
