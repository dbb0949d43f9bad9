/**
 * One of two services, as a process of its own: with `http` and `undici` instrumented, a tracer of Effect that exports by OTLP,
 * and a run in each request. What it is comes as JSON in its argument; its origin goes to its parent.
 */
import http, { createServer } from "node:http"
import { createRequire, syncBuiltinESMExports } from "node:module"
import { NodeSdk, OtlpSerialization, OtlpTracer } from "@effect/opentelemetry"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import { resourceFromAttributes } from "@opentelemetry/resources"
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Botanu, Outcome } from "botanu-effect"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { RunHttpClient, RunHttpServer } from "botanu-effect/platform"
import { Effect, Layer } from "effect"

export interface Settings {
  readonly name: string
  readonly tracer: "NodeSdk" | "OtlpTracer"
  /** Where spans go. */
  readonly receiver: string
  /** The service behind this one. */
  readonly upstream?: string
}

const { name, receiver, tracer, upstream }: Settings = JSON.parse(process.argv[2] ?? "")
const tracesUrl = `${receiver}/v1/traces`

const batches = () => new BatchSpanProcessor(new OTLPTraceExporter({ url: tracesUrl }))

/** Spans of libraries. */
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": name }),
  spanProcessors: [new RunContextSpanProcessor({ inbound: "trusted" }), batches()]
})
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [
    new HttpInstrumentation(),
    new UndiciInstrumentation({ ignoreRequestHook: ({ origin }) => origin === receiver })
  ]
})
// Instrumentation takes hold of what is required; this makes it hold for what is imported too.
createRequire(import.meta.url)("node:http")
syncBuiltinESMExports()

/** Spans of Effect. */
const tracers = {
  NodeSdk: NodeSdk.layer(() => ({ resource: { serviceName: name }, spanProcessor: batches() })),
  OtlpTracer: OtlpTracer.layer({ url: tracesUrl, resource: { serviceName: name } }).pipe(
    Layer.provide([OtlpSerialization.layerProtobuf, FetchHttpClient.layer])
  )
}

const ids = { eventId: "ticket-42", customerId: "bigretail" }

/** Calls the service behind with a client of Effect, with `fetch`, and with Node's own. */
const ask = (url: string) =>
  Effect.gen(function* () {
    // The instrumentation of `undici`, which this is a client of, sends the trace.
    const client = HttpClient.withTracerPropagation(yield* HttpClient.HttpClient, false).pipe(
      RunHttpClient.propagateTo([url])
    )
    yield* Effect.flatMap(client.get(`${url}/effect`), ({ text }) => text)
    yield* Effect.promise(() => fetch(`${url}/fetch`).then((response) => response.text()))
    yield* Effect.async<void>((resume) => {
      http.get(`${url}/http`, (response) => response.resume().on("end", () => resume(Effect.void)))
    })
  })

const work = Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1 }).pipe(
  Effect.zipRight(upstream === undefined ? Effect.void : ask(upstream)),
  Effect.withSpan("work"),
  Botanu.workflow(`Work of ${name}`, ids)
)

const app = HttpRouter.empty.pipe(
  HttpRouter.get("*", Effect.as(work, HttpServerResponse.text("done"))),
  RunHttpServer.middleware({ inbound: "trusted" })
)

const listening = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

const announced = Layer.scopedDiscard(
  HttpServer.addressFormattedWith((origin) => Effect.sync(() => process.send?.(origin)))
)

HttpServer.serve(app).pipe(
  Layer.merge(announced),
  Layer.provide(listening),
  Layer.provide(
    Layer.mergeAll(
      RunOpenTelemetry.layer({ propagateTo: upstream === undefined ? [] : [upstream] }),
      tracers[tracer],
      NodeHttpClient.layerUndici
    )
  ),
  Layer.provide(Layer.scopedDiscard(Effect.addFinalizer(() => Effect.promise(() => provider.shutdown())))),
  Layer.launch,
  NodeRuntime.runMain
)
