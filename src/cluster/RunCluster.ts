/**
 * Runs on a cluster: messages to entities carry the run of their sender, and executions of workflows know what a crash cut off.
 */
import { type Entity, type Envelope, MessageStorage, Sharding } from "@effect/cluster"
import { Headers } from "@effect/platform"
import { Rpc, RpcClient } from "@effect/rpc"
import { Effect, Layer, Option, Stream, type Tracer } from "effect"
import { inNoRun } from "../Detached.js"
import { outgoingBaggageFor } from "../edge/OutgoingBaggage.js"
import { inNoReceivedRun } from "../edge/ServerEdge.js"
import { outsideRemoteTrace, redactBaggage, remoteAncestor, spanPlacement, withServerSpan } from "../edge/ServerSpan.js"
import { type Inbound, isTrusted } from "../edge/Trust.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { ActivityHistory } from "../lifecycle/ActivityHistory.js"
import { extractFor } from "../lifecycle/IncomingRun.js"
import { resume } from "../Resume.js"
import type { Run } from "../run/Run.js"
import { Header } from "../wire/Wire.js"
import { history } from "./CutOffActivities.js"
import { afterReads } from "./MessageResets.js"

export type { Inbound } from "../edge/Trust.js"

/**
 * A message, as it came in.
 *
 * @example
 * ```ts
 * import type { RunCluster } from "botanu-effect/cluster"
 *
 * const isOfCounter = ({ address }: RunCluster.Message) => address.entityType === "Counter"
 * console.log(isOfCounter.length)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type Message = Envelope.Request<Rpc.Any>

/**
 * Which messages are trusted, and whether messages carry the run.
 *
 * @example
 * ```ts
 * import { RunCluster } from "botanu-effect/cluster"
 *
 * const options: RunCluster.Options = { inbound: "trusted", outbound: "propagate" }
 * export const runs = RunCluster.layer(options)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options<R = never> {
  /**
   * Which messages are trusted to bring a run: all (`"trusted"`), none (`"untrusted"`), or those for which a predicate gives `true`.
   * There is no default: a run brings customer ids and baggage with it.
   */
  readonly inbound: Inbound<Message, never, R>
  /**
   * Whether a message carries the run of its fiber (`"propagate"`), or not (`"omit"`). There is no default: the run's ids say who
   * your customers are.
   */
  readonly outbound: "propagate" | "omit"
}

/**
 * Makes entity messages carry the run in whose fiber they are sent, and handlers work in that run. Entities, their protocols and
 * their handlers stay as they are. Over sockets and in one process, stored messages too.
 *
 * A message may outlive its sender, so it carries neither deadline nor cancellation: the cluster itself interrupts the handler of a
 * caller that was interrupted. A handler that is to be a run of its own uses `Botanu.workflow`, which makes it a child. The mailbox
 * of `toLayerMailbox` gets messages as they are: `Propagation.extract(message.headers)` reads the run.
 *
 * The run of an untrusted message is ignored, and nothing of it is sent on. Its handler works in a trace of its own, whose first span
 * has a link to the sender's. The span that the cluster itself opens for the message before remains in the sender's trace.
 *
 * @example
 * ```ts
 * import { Entity, TestRunner } from "@effect/cluster"
 * import { Rpc } from "@effect/rpc"
 * import { Botanu, RunContext } from "botanu-effect"
 * import { RunCluster } from "botanu-effect/cluster"
 * import { Effect, Layer, Option, Schema } from "effect"
 *
 * const Stock = Entity.make("Stock", [Rpc.make("Reserve", { success: Schema.String })])
 * const StockLive = Stock.toLayer({
 *   Reserve: () => Effect.map(Effect.serviceOption(RunContext), (run) => Option.getOrThrow(run).eventId)
 * })
 *
 * const runs = RunCluster.layer({ inbound: "trusted", outbound: "propagate" })
 * const cluster = Layer.provideMerge(StockLive, Layer.provideMerge(runs, TestRunner.layer))
 *
 * const program = Effect.gen(function* () {
 *   const stock = yield* Stock.client
 *   return yield* stock("warehouse-1").Reserve()
 * }).pipe(Botanu.workflow("Fulfil Order", { eventId: "order-7", customerId: "bigretail" }))
 *
 * console.log(await Effect.runPromise(Effect.provide(program, cluster))) // order-7
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = <R = never>(options: Options<R>): Layer.Layer<Sharding.Sharding, never, Sharding.Sharding | R> =>
  Layer.effect(
    Sharding.Sharding,
    Effect.gen(function* () {
      const sharding = yield* Sharding.Sharding
      const context = yield* Effect.context<R>()
      const trust = (message: Message) => Effect.provide(isTrusted(options.inbound, message), context)
      return {
        ...sharding,
        makeClient: (entity) =>
          isInternal(entity)
            ? sharding.makeClient(entity)
            : Effect.map(sharding.makeClient(entity), (make) => (entityId: string) => sending(make(entityId), options)),
        registerEntity: (entity, handlers, registration) =>
          sharding.registerEntity(
            entity,
            isInternal(entity) ? handlers : Effect.map(handlers, (all) => joining(all, trust)),
            registration
          )
      }
    })
  )

/** The entities that are executions of workflows carry their runs in their payloads. */
const isInternal = ({ type }: Pick<Entity.Any, "type">): boolean => type.startsWith("Workflow/")

type Call = (payload: unknown, options?: { readonly headers?: Headers.Input | undefined }) => unknown

/** A client whose messages carry the run. */
const sending = <Client extends object>(client: Client, { outbound }: Pick<Options, "outbound">): Client =>
  new Proxy(client, {
    get: (target, tag) => {
      const call: unknown = Reflect.get(target, tag)
      if (typeof call !== "function") return call
      return ((payload, options) => {
        const sent = (fiber: AnyFiber) =>
          (call as Call)(payload, { ...options, headers: withBaggage(fiber, options?.headers, outbound) })
        // What the client gives is lazy; this one is not used but for what it is.
        return Effect.isEffect((call as Call)(payload, options))
          ? Effect.withFiberRuntime((fiber) => sent(fiber) as Effect.Effect<unknown>)
          : Stream.unwrap(
              Effect.withFiberRuntime<Stream.Stream<unknown>>((fiber) => Effect.sync(() => sent(fiber) as never))
            )
      }) satisfies Call
    }
  })

const withBaggage = (
  fiber: AnyFiber,
  given: Headers.Input | undefined,
  outbound: Options["outbound"]
): Headers.Headers => {
  const headers = Headers.merge(fiber.getFiberRef(RpcClient.currentHeaders), Headers.fromInput(given))
  return Headers.set(
    headers,
    Header.baggage,
    outgoingBaggageFor(fiber, headers[Header.baggage] ?? "", outbound, handOff)
  )
}

const handOff = { isCall: false }

type Handlers = Readonly<Record<string, (message: Message) => unknown>>

/** Handlers that work in the run of each message. */
const joining = <All extends object>(handlers: All, trust: (message: Message) => Effect.Effect<boolean>): All =>
  Object.fromEntries(
    Object.entries(handlers as Handlers).map(([tag, handler]) => [
      tag,
      (message: Message) => {
        const answer = handler.call(handlers, message)
        return Rpc.isWrapper(answer as object)
          ? {
              ...(answer as Rpc.Wrapper<unknown>),
              value: inRunOf(message, (answer as Rpc.Wrapper<unknown>).value, trust)
            }
          : inRunOf(message, answer, trust)
      }
    ])
  ) as All

/** The work of a handler, an effect or a stream, in the run of its message. */
const inRunOf = (message: Message, work: unknown, trust: (message: Message) => Effect.Effect<boolean>): unknown => {
  const received = Effect.mapInputContext(trust(message), outsideRemoteTrace<never>).pipe(
    Effect.flatMap((trusted) =>
      Effect.withFiberRuntime<Received>((fiber) => {
        if (message.headers[Header.baggage] !== undefined) redactBaggage(fiber.currentSpan)
        if (!trusted) return Effect.succeed({ trusted, run: Option.none<Run>() })
        const { report, run } = extractFor(fiber, message.headers, undefined)
        return Effect.as(report ?? Effect.void, { trusted, run })
      })
    ),
    inNoRun
  )
  const within =
    ({ run, trusted }: Received): Within =>
    (part) =>
      inNoRun(
        Effect.withFiberRuntime<unknown, unknown, unknown>((fiber) =>
          Option.isSome(run) ? resume(part, run) : inNoReceivedRun(part, trusted, { fiber, reasonOf: () => undefined })
        )
      )
  if (Effect.isEffect(work)) {
    return Effect.flatMap(received, (known) => {
      const inRun = within(known)(work)
      return known.trusted
        ? inRun
        : inOwnTrace((name, placement) => withServerSpan(name, placement, () => inRun), inRun)
    })
  }
  const pulls = Stream.toPull(work as Stream.Stream<unknown>) as Effect.Effect<Part, unknown, unknown>
  const pulled = (inRun: Within) => Effect.map(inRun(pulls), (pull) => inRun(pull as Part))
  return Stream.fromPull(
    Effect.flatMap(received, (known) => {
      const inRun = within(known)
      if (known.trusted) return pulled(inRun)
      return inOwnTrace(
        (name, placement) =>
          Effect.flatMap(
            Effect.makeSpanScoped(name, { ...placement, kind: "server", captureStackTrace: false }),
            (span) => pulled((part) => Effect.withParentSpan(inRun(part), span))
          ),
        pulled(inRun)
      )
    }) as never
  )
}

/** Work on a message whose sender is not trusted: outside of the sender's trace, in which the cluster has opened a span. */
const inOwnTrace = <A, E, R>(
  inSpan: (name: string, placement: Tracer.SpanOptions) => Effect.Effect<A, E, R>,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const open = fiber.currentSpan
    const sender = remoteAncestor(open)
    return open?._tag !== "Span" || sender === undefined ? work : inSpan(open.name, spanPlacement(sender, false))
  })

type Part = Effect.Effect<unknown, unknown, unknown>
type Within = (part: Part) => Part

interface Received {
  readonly trusted: boolean
  readonly run: Option.Option<Run>
}

/**
 * For `RunWorkflow.layer` over `ClusterWorkflowEngine.layer`: finds activities that a process began and did not end, from the messages
 * that the cluster stores. It costs one query for each activity that is executed after an execution went on, and none before.
 *
 * @example
 * ```ts
 * import { ClusterWorkflowEngine } from "@effect/cluster"
 * import { RunCluster } from "botanu-effect/cluster"
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Layer } from "effect"
 *
 * export const engine = RunWorkflow.layer.pipe(
 *   Layer.provide(RunCluster.layerActivityHistory),
 *   Layer.provideMerge(ClusterWorkflowEngine.layer)
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerActivityHistory: Layer.Layer<
  ActivityHistory,
  never,
  MessageStorage.MessageStorage | Sharding.Sharding
> = Layer.effect(ActivityHistory, history)

/**
 * A message storage for `@effect/cluster` 0.60 that mends how workflows go on: what is reset while the runner reads messages waits for
 * the end of that read. Without it an execution may stand still for ten minutes, where the database is slow to answer.
 *
 * @example
 * ```ts
 * import { SqlMessageStorage, SqlRunnerStorage } from "@effect/cluster"
 * import { NodeClusterSocket } from "@effect/platform-node"
 * import { RunCluster } from "botanu-effect/cluster"
 * import { Layer } from "effect"
 *
 * export const runner = NodeClusterSocket.layer({ storage: "byo" }).pipe(
 *   Layer.provideMerge(Layer.provide(RunCluster.layerMessageStorage, SqlMessageStorage.layer)),
 *   Layer.provide(SqlRunnerStorage.layer)
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerMessageStorage: Layer.Layer<MessageStorage.MessageStorage, never, MessageStorage.MessageStorage> =
  Layer.effect(MessageStorage.MessageStorage, Effect.map(MessageStorage.MessageStorage, afterReads))
