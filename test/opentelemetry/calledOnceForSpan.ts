/**
 * Telemetry whose tracer is called as that of `layerNodeSdk` is.
 */
import { Effect, Layer } from "effect"
import { onlyActivatesSpans } from "../../src/opentelemetry/OtelContextTracer.js"

/** The tracer of a layer, called once for each span of a run. */
export const calledOnceForSpan = <A, E, R>(telemetry: Layer.Layer<A, E, R>): Layer.Layer<never, E, R> =>
  Layer.unwrapEffect(Effect.map(Effect.tracer, (tracer) => Layer.setTracer(onlyActivatesSpans(tracer)))).pipe(
    Layer.provide(telemetry)
  )
