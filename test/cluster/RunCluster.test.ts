/**
 * Messages to entities: they carry the run of their sender, and handlers work in it.
 */
import {
  ClusterSchema,
  Entity,
  MessageStorage,
  RunnerAddress,
  RunnerStorage,
  type Sharding,
  ShardingConfig,
  TestRunner
} from "@effect/cluster"
import { NodeClusterSocket } from "@effect/platform-node"
import { Rpc, RpcSchema } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Option, Schema, Stream } from "effect"
import { RunCluster } from "../../src/cluster/index.js"
import { Botanu, Propagation, RunContext } from "../../src/index.js"
import { completedRuns, endedSpans, observed } from "../observed.js"
import { ids } from "../runs.js"

/** What a handler sees of the run that it works in. */
const Seen = Schema.Struct({ runId: Schema.String, eventId: Schema.String, deadline: Schema.Boolean })

const Stock = Entity.make("Stock", [
  Rpc.make("Reserve", { success: Schema.OptionFromNullOr(Seen) }),
  Rpc.make("Watch", { success: RpcSchema.Stream({ success: Schema.OptionFromNullOr(Seen), failure: Schema.Never }) }),
  Rpc.make("Pack", { success: Schema.OptionFromNullOr(Seen) }),
  Rpc.make("Forward", { success: Schema.Boolean }),
  Rpc.make("Keep", {
    payload: { key: Schema.String },
    primaryKey: ({ key }) => key,
    success: Schema.OptionFromNullOr(Seen)
  }).annotate(ClusterSchema.Persisted, true)
])

const seen = Effect.map(
  Effect.serviceOption(RunContext),
  Option.map(({ deadline, eventId, runId }) => ({ runId, eventId, deadline: deadline !== undefined }))
)

const StockLive = Stock.toLayer({
  Reserve: () => Effect.zipLeft(seen, Effect.void.pipe(Effect.withSpan("reserving"))),
  Watch: () => Stream.repeatEffect(Effect.withSpan(seen, "watching")).pipe(Stream.take(2)),
  Pack: () => Rpc.fork(Effect.orDie(Botanu.workflow(seen, "Pack", { eventId: "pack", customerId: "bigretail" }))),
  Forward: () =>
    Effect.flatMap(Effect.serviceOption(RunContext), (run) =>
      Option.isNone(run)
        ? Effect.succeed(false)
        : Effect.map(Propagation.inject, (headers) => "baggage" in headers).pipe(
            Effect.provideService(RunContext, run.value)
          )
    ),
  Keep: () => seen
})

const shardingConfig = {
  shardsPerGroup: 3,
  runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", 34_571)),
  runnerListenAddress: Option.some(RunnerAddress.make("127.0.0.1", 34_571)),
  refreshAssignmentsInterval: "100 millis",
  entityMessagePollInterval: "50 millis",
  simulateRemoteSerialization: true
} as const

/** A runner whose messages go over sockets where they go to others. */
const sockets = NodeClusterSocket.layer({ storage: "byo", shardingConfig }).pipe(
  Layer.provide(MessageStorage.layerMemory),
  Layer.provide(RunnerStorage.layerMemory),
  Layer.provide(ShardingConfig.layer(shardingConfig)),
  Layer.provide(Logger.minimumLogLevel(LogLevel.Error))
)

const inWorkflow = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Botanu.workflow(work, "Fulfil Order", { ...ids, deadline: "1 minute" })

const runners: ReadonlyArray<readonly [string, Layer.Layer<Sharding.Sharding, unknown>]> = [
  ["a runner in memory", TestRunner.layer],
  ["a runner with sockets", sockets]
]

describe.each(runners)("on %s", (_, runner) => {
  const cluster = (options: RunCluster.Options) =>
    Layer.orDie(Layer.provideMerge(StockLive, Layer.provideMerge(RunCluster.layer(options), runner)))

  const trusted = cluster({ inbound: "trusted", outbound: "propagate" })

  it.scopedLive("a handler works in the run of its message, without its deadline", () =>
    Effect.gen(function* () {
      const [reserved, stored] = yield* inWorkflow(
        Effect.flatMap(Stock.client, (client) =>
          Effect.all([client("warehouse-1").Reserve(), client("warehouse-1").Keep({ key: "a" })])
        )
      ).pipe(Effect.provide(trusted))
      const [completed] = yield* completedRuns
      const expected = Option.some({ runId: completed?.run.runId, eventId: "ticket-42", deadline: false })
      expect([reserved, stored]).toEqual([expected, expected])
      const span = (yield* endedSpans).find(({ name }) => name === "reserving")
      expect(span?.attributes["botanu.run_id"]).toBe(completed?.run.runId)
      expect(span?.spanContext().traceId).toBe(completed?.traceId)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("a stream is made in the run of its message", () =>
    Effect.gen(function* () {
      const all = yield* inWorkflow(
        Effect.flatMap(Stock.client, (client) => Stream.runCollect(client("warehouse-1").Watch()))
      ).pipe(Effect.provide(trusted))
      expect(
        Array.from(
          all,
          Option.map(({ eventId }) => eventId)
        )
      ).toEqual([Option.some("ticket-42"), Option.some("ticket-42")])
    })
  )

  it.scopedLive("a workflow in a handler is a child of the run of its message", () =>
    Effect.gen(function* () {
      yield* inWorkflow(Effect.flatMap(Stock.client, (client) => client("warehouse-1").Pack())).pipe(
        Effect.provide(trusted)
      )
      const [pack, outer] = yield* completedRuns
      expect(pack?.run.parentRunId).toBe(outer?.run.runId)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("a message outside of a run brings none", () =>
    Effect.gen(function* () {
      const client = yield* Stock.client
      // The entity is started by a message that brings one.
      expect(Option.isSome(yield* inWorkflow(client("warehouse-1").Reserve()))).toBe(true)
      expect(yield* client("warehouse-1").Reserve()).toEqual(Option.none())
    }).pipe(Effect.provide(trusted))
  )

  it.scopedLive("the run of an untrusted message is ignored, and one that is omitted is not sent", () =>
    Effect.gen(function* () {
      for (const options of [
        { inbound: "untrusted", outbound: "propagate" },
        { inbound: "trusted", outbound: "omit" },
        { inbound: () => Effect.succeed(false), outbound: "propagate" }
      ] as const) {
        const answers = yield* inWorkflow(
          Effect.flatMap(Stock.client, (client) =>
            Effect.all([client("warehouse-1").Reserve(), client("warehouse-1").Forward()])
          )
        ).pipe(Effect.provide(cluster(options)))
        expect(answers).toEqual([Option.none(), false])
        const streamed = yield* inWorkflow(
          Effect.flatMap(Stock.client, (client) => Stream.runCollect(client("warehouse-1").Watch()))
        ).pipe(Effect.provide(cluster(options)))
        expect(Array.from(streamed)).toEqual([Option.none(), Option.none()])
      }
    })
  )

  it.scopedLive("an untrusted message is worked on in a trace of its own, with a link to its sender", () =>
    Effect.gen(function* () {
      const inbound = () => Effect.succeed(false).pipe(Effect.withSpan("the predicate"))
      const caller = yield* Effect.flatMap(Stock.client, (client) =>
        Effect.zip(
          Effect.currentSpan,
          Effect.zip(client("warehouse-1").Reserve(), Stream.runDrain(client("warehouse-1").Watch()))
        )
      ).pipe(
        Effect.map(([span]) => span),
        Effect.withSpan("the sender"),
        Effect.provide(cluster({ inbound, outbound: "propagate" }))
      )
      const spans = yield* endedSpans
      const byName = (name: string) => spans.filter((span) => span.name === name)
      for (const [work, message] of [
        ["reserving", "Reserve"],
        ["watching", "Watch"]
      ] as const) {
        const [own] = byName(work)
        const ofMessage = byName(`Stock(warehouse-1).${message}`)
        const root = ofMessage.find(({ parentSpanContext }) => parentSpanContext === undefined)
        expect(own?.parentSpanContext?.spanId).toBe(root?.spanContext().spanId)
        expect(root?.spanContext().traceId).not.toBe(caller.traceId)
        expect(root?.links.map(({ context }) => context.traceId)).toEqual([caller.traceId])
      }
      expect(byName("the predicate").length).toBe(2)
      for (const asked of byName("the predicate")) expect(asked.spanContext().traceId).not.toBe(caller.traceId)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("a predicate sees the message", () =>
    Effect.gen(function* () {
      const messages: Array<string> = []
      const options: RunCluster.Options = {
        inbound: ({ address, tag }) => Effect.sync(() => messages.push(`${address.entityType} ${tag}`) > 0),
        outbound: "propagate"
      }
      const reserved = yield* inWorkflow(
        Effect.flatMap(Stock.client, (client) => client("warehouse-1").Reserve())
      ).pipe(Effect.provide(cluster(options)))
      expect(Option.isSome(reserved)).toBe(true)
      expect(messages).toEqual(["Stock Reserve"])
    })
  )
})
