/**
 * An order that is suspended with a stored activity behind it, and the rows that the cluster stores of it. Each version of what this
 * package stores has a file of such rows beside it; what is in them has to be understood for as long as executions last.
 */
import { ClusterWorkflowEngine, SingleRunner } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { Activity, DurableDeferred, Workflow } from "@effect/workflow"
import { Effect, Layer, Schedule, Schema } from "effect"
import { RunCluster } from "../../src/cluster/index.js"
import { Llm, PriceBook } from "../../src/index.js"
import { RunWorkflow } from "../../src/workflow/index.js"

export const Plain = Workflow.make({
  name: "Stored Order",
  payload: { orderId: Schema.String },
  idempotencyKey: ({ orderId }) => orderId,
  success: Schema.String
})

export const Run = RunWorkflow.asRun(Plain, { eventId: ({ orderId }) => orderId, customerId: "bigretail" })

export const Go = DurableDeferred.make("go")

const call = (inputTokens: number) =>
  Effect.succeed("a draft").pipe(Llm.track({ provider: "openai", model: "quill-2", usage: () => ({ inputTokens }) }))

const body = <R>(work: Effect.Effect<string, never, R>) =>
  Effect.gen(function* () {
    const draft = yield* Activity.make({ name: "draft", success: Schema.String, execute: work })
    yield* DurableDeferred.await(Go)
    return yield* Activity.make({
      name: "send",
      success: Schema.String,
      execute: Effect.map(work, () => `${draft}, sent`)
    })
  })

export const plainLive = Plain.toLayer(() => body(Effect.succeed("a draft")))

export const runLive = Run.toLayer(() => body(call(10)))

/** The body calls a model outside of activities too, each time that it is entered. */
export const outsideLive = (entered: () => void) =>
  Run.toLayer(() => Effect.zipRight(Effect.zipRight(Effect.sync(entered), call(100)), body(call(10))))

export const prices = Layer.orDie(PriceBook.layer([{ kind: "llm", model: "quill-2", usd: { inputToken: 1 } }]))

/** The engine alone, over the database of the tests. */
export const plainEngine = Layer.orDie(
  ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(
      SingleRunner.layer({
        runnerStorage: "memory",
        shardingConfig: {
          shardsPerGroup: 3,
          entityMessagePollInterval: "100 millis",
          entityTerminationTimeout: "100 millis"
        }
      })
    )
  )
)

/** The engine whose executions are runs. */
export const runEngine = RunWorkflow.layer.pipe(
  Layer.provide(RunCluster.layerActivityHistory),
  Layer.provideMerge(plainEngine)
)

export const order = { orderId: "order-7" }

/** Lets the order go on. */
export const go = Effect.flatMap(Plain.executionId(order), (executionId) =>
  DurableDeferred.succeed(Go, {
    token: DurableDeferred.tokenFromExecutionId(Go, { workflow: Plain, executionId }),
    value: undefined
  })
)

/** Waits until the order is suspended. */
export const untilSuspended = Effect.flatMap(Plain.executionId(order), (executionId) =>
  Plain.poll(executionId).pipe(
    Effect.filterOrFail((result) => result?._tag === "Suspended"),
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout("20 seconds")
  )
)

const tables = ["cluster_messages", "cluster_replies"]

const Rows = Schema.parseJson(
  Schema.Record({
    key: Schema.String,
    value: Schema.Array(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  })
)

/** What the cluster has stored, as JSON. */
export const stored = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* Effect.forEach(tables, (table) =>
    // Ids are larger than a number of JavaScript holds.
    Effect.map(sql.unsafe<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} t`), (all) => [
      table,
      all.map(({ row }) => JSON.parse(row.replace(/: (\d{16,})/g, ': "$1"')))
    ])
  )
  return JSON.stringify(Object.fromEntries(rows), null, 2)
})

/** Stores what a version of before has stored. */
export const store = (json: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    for (const [table, rows] of Object.entries(yield* Schema.decode(Rows)(json))) {
      for (const row of rows) {
        yield* sql.unsafe(`INSERT INTO ${table} SELECT * FROM jsonb_populate_record(NULL::${table}, $1::jsonb)`, [
          JSON.stringify(row)
        ])
      }
    }
  })
