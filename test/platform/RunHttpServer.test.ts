import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  type HttpApp,
  HttpLayerRouter,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  type HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import {
  BigDecimal,
  Deferred,
  type Duration,
  Effect,
  FastCheck,
  Fiber,
  Layer,
  Option,
  Queue,
  Ref,
  Schema,
  Stream
} from "effect"
import {
  Botanu,
  Budget,
  BudgetStore,
  Outcome,
  Propagation,
  type Run,
  RunContext,
  RunExporter
} from "../../src/index.js"
import { currentScope, type RunScope } from "../../src/lifecycle/RunScope.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { brokenTracer, tracerDown } from "../brokenTracer.js"
import { completedRuns, endedSpans, logging, observed } from "../observed.js"
import { ids, leanHeader, leanKeys, runId } from "../runs.js"
import { middleware, type NodeServer, type Options, request, serving } from "./servers.js"

const remoteTrace = "0af7651916cd43dd8448eb211c80319c"
const remoteSpan = "b7ad6b7169203331"
const traceparent = `00-${remoteTrace}-${remoteSpan}-01`

const inFuture = (millis: number) => `botanu.deadline=${Date.now() + millis}`

type Handler = Effect.Effect<string>

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("group").add(HttpApiEndpoint.get("work", "/").addSuccess(Schema.String))
) {}

/** The ways in which an app is served. */
const kinds: Record<string, (handler: Handler, options: Options) => Layer.Layer<never, never, NodeServer>> = {
  "a bare HttpApp": (handler, options) =>
    HttpServer.serve(Effect.map(handler, (text) => HttpServerResponse.text(text)).pipe(middleware(options))),
  HttpRouter: (handler, options) =>
    HttpRouter.empty.pipe(
      HttpRouter.get(
        "/",
        Effect.map(handler, (text) => HttpServerResponse.text(text))
      ),
      Effect.catchAll(() => HttpServerResponse.empty({ status: 404 })),
      middleware(options),
      HttpServer.serve()
    ),
  HttpLayerRouter: (handler, options) =>
    HttpLayerRouter.serve(
      HttpLayerRouter.use((router) =>
        router.add(
          "GET",
          "/",
          Effect.map(handler, (text) => HttpServerResponse.text(text))
        )
      ).pipe(
        Layer.provide(
          HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound: options.inbound }), { global: true })
        )
      ),
      { disableLogger: true, disableListenLog: true }
    ),
  HttpApi: (handler, options) =>
    HttpApiBuilder.serve().pipe(
      Layer.provide(HttpApiBuilder.middleware(middleware(options))),
      Layer.provide(HttpApiBuilder.api(Api)),
      Layer.provide(HttpApiBuilder.group(Api, "group", (handlers) => handlers.handle("work", () => handler)))
    )
}

describe.each(Object.entries(kinds))("RunHttpServer.middleware around %s", (_, served) => {
  it.scopedLive("joins the run of a trusted request", () =>
    Effect.gen(function* () {
      const seen: Array<Option.Option<Run>> = []
      const handler = Effect.serviceOption(RunContext).pipe(
        Effect.map((run) => {
          seen.push(run)
          return "done"
        }),
        Effect.withSpan("work"),
        Effect.zipLeft(Effect.void.pipe(Botanu.workflow("Child", ids), Effect.orDie))
      )
      const url = yield* serving(served(handler, { inbound: "trusted" }))
      const answer = yield* request(url, { headers: { baggage: leanHeader, traceparent } })
      expect(answer).toMatchObject({ status: 200 })
      expect(answer.text).toContain("done")
      expect(answer.headers).toMatchObject({ "x-botanu-run-id": runId, "x-botanu-workflow": "Customer%20Support" })
      expect(seen.map(Option.map((run) => run.runId))).toEqual([Option.some(runId)])
      expect((yield* completedRuns).map(({ run }) => [run.workflow, run.parentRunId])).toEqual([["Child", runId]])
      const spans = yield* endedSpans
      for (const name of ["work", "http.server GET"]) {
        const span = spans.find((span) => span.name === name)
        expect(span?.attributes).toMatchObject(leanKeys)
        expect(span?.spanContext().traceId).toBe(remoteTrace)
      }
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("answers 504 at the deadline, and interrupts the handler", () =>
    Effect.gen(function* () {
      const started = yield* Ref.make(false)
      const interrupted = yield* Deferred.make<void>()
      const handler = Ref.set(started, true).pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const url = yield* serving(served(handler, { inbound: "trusted" }))
      // On a busy machine a short deadline may pass before the handler begins.
      for (let millis = 50; !(yield* Ref.get(started)); millis *= 2) {
        const answer = yield* request(url, { headers: { baggage: `${leanHeader},${inFuture(millis)}` } })
        expect(answer).toMatchObject({ status: 504, text: "", headers: { "x-botanu-run-id": runId } })
      }
      yield* Deferred.await(interrupted)
    })
  )

  it.scopedLive("does not run the handler past the deadline, or where the run came in cancelled", () =>
    Effect.gen(function* () {
      let count = 0
      const handler = Effect.sync(() => String(++count))
      const url = yield* serving(served(handler, { inbound: "trusted" }))
      const late = yield* request(url, { headers: { baggage: `${leanHeader},${inFuture(-1)}` } })
      const cancelled = yield* request(url, { headers: { baggage: `${leanHeader},botanu.cancelled=TRUE` } })
      expect([late, cancelled]).toMatchObject([
        { status: 504, text: "", headers: { "x-botanu-run-id": runId } },
        { status: 499, text: "", headers: { "x-botanu-run-id": runId } }
      ])
      expect(count).toBe(0)
    })
  )

  it.scopedLive("interrupts runs whose client goes away", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const completed = yield* Queue.unbounded<string | undefined>()
      const exporter = RunExporter.layer({
        export: ({ cancellationReason, status }) => Queue.offer(completed, `${status} ${cancellationReason}`)
      })
      const work = Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
      const handler = work.pipe(Botanu.workflow("Work", ids), Effect.orDie)
      const url = yield* serving(Layer.provide(served(handler, { inbound: "untrusted" }), exporter))
      const client = yield* Effect.fork(request(url))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(client)
      expect(yield* Queue.take(completed)).toBe("canceled client_disconnected")
    })
  )

  it.scopedLive("ignores the run of a request that is not trusted", () =>
    Effect.gen(function* () {
      const handler = Effect.serviceOption(RunContext).pipe(
        Effect.map((run) => String(Option.isSome(run))),
        Effect.withSpan("work")
      )
      const url = yield* serving(served(handler, { inbound: "untrusted" }))
      const spoofed = leanHeader.replaceAll("bigretail", "spoofed")
      const answer = yield* request(url, {
        headers: { baggage: `${spoofed},${inFuture(-1)},other=spoofed`, traceparent }
      })
      expect(answer.status).toBe(200)
      expect(answer.text).toContain("false")
      expect(answer.headers).not.toHaveProperty("x-botanu-run-id")
      const spans = yield* endedSpans
      const work = spans.find(({ name }) => name === "work")
      expect(work?.spanContext().traceId).not.toBe(remoteTrace)
      const around = spans.find((span) => span.spanContext().spanId === work?.parentSpanContext?.spanId)
      expect(around?.parentSpanContext).toBeUndefined()
      expect(around?.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([[remoteTrace, remoteSpan]])
      expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toContain("spoofed")
    }).pipe(Effect.provide(observed))
  )
})

const bare = <E>(app: HttpApp.Default<E>, options: Options, provided: Layer.Layer<never> = Layer.empty) =>
  serving(HttpServer.serve(middleware(options)(app as HttpApp.Default)).pipe(Layer.provide(provided)))

const text = (body: string) => HttpServerResponse.text(body)
const ok = Effect.succeed(text("ok"))

const asRun: RunHttpServer.OptionsOrElse = {
  inbound: "trusted",
  orElse: (request) => ({ workflow: "Café + Bar", eventId: request.url, customerId: "bigretail" })
}

describe("RunHttpServer.middleware", () => {
  it.scopedLive("asks a predicate whom to believe", () =>
    Effect.gen(function* () {
      const inbound = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.succeed(request.headers["authorization"] === "Bearer internal")
      const url = yield* bare(ok, { inbound })
      const believed = yield* request(url, { headers: { baggage: leanHeader, authorization: "Bearer internal" } })
      const other = yield* request(url, { headers: { baggage: leanHeader } })
      expect(believed.headers).toHaveProperty("x-botanu-run-id", runId)
      expect(other.headers).not.toHaveProperty("x-botanu-run-id")
    })
  )

  it.scopedLive("makes a request without a run one itself", () =>
    Effect.gen(function* () {
      const app = Effect.gen(function* () {
        const { runId } = yield* RunContext
        yield* Outcome.emit("partial")
        return text(runId)
      })
      const url = yield* serving(HttpServer.serve(RunHttpServer.middleware(asRun)(app)))
      const answer = yield* request(`${url}/ticket-7`)
      const [completed] = yield* completedRuns
      expect(completed).toMatchObject({
        run: { workflow: "Café + Bar", eventId: "/ticket-7", customerId: "bigretail", attempt: 1 },
        status: "success",
        outcome: { status: "partial" }
      })
      expect(answer).toMatchObject({
        text: completed?.run.runId,
        headers: { "x-botanu-run-id": completed?.run.runId, "x-botanu-workflow": "Caf%C3%A9%20%2B%20Bar" }
      })
      const joined = yield* request(url, { headers: { baggage: leanHeader } })
      expect(joined.text).toBe(runId)
      expect(yield* completedRuns).toHaveLength(1)
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("leaves a request alone that orElse declines", () =>
    Effect.gen(function* () {
      const looked: Array<boolean> = []
      const look = Effect.map(Effect.serviceOption(RunContext), (run) => {
        looked.push(Option.isSome(run))
        return HttpServerResponse.stream(Stream.encodeText(Stream.make("healthy")))
      })
      const app = RunHttpServer.middleware({
        inbound: "trusted",
        orElse: ({ method, url }) =>
          method === "OPTIONS" || url === "/health" ? undefined : { workflow: "Request", ...ids }
      })(look)
      const url = yield* serving(HttpServer.serve(Effect.orDie(app)))
      const [health, preflight, other, joined] = yield* Effect.all([
        request(`${url}/health`),
        request(url, { method: "OPTIONS" }),
        request(url),
        request(`${url}/health`, { headers: { baggage: leanHeader } })
      ])
      expect([health, preflight].map(({ headers }) => headers["x-botanu-run-id"])).toEqual([undefined, undefined])
      expect([health.text, joined.headers["x-botanu-run-id"]]).toEqual(["healthy", runId])
      expect(looked).toEqual([false, false, true, true])
      const runs = yield* completedRuns
      expect(runs.map(({ run }) => run.runId)).toEqual([other.headers["x-botanu-run-id"]])
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive("ends a request that is a run at its own deadline, and at that of the work in it", () =>
    Effect.gen(function* () {
      const own = yield* bare(Effect.never, {
        ...asRun,
        orElse: (request) => ({ ...asRun.orElse(request), deadline: "20 millis" })
      })
      expect(yield* request(own)).toMatchObject({ status: 504, text: "" })
      const inner = yield* bare(Effect.never.pipe(Botanu.workflow("Inner", { ...ids, deadline: "20 millis" })), {
        inbound: "untrusted"
      })
      expect(yield* request(inner)).toMatchObject({ status: 504, text: "" })
      expect((yield* completedRuns).map(({ run, status }) => [run.workflow, status])).toEqual([
        ["Café + Bar", "timeout"],
        ["Inner", "timeout"]
      ])
    }).pipe(Effect.provide(observed))
  )

  const own = (deadline?: Duration.DurationInput): Options => ({
    ...asRun,
    orElse: (request) => ({ ...asRun.orElse(request), deadline })
  })
  const inner = Effect.never.pipe(Botanu.workflow("Inner", { ...ids, deadline: "20 millis" }))
  const allSpent = Layer.succeed(BudgetStore, {
    add: () => Effect.void,
    spent: () => Effect.succeed({ usd: BigDecimal.unsafeFromString("1"), unpricedCalls: 0 })
  })
  const budget = Layer.orDie(Layer.provide(Budget.layer({ scope: "customer", usd: "0.01", per: "1 day" }), allSpent))
  it.scopedLive.each([
    ["that is refused, for it has no time", 504, own(0), ok, Layer.empty],
    ["whose deadline passes", 504, own("20 millis"), Effect.never, Layer.empty],
    ["in which another deadline passes", 504, own(), inner, Layer.empty],
    ["that fails", 500, own(), Effect.die("no"), Layer.empty],
    ["that is refused, for nothing may be spent", 429, own(), ok, budget]
  ] as const)("names the run on the answer to a request %s", ([, status, options, handler, layer]) =>
    Effect.gen(function* () {
      const answer = yield* request(yield* bare(handler as HttpApp.Default, options, layer))
      const run = (yield* completedRuns).find(({ run }) => run.workflow === "Café + Bar")?.run
      expect(run).toBeDefined()
      expect(answer).toMatchObject({
        status,
        headers: { "x-botanu-run-id": run?.runId, "x-botanu-workflow": "Caf%C3%A9%20%2B%20Bar" }
      })
      const server = (yield* endedSpans).find(({ name }) => name === "http.server GET")
      expect(server?.attributes).toMatchObject({ "botanu.run_id": run?.runId })
    }).pipe(Effect.provide(observed))
  )

  it.scopedLive.each([
    ["that brings its run", { baggage: leanHeader }],
    ["that is a run", {}]
  ] as const)("serves a request %s where its span takes no keys of runs, and logs that", ([, headers]) => {
    const lines: Array<string> = []
    const tracer = brokenTracer({
      attribute: (key) => {
        if (key.startsWith("botanu.")) tracerDown()
      }
    })
    return Effect.gen(function* () {
      const answer = yield* request(yield* bare(ok, asRun, Layer.merge(Layer.setTracer(tracer), logging(lines))), {
        headers
      })
      expect(answer).toMatchObject({ status: 200, text: "ok", headers: { "x-botanu-run-id": expect.any(String) } })
      expect(lines.join("\n")).toMatch(/the span of a request does not show run .*tracer down/)
    })
  })

  it.scopedLive("fails with InvalidRunContext where orElse gives what makes no run", () =>
    Effect.gen(function* () {
      const app = RunHttpServer.middleware({
        ...asRun,
        orElse: () => ({ workflow: "W", eventId: "", customerId: "c" })
      })(ok)
      const caught = Effect.catchTag(app, "InvalidRunContext", ({ field }) =>
        HttpServerResponse.text(field, { status: 400 })
      )
      const url = yield* serving(HttpServer.serve(caught))
      expect(yield* request(url)).toMatchObject({ status: 400, text: "eventId" })
    })
  )

  it.scopedLive("completes the run of a request whose client goes away as cancelled", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const completed = yield* Queue.unbounded<string | undefined>()
      const exporter = RunExporter.layer({
        export: ({ cancellationReason, run, status }) =>
          Queue.offer(completed, `${run.workflow}: ${status} ${cancellationReason}`)
      })
      const nested = Effect.zipRight(Deferred.succeed(started, undefined), Effect.never).pipe(
        Botanu.workflow("Nested", ids)
      )
      const url = yield* bare(Effect.zipRight(nested, Effect.never, { concurrent: true }), asRun, exporter)
      const client = yield* Effect.fork(request(url))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(client)
      expect([yield* Queue.take(completed), yield* Queue.take(completed)]).toEqual([
        "Nested: canceled client_disconnected",
        "Café + Bar: canceled client_disconnected"
      ])
    })
  )

  it.scopedLive("keeps what the app appends to responses, on failures too", () =>
    Effect.gen(function* () {
      const app = Effect.fail("no").pipe(HttpMiddleware.cors())
      for (const options of [asRun, { inbound: "untrusted" } as const]) {
        const url = yield* bare(app, options)
        const { headers, status } = yield* request(url)
        expect(status).toBe(500)
        expect(headers).toHaveProperty("access-control-allow-origin", "*")
      }
    })
  )

  it.scopedLive.each([
    ["without a deadline", leanHeader],
    ["with a deadline", `${leanHeader},botanu.deadline=8640000000000000`]
  ] as const)("lets go of the fiber that served a request %s: daemons of its handler keep the run", ([, baggage]) =>
    Effect.gen(function* () {
      const scopes: Array<RunScope | undefined> = []
      const atWork: Array<boolean | undefined> = []
      const look = Effect.map(Effect.context<never>(), (context) => {
        const scope = currentScope(context)
        scopes.push(scope)
        atWork.push(scope?.work?.isInterruptible)
        return HttpServerResponse.empty()
      })
      const url = yield* bare(look, { inbound: "trusted" })
      yield* request(url, { headers: { baggage } })
      expect(atWork).toEqual([true])
      expect(scopes[0]?.run.runId).toBe(runId)
      expect(scopes[0]?.work).toBeUndefined()
    })
  )

  it.scopedLive("serves whatever baggage a request brings", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const url = yield* bare(ok, { inbound: "trusted" }, logging(lines))
      const octet = FastCheck.constantFrom(...'botanu.run_id=,;%+ \t"\\0a9é\u0080ÿ'.split(""))
      const baggage = FastCheck.oneof(
        FastCheck.array(octet, { maxLength: 200 }).map((octets) => octets.join("")),
        FastCheck.array(FastCheck.constantFrom(...leanHeader.split(","), "botanu.deadline=nan", "__proto__=x"), {
          maxLength: 100
        }).map((members) => members.join(","))
      )
      for (const header of FastCheck.sample(baggage, { seed: 1, numRuns: 200 })) {
        const { headers, status } = yield* request(url, { headers: { baggage: header } })
        expect(status).toBe(200)
        expect(headers["x-botanu-workflow"] ?? "").toMatch(/^[\x21-\x7e]*$/)
      }
      expect(lines.join("")).not.toMatch(/\p{Cc}/u)
    })
  )

  it.scopedLive("takes several header lines as one list", () =>
    Effect.gen(function* () {
      const url = yield* bare(ok, { inbound: "trusted" })
      const answer = yield* request(url, { headers: { baggage: leanHeader.split(",") } })
      expect(answer.headers).toHaveProperty("x-botanu-run-id", runId)
    })
  )

  it.scopedLive("sends foreign baggage of a trusted request on, and none of another", () =>
    Effect.gen(function* () {
      const app = Effect.flatMap(Effect.orDie(Propagation.inject.pipe(Botanu.workflow("Child", ids))), (headers) =>
        HttpServerResponse.json(headers)
      )
      const sent = function* (options: Options) {
        const url = yield* bare(app, options)
        return (yield* request(url, { headers: { baggage: `${leanHeader},tenant=blue` } })).text
      }
      expect(yield* Effect.gen(() => sent({ inbound: "trusted" }))).toContain("tenant=blue")
      expect(yield* Effect.gen(() => sent({ inbound: "untrusted" }))).not.toContain("tenant=blue")
    })
  )
})

describe("the body of a streamed response", () => {
  const encoder = new TextEncoder()
  const streamed = (stream: Stream.Stream<string, unknown>) =>
    Effect.succeed(HttpServerResponse.stream(Stream.map(stream, (part) => encoder.encode(part))))
  const two = Stream.make("one", "two").pipe(Stream.tap((part) => Effect.withSpan(Effect.void, part)))

  it.scopedLive("is made in the run that the request brings", () =>
    Effect.gen(function* () {
      const url = yield* bare(streamed(two), { inbound: "trusted" })
      expect(yield* request(url, { headers: { baggage: leanHeader } })).toMatchObject({ status: 200, text: "onetwo" })
      const spans = yield* endedSpans
      expect(spans.filter(({ name }) => name === "one" || name === "two").map(({ attributes }) => attributes)).toEqual([
        leanKeys,
        leanKeys
      ])
    }).pipe(Effect.provide(observed))
  )

  for (const [which, options] of [
    ["in the run that the request brings", { inbound: "trusted" }],
    ["in no run", { inbound: "untrusted" }],
    ["in a run of its own", { inbound: "untrusted", orElse: () => ({ workflow: "Request", ...ids }) }]
  ] as const) {
    it.scopedLive(`comes from a fiber that the app forked, ${which}`, () =>
      Effect.gen(function* () {
        const app = Effect.gen(function* () {
          const parts = yield* Queue.unbounded<string>()
          const produced = Effect.forEach(["a", "b", "c"], (part) => Effect.delay(parts.offer(part), "10 millis"))
          yield* Effect.fork(Effect.zipRight(produced, parts.offer("")))
          const body = Stream.takeWhile(Stream.fromQueue(parts), (part) => part !== "")
          return HttpServerResponse.stream(Stream.encodeText(body))
        })
        const url = yield* serving(HttpServer.serve(middleware(options)(app)))
        expect((yield* request(url, { headers: { baggage: leanHeader } })).text).toBe("abc")
      })
    )
  }

  it.scopedLive("is cut at the deadline of that run", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const endless = Stream.concat(Stream.make("one"), Stream.never).pipe(
        Stream.ensuring(Deferred.succeed(ended, undefined))
      )
      const url = yield* bare(streamed(endless), { inbound: "trusted" })
      const answer = yield* request(url, { headers: { baggage: `${leanHeader},${inFuture(300)}` } })
      expect(answer).toMatchObject({ status: 200, text: "one" })
      yield* Deferred.await(ended)
    })
  )

  it.scopedLive("keeps a run of its own open until it is sent", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      const more = yield* Deferred.make<void>()
      const stream = Stream.concat(two, Stream.drain(Stream.fromEffect(Deferred.await(more))))
      const url = yield* bare(streamed(stream), asRun)
      const client = yield* Effect.fork(request(url, { onData: () => Deferred.unsafeDone(first, Effect.void) }))
      yield* Deferred.await(first)
      expect((yield* Botanu.activeRuns).map(({ workflow }) => workflow)).toEqual(["Café + Bar"])
      yield* Deferred.succeed(more, undefined)
      const answer = yield* Fiber.join(client)
      expect(answer).toMatchObject({ status: 200, text: "onetwo" })
      yield* Effect.repeat(Effect.yieldNow(), {
        until: () => Effect.map(Botanu.activeRuns, (runs) => runs.length === 0)
      })
      const [completed] = yield* completedRuns
      expect(completed).toMatchObject({ status: "success" })
      const one = (yield* endedSpans).find(({ name }) => name === "one")
      expect(one?.attributes).toMatchObject({ "botanu.run_id": completed?.run.runId })
      expect(answer.headers).toHaveProperty("x-botanu-run-id", completed?.run.runId)
    }).pipe(Effect.provide(observed))
  )

  const statusOf = (
    stream: Stream.Stream<string, unknown>,
    end: (url: string) => Effect.Effect<unknown, unknown>,
    options: Options = asRun
  ) =>
    Effect.gen(function* () {
      const completed = yield* Queue.unbounded<string | undefined>()
      const exporter = RunExporter.layer({
        export: ({ cancellationReason, errorClass, status }) =>
          Queue.offer(completed, [status, cancellationReason ?? errorClass].join(" "))
      })
      const url = yield* bare(streamed(stream), options, exporter)
      yield* end(url)
      return yield* Queue.take(completed)
    })

  it.scopedLive("ends such a run as it ends itself", () =>
    Effect.gen(function* () {
      const failing = Stream.concat(two, Stream.fail(new TypeError("broken")))
      expect(yield* statusOf(failing, request)).toBe("failure TypeError")
      const endless = Stream.concat(two, Stream.never)
      const goAway = (url: string) =>
        Effect.gen(function* () {
          const first = yield* Deferred.make<void>()
          const client = yield* Effect.fork(request(url, { onData: () => Deferred.unsafeDone(first, Effect.void) }))
          yield* Deferred.await(first)
          yield* Fiber.interrupt(client)
        })
      expect(yield* statusOf(endless, goAway)).toBe("canceled client_disconnected")
      const bounded = { ...asRun, orElse: () => ({ workflow: "W", ...ids, deadline: "50 millis" as const }) }
      expect(yield* statusOf(endless, request, bounded)).toBe("timeout ")
      const cancel = (url: string) =>
        request(url, {
          onData: () =>
            Effect.runFork(Effect.flatMap(Botanu.activeRuns, ([run]) => Botanu.cancel(run?.runId ?? "", "enough")))
        })
      expect(yield* statusOf(endless, cancel)).toBe("canceled enough")
      expect(yield* statusOf(endless, (url) => request(url, { method: "HEAD" }))).toBe("success ")
    })
  )
})

describe("RunHttpServer.withLinkedTraces", () => {
  const spansFor = (headers: Record<string, string>, options: Options) =>
    Effect.gen(function* () {
      const app = middleware(options)(Effect.as(Effect.withSpan(Effect.void, "work"), text("ok")))
      const url = yield* serving(RunHttpServer.withLinkedTraces(HttpServer.serve(app)))
      yield* request(`${url}/path?q=1`, { headers })
      return yield* endedSpans
    }).pipe(Effect.scoped, Effect.provide(observed))

  it.live("opens one span for a request, whoever sends it", () =>
    Effect.gen(function* () {
      const [, trusted, ...others] = yield* spansFor({ traceparent, baggage: leanHeader }, { inbound: "trusted" })
      expect(others).toEqual([])
      expect(trusted?.parentSpanContext).toMatchObject({ traceId: remoteTrace, spanId: remoteSpan })
      expect(trusted?.attributes).toMatchObject({
        ...leanKeys,
        "http.request.method": "GET",
        "url.path": "/path",
        "url.query": "q=1",
        "http.response.status_code": 200
      })
      const [, untrusted, ...more] = yield* spansFor({ traceparent, baggage: leanHeader }, { inbound: "untrusted" })
      expect(more).toEqual([])
      expect(untrusted?.parentSpanContext).toBeUndefined()
      expect(untrusted?.spanContext().traceId).not.toBe(remoteTrace)
      expect(untrusted?.links.map(({ context }) => context.spanId)).toEqual([remoteSpan])
      const [, plain, ...none] = yield* spansFor({}, { inbound: "untrusted" })
      expect(none).toEqual([])
      expect(plain?.name).toBe("http.server GET")
    })
  )

  it.live("links no span whose ids are none", () =>
    Effect.gen(function* () {
      for (const b3 of ["x-y-1", `${"0".repeat(32)}-${remoteSpan}-1`, `${remoteTrace}`]) {
        const [, span, ...others] = yield* spansFor({ b3 }, { inbound: "untrusted" })
        expect(others).toEqual([])
        expect(span?.links).toEqual([])
      }
    })
  )
})
