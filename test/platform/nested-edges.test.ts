/**
 * Requests that pass several edges: one that any of them does not trust is not trusted.
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApp,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, HashMap, Layer, Logger, Option, Schema, Stream } from "effect"
import { Botanu, Propagation, RunContext } from "../../src/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { completedRuns, endedSpans, observed } from "../observed.js"
import { ids, leanHeader, runId } from "../runs.js"
import { middleware, type NodeServer, type Options, request, serving } from "./servers.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const headers = { baggage: `${leanHeader},foreign=1`, traceparent: `00-${traceId}-b7ad6b7169203331-01` }

/** What a handler sees, and what it would send. */
const look = Effect.gen(function* () {
  const run = yield* Effect.serviceOption(RunContext)
  yield* Effect.log("worked")
  yield* Effect.void.pipe(Effect.withSpan("work"))
  const child = yield* Effect.orDie(
    Botanu.workflow(Effect.zip(RunContext, Propagation.inject), "Child", { ...ids, customerId: "local" })
  )
  return {
    run: Option.getOrUndefined(Option.map(run, ({ runId }) => runId)),
    parent: child[0].parentRunId,
    sent: child[1]
  }
})

/** Keeps log lines with their annotations. */
const logging = (lines: Array<unknown>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, message }) => lines.push([message, HashMap.toEntries(annotations)]))
  )

const handler = Effect.map(look, (seen) => HttpServerResponse.unsafeJson(seen))

const trusting: Options = { inbound: "trusted" }
const distrusting: Options = { inbound: "untrusted" }
const asRun: Options = { inbound: "untrusted", orElse: () => ({ workflow: "Request", ...ids }) }

const nested = (outer: Options, inner: Options) =>
  HttpServer.serve(
    HttpRouter.empty.pipe(HttpRouter.get("/", handler), Effect.orDie, middleware(inner), middleware(outer))
  )

const orders: Record<string, readonly [outer: Options, inner: Options]> = {
  "an edge that trusts it, below one that does not": [distrusting, trusting],
  "an edge that does not trust it, below one that does": [trusting, distrusting],
  "an edge whose predicate trusts it, below one that does not": [distrusting, { inbound: () => Effect.succeed(true) }],
  "an edge whose predicate does not trust it, below one that trusts it": [
    trusting,
    { inbound: () => Effect.succeed(false) }
  ]
}

/** Checks that nothing of what a request sent has come through. */
const expectDistrusted = (url: string, lines: ReadonlyArray<unknown>) =>
  Effect.gen(function* () {
    const answer = yield* request(url, { headers })
    const { parent, run, sent } = JSON.parse(answer.text)
    expect([answer.status, run, parent, answer.headers["x-botanu-run-id"]]).toEqual([
      200,
      undefined,
      undefined,
      undefined
    ])
    expect(JSON.stringify(sent)).not.toMatch(/foreign|bigretail|0af76519/)
    const work = (yield* endedSpans).filter(({ name }) => name === "work" || name === "botanu.run/Child")
    expect(work).toHaveLength(2)
    expect(new Set(work.map((span) => span.spanContext().traceId)).size).toBe(1)
    expect(work.map((span) => span.spanContext().traceId)).not.toContain(traceId)
    expect(JSON.stringify((yield* endedSpans).map(({ attributes }) => attributes))).not.toContain(runId)
    expect(JSON.stringify(lines)).toContain("worked")
    expect(JSON.stringify(lines)).not.toContain(runId)
  })

describe("a request", () => {
  for (const [which, [outer, inner]] of Object.entries(orders)) {
    it.scopedLive(`is not trusted at ${which}`, () => {
      const lines: Array<unknown> = []
      return Effect.gen(function* () {
        const url = yield* serving(nested(outer, inner))
        yield* expectDistrusted(url, lines)
      }).pipe(Effect.provide([observed, logging(lines)]))
    })
  }

  it.scopedLive("is not in the trace of its sender where the server opens no span", () =>
    Effect.gen(function* () {
      const server = HttpMiddleware.withTracerDisabledWhen(nested(trusting, distrusting), () => true)
      yield* request(yield* serving(server), { headers })
      const spans = yield* endedSpans
      expect(spans.map(({ name }) => name)).toContain("work")
      expect(spans.map((span) => span.spanContext().traceId)).not.toContain(traceId)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("is joined where every edge trusts it, in one span", () =>
    Effect.gen(function* () {
      const url = yield* serving(RunHttpServer.withLinkedTraces(nested(trusting, trusting)))
      const answer = yield* request(url, { headers })
      expect(JSON.parse(answer.text)).toMatchObject({ run: runId, parent: runId })
      expect(answer.headers["x-botanu-run-id"]).toBe(runId)
      const spans = (yield* endedSpans).filter(({ kind }) => kind === 1)
      expect(spans.map(({ name }) => name).filter((name) => name.startsWith("http"))).toHaveLength(1)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("stays in the run that an edge made of it, also where another does not trust it", () =>
    Effect.gen(function* () {
      const url = yield* serving(nested(asRun, distrusting))
      const answer = yield* request(url, { headers })
      const [, own] = yield* completedRuns
      expect(own?.run.workflow).toBe("Request")
      expect(JSON.parse(answer.text)).toMatchObject({ run: own?.run.runId, parent: own?.run.runId })
      expect(answer.headers["x-botanu-run-id"]).toBe(own?.run.runId)
    }).pipe(Effect.provide(observed))
  )

  for (const answer of ["yes", 1, {}, [], undefined, null, "false"]) {
    it.scopedLive(`is not trusted by a predicate that gives ${JSON.stringify(answer)}`, () =>
      Effect.gen(function* () {
        const inbound = () => Effect.succeed(answer as unknown as boolean)
        const url = yield* serving(HttpServer.serve(middleware({ inbound })(handler)))
        expect(JSON.parse((yield* request(url, { headers })).text)).not.toHaveProperty("run")
      })
    )
  }
})

describe("a client that disconnects from two edges", () => {
  const asOuterRun: Options = { inbound: "trusted", orElse: () => ({ workflow: "Outer", ...ids }) }
  const pairs: Record<string, readonly [outer: Options, inner: Options]> = {
    "that make runs of a request": [asOuterRun, asRun],
    "the outer of which makes a run of a request": [asOuterRun, distrusting],
    "the inner of which makes a run of a request": [distrusting, asRun]
  }
  const endless = Stream.concat(Stream.make("first"), Stream.never).pipe(Stream.encodeText)

  /** Says when the response has begun, and never ends. */
  const bodies: Record<string, (begun: Effect.Effect<unknown>) => HttpApp.Default> = {
    "a body that is a run": (begun) =>
      HttpServerResponse.stream(Botanu.workflow(Stream.onStart(endless, begun), "Child", ids)),
    "a handler with a run": (begun) => Effect.orDie(Botanu.workflow(Effect.zipRight(begun, Effect.never), "Child", ids))
  }

  const reasons = Effect.map(completedRuns, (runs) =>
    runs.map(({ cancellationReason, status }) => [status, cancellationReason].join())
  )

  for (const [edges, [outer, inner]] of Object.entries(pairs)) {
    for (const [work, handlerOf] of Object.entries(bodies)) {
      it.scopedLive(`${edges}, during ${work}`, () =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const app = handlerOf(Deferred.succeed(begun, undefined)).pipe(middleware(inner), middleware(outer))
          const url = yield* serving(HttpServer.serve(app))
          const asked = yield* Effect.fork(request(url))
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(asked)
          expect(yield* Botanu.awaitIdle("5 seconds")).toBe(true)
          expect(new Set(yield* reasons)).toEqual(new Set(["canceled,client_disconnected"]))
        }).pipe(Effect.provide(observed))
      )
    }

    it.scopedLive(`${edges}, of a web handler`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const app = bodies["a body that is a run"]?.(Deferred.succeed(begun, undefined)) ?? Effect.never
        const runtime = yield* Effect.runtime<never>()
        const handle = HttpApp.toWebHandlerRuntime(runtime)(app.pipe(middleware(inner), middleware(outer)))
        const response = yield* Effect.promise(() => handle(new Request("http://localhost/")))
        const reader = response.body?.getReader()
        yield* Effect.promise(async () => reader?.read())
        yield* Effect.promise(async () => reader?.cancel("enough"))
        expect(yield* Botanu.awaitIdle("5 seconds")).toBe(true)
        expect(new Set(yield* reasons)).toEqual(new Set(["canceled,client_disconnected"]))
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("two HttpApi that share a router", () => {
  class Internal extends HttpApi.make("internal").add(
    HttpApiGroup.make("internal").add(HttpApiEndpoint.get("internal", "/internal").addSuccess(Schema.Unknown))
  ) {}
  class Public extends HttpApi.make("public").add(
    HttpApiGroup.make("public").add(HttpApiEndpoint.get("public", "/public").addSuccess(Schema.Unknown))
  ) {}

  const internal = HttpApiBuilder.api(Internal).pipe(
    Layer.provide(HttpApiBuilder.group(Internal, "internal", (handlers) => handlers.handle("internal", () => look))),
    Layer.provide(HttpApiBuilder.middleware(middleware(trusting)))
  )
  const open = HttpApiBuilder.api(Public).pipe(
    Layer.provide(HttpApiBuilder.group(Public, "public", (handlers) => handlers.handle("public", () => look))),
    Layer.provide(HttpApiBuilder.middleware(middleware(distrusting)))
  )

  for (const [which, apis] of [
    ["the one that trusts first", Layer.merge(internal, open)],
    ["the one that trusts last", Layer.merge(open, internal)]
  ] as const) {
    for (const path of ["/public", "/internal"]) {
      it.scopedLive(`trust no request to ${path}, ${which}`, () => {
        const lines: Array<unknown> = []
        const server: Layer.Layer<never, never, NodeServer> = HttpApiBuilder.serve().pipe(Layer.provide(apis))
        return Effect.gen(function* () {
          yield* expectDistrusted(`${yield* serving(server)}${path}`, lines)
        }).pipe(Effect.provide([observed, logging(lines)]))
      })
    }
  }
})
