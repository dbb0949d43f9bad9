/**
 * An execution that is woken while its runner reads messages from a slow storage.
 */
import {
  ClusterWorkflowEngine,
  type Message,
  MessageStorage,
  RunnerHealth,
  RunnerStorage,
  Runners,
  Sharding,
  ShardingConfig
} from "@effect/cluster"
import { describe, expect, it } from "@effect/vitest"
import { Activity, DurableDeferred, Workflow } from "@effect/workflow"
import { Deferred, Effect, Layer, Schema } from "effect"
import { RunCluster } from "../../src/cluster/index.js"

const Order = Workflow.make({
  name: "Order",
  payload: { orderId: Schema.String },
  idempotencyKey: ({ orderId }) => orderId
})
const order = { orderId: "order-7" }
const Go = DurableDeferred.make("go")

type Storage = MessageStorage.MessageStorage["Type"]

const changed = (change: (storage: Storage) => Storage) =>
  Layer.effect(MessageStorage.MessageStorage, Effect.map(MessageStorage.MessageStorage, change))

const config = ShardingConfig.layer({ shardsPerGroup: 1, entityMessagePollInterval: "10 millis" })

describe("an execution", () => {
  it.scopedLive("goes on that was suspended and woken during one read", () =>
    Effect.gen(function* () {
      const working = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const signalRead = yield* Deferred.make<void>()
      const reading = yield* Deferred.make<void>()
      const woken = yield* Deferred.make<void>()
      let isHeld = false
      /** As a database: each request is read once, until it is reset. A read that begins while reads are held ends after the reset. */
      const slowly = changed((storage) => {
        const read = new Set<unknown>()
        const isNew = ({ envelope }: Message.Incoming<never>) =>
          envelope._tag !== "Request" || (!read.has(envelope.requestId) && read.add(envelope.requestId).size > 0)
        const forget = Effect.sync(() => read.clear())
        return {
          ...storage,
          unprocessedMessages: (shards) =>
            Effect.gen(function* () {
              if (isHeld) yield* Effect.zipRight(Deferred.succeed(reading, undefined), Deferred.await(woken))
              const messages = (yield* storage.unprocessedMessages(shards)).filter(isNew)
              const tags = messages.map(({ envelope }) => (envelope._tag === "Request" ? envelope.tag : ""))
              if (tags.includes("deferred")) yield* Deferred.succeed(signalRead, undefined)
              return messages
            }),
          clearReplies: (request) =>
            Effect.zipRight(
              Effect.sync(() => read.delete(request)),
              storage.clearReplies(request)
            ),
          resetAddress: () => forget,
          resetShards: () => forget
        }
      })
      const noticed = changed((storage) => ({
        ...storage,
        clearReplies: (request) =>
          Effect.zipRight(
            Effect.forkDaemon(Effect.delay(Deferred.succeed(woken, undefined), "50 millis")),
            storage.clearReplies(request)
          )
      }))
      const storage = noticed.pipe(
        Layer.provide(RunCluster.layerMessageStorage),
        Layer.provide(slowly),
        Layer.provide(MessageStorage.layerMemory),
        Layer.provide(config)
      )
      const engine = ClusterWorkflowEngine.layer.pipe(
        Layer.provideMerge(Sharding.layer),
        Layer.provide(Runners.layerNoop),
        Layer.provideMerge(storage),
        Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop, config])
      )
      const work = Activity.make({
        name: "work",
        execute: Effect.zipRight(Deferred.succeed(working, undefined), Deferred.await(finish))
      })
      const live = Order.toLayer(() => Effect.zipRight(work, DurableDeferred.await(Go)))
      const program = Effect.gen(function* () {
        const executionId = yield* Order.execute(order, { discard: true })
        yield* Deferred.await(working)
        const token = DurableDeferred.tokenFromExecutionId(Go, { workflow: Order, executionId })
        yield* DurableDeferred.succeed(Go, { token, value: undefined })
        yield* Deferred.await(signalRead)
        isHeld = true
        yield* Deferred.await(reading)
        yield* Deferred.succeed(finish, undefined)
        yield* Deferred.await(woken)
        isHeld = false
        return yield* Effect.option(Effect.timeout(Order.execute(order), "5 seconds"))
      })
      expect(yield* Effect.provide(program, Layer.provideMerge(live, engine))).toMatchObject({ _tag: "Some" })
    })
  )
})
