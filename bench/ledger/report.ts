/**
 * `botanu report --by customer` beside a statement that is written by hand and gives the same figures: `npm run bench:report`. With
 * `--whole` also over a million runs; PostgreSQL is measured where it is installed. Prints medians in milliseconds of both in
 * turns. A missed aim is said, and fails nothing.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { NodeContext } from "@effect/platform-node"
import * as SqlClient from "@effect/sql/SqlClient"
import { PgClient } from "@effect/sql-pg"
import { Ledger } from "botanu-effect/ledger"
import { LedgerSql } from "botanu-effect/sql"
import { BigDecimal, Effect, Layer, Redacted } from "effect"
import { type EventFigures, eventFigures } from "../../command/src/query/EventFigures.js"
import * as GroupKey from "../../command/src/query/GroupKey.js"
import * as DuckDb from "../../command/src/store/DuckDb.js"
import * as LedgerStore from "../../command/src/store/LedgerStore.js"
import { PostgresServer } from "../../test/sql/PostgresServer.js"
import { abandoned, compacted } from "./CompactedLedger.js"
import { write } from "./GeneratedLedger.js"

const aim = 1.5

const clientOf = (url: string) => PgClient.layer({ url: Redacted.make(url) })

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((one, other) => one - other)[values.length >> 1] ?? 0

/** Milliseconds of both, in turns. */
const timed = async (ours: () => Promise<unknown>, theirs: () => Promise<unknown>, rounds: number) => {
  const [own, bare]: [Array<number>, Array<number>] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const [work, times] of [
      [ours, own],
      [theirs, bare]
    ] as const) {
      const start = performance.now()
      await work()
      times.push(performance.now() - start)
    }
  }
  return { ours: median(own), theirs: median(bare) }
}

const report = (location: string) => () =>
  Effect.runPromise(
    Effect.provide(
      eventFigures([GroupKey.fromName("customer")]),
      Layer.provide(LedgerStore.layer(location), NodeContext.layer)
    )
  )

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
const bareOverLines = (directory: string) => {
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
const bareOverParquet = (directory: string) => {
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

const bareInDatabase = (url: string) => () =>
  Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.unsafe(
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

/** Fails where the two do not give the same figures. */
const sameAs = async (
  ours: () => Promise<ReadonlyArray<EventFigures>>,
  theirs: () => Promise<ReadonlyArray<Readonly<Record<string, unknown>>>>
): Promise<void> => {
  const own = (await ours()).map(({ attempts, events, keys, p95Ms, successes, usd, usdOfFailures }) =>
    [
      keys[0],
      events,
      attempts,
      successes,
      Number(BigDecimal.format(usd)),
      Number(BigDecimal.format(usdOfFailures)),
      p95Ms
    ].join()
  )
  const bare = (await theirs()).map((row) =>
    [
      row["customer_id"],
      ...["events", "attempts", "success", "usd", "usd_of_failures", "p95"].map((name) => Number(row[name] ?? 0))
    ].join()
  )
  if (own.sort().join("\n") !== bare.sort().join("\n"))
    throw new Error("the query that is written by hand gives other figures")
}

const print = (name: string, { ours, theirs }: { readonly ours: number; readonly theirs: number }): void => {
  const ratio = ours / theirs
  console.log(
    [
      name.padEnd(34),
      `${ours.toFixed(0)} ms`.padStart(9),
      `${theirs.toFixed(0)} ms`.padStart(9),
      ratio.toFixed(2).padStart(6),
      `<= ${aim.toFixed(2)}`.padStart(8),
      ratio <= aim ? "ok" : "missed"
    ].join("  ")
  )
}

const sizes = [1e4, 1e5, ...(process.argv.includes("--whole") ? [1e6] : [])]
const folder = mkdtempSync(join(tmpdir(), "botanu-bench-"))
const server = process.argv.includes("--no-postgres") ? undefined : await PostgresServer.start().catch(() => undefined)

try {
  console.log(`${"report --by customer".padEnd(34)}       ours     theirs   ratio       aim`)
  for (const size of sizes) {
    const directory = join(folder, String(size))
    write(directory, { seed: 1, runs: size, days: 60 })
    abandoned(directory)
    const contents = await Effect.runPromise(Effect.provide(Ledger.read(directory), NodeContext.layer))
    const rounds = size > 1e5 ? 3 : 5
    await sameAs(report(directory), bareOverLines(directory))
    print(`segments, ${size} runs`, await timed(report(directory), bareOverLines(directory), rounds))
    await compacted(directory)
    await sameAs(report(directory), bareOverParquet(directory))
    print(`compacted, ${size} runs`, await timed(report(directory), bareOverParquet(directory), rounds))
    if (server === undefined) continue
    const url = await server.newDatabase()
    const filled = Effect.gen(function* () {
      yield* LedgerSql.migrate()
      yield* LedgerSql.write(contents)
    })
    await Effect.runPromise(Effect.provide(filled, [NodeContext.layer, clientOf(url)]))
    print(`PostgreSQL, ${size} runs`, await timed(report(url), bareInDatabase(url), rounds))
  }
} finally {
  await server?.remove()
  rmSync(folder, { recursive: true, force: true })
}
