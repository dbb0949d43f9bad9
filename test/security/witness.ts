/**
 * All that a server lets out while it works: spans as they leave the process, log lines as loggers write them, completed runs,
 * and metrics.
 */
import { NodeSdk, OtlpSerialization, OtlpTracer } from "@effect/opentelemetry"
import { FetchHttpClient } from "@effect/platform"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Logger, Metric, type Scope } from "effect"
import { RunExporter } from "../../src/index.js"
import { receiver } from "../platform/receiver.js"

const resource = { serviceName: "edge" }

/** The tracers of Effect programs, each exporting to a collector: OpenTelemetry's SDK, and Effect's own. */
export const tracers = {
  NodeSdk: (collector: string) =>
    NodeSdk.layer(() => ({
      resource,
      spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter({ url: collector }))
    })),
  OtlpTracer: (collector: string) =>
    OtlpTracer.layer({ url: collector, resource }).pipe(
      Layer.provide(OtlpSerialization.layerJson),
      Layer.provide(FetchHttpClient.layer)
    )
}

/** Adds what each of Effect's loggers writes to `lines`. */
export const writingTo = (lines: Array<string>) => {
  const write = (line: string) => {
    lines.push(line)
  }
  return Logger.replace(
    Logger.defaultLogger,
    [Logger.stringLogger, Logger.logfmtLogger, Logger.jsonLogger]
      .map(Logger.map(write))
      .reduce((one, other) => Logger.map(Logger.zip(one, other), () => {}))
  )
}

export interface Testimony {
  readonly spans: string
  readonly logs: string
  readonly runs: string
  readonly metrics: string
}

/** All that was let out while a program ran, once it is over and everything is flushed. */
export const witnessed = <E>(
  tracer: keyof typeof tracers,
  program: Effect.Effect<void, E, Scope.Scope>
): Effect.Effect<Testimony, E, Scope.Scope> =>
  Effect.gen(function* () {
    const collector = yield* receiver((response) => response.writeHead(200).end())
    const lines: Array<string> = []
    const runs: Array<string> = []
    const exporter = RunExporter.layer({
      export: (completed) => Effect.sync(() => runs.push(JSON.stringify(completed)))
    })
    yield* Effect.scoped(program).pipe(
      Effect.provide([tracers[tracer](`${collector.origin}/v1/traces`), writingTo(lines), exporter])
    )
    return {
      spans: collector.received.map(({ body }) => body).join("\n"),
      logs: lines.join("\n"),
      runs: runs.join("\n"),
      metrics: JSON.stringify(yield* Metric.snapshot)
    }
  })
