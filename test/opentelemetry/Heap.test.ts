/**
 * What the spans of a run leave behind in memory, where OpenTelemetry's active context shows the run: nothing, however long it goes on.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { expect, it } from "@effect/vitest"
import { SimpleSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer } from "effect"
import { Botanu } from "../../src/index.js"
import * as RunOpenTelemetry from "../../src/opentelemetry/RunOpenTelemetry.js"
import { heapUsed } from "../heap.js"
import { ids } from "../runs.js"
import { calledOnceForSpan } from "./calledOnceForSpan.js"

const discard: SpanExporter = { export: (_spans, done) => done({ code: 0 }), shutdown: () => Promise.resolve() }

const nodeSdk = NodeSdk.layer(() => ({
  resource: { serviceName: "test" },
  spanProcessor: new SimpleSpanProcessor(discard)
}))

const tracers = { NodeSdk: Layer.discard(nodeSdk), "NodeSdk of layerNodeSdk": calledOnceForSpan(nodeSdk) }

const wait = Effect.promise(() => Promise.resolve())

/** A promise resumes a fiber in the OpenTelemetry context of the step that waited for it. */
const inSpan = Effect.zipRight(Effect.withSpan(wait, "part"), wait)

const total = 10_000

it.live.each(Object.entries(tracers))("spans of a run leave nothing behind, with %s", ([, tracer]) =>
  Effect.gen(function* () {
    yield* Effect.repeatN(inSpan, total)
    const before = yield* heapUsed
    yield* Effect.repeatN(inSpan, total)
    // A span alone is 1 kB.
    expect((yield* heapUsed) - before).toBeLessThan(100 * total)
  }).pipe(Botanu.workflow("W", ids), Effect.provide(Layer.merge(RunOpenTelemetry.layer({ propagateTo: [] }), tracer)))
)
