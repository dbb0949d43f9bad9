/**
 * `botanu report --by customer` beside a query that is written by hand for the same figures: `npm run bench:report`. With
 * `--whole` also over a million runs; PostgreSQL is measured where it is installed. Prints medians in milliseconds. A missed aim
 * is said, and fails nothing.
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
import { Effect, Layer, Redacted } from "effect"
import { eventFigures } from "../../command/src/query/EventFigures.js"
import * as GroupKey from "../../command/src/query/GroupKey.js"
import * as DuckDb from "../../command/src/store/DuckDb.js"
import * as LedgerStore from "../../command/src/store/LedgerStore.js"
import { PostgresServer } from "../../test/sql/PostgresServer.js"
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

/** Events, spend and successes of each customer, in one statement over the lines. */
const bareOverLines = (directory: string) => () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(DuckDb.make, ({ query }) =>
        query(`SELECT customer, count(*), sum(usd), count(*) FILTER (WHERE status = 'success') FROM (
            SELECT completed.run.customerId AS customer, completed.run.eventId AS event, sum(completed.totals.usd::DECIMAL(38, 24)) AS usd,
              arg_max(completed.outcome.status, completed.run.startTime) AS status
            FROM read_json(${DuckDb.literal(`${directory}/*/*.jsonl`)}, format = 'newline_delimited', ignore_errors = true, columns = {
              type: 'VARCHAR', completed: 'STRUCT(run STRUCT(customerId VARCHAR, eventId VARCHAR, startTime VARCHAR),
                outcome STRUCT(status VARCHAR), totals STRUCT(usd VARCHAR))'
            }) WHERE type = 'completed' GROUP BY 1, 2
          ) GROUP BY 1`)
      )
    )
  )

const bareInDatabase = (url: string) => () =>
  Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.unsafe(`SELECT customer_id, count(*), sum(usd), count(*) FILTER (WHERE status = 'success') FROM (
          SELECT customer_id, event_id, sum(usd) AS usd, (array_agg(outcome_status ORDER BY start_time DESC))[1] AS status
          FROM botanu.runs GROUP BY 1, 2
        ) events GROUP BY 1`)
    ).pipe(Effect.provide(clientOf(url)))
  )

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
    const rounds = size > 1e5 ? 3 : 5
    print(`directory, ${size} runs`, await timed(report(directory), bareOverLines(directory), rounds))
    if (server === undefined) continue
    const url = await server.newDatabase()
    const filled = Effect.gen(function* () {
      yield* LedgerSql.migrate()
      yield* LedgerSql.write(yield* Ledger.read(directory))
    })
    await Effect.runPromise(Effect.provide(filled, [NodeContext.layer, clientOf(url)]))
    print(`PostgreSQL, ${size} runs`, await timed(report(url), bareInDatabase(url), rounds))
  }
} finally {
  await server?.remove()
  rmSync(folder, { recursive: true, force: true })
}
