/**
 * Migration 1: the tables of a ledger. Those of runs are partitioned by the month in which the run started.
 */

/** Tables with a row, or rows, for each run: partitioned by month. In the order in which they are locked. */
export const partitionedTables = ["records", "runs", "usages", "charges", "annotations"] as const

/** The statements of the migration. `s` is the schema, a plain identifier. */
export const tables = (s: string): string => `
CREATE TABLE ${s}.writers (
  writer uuid PRIMARY KEY,
  host text,
  pid integer,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ${s}.writers IS 'Processes that write runs. One that was not seen for a minute is gone, and its open runs are lost.';

CREATE TABLE ${s}.records (
  run_id uuid NOT NULL,
  start_time timestamptz NOT NULL,
  record jsonb NOT NULL,
  first jsonb,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, start_time)
) PARTITION BY RANGE (start_time);
COMMENT ON TABLE ${s}.records IS 'Completed runs as JSON. All other tables of runs are derived from it.';
COMMENT ON COLUMN ${s}.records.first IS 'The first record of the run, where a later one replaced it.';

CREATE TABLE ${s}.runs (
  run_id uuid NOT NULL,
  start_time timestamptz NOT NULL,
  workflow text NOT NULL,
  event_id text NOT NULL,
  customer_id text NOT NULL,
  environment text NOT NULL,
  workflow_version text,
  tenant_id text,
  parent_run_id uuid,
  root_run_id uuid NOT NULL,
  attempt integer NOT NULL,
  retry_of_run_id uuid,
  deadline timestamptz,
  is_completed boolean NOT NULL,
  status text,
  error_class text,
  cancelled boolean NOT NULL,
  cancelled_at timestamptz,
  cancellation_reason text,
  end_time timestamptz,
  duration_ms double precision,
  trace_id text,
  outcome_status text,
  outcome_value_type text,
  outcome_value_amount double precision,
  outcome_confidence double precision,
  outcome_reason text,
  outcome_error_type text,
  usd numeric,
  input_tokens bigint,
  output_tokens bigint,
  calls bigint,
  unpriced_calls bigint,
  repriced_at timestamptz,
  writer uuid,
  PRIMARY KEY (run_id, start_time)
) PARTITION BY RANGE (start_time);
CREATE INDEX ON ${s}.runs (event_id, customer_id);
CREATE INDEX ON ${s}.runs (customer_id, start_time);
CREATE INDEX ON ${s}.runs (start_time) WHERE NOT is_completed;
COMMENT ON TABLE ${s}.runs IS 'One row for each run. Without an end while it runs, or where its process is gone.';

CREATE TABLE ${s}.usages (
  run_id uuid NOT NULL,
  number integer NOT NULL,
  start_time timestamptz NOT NULL,
  event_id text NOT NULL,
  customer_id text NOT NULL,
  kind text NOT NULL,
  provider text NOT NULL,
  operation text NOT NULL,
  step text,
  model text,
  response_model text,
  time timestamptz NOT NULL,
  status text NOT NULL,
  duration_ms double precision,
  requests bigint,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  reasoning_tokens bigint,
  service_tier text,
  region text,
  finish_reason text,
  error_type text,
  attempt integer,
  details jsonb,
  cost text NOT NULL,
  unpriced_reason text,
  usd numeric NOT NULL,
  PRIMARY KEY (run_id, number, start_time)
) PARTITION BY RANGE (start_time);
COMMENT ON TABLE ${s}.usages IS 'One row for each call of a run. start_time is that of the run, time that of the call.';
COMMENT ON COLUMN ${s}.usages.details IS 'What else is known of the call, such as quantities of other meters.';
COMMENT ON COLUMN ${s}.usages.cost IS 'Priced, or Unpriced where usd is not the whole cost.';

CREATE TABLE ${s}.charges (
  run_id uuid NOT NULL,
  usage_number integer NOT NULL,
  number integer NOT NULL,
  start_time timestamptz NOT NULL,
  meter text NOT NULL,
  quantity numeric NOT NULL,
  unit text NOT NULL,
  unit_price numeric NOT NULL,
  usd numeric NOT NULL,
  price_source text NOT NULL,
  price_entry text,
  price_tier text,
  price_region text,
  price_from timestamptz,
  price_above_input_tokens bigint,
  PRIMARY KEY (run_id, usage_number, number, start_time)
) PARTITION BY RANGE (start_time);
COMMENT ON TABLE ${s}.charges IS 'What the cost of a call is the sum of: one row for each meter.';

CREATE TABLE ${s}.annotations (
  run_id uuid NOT NULL,
  name text NOT NULL,
  start_time timestamptz NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (run_id, name, start_time)
) PARTITION BY RANGE (start_time);

CREATE TABLE ${s}.amendments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text NOT NULL,
  customer_id text,
  outcome_status text NOT NULL,
  outcome jsonb NOT NULL,
  amended_by text NOT NULL,
  amended_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX ON ${s}.amendments
  (event_id, (coalesce(customer_id, '')), amended_by, amended_at, (md5(outcome::text)));
COMMENT ON TABLE ${s}.amendments IS 'Outcomes that became known later. The latest of an event counts. No customer: the event of every customer.';

CREATE TABLE ${s}.losses (
  writer uuid NOT NULL,
  at timestamptz NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (writer, at)
);
COMMENT ON TABLE ${s}.losses IS 'How many records writers could not keep.';

CREATE TABLE ${s}.budgets (
  scope text NOT NULL,
  id text NOT NULL,
  per_ms double precision NOT NULL,
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  usd numeric NOT NULL,
  unpriced_calls bigint NOT NULL,
  PRIMARY KEY (scope, id, per_ms, period_start)
);
COMMENT ON TABLE ${s}.budgets IS 'What customers, tenants and workflows have spent in a period. Forgotten when the period is over.';
`
