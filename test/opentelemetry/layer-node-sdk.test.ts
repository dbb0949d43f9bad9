/**
 * One layer sets OpenTelemetry up: what arrives at a receiver of OTLP, by the variables of the environment.
 */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import { ConfigProvider, Duration, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import { Botanu } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { logging } from "../observed.js"
import { ids } from "../runs.js"
import { type Item, type Receiver, receiver } from "./otlp.js"

afterEach(() => vi.unstubAllEnvs())

const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.sync(() => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  })

const layer = (options: Partial<RunOpenTelemetry.NodeSdkOptions> = {}) =>
  RunOpenTelemetry.layerNodeSdk({ serviceName: "desk", propagateTo: [], inbound: "untrusted", ...options })

/** What an instrumented library does: a span of its own, after an asynchronous boundary. */
const library = async (name: string) => {
  await new Promise((resolve) => setImmediate(resolve))
  trace.getTracer("library").startSpan(name).end()
  return propagation.getActiveBaggage()?.getEntry("botanu.event_id")?.value
}

const work = Effect.promise(() => library("query")).pipe(
  Effect.tap((event) => Effect.logInfo(`worked on ${event}`)),
  Effect.withSpan("work"),
  Botanu.workflow("Support", ids)
)

const byPath = ({ items }: Receiver, path: string): ReadonlyArray<Item> => items.filter((item) => item.path === path)

const named = (items: ReadonlyArray<Item>, name: string): Item | undefined => items.find((item) => item.name === name)

/** Works with the layer, and gives what has been received when that is released. */
const exported = (
  variables: (origin: string) => Readonly<Record<string, string>>,
  options?: Partial<RunOpenTelemetry.NodeSdkOptions>
) =>
  Effect.gen(function* () {
    const received = yield* receiver
    yield* environment(variables(received.origin))
    // The program has its configuration from elsewhere.
    const exporting = layer(options).pipe(Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map()))))
    expect(yield* work.pipe(Effect.provide(exporting), Effect.provide(logging([])))).toBe(ids.eventId)
    return received
  })

describe("layerNodeSdk", () => {
  it.scopedLive.each([
    ["http/protobuf", "application/x-protobuf", {}],
    ["http/json", "application/json", { OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }]
  ] as const)("exports traces, metrics and logs by %s", ([, contentType, protocol]) =>
    Effect.gen(function* () {
      const received = yield* exported(
        (origin) => ({
          OTEL_EXPORTER_OTLP_ENDPOINT: origin,
          OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20key",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=other",
          ...protocol
        }),
        { serviceVersion: "1.2.3", attributes: { team: "billing" } }
      )
      for (const item of received.items) {
        expect(item.contentType).toBe(contentType)
        expect(item.headers.authorization).toBe("Bearer key")
        expect(item.resource).toMatchObject({
          "service.name": "desk",
          "service.version": "1.2.3",
          "deployment.environment.name": "test",
          team: "billing"
        })
      }
      const spans = byPath(received, "/v1/traces")
      expect(spans.map(({ name }) => name).sort()).toEqual(["botanu.run/Support", "query", "work"])
      const [{ traceId, attributes } = expect.fail("no run span")] = spans.filter(({ name }) =>
        name.startsWith("botanu.run/")
      )
      for (const span of spans) {
        expect(span.traceId).toBe(traceId)
        expect(span.attributes).toMatchObject({
          "botanu.run_id": attributes["botanu.run_id"],
          "botanu.event_id": ids.eventId,
          "botanu.customer_id": ids.customerId
        })
      }
      expect(named(spans, "query")?.scope).toBe("library")
      expect(named(byPath(received, "/v1/metrics"), "botanu_runs_total")?.attributes).toMatchObject({
        workflow: "Support"
      })
      const line = named(byPath(received, "/v1/logs"), `worked on ${ids.eventId}`)
      expect(line?.traceId).toBe(traceId)
      expect(line?.attributes).toMatchObject({ "botanu.run_id": attributes["botanu.run_id"] })
    })
  )

  it.scopedLive("sends each signal where its own variables say, and none that is switched off", () =>
    Effect.gen(function* () {
      const received = yield* exported((origin) => ({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${origin}/custom/traces`,
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "HTTP/JSON",
        OTEL_METRICS_EXPORTER: "none",
        OTEL_LOGS_EXPORTER: "none"
      }))
      expect(new Set(received.items.map(({ path }) => path))).toEqual(new Set(["/custom/traces"]))
      expect(received.items).toHaveLength(3)
    })
  )

  it.scopedLive("prints each signal that is to be printed", () =>
    Effect.gen(function* () {
      const printed: Array<unknown> = []
      const dir = vi.spyOn(console, "dir").mockImplementation((item) => void printed.push(item))
      const received = yield* Effect.ensuring(
        exported((origin) => ({
          OTEL_EXPORTER_OTLP_ENDPOINT: origin,
          OTEL_TRACES_EXPORTER: "Console",
          OTEL_METRICS_EXPORTER: "console",
          OTEL_LOGS_EXPORTER: "console"
        })),
        Effect.sync(() => dir.mockRestore())
      )
      expect(received.items).toEqual([])
      const are = (fields: object) => expect(printed).toContainEqual(expect.objectContaining(fields))
      are({ name: "botanu.run/Support" })
      are({ body: `worked on ${ids.eventId}` })
      are({ descriptor: expect.objectContaining({ name: "botanu_runs_total" }) })
    })
  )

  it.scopedLive("sends in batches of the size and at the intervals that the variables say", () =>
    Effect.gen(function* () {
      const received = yield* receiver
      yield* environment({
        OTEL_EXPORTER_OTLP_ENDPOINT: received.origin,
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_BSP_SCHEDULE_DELAY: "10",
        OTEL_BLRP_SCHEDULE_DELAY: "10",
        OTEL_METRIC_EXPORT_INTERVAL: "10"
      })
      const arrived = Effect.repeat(Effect.sleep(5), {
        until: () => new Set(received.items.map(({ path }) => path)).size === 3
      })
      yield* work.pipe(Effect.zipRight(arrived), Effect.provide(layer()), Effect.provide(logging([])))
      expect(received.items.every(({ headers }) => headers["content-encoding"] === "gzip")).toBe(true)
    })
  )

  it.scopedLive("exports nothing where OTEL_SDK_DISABLED is true; the run is in the active context all the same", () =>
    Effect.gen(function* () {
      const received = yield* exported((origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin, OTEL_SDK_DISABLED: "true" }))
      expect(received.items).toEqual([])
    })
  )

  it.scopedLive.each([
    ["trusted", ids.eventId],
    ["untrusted", undefined]
  ] as const)("stamps a span that is made before a run is joined by what came in: %s", ([inbound, expected]) =>
    Effect.gen(function* () {
      const received = yield* receiver
      yield* environment({ OTEL_EXPORTER_OTLP_ENDPOINT: received.origin })
      const baggage =
        "botanu.run_id=019abc12-def3-7890-abcd-1234567890ab,botanu.workflow=Support," +
        `botanu.event_id=${ids.eventId},botanu.customer_id=${ids.customerId}`
      const serve = Effect.promise(() =>
        context.with(propagation.extract(ROOT_CONTEXT, { baggage }), () => library("request"))
      )
      yield* Effect.provide(serve, layer({ inbound }))
      expect(named(received.items, "request")?.attributes["botanu.event_id"]).toBe(expected)
    })
  )

  it.scopedLive("makes the context of a span once, however many steps are in it", () =>
    Effect.gen(function* () {
      const received = yield* receiver
      yield* environment({ OTEL_EXPORTER_OTLP_ENDPOINT: received.origin })
      const setSpan = vi.spyOn(trace, "setSpan")
      yield* Effect.repeatN(Effect.yieldNow(), 200).pipe(Botanu.workflow("Support", ids), Effect.provide(layer()))
      const { length } = setSpan.mock.calls
      setSpan.mockRestore()
      expect(length).toBeGreaterThan(0)
      expect(length).toBeLessThan(20)
    })
  )

  it.scopedLive("leaves no tracer provider behind, and keeps one that was there", () =>
    Effect.gen(function* () {
      const received = yield* exported((origin) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: origin }))
      const { length } = received.items
      expect(trace.getTracer("library").startSpan("after").isRecording()).toBe(false)
      trace.setGlobalTracerProvider(new BasicTracerProvider())
      yield* Effect.ensuring(
        Effect.provide(
          Effect.promise(() => library("of another provider")),
          layer()
        ),
        Effect.sync(() => trace.disable())
      )
      expect(named(received.items.slice(length), "of another provider")).toBeUndefined()
    })
  )

  it.scopedLive("logs what could not be exported, and harms neither the program nor its end", () =>
    Effect.gen(function* () {
      const received = yield* receiver
      received.status = 400
      yield* environment({ OTEL_EXPORTER_OTLP_ENDPOINT: received.origin })
      const lines: Array<string> = []
      const [duration, exit] = yield* work.pipe(
        Effect.provide(layer({ shutdownTimeout: "10 seconds" })),
        Effect.exit,
        Effect.provide(logging(lines)),
        Effect.timed
      )
      expect(exit).toEqual(Exit.succeed(ids.eventId))
      expect(Duration.toSeconds(duration)).toBeLessThan(10)
      for (const signal of ["traces", "metrics", "logs"]) {
        expect(lines.filter((line) => line.includes(`OpenTelemetry: ${signal} could not be exported`))).toHaveLength(1)
      }
    })
  )

  it.scopedLive("waits no longer than its limit for a receiver that does not answer", () =>
    Effect.gen(function* () {
      yield* environment({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })
      const [duration] = yield* work.pipe(
        Effect.provide(layer({ shutdownTimeout: "50 millis" })),
        Effect.provide(logging([])),
        Effect.timed
      )
      expect(Duration.toSeconds(duration)).toBeLessThan(5)
    })
  )

  it.scoped("waits for a receiver as long as its limit says", () =>
    Effect.gen(function* () {
      const received = yield* receiver
      received.answers = false
      yield* environment({ OTEL_EXPORTER_OTLP_ENDPOINT: received.origin, OTEL_EXPORTER_OTLP_TIMEOUT: "60000" })
      const scope = yield* Scope.make()
      const built = yield* Layer.build(layer({ shutdownTimeout: "1 hour" })).pipe(Scope.extend(scope))
      yield* work.pipe(Effect.provide(built), Effect.provide(logging([])))
      const released = yield* Effect.fork(Scope.close(scope, Exit.void))
      const arrived = Effect.repeat(
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
        { until: () => new Set(received.items.map(({ path }) => path)).size === 3 }
      )
      yield* arrived
      for (let minutes = 0; minutes < 59; minutes += 1) yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.poll(released)).toEqual(Option.none())
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(released)
    })
  )

  it.effect.each([
    ["OTEL_TRACES_EXPORTER", "zipkin", "expected otlp, console or none"],
    ["OTEL_METRICS_EXPORTER", "prometheus", "expected otlp, console or none"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf or http/json"],
    ["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "tcp", "expected http/protobuf or http/json"]
  ] as const)("refuses %s=%s", ([name, value, expected]) =>
    Effect.gen(function* () {
      yield* environment({ [name]: value })
      const error = yield* Effect.flip(Effect.provide(Effect.void, layer()))
      expect(error).toBeInstanceOf(RunOpenTelemetry.SetupError)
      expect(error.message).toBe(`${name}: ${expected}, found "${value}"`)
    })
  )

  it.effect("refuses an origin that is none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.provide(Effect.void, layer({ propagateTo: ["billing"] })))
      expect(error).toBeInstanceOf(RunOpenTelemetry.InvalidOrigin)
    })
  )
})
