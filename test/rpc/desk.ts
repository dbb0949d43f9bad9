/**
 * A server to call, in this process or in another: procedures that are worked on in runs, and procedures that tell what became
 * of those runs.
 */
import { NodeSdk } from "@effect/opentelemetry"
import type { Headers } from "@effect/platform"
import { Rpc, RpcGroup, RpcServer } from "@effect/rpc"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import {
  Context,
  Effect,
  FiberRef,
  type HashMap,
  Layer,
  Logger,
  LogLevel,
  Option,
  Schema,
  Stream,
  SubscriptionRef
} from "effect"
import { Botanu, BotanuConfig, type CompletedRun, Propagation, RunContext, RunExporter } from "../../src/index.js"
import { RunRpc } from "../../src/rpc/index.js"

const key = { key: Schema.String }

/** What a handler sees around it. */
export class Seen extends Schema.Class<Seen>("Seen")({
  run: Schema.NullOr(Schema.String),
  /** The `baggage` header that came in. */
  received: Schema.NullOr(Schema.String),
  /** The parent of a run that is started there. */
  parent: Schema.NullOr(Schema.String),
  /** The headers that it would send on. */
  sent: Schema.Record({ key: Schema.String, value: Schema.String }),
  annotations: Schema.Record({ key: Schema.String, value: Schema.String })
}) {}

/** Procedures that are worked on in runs. `key` tells one call from others, and is the event of the runs that it starts. */
export const Desk = RpcGroup.make(
  Rpc.make("See", { payload: key, success: Seen }),
  Rpc.make("SeeTwice", { payload: key, success: Seen, stream: true }),
  Rpc.make("Hang", { payload: key }),
  Rpc.make("CountAndHang", { payload: key, success: Schema.Number, stream: true })
).middleware(RunRpc.Middleware)

/** A span that has ended. */
export class Span extends Schema.Class<Span>("Span")({
  name: Schema.String,
  traceId: Schema.String,
  spanId: Schema.String,
  parentId: Schema.NullOr(Schema.String),
  attributes: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  links: Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))
}) {}

/** How a run ended. */
export class Ended extends Schema.Class<Ended>("Ended")({
  workflow: Schema.String,
  runId: Schema.String,
  parent: Schema.NullOr(Schema.String),
  status: Schema.String,
  reason: Schema.NullOr(Schema.String)
}) {}

/** Procedures that wait for what became of a call. */
export const Watch = RpcGroup.make(
  /** Until the handler works. */
  Rpc.make("Started", { payload: key }),
  /** Until a run of the call has ended. */
  Rpc.make("Ended", { payload: { ...key, workflow: Schema.String }, success: Ended }),
  /** The span of the handler, and the spans around it up to the RPC server's, once they have ended. */
  Rpc.make("Spans", { payload: key, success: Schema.Array(Span) }),
  /** Whether the handler has worked yet. */
  Rpc.make("HasStarted", { payload: key, success: Schema.Boolean })
)

export const group = Desk.merge(Watch)

type Growing<A> = SubscriptionRef.SubscriptionRef<ReadonlyArray<A>>

const growing = <A>(): Effect.Effect<Growing<A>> => SubscriptionRef.make<ReadonlyArray<A>>([])

/** What becomes known on the server. */
export class Records extends Context.Tag("test/Records")<
  Records,
  {
    readonly started: Growing<string>
    readonly runs: Growing<CompletedRun>
    readonly spans: Growing<Span>
  }
>() {
  static readonly layer = Layer.effect(
    Records,
    Effect.all({ started: growing<string>(), runs: growing<CompletedRun>(), spans: growing<Span>() })
  )
}

/** Puts what can be observed of a server into its records. */
export const observed = <A, E, R>(server: Layer.Layer<A, E, R>) =>
  server.pipe(
    Layer.provide([tracer, exporter, full, Logger.minimumLogLevel(LogLevel.None)]),
    Layer.provideMerge(Records.layer)
  )

export const full = BotanuConfig.layerOf({ environment: "staging", propagationMode: "full" })

const exporter = Layer.unwrapEffect(
  Effect.map(Records, ({ runs }) =>
    RunExporter.layer({ export: (completed) => SubscriptionRef.update(runs, (known) => [...known, completed]) })
  )
)

const tracer = Layer.unwrapEffect(
  Effect.map(Records, ({ spans }) =>
    NodeSdk.layer(() => ({
      resource: { serviceName: "desk" },
      spanProcessor: {
        onStart: () => {},
        onEnd: (span) => {
          Effect.runFork(
            SubscriptionRef.update(spans, (known) => [...known, toSpan(span)]),
            { immediate: true }
          )
        },
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve()
      }
    }))
  )
)

const toSpan = (span: ReadableSpan): Span => {
  const { spanId, traceId } = span.spanContext()
  const { attributes, links, name, parentSpanContext } = span
  return new Span({
    name,
    traceId,
    spanId,
    parentId: parentSpanContext?.spanId ?? null,
    attributes,
    links: links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId }))
  })
}

class Tokens extends Context.Tag("test/Tokens")<Tokens, ReadonlySet<string>>() {}

/** Whom servers believe. */
export const edges = {
  trusted: RunRpc.layerServer({ inbound: "trusted" }),
  untrusted: RunRpc.layerServer({ inbound: "untrusted" }),
  orElse: RunRpc.layerServer({
    inbound: ({ headers }) => Effect.map(Tokens, (tokens) => tokens.has(headers["authorization"] ?? "")),
    orElse: ({ payload, rpc }) => ({
      workflow: rpc._tag,
      eventId: (payload as { readonly key: string }).key,
      customerId: "walk-in",
      deadline: "1 minute"
    })
  }).pipe(Layer.provide(Layer.succeed(Tokens, new Set(["Bearer internal"]))))
}

export type Edge = keyof typeof edges

const asRecord = (annotations: HashMap.HashMap<string, unknown>) =>
  Object.fromEntries(Array.from(annotations, ([key, value]) => [key, String(value)]))

const see = (key: string, headers: Headers.Headers) =>
  Effect.gen(function* () {
    const run = yield* Effect.serviceOption(RunContext)
    const sent = Option.isSome(run) ? yield* Effect.provideService(Propagation.inject, RunContext, run.value) : {}
    const child = yield* Effect.orDie(Botanu.workflow(RunContext, "Child", { eventId: key, customerId: "bigretail" }))
    return new Seen({
      run: Option.isSome(run) ? run.value.runId : null,
      received: headers["baggage"] ?? null,
      parent: child.parentRunId ?? null,
      sent,
      annotations: asRecord(yield* FiberRef.get(FiberRef.currentLogAnnotations))
    })
  })

const handlers = Layer.unwrapEffect(
  Effect.map(Records, ({ runs, spans, started }) => {
    const work = <A, E, R>(key: string, work: Effect.Effect<A, E, R>) =>
      SubscriptionRef.update(started, (known) => [...known, key]).pipe(
        Effect.zipRight(work),
        Effect.withSpan("work", { attributes: { key } })
      )
    const hang = (key: string) =>
      Effect.never.pipe(Botanu.workflow("Work", { eventId: key, customerId: "bigretail" }), Effect.orDie)
    return Layer.merge(
      Desk.toLayer({
        See: ({ key }, { headers }) => work(key, see(key, headers)),
        SeeTwice: ({ key }, { headers }) =>
          Stream.concat(Stream.fromEffect(work(key, see(key, headers))), Stream.fromEffect(see(key, headers))),
        Hang: ({ key }) => work(key, hang(key)),
        CountAndHang: ({ key }) => Stream.concat(Stream.make(1), Stream.fromEffect(work(key, hang(key))))
      }),
      Watch.toLayer({
        Started: ({ key }) => until(started, (keys) => Option.liftPredicate(keys.includes(key), (is) => is)),
        Ended: ({ key, workflow }) =>
          until(runs, (runs) =>
            Option.map(
              Option.fromNullable(runs.find(({ run }) => run.eventId === key && run.workflow === workflow)),
              ended
            )
          ),
        Spans: ({ key }) => until(spans, (spans) => around(spans, key)),
        HasStarted: ({ key }) => Effect.map(started, (keys) => keys.includes(key))
      })
    )
  })
)

/** What is found once it is known. */
export const until = <A, B>(ref: SubscriptionRef.SubscriptionRef<A>, find: (known: A) => Option.Option<B>) =>
  ref.changes.pipe(Stream.filterMap(find), Stream.runHead, Effect.map(Option.getOrThrow))

const ended = ({ cancellationReason, run, status }: CompletedRun): Ended =>
  new Ended({
    workflow: run.workflow,
    runId: run.runId,
    parent: run.parentRunId ?? null,
    status,
    reason: cancellationReason ?? null
  })

const around = (spans: ReadonlyArray<Span>, key: string): Option.Option<ReadonlyArray<Span>> => {
  const chain: Array<Span> = []
  let span = spans.find(({ attributes, name }) => name === "work" && attributes["key"] === key)
  while (span !== undefined) {
    chain.push(span)
    const { parentId } = span
    span = span.name.startsWith("RpcServer.") ? undefined : spans.find(({ spanId }) => spanId === parentId)
  }
  return Option.liftPredicate(chain, (chain) => chain.at(-1)?.name.startsWith("RpcServer.") === true)
}

/** The server behind an edge. */
export const server = (edge: Layer.Layer<RunRpc.Middleware>, options?: { readonly disableTracing?: boolean }) =>
  RpcServer.layer(group, options).pipe(Layer.provide([handlers, edge]))
