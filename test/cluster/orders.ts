/**
 * A workflow that calls a provider of models over HTTP, for the runners and the client of the crash tests.
 */
import { randomUUID } from "node:crypto"
import {
  ClusterWorkflowEngine,
  RunnerAddress,
  ShardingConfig,
  SqlMessageStorage,
  SqlRunnerStorage
} from "@effect/cluster"
import { NodeClusterSocket } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Activity, DurableClock, Workflow } from "@effect/workflow"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import { RunCluster } from "../../src/cluster/index.js"
import { Llm } from "../../src/index.js"
import { RunWorkflow } from "../../src/workflow/index.js"

export const Order = RunWorkflow.asRun(
  Workflow.make({
    name: "Order",
    payload: { orderId: Schema.String, provider: Schema.String },
    idempotencyKey: ({ orderId }) => orderId,
    success: Schema.String
  }),
  { eventId: ({ orderId }) => orderId, customerId: "bigretail" }
)

/** What an activity asks the provider for. */
export interface Asked {
  /** The caller's own id of the call. */
  readonly requestId: string
  readonly orderId: string
  readonly activity: string
  readonly runner: number
}

const Answer = Schema.Struct({ callId: Schema.String, inputTokens: Schema.Number })

const ask = (url: string, what: Omit<Asked, "requestId">) =>
  Effect.suspend(() => {
    const asked: Asked = { ...what, requestId: randomUUID() }
    return Effect.promise(async () => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(asked) })
      return Schema.decodeUnknownSync(Answer)(await response.json())
    }).pipe(
      Llm.track({
        provider: "openai",
        model: "quill-2",
        clientRequestId: asked.requestId,
        usage: ({ callId, inputTokens }) => ({ inputTokens, providerRequestId: callId })
      })
    )
  })

export const activities = ["draft", "check", "send"]

/** The body, on the runner that listens on this port. Each activity works on for a while after its call. */
export const OrderLive = (runner: number) =>
  Order.toLayer(({ orderId, provider }) =>
    Effect.gen(function* () {
      for (const activity of activities) {
        if (activity === "send") {
          yield* DurableClock.sleep({ name: "pause", duration: "200 millis", inMemoryThreshold: "1 millis" })
        }
        yield* Activity.make({
          name: activity,
          execute: Effect.zipRight(ask(provider, { orderId, activity, runner }), Effect.sleep("150 millis"))
        })
      }
      return orderId
    })
  )

const shardingConfig = {
  shardsPerGroup: 12,
  entityMessagePollInterval: "200 millis",
  refreshAssignmentsInterval: "200 millis",
  runnerHealthCheckInterval: "500 millis",
  // A runner gives all its shards away when one refresh takes longer than this.
  shardLockRefreshInterval: "5 seconds",
  shardLockExpiration: "15 seconds",
  entityTerminationTimeout: "1 second"
} as const

const database = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 5 })

const engine = RunWorkflow.layer.pipe(
  Layer.provide(RunCluster.layerActivityHistory),
  Layer.provideMerge(ClusterWorkflowEngine.layer)
)

type Config = Partial<ShardingConfig.ShardingConfig["Type"]>

/** What the cluster stores in the database. */
const storage = (url: string, config: Config) =>
  Layer.mergeAll(Layer.provide(RunCluster.layerMessageStorage, SqlMessageStorage.layer), SqlRunnerStorage.layer).pipe(
    Layer.provide(ShardingConfig.layer(config)),
    Layer.provideMerge(database(url))
  )

/** The engine of a runner that listens on this port. */
export const runnerEngine = (url: string, port: number) => {
  const address = Option.some(RunnerAddress.make("127.0.0.1", port))
  const config: Config = { ...shardingConfig, runnerAddress: address, runnerListenAddress: address }
  return engine.pipe(
    Layer.provideMerge(NodeClusterSocket.layer({ storage: "byo", shardingConfig: config })),
    Layer.provideMerge(storage(url, config))
  )
}

/** The engine of a program that starts executions and runs none. */
export const clientEngine = (url: string) => {
  const config: Config = { ...shardingConfig, runnerAddress: Option.none(), runnerListenAddress: Option.none() }
  return engine.pipe(
    Layer.provideMerge(NodeClusterSocket.layer({ storage: "byo", clientOnly: true, shardingConfig: config })),
    Layer.provideMerge(storage(url, config))
  )
}
