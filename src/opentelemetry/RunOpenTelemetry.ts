/**
 * Runs for libraries that know of OpenTelemetry and not of Effect: its active context shows the run that a fiber works on.
 */
import { context, propagation, trace } from "@opentelemetry/api"
import { Effect, FiberRef, Layer, type Option, Tracer } from "effect"
import { fromEntries, type InvalidOrigin } from "../baggage/Origin.js"
import { wrapTracer } from "../fiber/TracerWrapper.js"
import { receiveFor } from "../lifecycle/IncomingRun.js"
import type { Run } from "../run/Run.js"
import { type ExportOptions, exporting } from "./NodeSdkLayer.js"
import * as OpenTelemetryGlobals from "./OpenTelemetryGlobals.js"
import { keepInForce } from "./OriginPropagator.js"
import { fromOpenTelemetry } from "./OtelBaggage.js"
import { otelContextScheduler } from "./OtelContextScheduler.js"
import { otelContextTracer } from "./OtelContextTracer.js"
import { currentOrigins, noOrigins, runOtelContextIn } from "./RunOtelContext.js"
import type { SetupError } from "./SetupError.js"

export { InvalidOrigin } from "../baggage/Origin.js"
export { SetupError } from "./SetupError.js"

/**
 * To which origins instrumented clients propagate the run.
 *
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 *
 * const options: RunOpenTelemetry.Options = { propagateTo: ["https://billing.internal"] }
 * export const openTelemetry = RunOpenTelemetry.layer(options)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options {
  /**
   * Origins that receive the run: scheme, host and port, as for `RunHttpClient`. A run carries customer ids, so there is no default,
   * and no other origin receives it.
   */
  readonly propagateTo: ReadonlyArray<string>
}

/**
 * While a fiber works on a run, OpenTelemetry's active context holds the run's baggage, also after asynchronous boundaries: so
 * instrumented libraries propagate it, and `RunContextSpanProcessor` stamps their spans. Code that runs after or beside the run
 * sees none of it. Where Effect's tracer is not OpenTelemetry's own, its current span is made the active one.
 *
 * Instrumented clients send it to the listed origins only. The origin is that of their client span, by its `url.full`, or by
 * `url.scheme`, `server.address` and `server.port`. Where a span has none of them, as one that is not sampled, nothing of the run is
 * sent. Layers in one another send it where all of them do.
 *
 * It goes beside `NodeSdk.layer` or `OtlpTracer.layer`, in any order. A context manager and the W3C propagators are set
 * globally where none are, for good; a propagator that is set is kept, below the choice of origins.
 *
 * Fails with `InvalidOrigin` for an entry that is no origin.
 *
 * @since 0.2.0
 * @category layers
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 *
 * export const openTelemetry = RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })
 * ```
 */
export const layer = ({ propagateTo }: Options): Layer.Layer<never, InvalidOrigin> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const origins = yield* fromEntries(propagateTo)
      const canChoose = yield* OpenTelemetryGlobals.setUp
      if (!canChoose) {
        yield* Effect.logWarning(
          "RunOpenTelemetry: the global propagator cannot be wrapped, so instrumented clients propagate runs to no origin"
        )
      }
      const list = canChoose ? origins : noOrigins
      yield* keepInForce(list)
      yield* Effect.locallyScopedWith(currentOrigins, (known) => [...known, list])
      yield* Effect.locallyScopedWith(FiberRef.currentScheduler, otelContextScheduler)
      yield* wrapTracer(otelContextTracer)
    })
  )

/**
 * How a program is named in what it exports, which origins receive its runs, and whether spans carry what others sent.
 *
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 *
 * const options: RunOpenTelemetry.NodeSdkOptions = {
 *   serviceName: "support-desk",
 *   propagateTo: ["https://billing.internal"],
 *   inbound: "untrusted"
 * }
 * export const openTelemetry = RunOpenTelemetry.layerNodeSdk(options)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface NodeSdkOptions extends Options, ExportOptions {}

/**
 * Sets OpenTelemetry up in one layer, with `NodeSdk` of `@effect/opentelemetry`: `layer`, and traces, metrics and logs exported to
 * where the `OTEL_*` variables of the environment say. Without any, that is OTLP over HTTP (protobuf) to `http://localhost:4318`.
 *
 * Spans of libraries that OpenTelemetry instruments are exported too, where no other tracer provider is set globally, with the run
 * on them as `RunContextSpanProcessor` puts it there. Releasing the layer sends what is queued, and waits `shutdownTimeout` for it.
 * What cannot be exported is dropped, and a warning is logged.
 *
 * `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` take `otlp`, `console` and `none`;
 * `OTEL_EXPORTER_OTLP_PROTOCOL` takes `http/protobuf` and `http/json`.
 *
 * Fails with `InvalidOrigin` for an entry of `propagateTo` that is no origin, and with `SetupError` for a variable that is not as
 * expected or a package that is not installed: `@effect/opentelemetry` with its peers, and
 * `@opentelemetry/exporter-trace-otlp-proto`, `-metrics-otlp-proto` and `-logs-otlp-proto` (`-http` for JSON).
 *
 * @since 0.2.0
 * @category layers
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 *
 * export const openTelemetry = RunOpenTelemetry.layerNodeSdk({
 *   serviceName: "support-desk",
 *   propagateTo: ["https://billing.internal"],
 *   inbound: "untrusted"
 * })
 * ```
 */
export const layerNodeSdk = ({
  propagateTo,
  ...options
}: NodeSdkOptions): Layer.Layer<never, InvalidOrigin | SetupError> =>
  Layer.merge(layer({ propagateTo }), exporting(options))

/**
 * The run that OpenTelemetry's active context holds, such as an instrumented server outside of Effect has received; to be
 * joined with `Botanu.resume`. Lenient and total, as `Propagation.extract` is. The active span is taken for the sender's.
 *
 * @example
 * ```ts
 * import { RunOpenTelemetry } from "botanu-effect/opentelemetry"
 * import { Effect, Option } from "effect"
 *
 * Effect.runPromise(Effect.flatMap(RunOpenTelemetry.activeRun, (run) => Effect.log(Option.isSome(run))))
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const activeRun: Effect.Effect<Option.Option<Run>> = Effect.withFiberRuntime((fiber) => {
  const active = context.active()
  const shown = runOtelContextIn(active)?.run
  if (shown !== undefined) return Effect.succeedSome(shown)
  const received = propagation.getBaggage(active)
  if (received === undefined) return Effect.succeedNone
  const sender = trace.getSpanContext(active)
  const { report, run } = receiveFor(
    fiber,
    fromOpenTelemetry(received),
    () => sender && Tracer.externalSpan({ ...sender, sampled: (sender.traceFlags & 1) === 1 })
  )
  return report === undefined ? Effect.succeed(run) : Effect.as(report, run)
})
