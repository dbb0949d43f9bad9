/**
 * What a ledger costs the program that it records: processor time added per run, beside bare appends of the same records and the
 * driver's own bulk insert of the same rows; and how large a run is. The server of the database is a process of its own, whose
 * time is not counted.
 */
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Botanu, type CompletedRun, RunExporter, Usage } from "../src/index.js"
import { Ledger } from "../src/ledger/index.js"
import { LedgerSql } from "../src/sql/index.js"
import { PostgresServer } from "../test/sql/PostgresServer.js"
import type { Measurement } from "./measure.js"
import { format } from "./table.js"

const runsOfRound = 5_000
const batch = 500
const rounds = 7

let events = 0

const run = Effect.suspend(() => {
  events += 1
  return Botanu.workflow(
    Usage.record({
      kind: "llm",
      provider: "openai",
      operation: "chat",
      model: "quill-2",
      inputTokens: 1204,
      outputTokens: 87,
      usd: "0.0042"
    }),
    "Customer Support",
    { eventId: `ticket-${events}`, customerId: `customer-${events % 100}` }
  )
})

const batches = (each: Effect.Effect<unknown, unknown>): Effect.Effect<void> =>
  Effect.repeatN(each, runsOfRound / batch - 1).pipe(Effect.asVoid, Effect.orDie)

/** Runs, of which each batch is flushed to where they are kept. */
const kept = Effect.flatMap(Ledger.Ledger, ({ flush }) =>
  batches(Effect.zipRight(Effect.repeatN(run, batch - 1), flush))
)

const notKept = batches(Effect.repeatN(run, batch - 1))

/** The processor time of this process in nanoseconds for one run. */
const cpuNanos = (work: Effect.Effect<void>): Effect.Effect<number> =>
  Effect.suspend(() => {
    const start = process.cpuUsage()
    return Effect.map(work, () => {
      const { system, user } = process.cpuUsage(start)
      return ((system + user) * 1000) / runsOfRound
    })
  })

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Medians of works that take turns. The first round warms up. */
const inTurns = (works: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function* () {
    const nanos = works.map((): Array<number> => [])
    for (let round = 0; round <= rounds; round++) {
      for (const [index, work] of works.entries()) {
        const time = yield* cpuNanos(work)
        if (round > 0) nanos[index]?.push(time)
      }
    }
    return nanos.map(median)
  })

const someRuns: Effect.Effect<ReadonlyArray<CompletedRun>> = Effect.gen(function* () {
  yield* Effect.repeatN(run, batch - 1)
  return yield* Effect.flatMap(RunExporter.Memory, ({ runs }) => runs)
}).pipe(Effect.orDie, Effect.provide(RunExporter.layerMemory))

const report = (
  name: string,
  [bare = 0, ours = 0, theirs = 0]: ReadonlyArray<number>,
  aims: { readonly nanos: number; readonly ratio: number; readonly beside: string }
): ReadonlyArray<string> => [
  format({ name: `${name}, beside ${aims.beside}`, ours: ours - bare, theirs, unit: "ns", aim: aims.ratio }),
  format({ name: `${name}, beside its aim`, ours: ours - bare, theirs: aims.nanos, unit: "ns", aim: 1 })
]

const bytesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, file) => sum + (file.isFile() ? statSync(join(file.parentPath, file.name)).size : 0),
    0
  )

const directory: Measurement = {
  name: "ledger, directory",
  lines: Effect.gen(function* () {
    const folder = mkdtempSync(join(tmpdir(), "botanu-bench-"))
    const completed = yield* someRuns
    const file = join(folder, "bare.jsonl")
    const bareAppends = batches(
      Effect.sync(() => appendFileSync(file, completed.map((completed) => `${JSON.stringify(completed)}\n`).join("")))
    )
    const ledger = join(folder, "ledger")
    const layer = Ledger.layer({ directory: ledger, flushMillis: 600_000 }).pipe(Layer.provide(NodeContext.layer))
    const times = yield* inTurns([notKept, Effect.orDie(Effect.provide(kept, layer)), bareAppends])
    const runs = runsOfRound * (rounds + 1)
    const size = bytesIn(ledger) / runs
    const bareSize = statSync(file).size / runs
    rmSync(folder, { recursive: true })
    return [
      ...report("CPU added per run by a ledger in a directory", times, {
        nanos: 15_000,
        ratio: 1.5,
        beside: "bare appends"
      }),
      format({ name: "size of a run in a directory, beside its record", ours: size, theirs: bareSize, unit: "bytes" })
    ]
  }).pipe(Effect.scoped, Effect.orDie)
}

/** The rows of a run as the driver would insert them: those of `runs`, and of `usages`. */
const rowsOf = ({ durationMs, endTime, outcome, run, status, totals, usages }: CompletedRun) => ({
  run: {
    run_id: run.runId,
    start_time: run.startTime,
    workflow: run.workflow,
    event_id: run.eventId,
    customer_id: run.customerId,
    environment: run.environment,
    root_run_id: run.rootRunId,
    attempt: run.attempt,
    is_completed: true,
    status,
    cancelled: run.cancelled,
    end_time: endTime,
    duration_ms: durationMs,
    outcome_status: outcome?.status,
    usd: String(totals.usd.value),
    input_tokens: totals.inputTokens,
    output_tokens: totals.outputTokens,
    calls: totals.calls,
    unpriced_calls: totals.unpricedCalls
  },
  usages: usages.map(({ cost, usage }, index) => ({
    run_id: run.runId,
    number: index + 1,
    start_time: run.startTime,
    event_id: run.eventId,
    customer_id: run.customerId,
    kind: usage.kind,
    provider: usage.provider,
    operation: usage.operation,
    model: usage.model,
    time: usage.time,
    status: usage.status,
    requests: usage.requests,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost: cost._tag,
    usd: String(cost.usd.value)
  }))
})

const plainDates = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? new Date(JSON.parse(JSON.stringify(value)) as string) : value
    ])
  )

const database: Measurement = {
  name: "ledger, PostgreSQL",
  lines: Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => PostgresServer.start()),
      (server) => Effect.promise(() => server.remove())
    )
    const url = yield* Effect.promise(() => server.newDatabase())
    const folder = mkdtempSync(join(tmpdir(), "botanu-bench-"))
    const client = PgClient.layer({ url: Redacted.make(url) })
    const layer = LedgerSql.layer({ spill: folder, flushMillis: 600_000, timeoutMillis: 60_000 }).pipe(
      Layer.provide([client, NodeContext.layer])
    )
    const completed = yield* someRuns
    const lines = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* LedgerSql.migrate()
      yield* sql.unsafe(`CREATE TABLE bare_runs (LIKE botanu.runs); CREATE TABLE bare_usages (LIKE botanu.usages)`)
      const bulkInsert = batches(
        Effect.suspend(() => {
          const rows = completed.map(rowsOf)
          return Effect.zipRight(
            sql`INSERT INTO bare_runs ${sql.insert(rows.map(({ run }) => plainDates(run)))}`,
            sql`INSERT INTO bare_usages ${sql.insert(rows.flatMap(({ usages }) => usages.map(plainDates)))}`
          )
        })
      )
      const times = yield* inTurns([notKept, Effect.orDie(Effect.provide(kept, layer)), bulkInsert])
      const [size] = yield* sql<{ bytes: string; runs: string }>`
        SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits)::text AS bytes,
          (SELECT count(*) FROM botanu.runs)::text AS runs`
      const [bare] = yield* sql<{ bytes: string }>`
        SELECT (pg_total_relation_size('bare_runs') + pg_total_relation_size('bare_usages'))::text AS bytes`
      return [
        ...report("CPU added per run by a ledger in PostgreSQL", times, {
          nanos: 40_000,
          ratio: 1.3,
          beside: "bulk insert"
        }),
        format({
          name: "size of a run in PostgreSQL, with its record and indexes",
          ours: Number(size?.bytes) / Number(size?.runs),
          theirs: Number(bare?.bytes) / (runsOfRound * (rounds + 1)),
          unit: "bytes"
        })
      ]
    }).pipe(Effect.provide(client))
    const result = yield* lines
    rmSync(folder, { recursive: true, force: true })
    return result
  }).pipe(Effect.scoped, Effect.orDie)
}

export const ledgers: ReadonlyArray<Measurement> = [directory, database]
