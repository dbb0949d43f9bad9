/**
 * The tracers that runs are measured on.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { ExportResultCode } from "@opentelemetry/core"
import { SimpleSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Layer } from "effect"

const discard: SpanExporter = {
  export: (_spans, done) => done({ code: ExportResultCode.SUCCESS }),
  shutdown: () => Promise.resolve()
}

/**
 * `NodeSdk` hands on each span as it ends. A batch processor drops spans when it is hurried, and a benchmark would count that
 * as speed.
 */
const sdk = NodeSdk.layer(() => ({
  resource: { serviceName: "bench" },
  spanProcessor: new SimpleSpanProcessor(discard)
}))

export interface NamedTracer {
  readonly name: string
  readonly layer: Layer.Layer<never>
}

export const nodeSdk: NamedTracer = { name: "NodeSdk", layer: Layer.discard(sdk) }

export const tracers: ReadonlyArray<NamedTracer> = [{ name: "native tracer", layer: Layer.empty }, nodeSdk]
