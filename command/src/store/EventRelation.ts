/**
 * The events of a ledger in SQL: runs grouped by event and customer. What each column means is that of
 * `botanu-effect/report`.
 */
import type { Dialect } from "./Dialect.js"

/**
 * Common table expressions that end with `recorded_events`, over a table of runs of which each is there once. An outcome that
 * was amended is not in them: see `amended`. `columns` are those that are needed.
 */
export const recordedEvents = (dialect: Dialect, runs: string, columns: ReadonlyArray<EventColumn>): string => `
crowded AS (
  SELECT event_id, customer_id FROM ${runs} GROUP BY event_id, customer_id HAVING count(*) > 1
),
${crowdedEvents(
  dialect,
  `SELECT r.* FROM ${runs} r JOIN crowded c ON c.event_id = r.event_id AND c.customer_id = r.customer_id`,
  columns
)},
recorded_events AS (
  SELECT * FROM crowded_events
  UNION ALL
  ${loneEvents(runs)}
  WHERE NOT EXISTS (SELECT 1 FROM crowded c WHERE c.event_id = r.event_id AND c.customer_id = r.customer_id)
)`

/** Events of which the run `r` is the only one. Most are: they need no lineage. */
export const loneEvents = (runs: string): string => `
  SELECT r.event_id, r.customer_id, r.workflow, r.workflow_version, r.environment, r.tenant_id, r.start_time, r.end_time,
    1 AS runs, CASE WHEN r.parent_run_id = r.run_id THEN 0 ELSE 1 END AS attempts,
    CASE WHEN r.is_completed THEN ARRAY[r.duration_ms] END AS durations, coalesce(r.usd, 0) AS usd, coalesce(r.calls, 0) AS calls,
    coalesce(r.unpriced_calls, 0) AS unpriced_calls, ${nothing} AS usd_before_final, r.run_status, r.report_status AS recorded_status,
    r.error_class, r.cancellation_reason, r.outcome_value_type, r.outcome_value_amount
  FROM ${runs} r`

/**
 * Common table expressions that end with `crowded_events`, over all runs of events that may have several. What none of `columns` needs
 * is left out of the joins, and is unknown or zero.
 */
export const crowdedEvents = (
  { first, last, materialized }: Dialect,
  runs: string,
  columns: ReadonlyArray<EventColumn>
): string => {
  const hasFirst = ofFirstRun.some((name) => columns.includes(name))
  const hasCostBefore = columns.includes("usd_before_final")
  return `
crowded_runs AS (
  ${runs}
),
nested_runs AS ${materialized}(
  SELECT r.run_id FROM crowded_runs r
  JOIN crowded_runs p ON p.run_id = r.parent_run_id AND p.event_id = r.event_id AND p.customer_id = r.customer_id
),
related_runs AS (
  SELECT r.*, n.run_id IS NULL AS is_outermost FROM crowded_runs r LEFT JOIN nested_runs n ON n.run_id = r.run_id
),
event_sums AS (
  SELECT event_id, customer_id, min(start_time) AS start_time, max(end_time) AS end_time, count(*) AS runs,
    count(*) FILTER (WHERE is_outermost) AS attempts, coalesce(sum(usd), 0) AS usd,
    coalesce(sum(calls), 0) AS calls, coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
    CASE WHEN count(*) FILTER (WHERE is_outermost) = 0 THEN array_agg(duration_ms) FILTER (WHERE is_completed)
      ELSE array_agg(duration_ms) FILTER (WHERE is_completed AND is_outermost) END AS durations
  FROM related_runs GROUP BY event_id, customer_id
),
-- Where parents go round in a circle, every run of the event is in a chain, and none is an attempt.
chained_runs AS (
  SELECT r.* FROM related_runs r WHERE r.is_outermost
  UNION ALL
  SELECT r.* FROM related_runs r JOIN event_sums s ON s.attempts = 0 AND s.event_id = r.event_id AND s.customer_id = r.customer_id
),
chains AS (
  SELECT event_id, customer_id, root_run_id,
    ${first("run_id", ["attempt", "start_time", "run_id"])} AS first_id,
    ${first("start_time", ["attempt", "start_time", "run_id"])} AS first_start,
    ${last("run_id", ["attempt", "start_time", "run_id"])} AS final_id
  FROM chained_runs GROUP BY event_id, customer_id, root_run_id
),
event_ends AS (
  SELECT event_id, customer_id, ${first("first_id", ["first_start", "first_id"])} AS first_id,
    ${last("final_id", ["first_start", "first_id"])} AS final_id
  FROM chains GROUP BY event_id, customer_id
),
${
  hasCostBefore
    ? `costs_before_final AS ${materialized}(
  SELECT r.event_id, r.customer_id, sum(r.usd) AS usd
  FROM event_sums s
  JOIN event_ends e ON e.event_id = s.event_id AND e.customer_id = s.customer_id
  JOIN crowded_runs f ON f.run_id = e.final_id
  JOIN crowded_runs r ON r.event_id = s.event_id AND r.customer_id = s.customer_id
  WHERE r.start_time < f.start_time
  GROUP BY r.event_id, r.customer_id
),`
    : ""
}
crowded_events AS (
  SELECT s.event_id, s.customer_id, ${ofFirstRun.map((name) => `${hasFirst ? `o.${name}` : "NULL::text"} AS ${name}`).join(", ")},
    s.start_time, s.end_time, s.runs, s.attempts, s.durations, s.usd, s.calls, s.unpriced_calls,
    ${hasCostBefore ? "coalesce(b.usd, 0)" : nothing} AS usd_before_final,
    f.run_status, f.report_status AS recorded_status, f.error_class, f.cancellation_reason,
    f.outcome_value_type, f.outcome_value_amount
  FROM event_sums s
  JOIN event_ends e ON e.event_id = s.event_id AND e.customer_id = s.customer_id
  ${hasFirst ? "JOIN crowded_runs o ON o.run_id = e.first_id" : ""}
  JOIN crowded_runs f ON f.run_id = e.final_id
  ${hasCostBefore ? "LEFT JOIN costs_before_final b ON b.event_id = s.event_id AND b.customer_id = s.customer_id" : ""}
)`
}

/** No cost, as an amount. Where it is a number of another type, it gives that type to the column of all compacted days. */
const nothing = "CAST(0 AS numeric(38, 24))"

/** What an event has of its first run. */
const ofFirstRun = ["workflow", "workflow_version", "environment", "tenant_id"] as const

const recordedColumns = [
  "event_id",
  "customer_id",
  "workflow",
  "workflow_version",
  "environment",
  "tenant_id",
  "start_time",
  "end_time",
  "runs",
  "attempts",
  "durations",
  "usd",
  "calls",
  "unpriced_calls",
  "usd_before_final",
  "run_status",
  "recorded_status",
  "error_class",
  "cancellation_reason"
] as const

/** The columns of events. */
export const columns = [...recordedColumns, "is_amended", "status", "value_type", "value_amount"] as const
export type EventColumn = (typeof columns)[number]

const recordedNames = recordedColumns.join(", ")

/** Of the amendments for one event and customer the latest, and of those for every customer of an event the latest. */
export const latestAmendments = ({ last }: Dialect, amendments: string): string => `
  SELECT a.* FROM ${amendments} a
  JOIN (SELECT ${last("id", ["amended_at", "id"])} AS id FROM ${amendments} GROUP BY event_id, customer_id) l ON l.id = a.id`

/** A query for `events` where there are no amendments. */
export const unamended = (recorded: string): string => `
  SELECT ${recordedNames}, false AS is_amended,
    recorded_status AS status, outcome_value_type AS value_type, outcome_value_amount AS value_amount
  FROM ${recorded}`

/** A query for `events`: recorded events, each with the latest of these amendments. The recorded events are read once. */
export const amended = (recorded: string, latestAmendments: string): string => `
  SELECT ${recordedNames}, customer_amendment IS NOT NULL OR event_amendment IS NOT NULL AS is_amended,
    ${Object.entries({
      status: "recorded_status",
      value_type: "outcome_value_type",
      value_amount: "outcome_value_amount"
    })
      .map(
        ([name, recorded]) => `CASE WHEN is_of_customer THEN customer_${name}
      WHEN event_amendment IS NOT NULL THEN event_${name} ELSE ${recorded} END AS ${name}`
      )
      .join(", ")}
  FROM (
    SELECT e.*, c.id AS customer_amendment, n.id AS event_amendment,
      c.id IS NOT NULL AND (n.id IS NULL OR (c.amended_at, c.id) > (n.amended_at, n.id)) AS is_of_customer,
      c.outcome_status AS customer_status, c.outcome_value_type AS customer_value_type, c.outcome_value_amount AS customer_value_amount,
      n.outcome_status AS event_status, n.outcome_value_type AS event_value_type, n.outcome_value_amount AS event_value_amount
    FROM ${recorded} e
    LEFT JOIN ${latestAmendments} c ON c.event_id = e.event_id AND c.customer_id = e.customer_id
    LEFT JOIN ${latestAmendments} n ON n.event_id = e.event_id AND n.customer_id IS NULL
  ) candidates`
