/**
 * Traces, metrics and logs of a program, exported to where the environment says. `@effect/opentelemetry` and what it needs are loaded
 * when the layer is built, so that programs without them can import the entry point.
 */
import { type Attributes, trace } from "@opentelemetry/api"
import type { LogRecordExporter } from "@opentelemetry/sdk-logs"
import type { PushMetricExporter } from "@opentelemetry/sdk-metrics"
import { Array, ConfigProvider, type Duration, Effect, Layer, Runtime } from "effect"
import * as BoundedWarning from "../fiber/BoundedWarning.js"
import { onlyActivatesSpans } from "./OtelContextTracer.js"
import { type Destinations, destinations, logBatches, metricExports, type Signal } from "./OtelVariables.js"
import { installed, load } from "./OtlpExporters.js"
import { RunContextSpanProcessor, type SpanProcessorOptions } from "./RunContextSpanProcessor.js"
import type { SetupError } from "./SetupError.js"

/** What is exported, and by which name. */
export interface ExportOptions extends SpanProcessorOptions {
  /** `service.name` of the resource. It precedes `OTEL_SERVICE_NAME`. */
  readonly serviceName: string
  /** `service.version` of the resource. */
  readonly serviceVersion?: string
  /** Further attributes of the resource. They precede `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly attributes?: Attributes
  /** How long releasing the layer waits for the last batch of each signal. 3 seconds where it is not given. */
  readonly shutdownTimeout?: Duration.DurationInput
}

/** The tracer, the logger and the reader of metrics of a program, and the tracer provider of its libraries. */
export const exporting = (options: ExportOptions): Layer.Layer<never, SetupError> =>
  Layer.unwrapEffect(
    Effect.flatMap(Effect.suspend(destinations), (destinations) =>
      Object.values(destinations).every(({ length }) => length === 0)
        ? Effect.succeed(Layer.empty)
        : layerOf(options, destinations)
    )
  )

const layerOf = (
  { attributes, inbound, serviceName, serviceVersion, shutdownTimeout = "3 seconds" }: ExportOptions,
  destinations: Destinations
): Effect.Effect<Layer.Layer<never>, SetupError> =>
  Effect.gen(function* () {
    const sdk = yield* installed(async () => ({
      NodeSdk: await import("@effect/opentelemetry/NodeSdk"),
      Logger: await import("@effect/opentelemetry/Logger"),
      Metrics: await import("@effect/opentelemetry/Metrics"),
      Resource: await import("@effect/opentelemetry/Resource"),
      Tracer: await import("@effect/opentelemetry/Tracer"),
      ...(await import("@opentelemetry/sdk-trace-base")),
      ...(await import("@opentelemetry/sdk-logs")),
      ...(await import("@opentelemetry/sdk-metrics"))
    }))
    const warn = yield* exportWarnings
    const [spans, metrics, logs] = yield* Effect.all([
      load("traces", destinations.traces, warn),
      load("metrics", destinations.metrics, warn),
      load("logs", destinations.logs, warn)
    ])
    const limit = { shutdownTimeout }

    const tracing = () =>
      Layer.merge(
        Layer.unwrapEffect(Effect.map(sdk.Tracer.make, (tracer) => Layer.setTracer(onlyActivatesSpans(tracer)))).pipe(
          Layer.provideMerge(sdk.Tracer.layerTracer)
        ),
        Layer.scopedDiscard(Effect.flatMap(sdk.Tracer.OtelTracerProvider, ofLibraries))
      ).pipe(
        Layer.provide(
          sdk.NodeSdk.layerTracerProvider(
            // The run is on a span before anything that exports sees it.
            [
              new RunContextSpanProcessor({ inbound }),
              ...spans.map((exporter) => new sdk.BatchSpanProcessor(exporter))
            ],
            limit
          )
        )
      )
    const logging = (exporters: Array.NonEmptyReadonlyArray<LogRecordExporter>) => {
      const batches = logBatches()
      const processors = Array.map(
        exporters,
        // Before version 0.220 the exporter came first, and the options after it.
        (exporter) =>
          Reflect.construct(sdk.BatchLogRecordProcessor, [Object.assign(exporter, { exporter, ...batches }), batches])
      )
      return Layer.provide(sdk.Logger.layerLoggerAdd, sdk.Logger.layerLoggerProvider(processors, limit))
    }
    const metering = (exporters: Array.NonEmptyReadonlyArray<PushMetricExporter>) =>
      sdk.Metrics.layer(
        () =>
          Array.map(exporters, (exporter) => new sdk.PeriodicExportingMetricReader({ exporter, ...metricExports() })),
        limit
      )

    const resource = sdk.Resource.layerFromEnv(
      sdk.Resource.configToAttributes({
        serviceName,
        ...(serviceVersion !== undefined && { serviceVersion }),
        ...(attributes !== undefined && { attributes })
      })
    ).pipe(Layer.provide(Layer.setConfigProvider(ConfigProvider.fromEnv())))

    return Layer.mergeAll(
      spans.length === 0 ? Layer.empty : tracing(),
      Array.isNonEmptyReadonlyArray(metrics) ? metering(metrics) : Layer.empty,
      Array.isNonEmptyReadonlyArray(logs) ? logging(logs) : Layer.empty
    ).pipe(Layer.provide(resource), Layer.discard)
  })

/** Gives libraries the tracer provider too, unless they have one already. */
const ofLibraries = (provider: Parameters<typeof trace.setGlobalTracerProvider>[0]) =>
  Effect.acquireRelease(
    Effect.sync(() => trace.setGlobalTracerProvider(provider)),
    (isSet) => Effect.sync(() => isSet && trace.disable())
  )

/** Logs what could not be exported, with the loggers that do not export. */
const exportWarnings = Effect.map(Effect.runtime<never>(), (runtime) => (signal: Signal, error: Error | undefined) => {
  const text = `${signal} could not be exported: ${error?.message ?? "the exporter gives no reason"}`
  Runtime.runFork(runtime)(BoundedWarning.warn("OpenTelemetry", [{ kind: signal, text }]))
})
