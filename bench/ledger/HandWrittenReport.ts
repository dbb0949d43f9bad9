/**
 * Statements that are written by hand and give the figures of `botanu report --by customer`.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import * as DuckDb from "../../command/src/store/DuckDb.js"

/** A client for a database. */
export const clientOf = (url: string) => PgClient.layer({ url: Redacted.make(url) })

/**
 * The figures of the report by customer in one statement, as one would write it by hand over a table of runs of which each is
 * there once: outermost runs, the last attempt of the latest chain, amendments, exact sums, percentiles.
 */
const byHand = (runs: string, amendments: string) => `WITH r AS (${runs}),
  related AS (
    SELECT r.*, p.run_id IS NULL AS is_outermost FROM r
    LEFT JOIN r p ON p.run_id = r.parent_run_id AND p.event_id = r.event_id AND p.customer_id = r.customer_id
  ),
  ordered AS (
    SELECT *, row_number() OVER (PARTITION BY event_id, customer_id ORDER BY chain_start DESC, root_run_id, attempt DESC, start_time DESC) AS place
    FROM (
      SELECT *, min(start_time) OVER (PARTITION BY event_id, customer_id, root_run_id) AS chain_start FROM related WHERE is_outermost
    ) chained
  ),
  finals AS (SELECT event_id, customer_id, status FROM ordered WHERE place = 1),
  sums AS (
    SELECT event_id, customer_id, count(*) AS runs, count(*) FILTER (WHERE is_outermost) AS attempts, sum(usd) AS usd,
      sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls
    FROM related GROUP BY event_id, customer_id
  ),
  amended AS (${amendments}),
  events AS (
    SELECT s.*, coalesce(a.status, f.status) AS status FROM sums s
    JOIN finals f ON f.event_id = s.event_id AND f.customer_id = s.customer_id
    LEFT JOIN amended a ON a.event_id = s.event_id AND a.customer_id = s.customer_id
  ),
  durations AS (
    SELECT customer_id, percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50,
      percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95
    FROM related WHERE is_outermost AND duration_ms IS NOT NULL GROUP BY customer_id
  )
  SELECT e.customer_id, count(*) AS events, sum(runs) AS runs, sum(attempts) AS attempts,
    ${["success", "failure", "partial", "timeout", "canceled", "running", "lost"]
      .map((status) => `count(*) FILTER (WHERE status = '${status}') AS ${status}`)
      .join(", ")},
    sum(usd) AS usd, sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls,
    ${["success", "partial"].map((status) => `sum(usd) FILTER (WHERE status = '${status}') AS usd_${status}`).join(", ")},
    sum(usd) FILTER (WHERE status IN ('failure', 'timeout', 'canceled')) AS usd_of_failures, min(p50) AS p50, min(p95) AS p95
  FROM events e LEFT JOIN durations d ON d.customer_id = e.customer_id GROUP BY e.customer_id`

const inDuckDb = (statement: string) => () =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(DuckDb.make, ({ query }) => query(statement))))

const runType = `STRUCT("runId" UUID, "eventId" VARCHAR, "customerId" VARCHAR, "parentRunId" UUID, "rootRunId" UUID,
  attempt INTEGER, "startTime" TIMESTAMPTZ)`

/** Over the lines of a directory, in which no process is there any more. */
export const bareOverLines = (directory: string) => {
  const lines = (columns: string) =>
    `read_json(${DuckDb.literal(`${directory}/*/*.jsonl`)}, format = 'newline_delimited', ignore_errors = true, columns = {${columns}})`
  return inDuckDb(
    byHand(
      `SELECT DISTINCT ON (run_id) * FROM (
        SELECT r."runId" AS run_id, r."eventId" AS event_id, r."customerId" AS customer_id, r."parentRunId" AS parent_run_id,
          r."rootRunId" AS root_run_id, r.attempt AS attempt, r."startTime" AS start_time, type = 'completed' AS is_completed,
          completed."durationMs" AS duration_ms, CASE type WHEN 'completed' THEN completed.outcome.status ELSE 'lost' END AS status,
          completed.totals.usd::DECIMAL(38, 24) AS usd, completed.totals.calls AS calls, completed.totals."unpricedCalls" AS unpriced_calls
        FROM (
          SELECT *, CASE type WHEN 'started' THEN run ELSE completed.run END AS r
          FROM ${lines(`type: 'VARCHAR', run: '${runType}', completed: 'STRUCT(run ${runType}, "durationMs" DOUBLE,
            outcome STRUCT(status VARCHAR), totals STRUCT(usd VARCHAR, calls BIGINT, "unpricedCalls" BIGINT))'`)}
          WHERE type IN ('started', 'completed')
        )
      ) ORDER BY run_id, is_completed DESC`,
      `SELECT k.event_id, k.customer_id, arg_max(a.amendment.outcome.status, a.amendment."at") AS status
        FROM ${lines(`type: 'VARCHAR', amendment: 'STRUCT("eventId" VARCHAR, "customerId" VARCHAR, outcome STRUCT(status VARCHAR), "at" VARCHAR)'`)} a
        JOIN (SELECT DISTINCT event_id, customer_id FROM r) k ON k.event_id = a.amendment."eventId"
          AND (a.amendment."customerId" IS NULL OR a.amendment."customerId" = k.customer_id)
        WHERE a.type = 'amended' GROUP BY 1, 2`
    )
  )
}

/** Over the Parquet files of runs of a directory that is compacted. */
export const bareOverParquet = (directory: string) => {
  const files = (name: string) => `read_parquet(${DuckDb.literal(`${directory}/*/*/${name}.parquet`)})`
  return inDuckDb(
    byHand(
      `SELECT DISTINCT ON (run_id) run_id, event_id, customer_id, parent_run_id, root_run_id, attempt, start_time, is_completed,
          duration_ms, CASE WHEN is_completed THEN outcome_status ELSE 'lost' END AS status, usd, calls, unpriced_calls
        FROM ${files("runs")} ORDER BY run_id, is_completed DESC`,
      `SELECT k.event_id, k.customer_id, arg_max(a.outcome_status, a.amended_at) AS status FROM ${files("amendments")} a
        JOIN (SELECT DISTINCT event_id, customer_id FROM r) k ON k.event_id = a.event_id
          AND (a.customer_id IS NULL OR a.customer_id = k.customer_id) GROUP BY 1, 2`
    )
  )
}

export const bareInDatabase = (url: string) => () =>
  Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.unsafe<Readonly<Record<string, unknown>>>(
        byHand(
          `SELECT run_id, event_id, customer_id, parent_run_id, root_run_id, attempt, start_time, is_completed, duration_ms,
            report_status AS status, usd, calls, unpriced_calls FROM botanu.run_states`,
          `SELECT DISTINCT ON (k.event_id, k.customer_id) k.event_id, k.customer_id, a.outcome_status AS status
            FROM botanu.amendments a JOIN r k ON k.event_id = a.event_id
              AND (a.customer_id IS NULL OR a.customer_id = k.customer_id)
            ORDER BY k.event_id, k.customer_id, a.amended_at DESC, a.id DESC`
        )
      )
    ).pipe(Effect.provide(clientOf(url)))
  )
