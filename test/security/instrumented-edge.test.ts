/**
 * Where OpenTelemetry instruments `http` and `undici`, what a request brings is active before any of our code is asked, and goes
 * out again with every call; but not past an edge that does not believe it.
 */
import { createRequire, syncBuiltinESMExports } from "node:module"
import { NodeSdk } from "@effect/opentelemetry"
import {
  FetchHttpClient,
  HttpClient,
  HttpMiddleware,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type SpanExporter
} from "@opentelemetry/sdk-trace-base"
import { Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { Botanu } from "../../src/index.js"
import { RunContextSpanProcessor, RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { linesOf, receiver } from "../platform/receiver.js"
import { request, serving } from "../platform/servers.js"
import { ids } from "../runs.js"
import { writingTo } from "./witness.js"

const processorsFor = (exporter: SpanExporter) => [
  new RunContextSpanProcessor({ inbound: "untrusted" }),
  new SimpleSpanProcessor(exporter)
]

const ofInstrumentations = new InMemorySpanExporter()
registerInstrumentations({
  tracerProvider: new BasicTracerProvider({ spanProcessors: processorsFor(ofInstrumentations) }),
  instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation()]
})
// Instrumentation takes hold of what is required; this makes it hold for what is imported too.
const http: typeof import("node:http") = createRequire(import.meta.url)("node:http")
syncBuiltinESMExports()

const mark = /spoofed|5b00fed0/i
const spoofed = [
  "botanu.run_id=5b00fed0-0000-4000-8000-000000000001",
  "botanu.workflow=Spoofed",
  "botanu.event_id=spoofed",
  "botanu.customer_id=spoofed",
  "partner=spoofed"
].join(",")

/** Calls another server by all that is instrumented. */
const callAll = (origin: string) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    yield* Effect.scoped(client.get(origin))
    yield* Effect.promise(() => fetch(origin).then((response) => response.text()))
    yield* Effect.async<void>((resume) => {
      http.get(origin, { agent: false }, (response) => response.resume().on("end", () => resume(Effect.void)))
    })
  }).pipe(Effect.provide(FetchHttpClient.layer), Effect.orDie)

const handler = (origin: string) =>
  Effect.gen(function* () {
    yield* callAll(origin)
    yield* Effect.flatMap(Effect.forkDaemon(callAll(origin)), Fiber.join)
    yield* callAll(origin).pipe(Botanu.workflow("Own", ids), Effect.orDie)
    yield* Effect.log("at work")
    return HttpServerResponse.stream(Stream.drain(Stream.fromEffect(callAll(origin))))
  })

const inbounds: Readonly<Record<string, (origin: string) => RunHttpServer.Options["inbound"]>> = {
  untrusted: () => "untrusted",
  "a predicate that says no": (origin) => () => Effect.as(callAll(origin), false)
}

const seenAt = (options: (origin: string) => RunHttpServer.Options) =>
  Effect.gen(function* () {
    const ofEffect = new InMemorySpanExporter()
    ofInstrumentations.reset()
    const lines: Array<string> = []
    const other = yield* receiver()
    const app = RunHttpServer.middleware(options(other.origin))(handler(other.origin))
    const server = RunHttpServer.withLinkedTraces(HttpServer.serve(app, HttpMiddleware.logger))
    const around = Layer.mergeAll(
      NodeSdk.layer(() => ({ resource: { serviceName: "edge" }, spanProcessor: processorsFor(ofEffect) })),
      RunOpenTelemetry.layer({ propagateTo: [other.origin] }),
      writingTo(lines)
    )
    const url = yield* serving(server.pipe(Layer.provide(Layer.orDie(around))))
    const answer = yield* request(url, { headers: { baggage: spoofed } })
    expect(answer.status).toBe(200)
    return {
      calls: other.received,
      spans: [ofEffect, ofInstrumentations].map((exporter) =>
        JSON.stringify(exporter.getFinishedSpans().map(({ attributes, events, name }) => [name, attributes, events]))
      ),
      logs: lines.join("\n"),
      answer: JSON.stringify(answer)
    }
  })

describe("an edge in an instrumented process", () => {
  it.scopedLive.each(Object.entries(inbounds))("lets nothing through: %s", ([, inbound]) =>
    Effect.gen(function* () {
      const { answer, calls, logs, spans } = yield* seenAt((origin) => ({ inbound: inbound(origin) }))
      expect(calls.length).toBeGreaterThanOrEqual(12)
      for (const call of calls) expect(JSON.stringify(call)).not.toMatch(mark)
      for (const text of [...spans, logs, answer]) {
        expect(text.length).toBeGreaterThan(2)
        expect(text).not.toMatch(mark)
      }
      expect(calls.filter((call) => linesOf("baggage", call).join().includes("botanu.workflow=Own"))).toHaveLength(3)
    })
  )

  it.scopedLive("is seen to do so: a believed run goes out with every call", () =>
    Effect.gen(function* () {
      const { calls, spans } = yield* seenAt(() => ({ inbound: "trusted" }))
      expect(calls.map((call) => linesOf("baggage", call).join().includes("partner=spoofed"))).toEqual(
        calls.map(() => true)
      )
      for (const text of spans) expect(text).toMatch(mark)
    })
  )
})

describe("a worker that an untrusted request wakes in an instrumented process", () => {
  it.scopedLive("sends neither its baggage, in any letter case, nor its trace", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      const jobs = yield* Queue.unbounded<Deferred.Deferred<void>>()
      const fetched = Effect.promise(() => fetch(partner.origin).then((response) => response.text()))
      const worker = Effect.flatMap(Queue.take(jobs), (done) =>
        Effect.zipRight(fetched, Deferred.succeed(done, undefined))
      )
      let sender = ""
      const handler = Effect.gen(function* () {
        // The client of this test is instrumented too, and names its own trace.
        sender = (yield* HttpServerRequest.HttpServerRequest).headers["traceparent"]?.slice(3, 35) ?? ""
        const done = yield* Deferred.make<void>()
        yield* Queue.offer(jobs, done)
        yield* Deferred.await(done)
        return HttpServerResponse.empty()
      })
      const answer = yield* Effect.gen(function* () {
        yield* Effect.forkScoped(Effect.forever(worker))
        const app = RunHttpServer.middleware({ inbound: "untrusted" })(handler)
        const url = yield* serving(RunHttpServer.withLinkedTraces(HttpServer.serve(app)))
        const baggage = "Botanu.Customer_Id=spoofed,BOTANU.run_id=spoofed,partner=spoofed"
        return yield* request(url, { headers: { baggage } })
      }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [partner.origin] })))
      expect(answer.status).toBe(204)
      expect(partner.received).toHaveLength(1)
      expect(JSON.stringify(partner.received)).not.toMatch(/spoofed/)
      expect(sender).toMatch(/^[0-9a-f]{32}$/)
      expect(JSON.stringify(partner.received)).not.toContain(sender)
    })
  )
})
