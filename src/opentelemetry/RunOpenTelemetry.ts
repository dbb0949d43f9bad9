/**
 * Runs for libraries that know of OpenTelemetry and not of Effect: its active context shows the run that a fiber works on.
 */
import { context, propagation, trace } from "@opentelemetry/api"
import { Effect, FiberRef, Layer, type Option, Tracer } from "effect"
import { wrapTracer } from "../fiber/TracerWrapper.js"
import { receiveFor } from "../lifecycle/IncomingRun.js"
import type { Run } from "../run/Run.js"
import * as OpenTelemetryGlobals from "./OpenTelemetryGlobals.js"
import { fromOpenTelemetry } from "./OtelBaggage.js"
import { otelContextScheduler } from "./OtelContextScheduler.js"
import { otelContextTracer } from "./OtelContextTracer.js"
import { runOtelContextIn } from "./RunOtelContext.js"

/**
 * While a fiber works on a run, OpenTelemetry's active context holds the run's baggage, also after asynchronous boundaries: so
 * instrumented libraries propagate it, and `RunContextSpanProcessor` stamps their spans. Code that runs after or beside the run
 * sees none of it. Where Effect's tracer is not OpenTelemetry's own, its current span is made the active one.
 *
 * It goes beside `NodeSdk.layer` or `OtlpTracer.layer`, in any order. A context manager and the W3C propagators are set
 * globally where none are, for good.
 */
export const layer: Layer.Layer<never> = Layer.scopedDiscard(
  OpenTelemetryGlobals.setMissing.pipe(
    Effect.zipRight(Effect.locallyScopedWith(FiberRef.currentScheduler, otelContextScheduler)),
    Effect.zipRight(wrapTracer(otelContextTracer))
  )
)

/**
 * The run that OpenTelemetry's active context holds, such as an instrumented server outside of Effect has received; to be
 * joined with `Botanu.resume`. Lenient and total, as `Propagation.extract` is. The active span is taken for the sender's.
 */
export const activeRun: Effect.Effect<Option.Option<Run>> = Effect.withFiberRuntime((fiber) => {
  const active = context.active()
  const shown = runOtelContextIn(active)?.run
  if (shown !== undefined) return Effect.succeedSome(shown)
  const received = propagation.getBaggage(active)
  if (received === undefined) return Effect.succeedNone
  const { report, run } = receiveFor(fiber, fromOpenTelemetry(received), () => {
    const sender = trace.getSpanContext(active)
    return sender && Tracer.externalSpan({ ...sender, sampled: (sender.traceFlags & 1) === 1 })
  })
  return report === undefined ? Effect.succeed(run) : Effect.as(report, run)
})
