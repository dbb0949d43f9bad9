/**
 * The exporters of OpenTelemetry, each loaded when it is first needed: none of these packages is required by the rest of the entry
 * point.
 */
import type { ExportResult } from "@opentelemetry/core"
import type { LogRecordExporter } from "@opentelemetry/sdk-logs"
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics"
import type { SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Cause, Effect } from "effect"
import type { Destination, Signal } from "./OtelVariables.js"
import { SetupError } from "./SetupError.js"

interface Exporters {
  readonly traces: SpanExporter
  readonly metrics: PushMetricExporter
  readonly logs: LogRecordExporter
}

type Load<S extends Signal> = Readonly<Record<Destination, () => Promise<Exporters[S]>>>

const loaders: { readonly [S in Signal]: Load<S> } = {
  traces: {
    "http/protobuf": async () => new (await import("@opentelemetry/exporter-trace-otlp-proto")).OTLPTraceExporter(),
    "http/json": async () => new (await import("@opentelemetry/exporter-trace-otlp-http")).OTLPTraceExporter(),
    console: async () => new (await import("@opentelemetry/sdk-trace-base")).ConsoleSpanExporter()
  },
  metrics: {
    "http/protobuf": async () => new (await import("@opentelemetry/exporter-metrics-otlp-proto")).OTLPMetricExporter(),
    "http/json": async () => new (await import("@opentelemetry/exporter-metrics-otlp-http")).OTLPMetricExporter(),
    console: async () => new (await import("@opentelemetry/sdk-metrics")).ConsoleMetricExporter()
  },
  logs: {
    "http/protobuf": async () => new (await import("@opentelemetry/exporter-logs-otlp-proto")).OTLPLogExporter(),
    "http/json": async () => new (await import("@opentelemetry/exporter-logs-otlp-http")).OTLPLogExporter(),
    console: async () => new (await import("@opentelemetry/sdk-logs")).ConsoleLogRecordExporter()
  }
}

/** The exporters of a signal. `onFailure` is called with what could not be delivered, and why. */
export const load = <S extends Signal>(
  signal: S,
  destinations: ReadonlyArray<Destination>,
  onFailure: (signal: Signal, error: Error | undefined) => void
): Effect.Effect<ReadonlyArray<Exporters[S]>, SetupError> => {
  const loads: Load<S> = loaders[signal]
  return Effect.forEach(destinations, (destination) =>
    Effect.map(installed(loads[destination]), (exporter) => reporting(exporter, (error) => onFailure(signal, error)))
  )
}

/** What a function imports. Fails where a package is not installed. */
export const installed = <A>(importing: () => Promise<A>): Effect.Effect<A, SetupError> =>
  Effect.tryPromise(importing).pipe(
    Effect.catchTag("UnknownException", ({ error }) => {
      const name = /'(@[^'/]+\/[^'/]+)/.exec(String(error))?.[1]
      return name !== undefined && isMissing(error)
        ? Effect.fail(new SetupError({ field: name, problem: "expected the package to be installed" }))
        : Effect.failCause(Cause.die(error))
    })
  )

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND"

/** An exporter that says when it could not deliver. OpenTelemetry's processors drop a batch in silence. */
const reporting = <Exporter extends { export(items: never, done: (result: ExportResult) => void): void }>(
  exporter: Exporter,
  onFailure: (error: Error | undefined) => void
): Exporter => {
  const send = exporter.export.bind(exporter)
  exporter.export = (items, done) =>
    send(items, (result) => {
      if (result.code !== 0) onFailure(result.error)
      done(result)
    })
  return exporter
}
