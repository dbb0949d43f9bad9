/**
 * Migration 2: the functions that take lines of a ledger in, and that add and drop months.
 */
import { partitionedTables } from "./Tables.js"

/** A column, and the expression of its value. */
type Column = readonly [name: string, expression: string]

/** What is known of a run when it starts. \`r\` is the run. */
const startColumns: ReadonlyArray<Column> = [
  ["run_id", 'r."runId"'],
  ["start_time", 'r."startTime"'],
  ["workflow", "r.workflow"],
  ["event_id", 'r."eventId"'],
  ["customer_id", 'r."customerId"'],
  ["environment", "r.environment"],
  ["workflow_version", 'r."workflowVersion"'],
  ["tenant_id", 'r."tenantId"'],
  ["parent_run_id", 'r."parentRunId"'],
  ["root_run_id", 'r."rootRunId"'],
  ["attempt", "r.attempt"],
  ["retry_of_run_id", 'r."retryOfRunId"'],
  ["deadline", "r.deadline"],
  ["cancelled", "r.cancelled"],
  ["cancelled_at", 'r."cancelledAt"'],
  ["writer", "of_writer"]
]

/** What is known when it is over. \`c\` is its record, \`t\` the totals of that. */
const runColumns: ReadonlyArray<Column> = [
  ...startColumns,
  ["is_completed", "true"],
  ["status", "c.status"],
  ["error_class", 'c."errorClass"'],
  ["cancellation_reason", 'c."cancellationReason"'],
  ["end_time", 'c."endTime"'],
  ["duration_ms", 'c."durationMs"'],
  ["trace_id", 'c."traceId"'],
  ["outcome_status", "c.outcome ->> 'status'"],
  ["outcome_value_type", "c.outcome ->> 'valueType'"],
  ["outcome_value_amount", "(c.outcome ->> 'valueAmount')::double precision"],
  ["outcome_confidence", "(c.outcome ->> 'confidence')::double precision"],
  ["outcome_reason", "c.outcome ->> 'reason'"],
  ["outcome_error_type", "c.outcome ->> 'errorType'"],
  ["usd", "t.usd"],
  ["input_tokens", 't."inputTokens"'],
  ["output_tokens", 't."outputTokens"'],
  ["calls", "t.calls"],
  ["unpriced_calls", 't."unpricedCalls"'],
  ["repriced_at", "(c.repriced ->> 'time')::timestamptz"]
]

/** Columns of a call: name, type, and the key in the record of its usage. */
const usageColumns: ReadonlyArray<readonly [name: string, type: string, key: string]> = [
  ["kind", "text", "kind"],
  ["provider", "text", "provider"],
  ["operation", "text", "operation"],
  ["step", "text", "step"],
  ["model", "text", "model"],
  ["response_model", "text", "responseModel"],
  ["time", "timestamptz", "time"],
  ["status", "text", "status"],
  ["duration_ms", "double precision", "durationMs"],
  ["requests", "bigint", "requests"],
  ["input_tokens", "bigint", "inputTokens"],
  ["output_tokens", "bigint", "outputTokens"],
  ["cache_read_tokens", "bigint", "cacheReadTokens"],
  ["cache_write_tokens", "bigint", "cacheWriteTokens"],
  ["reasoning_tokens", "bigint", "reasoningTokens"],
  ["service_tier", "text", "serviceTier"],
  ["region", "text", "region"],
  ["finish_reason", "text", "finishReason"],
  ["error_type", "text", "errorType"],
  ["attempt", "integer", "attempt"]
]

const columnsOf = (columns: ReadonlyArray<readonly [name: string, ...rest: ReadonlyArray<string>]>): string =>
  columns.map(([name]) => name).join(", ")

const expressionsOf = (columns: ReadonlyArray<Column> | typeof usageColumns): string =>
  columns.map(([, expression, key]) => (key === undefined ? expression : `u."${key}"`)).join(", ")

/** A run as a row \`r\`. */
const runRecord = (json: string): string => `jsonb_to_record(${json}) AS r("runId" uuid, "startTime" timestamptz,
      workflow text, "eventId" text, "customerId" text, environment text, "workflowVersion" text, "tenantId" text,
      "parentRunId" uuid, "rootRunId" uuid, attempt integer, "retryOfRunId" uuid, deadline timestamptz,
      cancelled boolean, "cancelledAt" timestamptz)`

/** The statements of the migration. `s` is the schema, a plain identifier. */
export const functions = (s: string): string => `
-- Makes the partitions of a month, where they are not there. Attaching one locks out neither writers nor readers.
CREATE FUNCTION ${s}.add_month(of timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  first_day timestamp := date_trunc('month', of AT TIME ZONE 'UTC');
  suffix text := to_char(first_day, 'YYYY_MM');
  parent text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('${s} partitions', 0));
  FOREACH parent IN ARRAY ARRAY[${partitionedTables.map((name) => `'${name}'`).join(", ")}] LOOP
    IF to_regclass(format('${s}.%I', parent || '_' || suffix)) IS NULL THEN
      EXECUTE format('CREATE TABLE ${s}.%I (LIKE ${s}.%I INCLUDING DEFAULTS)', parent || '_' || suffix, parent);
      EXECUTE format(
        'ALTER TABLE ${s}.%I ATTACH PARTITION ${s}.%I FOR VALUES FROM (%L) TO (%L)',
        parent, parent || '_' || suffix,
        first_day AT TIME ZONE 'UTC', (first_day + interval '1 month') AT TIME ZONE 'UTC'
      );
    END IF;
  END LOOP;
END $$;

-- Writes the rows of completed runs, from their records.
CREATE FUNCTION ${s}.derive(records jsonb, of_writer uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- The row of the start, where that was another.
  DELETE FROM ${s}.runs known USING jsonb_array_elements(records) AS record(value)
  WHERE known.run_id = (record.value #>> '{run,runId}')::uuid
    AND known.start_time <> (record.value #>> '{run,startTime}')::timestamptz;

  INSERT INTO ${s}.runs AS known (${columnsOf(runColumns)})
  SELECT ${expressionsOf(runColumns)}
  FROM jsonb_array_elements(records) AS record(value),
    jsonb_to_record(record.value) AS c(run jsonb, status text, outcome jsonb, "errorClass" text,
      "cancellationReason" text, "endTime" timestamptz, "durationMs" double precision, "traceId" text, totals jsonb,
      repriced jsonb),
    ${runRecord("c.run")},
    jsonb_to_record(c.totals) AS t(usd numeric, "inputTokens" bigint, "outputTokens" bigint, calls bigint,
      "unpricedCalls" bigint)
  ORDER BY r."runId"
  ON CONFLICT (run_id, start_time) DO UPDATE
    SET ${runColumns
      .filter(([column]) => column !== "writer")
      .map(([column]) => `${column} = excluded.${column}`)
      .join(", ")};

  INSERT INTO ${s}.usages (run_id, start_time, event_id, customer_id, number, ${columnsOf(usageColumns)}, details,
    cost, unpriced_reason, usd)
  SELECT r."runId", r."startTime", r."eventId", r."customerId", call.number, ${expressionsOf(usageColumns)},
    nullif((call.value -> 'usage') - ARRAY[${usageColumns.map(([, , key]) => `'${key}'`).join(", ")}], '{}'),
    call.value #>> '{cost,_tag}', call.value #>> '{cost,reason}', (call.value #>> '{cost,usd}')::numeric
  FROM jsonb_array_elements(records) AS record(value),
    ${runRecord("record.value -> 'run'")},
    jsonb_array_elements(record.value -> 'usages') WITH ORDINALITY AS call(value, number),
    jsonb_to_record(call.value -> 'usage') AS u(${usageColumns.map(([, type, key]) => `"${key}" ${type}`).join(", ")});

  INSERT INTO ${s}.charges (run_id, start_time, usage_number, number, meter, quantity, unit, unit_price, usd,
    price_source, price_entry, price_tier, price_region, price_from, price_above_input_tokens)
  SELECT r."runId", r."startTime", call.number, charge.number, c.meter, c.quantity, c.unit, c."unitPrice", c.usd,
    p.source, p.entry, p.tier, p.region, p."from", p."aboveInputTokens"
  FROM jsonb_array_elements(records) AS record(value),
    ${runRecord("record.value -> 'run'")},
    jsonb_array_elements(record.value -> 'usages') WITH ORDINALITY AS call(value, number),
    jsonb_array_elements(call.value #> '{cost,charges}') WITH ORDINALITY AS charge(value, number),
    jsonb_to_record(charge.value)
      AS c(meter text, quantity numeric, unit text, "unitPrice" numeric, usd numeric, price jsonb),
    jsonb_to_record(c.price)
      AS p(source text, entry text, tier text, region text, "from" timestamptz, "aboveInputTokens" bigint);

  INSERT INTO ${s}.annotations (run_id, start_time, name, value)
  SELECT r."runId", r."startTime", annotation.key, annotation.value
  FROM jsonb_array_elements(records) AS record(value),
    ${runRecord("record.value -> 'run'")},
    jsonb_each_text(record.value -> 'annotations') AS annotation(key, value);
END $$;

-- Takes lines of a ledger in. Lines that came before change nothing; a later record of a run replaces an earlier one.
CREATE FUNCTION ${s}.ingest(lines jsonb, of_writer uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  changed jsonb;
  replaced uuid[];
BEGIN
  INSERT INTO ${s}.amendments (event_id, customer_id, outcome_status, outcome, amended_by, amended_at)
  SELECT a."eventId", a."customerId", a.outcome ->> 'status', a.outcome, a."by", a."at"
  FROM jsonb_array_elements(lines) WITH ORDINALITY AS line(value, position),
    jsonb_to_record(line.value -> 'amendment')
      AS a("eventId" text, "customerId" text, outcome jsonb, "by" text, "at" timestamptz)
  WHERE line.value ->> 'type' = 'amended'
  ORDER BY line.position
  ON CONFLICT DO NOTHING;

  INSERT INTO ${s}.losses (writer, at, count)
  SELECT of_writer, (line.value ->> 'at')::timestamptz, (line.value ->> 'count')::bigint
  FROM jsonb_array_elements(lines) AS line(value)
  WHERE line.value ->> 'type' = 'lost'
  ON CONFLICT DO NOTHING;

  INSERT INTO ${s}.runs (${columnsOf(startColumns)}, is_completed)
  SELECT DISTINCT ON (r."runId") ${expressionsOf(startColumns)}, false
  FROM jsonb_array_elements(lines) WITH ORDINALITY AS line(value, position),
    ${runRecord("line.value -> 'run'")}
  WHERE line.value ->> 'type' = 'started' AND NOT EXISTS (SELECT FROM ${s}.runs known WHERE known.run_id = r."runId")
  ORDER BY r."runId", line.position
  ON CONFLICT DO NOTHING;

  WITH completed AS MATERIALIZED (
    SELECT DISTINCT ON (run_id) run_id, start_time, record
    FROM (
      SELECT (line.value #>> '{completed,run,runId}')::uuid AS run_id,
        (line.value #>> '{completed,run,startTime}')::timestamptz AS start_time,
        line.value -> 'completed' AS record, line.position
      FROM jsonb_array_elements(lines) WITH ORDINALITY AS line(value, position)
      WHERE line.value ->> 'type' = 'completed'
    ) AS each
    ORDER BY run_id, position DESC
  ),
  -- A record of the run that names another start.
  moved AS (
    DELETE FROM ${s}.records r USING completed c WHERE r.run_id = c.run_id AND r.start_time <> c.start_time
    RETURNING r.run_id, coalesce(r.first, r.record) AS first
  ),
  written AS (
    INSERT INTO ${s}.records AS r (run_id, start_time, record, first)
    SELECT c.run_id, c.start_time, c.record, m.first FROM completed c LEFT JOIN moved m USING (run_id) ORDER BY c.run_id
    ON CONFLICT (run_id, start_time) DO UPDATE
      SET record = excluded.record, first = coalesce(r.first, r.record), recorded_at = now()
      -- The record as it was before it was priced again may arrive late. It replaces nothing.
      WHERE r.record <> excluded.record AND (excluded.record ? 'repriced' OR NOT r.record ? 'repriced')
    RETURNING r.run_id, r.record, r.first IS NOT NULL AS is_replaced
  )
  SELECT jsonb_agg(record), array_agg(run_id) FILTER (WHERE is_replaced) INTO changed, replaced FROM written;

  IF replaced IS NOT NULL THEN
    DELETE FROM ${s}.usages WHERE run_id = ANY(replaced);
    DELETE FROM ${s}.charges WHERE run_id = ANY(replaced);
    DELETE FROM ${s}.annotations WHERE run_id = ANY(replaced);
  END IF;
  IF changed IS NOT NULL THEN PERFORM ${s}.derive(changed, of_writer); END IF;
END $$;

-- Drops the partitions of months that were over before an instant, and what is left without them. Gives the months.
CREATE FUNCTION ${s}.prune(before timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  month text;
  parent text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('${s} partitions', 0));
  -- In the order in which writers lock them.
  LOCK TABLE ${partitionedTables.map((name) => `${s}.${name}`).join(", ")} IN ACCESS EXCLUSIVE MODE;
  FOR month IN
    SELECT right(child.relname, 7) FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = '${s}.runs'::regclass
      AND (to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' <= before
    ORDER BY 1
  LOOP
    FOREACH parent IN ARRAY ARRAY[${partitionedTables.map((name) => `'${name}'`).join(", ")}] LOOP
      EXECUTE format('DROP TABLE IF EXISTS ${s}.%I', parent || '_' || month);
    END LOOP;
    RETURN NEXT replace(month, '_', '-');
  END LOOP;
  DELETE FROM ${s}.amendments a WHERE a.amended_at < before
    AND NOT EXISTS (SELECT FROM ${s}.runs r WHERE r.event_id = a.event_id);
  DELETE FROM ${s}.losses WHERE at < before;
  DELETE FROM ${s}.budgets WHERE period_end < before;
  DELETE FROM ${s}.writers w WHERE w.seen_at < before
    AND NOT EXISTS (SELECT FROM ${s}.runs r WHERE NOT r.is_completed AND r.writer = w.writer);
END $$;
`
