/**
 * A service in a process of its own.
 */
import { createServer } from "node:http"
import { NodeSdk } from "@effect/opentelemetry"
import { type HttpApi, HttpApiBuilder, type HttpClient, HttpServer } from "@effect/platform"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { BotanuConfig, RunExporter } from "botanu-effect"
import { RunHttpServer } from "botanu-effect/platform"
import { Effect, Layer, Logger, Schema } from "effect"
import * as Parent from "./Parent.js"
import { fromSpan } from "./SpanRecord.js"

/** What a service is started with. */
export const Settings = Schema.parseJson(
  Schema.Struct({
    name: Schema.String,
    /** Whether spans are reported. */
    trace: Schema.Boolean,
    /** Where the service behind this one listens. */
    upstream: Schema.optionalWith(Schema.String, { exact: true })
  })
)
export type Settings = typeof Settings.Type

/** The settings of this process. */
export const settings = (): Settings => Schema.decodeUnknownSync(Settings)(process.argv[2])

/** Serves an API until the process that started this one says so, or is gone. */
export const serve = <E>(
  { name, trace }: Settings,
  api: Layer.Layer<HttpApi.Api, E, HttpClient.HttpClient>,
  { inbound }: RunHttpServer.Options
): void => {
  const announced = Layer.scopedDiscard(HttpServer.addressFormattedWith(Parent.listening))
  const server = HttpApiBuilder.serve().pipe(
    Layer.merge(announced),
    Layer.provide(HttpApiBuilder.middleware(RunHttpServer.middleware({ inbound }))),
    Layer.provide(api),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
    Layer.provide(NodeHttpClient.layer),
    Layer.provide(trace ? tracing(name) : Layer.empty),
    Layer.provide(RunExporter.layer({ export: Parent.completed })),
    Layer.provide(fullPropagation)
  )
  const served = Effect.raceFirst(Layer.launch(server), Parent.stop).pipe(
    Effect.catchAllCause((cause) => Effect.logError(`${name} has failed`, cause)),
    Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger)))
  )
  // What is left to be sent is sent before the process ends.
  Effect.runPromise(served).finally(() => process.disconnect?.())
}

/**
 * The settings of the environment, but in full mode: a deadline, a cancellation and the number of an attempt reach the other
 * service in that one alone.
 */
const fullPropagation = Layer.effect(
  BotanuConfig.BotanuConfig,
  Effect.map(BotanuConfig.config, (settings) => ({ ...settings, propagationMode: "full" as const }))
)

const tracing = (name: string) =>
  NodeSdk.layer(() => ({
    resource: { serviceName: name },
    spanProcessor: new SimpleSpanProcessor({
      export: (spans: ReadonlyArray<ReadableSpan>, done) => {
        for (const span of spans) Parent.ended(fromSpan(span))
        done({ code: 0 })
      },
      shutdown: () => Promise.resolve()
    })
  }))
