/**
 * Where the workflow runs: on runner processes over one PostgreSQL, or in this process alone.
 */
import {
  ClusterWorkflowEngine,
  RunnerAddress,
  ShardingConfig,
  SingleRunner,
  SqlMessageStorage,
  SqlRunnerStorage
} from "@effect/cluster"
import { NodeClusterSocket } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { RunCluster } from "botanu-effect/cluster"
import { RunWorkflow } from "botanu-effect/workflow"
import { Config, Layer, Option } from "effect"

const database = PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })

/** The engine of `@effect/cluster`, whose executions are runs. */
const engine = RunWorkflow.layer.pipe(
  Layer.provide(RunCluster.layerActivityHistory),
  Layer.provideMerge(ClusterWorkflowEngine.layer)
)

/** How soon a runner that is gone is noticed. */
const timing = {
  shardsPerGroup: 12,
  entityMessagePollInterval: "200 millis",
  refreshAssignmentsInterval: "200 millis",
  runnerHealthCheckInterval: "500 millis"
} as const

type Settings = Partial<ShardingConfig.ShardingConfig["Type"]>

/** What the runners and their clients have in common: the messages, the runners, and who has which shard. */
const stored = (settings: Settings) =>
  Layer.merge(Layer.provide(RunCluster.layerMessageStorage, SqlMessageStorage.layer), SqlRunnerStorage.layer).pipe(
    Layer.provide(ShardingConfig.layer(settings)),
    Layer.provide(database)
  )

/** A runner that listens on a port of this machine. */
export const runner = (port: number) => {
  const address = Option.some(RunnerAddress.make("127.0.0.1", port))
  const shardingConfig = { ...timing, runnerAddress: address, runnerListenAddress: address }
  return engine.pipe(
    Layer.provideMerge(NodeClusterSocket.layer({ storage: "byo", shardingConfig })),
    Layer.provide(stored(shardingConfig))
  )
}

const ofClient = { ...timing, runnerAddress: Option.none(), runnerListenAddress: Option.none() }

/** A program that starts executions, which the runners work on. */
export const client = engine.pipe(
  Layer.provideMerge(NodeClusterSocket.layer({ storage: "byo", clientOnly: true, shardingConfig: ofClient })),
  Layer.provide(stored(ofClient))
)

/** One process that does it all. */
export const embedded = engine.pipe(
  Layer.provideMerge(SingleRunner.layer({ runnerStorage: "memory", shardingConfig: timing })),
  Layer.provide(database)
)
