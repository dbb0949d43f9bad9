/**
 * The tables of `botanu-effect/sql` in PostgreSQL.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { PgClient } from "@effect/sql-pg"
import { TerminalText } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Chunk, Context, DateTime, Effect, Layer, Redacted, type Scope, Stream } from "effect"
import { megabytes, plural } from "../Amounts.js"
import { CommandError, exitCodes } from "../CommandError.js"
import * as Dialect from "./Dialect.js"
import {
  amended,
  type EventColumn,
  columns as eventColumns,
  latestAmendments,
  recordedEvents
} from "./EventRelation.js"
import type { Parameter, Relation, Row, Selection, Statement, Store } from "./LedgerStore.js"
import * as RunRow from "./RunRow.js"
import * as Segments from "./Segments.js"

/** Whether a location is the URL of a database. */
export const isUrl = (location: string): boolean => /^postgres(ql)?:\/\//.test(location)

/** A database and a schema in it. */
export interface Location {
  /** The URL for the driver. */
  readonly url: string
  /** The URL without its password. */
  readonly name: string
  readonly schema: string
}

/** The location that a URL names: `postgres://user@host/database?schema=costs`. The schema is `botanu` by default. */
export const locationOf = (text: string): Effect.Effect<Location, CommandError> =>
  Effect.gen(function* () {
    const url = yield* Effect.try({
      try: () => new URL(text),
      catch: () =>
        new CommandError({
          message: "--ledger: expected a URL such as postgres://user@host:5432/database",
          exitCode: exitCodes.usage
        })
    })
    const schema = url.searchParams.get("schema") ?? "botanu"
    url.searchParams.delete("schema")
    if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
      return yield* new CommandError({
        message: "--ledger: expected a schema of 1 to 40 lower-case letters, digits and underscores",
        exitCode: exitCodes.usage
      })
    }
    const shown = new URL(url)
    if (shown.password !== "") shown.password = "***"
    return { url: url.href, name: shown.href, schema }
  })

/** A client for a database. Values come as texts. A client that only reads cannot do anything else. */
export const client = (
  { name, url }: Location,
  access: "reads" | "writes"
): Effect.Effect<Context.Context<SqlClient.SqlClient>, CommandError, Scope.Scope> =>
  Layer.build(
    PgClient.layer({
      url: Redacted.make(access === "reads" ? forReading(url) : url),
      applicationName: "botanu",
      maxConnections: 2,
      types: { getTypeParser: parserOf } as never
    })
  ).pipe(Effect.mapError((error) => unreachable(name, error)))

/**
 * Statements read only, whatever the URL says. Unless it says otherwise, they are not compiled, and nothing is joined by sorting it: over
 * a million runs PostgreSQL compiles a report for longer than it executes it, and sorts what it could hash, as it does not know how many
 * rows the parts of a report have.
 */
const forReading = (text: string): string => {
  const url = new URL(text)
  const options = [
    "-c jit=off -c enable_mergejoin=off",
    url.searchParams.get("options"),
    "-c default_transaction_read_only=on"
  ]
  url.searchParams.set("options", options.filter((option) => option !== null).join(" "))
  // The driver reads a plus as a plus.
  url.search = url.search.replaceAll("+", "%20")
  return url.href
}

const booleanType = 16

const parserOf = (type: number) => (text: string) => (type === booleanType ? (text === "t" ? "true" : "false") : text)

/** Opens the ledger in a database for reading. */
export const open = (text: string): Effect.Effect<Store, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const location = yield* locationOf(text)
    const context = yield* client(location, "reads")
    const sql = Context.get(context, SqlClient.SqlClient)
    const statementOf = ({ columns, from, parameters = {}, text }: Statement) => {
      const [compiled, values] = compile(text, parameters)
      const tables = relationsOf(from, location.schema, columns?.events)
      return [tables === "" ? compiled : `WITH ${tables} ${compiled}`, values] as const
    }
    const query = (statement: Statement) =>
      Effect.suspend(() => {
        const [text, values] = statementOf(statement)
        return sql.unsafe<Row>(text, values).withoutTransform
      }).pipe(Effect.mapError((error) => problemOf(location, error)))
    const records = (selection: Selection) =>
      LedgerSql.read({ schema: location.schema, ...selection }).pipe(
        Effect.provide(context),
        Effect.mapError((error) => problemOf(location, error))
      )
    return {
      name: location.name,
      dialect: Dialect.postgres,
      query,
      stream: (statement) => {
        const [text, values] = statementOf(statement)
        return Stream.mapError(rowsOf(sql, text, values), (error) => problemOf(location, error))
      },
      allRecords: Stream.unwrap(
        Effect.map(
          query({
            from: ["runs"],
            text: `SELECT ${Dialect.postgres.iso("min(start_time)")} AS since FROM (
                SELECT start_time, (row_number() OVER (ORDER BY start_time) - 1) / ${runsAtOnce} AS part FROM runs
              ) parts GROUP BY part ORDER BY part`
          }),
          (parts) => {
            // Runs with one start are in one part: a start that two parts begin with is of the first.
            const starts = Array.from(new Set(parts.map(({ since }) => since ?? "")), DateTime.unsafeMake)
            return Stream.fromIterable(starts.map((since, index) => ({ since, until: starts[index + 1] }))).pipe(
              Stream.mapEffect((selection) => Effect.map(records(selection), ({ records }) => records))
            )
          }
        )
      ),
      records,
      coming: comingRuns(query, location.schema),
      refresh: Effect.succeed(true),
      linesLeftOut: Effect.succeed(0),
      health: Effect.gen(function* () {
        const [row] = yield* query({
          from: ["runs"],
          text: `SELECT count(*) AS runs, count(DISTINCT (start_time AT TIME ZONE 'UTC')::date) AS days,
              (SELECT coalesce(sum(count), 0) FROM ${location.schema}.losses) AS lost,
              (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
                JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = '${location.schema}'
                WHERE c.relkind IN ('r', 'm')) AS bytes
            FROM runs`
        })
        const count = (name: string, noun: string) => plural(Number(row?.[name] ?? 0), noun)
        return {
          sizes: [count("days", "day"), count("runs", "run"), megabytes(Number(row?.bytes ?? 0))],
          problems: [],
          lostRecords: Number(row?.lost ?? 0)
        }
      })
    } satisfies Store
  })

/** How often the database is asked for what has come, and how long a transaction that brings it may take. */
const comingInterval = "1 second"
const longestTransaction = "15 seconds"

/**
 * Runs that are running, and runs whose records came since the last time. Each question overlaps with the one before, because what a
 * transaction brings is there later than it says; of what was there before, only the keys are kept.
 */
const comingRuns = (
  query: (statement: Statement) => Effect.Effect<ReadonlyArray<Row>, CommandError>,
  schema: string
): Store["coming"] =>
  Effect.gen(function* () {
    let since = (yield* query({ from: [], text: "SELECT now()::text AS now" }))[0]?.now ?? ""
    let known: ReadonlySet<string> = new Set()
    const step = Effect.gen(function* () {
      const rows = yield* query({
        from: [],
        text: `SELECT ${RunRow.columns(Dialect.postgres)}, now()::text AS now FROM ${schema}.run_states
          WHERE NOT is_completed AND run_status = 'running' OR repriced_at IS NULL
            AND (run_id, run_states.start_time) IN (
              SELECT run_id, start_time FROM ${schema}.records
              WHERE recorded_at >= $since::timestamptz - interval '${longestTransaction}'
            )
          ORDER BY coalesce(run_states.end_time, run_states.start_time), run_id`,
        parameters: { since }
      })
      const found = new Map(rows.map((row) => [`${row.run_id} ${row.end_time === null}`, row]))
      const fresh = Array.from(found).flatMap(([key, row]) => (known.has(key) ? [] : [RunRow.fromRow(row)]))
      known = new Set(found.keys())
      since = rows[0]?.now ?? since
      return fresh
    })
    yield* step
    return Stream.repeatEffect(Effect.delay(step, comingInterval)).pipe(Stream.filter((rows) => rows.length > 0))
  })

/** How many rows, and how many records of runs, are in memory at once. */
const rowsAtOnce = 2000
const runsAtOnce = 2000

/** The rows of a statement by a cursor, some at a time. */
export const rowsOf = (
  sql: SqlClient.SqlClient,
  text: string,
  values: ReadonlyArray<unknown>
): Stream.Stream<ReadonlyArray<Row>, SqlError> =>
  sql
    .unsafe<Row>(text, values)
    .stream.pipe(Stream.rechunk(rowsAtOnce), Stream.chunks, Stream.map(Chunk.toReadonlyArray))

/** The statement with `$1` in place of `$name`, and the values in their order. */
export const compile = (
  text: string,
  parameters: Readonly<Record<string, Parameter>>
): readonly [text: string, values: ReadonlyArray<Parameter>] => {
  const names = Object.keys(parameters)
  const compiled = text.replace(/\$([a-z]\w*)/gi, (found, name: string) => {
    const index = names.indexOf(name)
    return index === -1 ? found : `$${index + 1}`
  })
  return [compiled, Object.values(parameters)]
}

/** Which common table expressions a relation needs, itself last. */
const needs: Readonly<Record<Relation, ReadonlyArray<string>>> = {
  events: ["runs", "amendments", "events"],
  runs: ["runs"],
  usages: ["usages"],
  charges: ["charges"],
  quantities: ["quantities"],
  annotations: ["annotations"],
  amendments: ["amendments"]
}

/** Common table expressions for tables of a schema. */
export const relationsOf = (
  from: ReadonlyArray<Relation>,
  schema: string,
  columns: ReadonlyArray<EventColumn> = eventColumns
): string => {
  const names = new Set(from.flatMap((relation) => needs[relation]))
  const all = tables(schema, columns)
  return Object.keys(all)
    .filter((name) => names.has(name))
    .map((name) => all[name])
    .join(",\n")
}

const named: Readonly<Record<string, string>> = {
  requests: "requests",
  inputTokens: "input_tokens",
  outputTokens: "output_tokens",
  cacheReadTokens: "cache_read_tokens",
  cacheWriteTokens: "cache_write_tokens",
  reasoningTokens: "reasoning_tokens"
}

const tables = (s: string, columns: ReadonlyArray<EventColumn>): Readonly<Record<string, string>> => ({
  runs: `runs AS (SELECT * FROM ${s}.run_states)`,
  usages: `usages AS (SELECT * FROM ${s}.usages)`,
  charges: `charges AS (SELECT * FROM ${s}.charges)`,
  quantities: `quantities AS (
    SELECT u.run_id, u.number AS usage_number, each.meter, each.amount FROM ${s}.usages u, LATERAL (
      ${Object.entries(named)
        .map(([meter, column]) => `SELECT '${meter}' AS meter, u.${column}::double precision AS amount`)
        .join(" UNION ALL ")}
      UNION ALL SELECT key, value::double precision FROM jsonb_each_text(u.details)
        WHERE key IN (${Segments.meters.map((meter) => `'${meter}'`).join(", ")})
      UNION ALL SELECT 'toolCalls.' || key, value::double precision FROM jsonb_each_text(u.details -> 'toolCalls')
      UNION ALL SELECT key, value::double precision FROM jsonb_each_text(u.details -> 'other')
    ) each WHERE each.amount IS NOT NULL
  )`,
  annotations: `annotations AS (
    SELECT a.run_id, a.start_time, r.event_id, r.customer_id, a.name, a.value FROM ${s}.annotations a
    JOIN ${s}.runs r ON r.run_id = a.run_id AND r.start_time = a.start_time
  )`,
  amendments: `amendments AS (
    SELECT id, event_id, customer_id, outcome_status, outcome ->> 'valueType' AS outcome_value_type,
      (outcome ->> 'valueAmount')::double precision AS outcome_value_amount, outcome ->> 'reason' AS outcome_reason,
      amended_by, amended_at
    FROM ${s}.amendments
  )`,
  events: `event_runs AS (
    SELECT run_id, event_id, customer_id, root_run_id, parent_run_id, attempt, start_time, end_time, duration_ms, is_completed,
      workflow, workflow_version, environment, tenant_id, usd, calls, unpriced_calls, run_status, report_status, error_class,
      cancellation_reason, outcome_value_type, outcome_value_amount
    FROM runs
  ), ${recordedEvents(Dialect.postgres, "event_runs", columns)},
  latest_amendments AS (${latestAmendments(Dialect.postgres, "amendments")}),
  events AS (${amended("recorded_events", "latest_amendments")})`
})

/** `invalid_schema_name`, and `undefined_table`. */
const noTables: ReadonlySet<unknown> = new Set(["3F000", "42P01"])

/** What a refusal of the database means for a user. */
export const problemOf = ({ name }: Location, error: SqlError): CommandError => {
  const { code, message } = causeOf(error)
  return noTables.has(code)
    ? new CommandError({
        message: `there is no ledger in ${TerminalText.visible(name)}: make its tables with botanu migrate`,
        exitCode: exitCodes.usage
      })
    : new CommandError({
        message: `PostgreSQL refuses: ${TerminalText.visible(message)}`,
        exitCode: exitCodes.trouble
      })
}

const unreachable = (name: string, error: unknown): CommandError =>
  new CommandError({
    message: `no connection to ${TerminalText.visible(name)}: ${TerminalText.visible(causeOf(error).message)}`,
    exitCode: exitCodes.trouble
  })

/** What the driver says of an error. */
export const causeOf = (error: unknown): { readonly code?: unknown; readonly message: string } => {
  const cause = typeof error === "object" && error !== null && "cause" in error ? error.cause : error
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  const text = cause instanceof Error ? cause.message : String(cause)
  return { code, message: text === "" ? String(code ?? "unknown") : text }
}
