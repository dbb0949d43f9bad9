/**
 * The apps that are put under load: one as people run them, and the least that is an app at all, beside which everything costs
 * most.
 */
import { createServer } from "node:http"
import { NodeSdk } from "@effect/opentelemetry"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  type HttpApp,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { context } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { ExportResultCode } from "@opentelemetry/core"
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Schema, Tracer } from "effect"
import { onlyActivatesSpans } from "../../src/opentelemetry/OtelContextTracer.js"
import * as RunOpenTelemetry from "../../src/opentelemetry/RunOpenTelemetry.js"

/** The requests that an app answers. */
export interface Requests {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface App {
  readonly name: string
  readonly requests: Requests
  /** What the middleware is used beside; nothing where it is used alone. */
  readonly besideRuns: Layer.Layer<never>
  /** The app, served on a free port with this around it, and beside this layer. */
  readonly served: (
    around: (app: HttpApp.Default) => HttpApp.Default,
    beside?: Layer.Layer<never>
  ) => Layer.Layer<HttpServer.HttpServer>
}

const listening = Layer.orDie(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))

class Ticket extends Schema.Class<Ticket>("Ticket")({
  id: Schema.Int,
  subject: Schema.NonEmptyString,
  text: Schema.String.pipe(Schema.maxLength(4000)),
  customerId: Schema.NonEmptyString,
  priority: Schema.Literal("low", "normal", "high"),
  tags: Schema.Array(Schema.String)
}) {}

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("tickets").add(
    HttpApiEndpoint.post("open", "/tickets")
      .setPayload(Schema.Struct(Ticket.fields).pipe(Schema.omit("id")))
      .addSuccess(Ticket, { status: 201 })
  )
) {}

/** As a database: not at once, and with a span. */
const insert = Effect.async<number>((resume) => {
  setImmediate(() => resume(Effect.succeed(4711)))
}).pipe(Effect.withSpan("insert ticket", { captureStackTrace: false }))

const tickets = HttpApiBuilder.group(Api, "tickets", (handlers) =>
  handlers.handle("open", ({ payload }) => Effect.map(insert, (id) => new Ticket({ ...payload, id })))
)

const discard: SpanExporter = {
  export: (_spans, done) => done({ code: ExportResultCode.SUCCESS }),
  shutdown: () => Promise.resolve()
}

// A queue that is full would drop spans, and that would count as speed.
const maxQueueSize = 2 ** 16

const nodeSdk = NodeSdk.layer(() => ({
  resource: { serviceName: "bench" },
  spanProcessor: new BatchSpanProcessor(discard, { maxQueueSize })
}))

const contextManager = Layer.effectDiscard(
  Effect.sync(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
)

const jsonApi: App = {
  name: "JSON API, NodeSdk",
  besideRuns: Layer.empty,
  requests: {
    method: "POST",
    path: "/tickets",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      subject: "Printer on fire",
      text: "It began after the update on Monday. We poured water on it, and now the display shows nothing at all.",
      customerId: "bigretail",
      priority: "high",
      tags: ["hardware", "urgent"]
    })
  },
  served: (around, beside = Layer.empty) =>
    HttpApiBuilder.serve().pipe(
      Layer.provide(HttpApiBuilder.middleware(around)),
      Layer.provide(HttpApiBuilder.api(Api)),
      Layer.provide(tickets),
      Layer.provideMerge(listening),
      Layer.provide(Layer.merge(nodeSdk, beside))
    )
}

/** As it is where libraries are instrumented, which see the run of a request with `RunOpenTelemetry.layer`. */
const shownApi: App = {
  ...jsonApi,
  name: "JSON API, NodeSdk and context manager",
  besideRuns: Layer.orDie(RunOpenTelemetry.layer({ propagateTo: [] })),
  served: (around, beside = Layer.empty) => jsonApi.served(around, Layer.provideMerge(beside, contextManager))
}

/** As `RunOpenTelemetry.layerNodeSdk` sets OpenTelemetry up, beside `NodeSdk.layer`, which sets no context manager. */
const setUpApi: App = {
  ...jsonApi,
  name: "JSON API, layerNodeSdk",
  besideRuns: Layer.merge(
    shownApi.besideRuns,
    Layer.unwrapEffect(Effect.map(Effect.tracer, (tracer) => Layer.setTracer(onlyActivatesSpans(tracer)))).pipe(
      Layer.provide(nodeSdk)
    )
  )
}

/** Without OpenTelemetry's active context, which no library reads here, beside `NodeSdk.layer`, whose tracer sets it at each step. */
const leanApi: App = {
  ...jsonApi,
  name: "JSON API, no active context",
  besideRuns: Layer.unwrapEffect(
    Effect.map(Effect.tracer, (tracer) =>
      Layer.setTracer(
        Tracer.make({ span: (...options) => tracer.span(...options), context: (execution) => execution() })
      )
    )
  ).pipe(Layer.provide(nodeSdk))
}

const bareApp: App = {
  name: "bare app, native tracer",
  besideRuns: Layer.empty,
  requests: { method: "GET", path: "/", headers: {} },
  served: (around) =>
    HttpServer.serve(around(Effect.succeed(HttpServerResponse.text("ok")))).pipe(Layer.provideMerge(listening))
}

export const apps: Readonly<Record<string, App>> = { jsonApi, shownApi, setUpApi, leanApi, bareApp }
