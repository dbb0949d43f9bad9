/**
 * A run and a library that OpenTelemetry 3 instruments.
 */
import assert from "node:assert/strict"
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { Botanu, RunContext } from "botanu-effect"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { Effect } from "effect"

const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({
  spanProcessors: [new RunContextSpanProcessor({ inbound: "trusted" }), new SimpleSpanProcessor({ exporter })]
})
const tracer = provider.getTracer("library")

// What an instrumented client does for a request to an origin.
const library = async (name, origin = "https://billing.internal") => {
  await new Promise((resolve) => setImmediate(resolve))
  const headers = {}
  const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: { "url.full": `${origin}/` } })
  propagation.inject(trace.setSpan(context.active(), span), headers)
  span.end()
  return headers
}

const work = Effect.gen(function* () {
  const { runId } = yield* RunContext
  const { spanId, traceId } = yield* Effect.orDie(Effect.currentSpan)
  const headers = yield* Effect.promise(() => library("within"))
  const elsewhere = yield* Effect.promise(() => library("elsewhere", "https://partner.example"))
  return { runId, spanId, traceId, headers, elsewhere }
}).pipe(Effect.withSpan("work"))

const { runId, spanId, traceId, headers, elsewhere } = await work.pipe(
  Botanu.workflow("Consumer", { eventId: "order-1", customerId: "acme" }),
  Effect.provide(RunOpenTelemetry.layer({ propagateTo: ["https://billing.internal"] })),
  Effect.runPromise
)
assert.ok(headers.baggage.includes(`botanu.run_id=${runId}`))
assert.ok(headers.traceparent.startsWith(`00-${traceId}-`))
assert.equal(elsewhere.baggage, undefined)
assert.equal((await library("after")).baggage, undefined)

const received = propagation.extract(ROOT_CONTEXT, headers)
await context.with(received, () => library("received"))
const joined = Effect.flatMap(RunOpenTelemetry.activeRun, (run) => Botanu.resume(RunContext, run))
assert.equal((await context.with(received, () => Effect.runPromise(joined))).runId, runId)

const [within, , after, ofReceived] = exporter.getFinishedSpans()
assert.equal(within.spanContext().traceId, traceId)
assert.equal(within.parentSpanContext?.spanId, spanId)
assert.equal(within.attributes["botanu.run_id"], runId)
assert.equal(after.attributes["botanu.run_id"], undefined)
assert.equal(ofReceived.attributes["botanu.run_id"], runId)
assert.equal(trace.getActiveSpan(), undefined)

// What the layer of `NodeSdk` needs is not installed, and is not loaded before.
const options = { serviceName: "consumer", propagateTo: [], inbound: "untrusted" }
const refused = await Effect.runPromise(
  Effect.flip(Effect.provide(Effect.void, RunOpenTelemetry.layerNodeSdk(options)))
)
assert.equal(refused.message, "@effect/opentelemetry: expected the package to be installed")
