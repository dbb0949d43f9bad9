/**
 * Migration 3: the views that reports are made of. What each column means is that of `botanu-effect/report`.
 */

/** How long, in seconds, a writer may be silent until it counts as gone. */
export const silenceSeconds = 60

/** The statements of the migration. `s` is the schema, a plain identifier. */
export const views = (s: string): string => `
-- Runs that have not ended, as running or lost; the others by how they ended.
CREATE VIEW ${s}.run_states AS
SELECT r.*,
  CASE WHEN r.is_completed THEN r.outcome_status
    WHEN w.seen_at < now() - interval '${silenceSeconds} seconds' THEN 'lost' ELSE 'running' END AS report_status,
  CASE WHEN r.is_completed THEN r.status
    WHEN w.seen_at < now() - interval '${silenceSeconds} seconds' THEN 'lost' ELSE 'running' END AS run_status
FROM ${s}.runs r LEFT JOIN ${s}.writers w ON NOT r.is_completed AND w.writer = r.writer;

-- All runs with one event and one customer. A run is outermost where its parent is no run of the event; runs with one root
-- are a chain of attempts; the last attempt of the latest outermost chain says what came of the event.
CREATE VIEW ${s}.events AS
WITH latest_amendments AS (
  SELECT DISTINCT ON (event_id, customer_id) event_id, customer_id, outcome_status, amended_by, amended_at, id
  FROM ${s}.amendments ORDER BY event_id, customer_id, amended_at DESC, id DESC
),
related AS (
  SELECT r.*, p.run_id IS NULL AS is_outermost,
    -- Where parents go round in a circle, every run of the event is in a chain, and none is an attempt.
    p.run_id IS NULL OR NOT bool_or(p.run_id IS NULL) OVER (PARTITION BY r.event_id, r.customer_id) AS is_member
  FROM ${s}.run_states r
  LEFT JOIN ${s}.runs p ON p.run_id = r.parent_run_id AND p.event_id = r.event_id AND p.customer_id = r.customer_id
),
chained AS (
  SELECT related.*, first_value(start_time) OVER chain AS chain_start, first_value(run_id) OVER chain AS chain_id
  FROM related
  WINDOW chain AS (
    PARTITION BY event_id, customer_id, is_member, root_run_id ORDER BY attempt, start_time, run_id
  )
),
recorded AS (
  SELECT event_id, customer_id,
    min(start_time) AS start_time,
    (array_agg(workflow ORDER BY chain_start, chain_id, attempt, start_time, run_id) FILTER (WHERE is_member))[1] AS workflow,
    (array_agg(environment ORDER BY chain_start, chain_id, attempt, start_time, run_id) FILTER (WHERE is_member))[1]
      AS environment,
    (array_agg(tenant_id ORDER BY chain_start, chain_id, attempt, start_time, run_id) FILTER (WHERE is_member))[1]
      AS tenant_id,
    (array_agg(report_status ORDER BY chain_start DESC, chain_id DESC, attempt DESC, start_time DESC, run_id DESC)
      FILTER (WHERE is_member))[1] AS recorded_status,
    (array_agg(run_status ORDER BY chain_start DESC, chain_id DESC, attempt DESC, start_time DESC, run_id DESC)
      FILTER (WHERE is_member))[1] AS run_status,
    count(*) AS runs,
    count(*) FILTER (WHERE is_outermost) AS attempts,
    array_agg(duration_ms) FILTER (WHERE is_member AND is_completed) AS durations,
    coalesce(sum(usd), 0) AS usd,
    coalesce(sum(calls), 0)::bigint AS calls,
    coalesce(sum(unpriced_calls), 0)::bigint AS unpriced_calls
  FROM chained GROUP BY event_id, customer_id
)
SELECT e.event_id, e.customer_id, e.workflow, e.environment, e.tenant_id, e.start_time,
  to_char(e.start_time AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
  CASE WHEN own.id IS NULL AND any_customer.id IS NULL THEN e.recorded_status
    WHEN any_customer.id IS NULL OR (own.amended_at, own.id) > (any_customer.amended_at, any_customer.id)
      THEN own.outcome_status
    ELSE any_customer.outcome_status END AS status,
  e.recorded_status, e.run_status, own.id IS NOT NULL OR any_customer.id IS NOT NULL AS is_amended,
  e.runs, e.attempts, e.durations, e.usd, e.calls, e.unpriced_calls
FROM recorded e
LEFT JOIN latest_amendments own ON own.event_id = e.event_id AND own.customer_id = e.customer_id
LEFT JOIN latest_amendments any_customer ON any_customer.event_id = e.event_id AND any_customer.customer_id IS NULL;

-- What events of a workflow cost, by what came of them. No outcome: none was recorded.
CREATE VIEW ${s}.cost_per_outcome AS
SELECT workflow, status AS outcome, count(*) AS events, sum(runs) AS runs, sum(attempts) AS attempts, sum(usd) AS usd,
  sum(usd) / count(*) AS usd_per_event, sum(unpriced_calls) AS unpriced_calls
FROM ${s}.events GROUP BY workflow, status;

-- usd_per_success is what all events cost, the failed ones too, divided by those that succeeded.
CREATE VIEW ${s}.cost_per_customer_and_day AS
SELECT customer_id, day, count(*) AS events, count(*) FILTER (WHERE status = 'success') AS successes, sum(usd) AS usd,
  sum(usd) / count(*) AS usd_per_event, sum(usd) / nullif(count(*) FILTER (WHERE status = 'success'), 0) AS usd_per_success,
  sum(unpriced_calls) AS unpriced_calls
FROM ${s}.events GROUP BY customer_id, day;
`
