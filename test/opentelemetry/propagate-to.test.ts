/**
 * To whom instrumented clients propagate a run: real clients, instrumented, and receivers that keep what arrives.
 */
import { createRequire, syncBuiltinESMExports } from "node:module"
import { NodeSdk } from "@effect/opentelemetry"
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor
} from "@opentelemetry/sdk-trace-base"
import { Effect, Either, Layer } from "effect"
import { Agent } from "undici"
import { Botanu, Propagation } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { RunHttpClient } from "../../src/platform/index.js"
import { logging } from "../observed.js"
import { linesOf, receiver } from "../platform/receiver.js"
import { ids, leanHeader } from "../runs.js"

const instrumentations = [new HttpInstrumentation(), new UndiciInstrumentation()]
registerInstrumentations({ tracerProvider: new BasicTracerProvider(), instrumentations })
// Instrumentation takes hold of what is required; this makes it hold for what is imported too.
const http: typeof import("node:http") = createRequire(import.meta.url)("node:http")
syncBuiltinESMExports()

const tracer = NodeSdk.layer(() => ({
  resource: { serviceName: "caller" },
  spanProcessor: new SimpleSpanProcessor(new InMemorySpanExporter())
}))

/** Every instrumented client, none of which chooses whom it informs. */
const clients: Readonly<Record<string, (origin: string) => Effect.Effect<unknown>>> = {
  fetch: (origin) => Effect.promise(() => fetch(origin).then((response) => response.text())),
  "node:http": (origin) =>
    Effect.async<void>((resume) => {
      http.get(origin, { agent: false }, (response) => response.resume().on("end", () => resume(Effect.void)))
    }),
  "an HttpClient of fetch": (origin) =>
    HttpClient.get(origin).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer), Effect.orDie),
  "an HttpClient of undici": (origin) =>
    HttpClient.get(origin).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layerUndici), Effect.orDie),
  "an HttpClient of node:http": (origin) =>
    HttpClient.get(origin).pipe(Effect.scoped, Effect.provide(NodeHttpClient.layer), Effect.orDie)
}

const baggage = (received: Effect.Effect.Success<ReturnType<typeof receiver>>["received"]) =>
  received.map((request) => linesOf("baggage", request).join())

const run = Botanu.workflow("Work", ids)

describe.each(Object.entries(clients))("%s in a run", (_, call) => {
  it.scopedLive("informs the origins that are listed, and no others", () =>
    Effect.gen(function* () {
      const [billing, partner] = yield* Effect.all([receiver(), receiver()])
      const calls = Effect.all([call(billing.origin), call(partner.origin)])
      const inForce = Effect.provide(Layer.mergeAll(RunOpenTelemetry.layer({ propagateTo: [billing.origin] }), tracer))
      yield* calls.pipe(run, inForce)
      expect(baggage(billing.received)).toEqual([expect.stringContaining("botanu.customer_id=bigretail")])
      expect(baggage(partner.received)).toEqual([""])
      expect(partner.received.map((request) => linesOf("traceparent", request).length > 0)).toEqual([true])
    })
  )

  it.scopedLive("informs nobody where no origin is listed", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      yield* call(partner.origin).pipe(run, Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
      expect(baggage(partner.received)).toEqual([""])
    })
  )
})

describe("RunOpenTelemetry.layer", () => {
  it.effect("refuses what is no origin", () =>
    Effect.gen(function* () {
      const built = yield* Effect.either(
        Effect.scoped(Layer.build(RunOpenTelemetry.layer({ propagateTo: ["billing.internal"] })))
      )
      expect(Either.getLeft(built)).toMatchObject({ value: { _tag: "InvalidOrigin", entry: "billing.internal" } })
    })
  )

  it.scopedLive("in another one propagates only where both do", () =>
    Effect.gen(function* () {
      const [both, one] = yield* Effect.all([receiver(), receiver()])
      const call = (origin: string) => Effect.promise(() => fetch(origin).then((response) => response.text()))
      const calls = Effect.all([call(both.origin), call(one.origin)]).pipe(run)
      const narrow = RunOpenTelemetry.layer({ propagateTo: [both.origin] })
      const wide = RunOpenTelemetry.layer({ propagateTo: [both.origin, one.origin] })
      yield* calls.pipe(Effect.provide(narrow), Effect.provide(wide))
      yield* calls.pipe(Effect.provide(wide), Effect.provide(narrow))
      const told = expect.stringContaining("botanu.")
      expect([baggage(both.received), baggage(one.received)]).toEqual([
        [told, told],
        ["", ""]
      ])
    })
  )

  const inject = (attributes: Record<string, string | number>, kind = SpanKind.CLIENT, sampled = true) =>
    Effect.sync(() => {
      const provider = new BasicTracerProvider(sampled ? {} : { sampler: new AlwaysOffSampler() })
      const span = provider.getTracer("library").startSpan("request", { kind, attributes })
      const headers: Record<string, string> = {}
      propagation.inject(trace.setSpan(context.active(), span), headers)
      return headers["baggage"]
    })
  const address = { "url.scheme": "https", "server.address": "billing.internal" }
  const decidable: ReadonlyArray<readonly [what: string, sent: Effect.Effect<string | undefined>, isTold: boolean]> = [
    ["url.full", inject({ "url.full": "https://billing.internal/charges?a=1" }), true],
    ["http.url, its name before", inject({ "http.url": "https://billing.internal/" }), true],
    ["its scheme and address", inject(address), true],
    ["its scheme, address and port", inject({ ...address, "server.port": 443 }), true],
    ["another port", inject({ ...address, "server.port": 8443 }), false],
    ["another origin", inject({ "url.full": "https://billing.internal.evil.example/" }), false],
    ["no scheme", inject({ "server.address": "billing.internal" }), false],
    ["no URL", inject({ "url.full": "charges" }), false],
    ["nothing", inject({}), false],
    ["a span that is not recorded", inject({ "url.full": "https://billing.internal/" }, SpanKind.CLIENT, false), false],
    ["a span of a producer", inject({ "url.full": "https://billing.internal/" }, SpanKind.PRODUCER), false],
    ["a span of a server", inject({ "url.full": "https://billing.internal/" }, SpanKind.SERVER), false]
  ]
  it.live.each(decidable)("decides by the client span: %s", ([, sent, isTold]) =>
    Effect.gen(function* () {
      const layer = RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })
      expect((yield* sent.pipe(run, Effect.provide(layer)))?.includes("bigretail") ?? false).toBe(isTold)
    })
  )

  it.live("takes off what came in with the run, too, and not what was there before", () =>
    Effect.gen(function* () {
      const incoming = yield* Propagation.extract({ baggage: `${leanHeader},tier=gold,region=eu` })
      const layer = RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })
      const program = Effect.all(
        ["https://billing.internal/", "https://partner.example/"].map((url) => inject({ "url.full": url }))
      ).pipe(Effect.zipLeft(Effect.yieldNow()), Botanu.resume(incoming), Effect.provide(layer))
      const before = propagation.setBaggage(
        ROOT_CONTEXT,
        propagation.createBaggage({ theme: { value: "dark" }, region: { value: "us" } })
      )
      const sent = yield* Effect.promise(() => context.with(before, () => Effect.runPromise(program)))
      const [told, untold] = sent.map((header) => header?.split(",").sort())
      expect(told).toEqual([...leanHeader.split(","), "region=us", "theme=dark", "tier=gold"].sort())
      expect(untold).toEqual(["region=us", "theme=dark"])
    })
  )

  it.live("takes members of a run off what a server outside of Effect received, too", () =>
    Effect.gen(function* () {
      const received = propagation.extract(ROOT_CONTEXT, { baggage: "Botanu.Customer_ID=bigretail,theme=dark" })
      const send = inject({ "url.full": "https://partner.example/" })
      const sent = () => context.with(received, () => Effect.runSync(send))
      yield* Effect.gen(function* () {
        expect(yield* Effect.sync(sent)).toBe("theme=dark")
      }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })))
      expect(sent()).toBe("Botanu.Customer_ID=bigretail,theme=dark")
    })
  )

  it.live("takes a key for one of a run whatever its letter case, and with spaces before it", () =>
    Effect.gen(function* () {
      const members = { " Botanu.customer_id": { value: "bigretail" }, theme: { value: "dark" } }
      const received = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(members))
      const send = inject({ "url.full": "https://partner.example/" })
      const sent = Effect.sync(() => context.with(received, () => Effect.runSync(send)))
      expect(yield* Effect.provide(sent, RunOpenTelemetry.layer({ propagateTo: [] }))).toBe("theme=dark")
    })
  )

  it.live("wraps the global propagator once, however often it is built", () =>
    Effect.gen(function* () {
      const api = propagation as unknown as { readonly _getGlobalPropagator: () => unknown }
      const wrapped = Effect.sync(() => api._getGlobalPropagator()).pipe(
        Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] }))
      )
      expect(yield* wrapped).toBe(yield* wrapped)
    })
  )

  it.live("keeps the propagator that is set, below the choice of origins", () =>
    Effect.gen(function* () {
      propagation.disable()
      propagation.setGlobalPropagator(new W3CBaggagePropagator())
      const layer = RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })
      const sent = Effect.all([
        inject({ "url.full": "https://billing.internal/" }),
        inject({ "url.full": "https://partner.example/" })
      ]).pipe(run, Effect.provide(layer))
      expect(yield* sent).toEqual([expect.stringContaining("bigretail"), undefined])
      expect(propagation.fields()).toEqual(["baggage"])
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          propagation.disable()
        })
      )
    )
  )
})

describe("@opentelemetry/api", () => {
  it("gives the global propagator by `_getGlobalPropagator`", () => {
    propagation.disable()
    const propagator = new W3CBaggagePropagator()
    propagation.setGlobalPropagator(propagator)
    const api = propagation as unknown as Record<string, (() => unknown) | undefined>
    expect(api["_getGlobalPropagator"]?.()).toBe(propagator)
    propagation.disable()
  })

  it.live("that does not, leaves runs with no origin, and that is logged", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const api = propagation as unknown as Record<string, unknown>
      api["_getGlobalPropagator"] = undefined
      api["fields"] = () => ["baggage"]
      const seen = yield* Effect.sync(() => propagation.getActiveBaggage()?.getAllEntries()).pipe(
        run,
        Effect.provide(RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })),
        Effect.ensuring(
          Effect.sync(() => {
            Reflect.deleteProperty(api, "_getGlobalPropagator")
            Reflect.deleteProperty(api, "fields")
          })
        )
      )
      expect(seen ?? []).toEqual([])
      expect(lines).toEqual([expect.stringContaining("the global propagator cannot be wrapped")])
    }).pipe(Effect.provide(logging(lines)))
  })
})

describe("RunHttpClient over an instrumented client", () => {
  it.scopedLive("has the last word: an origin that the layer lists and the client does not is not informed", () =>
    Effect.gen(function* () {
      const partner = yield* receiver()
      for (const live of [FetchHttpClient.layer, NodeHttpClient.layerUndici, NodeHttpClient.layer]) {
        const call = Effect.flatMap(HttpClient.HttpClient, (client) =>
          Effect.scoped(RunHttpClient.propagateTo(client, []).get(partner.origin))
        )
        const inForce = RunOpenTelemetry.layer({ propagateTo: [partner.origin] })
        yield* call.pipe(run, Effect.provide(Layer.mergeAll(inForce, tracer, live)))
      }
      expect(baggage(partner.received)).toEqual(["", "", ""])
    })
  )

  it.scopedLive("sends each run once, whatever shares its connections", () =>
    Effect.gen(function* () {
      const billing = yield* receiver((response) => {
        setTimeout(() => response.writeHead(204).end(), 5)
      })
      const dispatcher = Layer.succeed(NodeHttpClient.Dispatcher, new Agent({ connections: 2 }))
      const sendAll = Effect.gen(function* () {
        const client = RunHttpClient.propagateTo(yield* HttpClient.HttpClient, [billing.origin])
        yield* Effect.forEach(
          Array.from({ length: 20 }).keys(),
          (number) =>
            Effect.scoped(client.get(`${billing.origin}/${number}`)).pipe(
              Botanu.workflow("Work", { ...ids, customerId: `customer-${number}` })
            ),
          { concurrency: "unbounded" }
        )
      })
      yield* sendAll.pipe(
        Effect.provide(
          Layer.mergeAll(
            RunOpenTelemetry.layer({ propagateTo: [billing.origin] }),
            tracer,
            Layer.provide(NodeHttpClient.layerUndiciWithoutDispatcher, dispatcher)
          )
        )
      )
      expect(billing.received).toHaveLength(20)
      for (const received of billing.received) {
        const customers = [
          ...linesOf("baggage", received)
            .join()
            .matchAll(/customer_id=([^,;]*)/g)
        ].map(([, id]) => id)
        expect(customers).toEqual([`customer-${received.path.slice(1)}`])
      }
    })
  )
})
