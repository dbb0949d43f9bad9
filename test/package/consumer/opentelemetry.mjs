/**
 * A run and a library that OpenTelemetry 3 instruments.
 */
import assert from "node:assert/strict"
import { context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api"
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace"
import { Botanu, RunContext } from "botanu-effect"
import { RunContextSpanProcessor, RunOpenTelemetry } from "botanu-effect/opentelemetry"
import { Effect } from "effect"

const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({
  spanProcessors: [new RunContextSpanProcessor({ inbound: "trusted" }), new SimpleSpanProcessor({ exporter })]
})
const tracer = provider.getTracer("library")

const library = async (name) => {
  await new Promise((resolve) => setImmediate(resolve))
  const headers = {}
  propagation.inject(context.active(), headers)
  tracer.startSpan(name).end()
  return headers
}

const work = Effect.gen(function* () {
  const { runId } = yield* RunContext
  const { spanId, traceId } = yield* Effect.orDie(Effect.currentSpan)
  const headers = yield* Effect.promise(() => library("within"))
  return { runId, spanId, traceId, headers }
}).pipe(Effect.withSpan("work"))

const { runId, spanId, traceId, headers } = await work.pipe(
  Botanu.workflow("Consumer", { eventId: "order-1", customerId: "acme" }),
  Effect.provide(RunOpenTelemetry.layer),
  Effect.runPromise
)
assert.ok(headers.baggage.includes(`botanu.run_id=${runId}`))
assert.equal(headers.traceparent, `00-${traceId}-${spanId}-01`)
assert.deepEqual(await library("after"), {})

const received = propagation.extract(ROOT_CONTEXT, headers)
await context.with(received, () => library("received"))
const joined = Effect.flatMap(RunOpenTelemetry.activeRun, (run) => Botanu.resume(RunContext, run))
assert.equal((await context.with(received, () => Effect.runPromise(joined))).runId, runId)

const [within, after, ofReceived] = exporter.getFinishedSpans()
assert.equal(within.spanContext().traceId, traceId)
assert.equal(within.attributes["botanu.run_id"], runId)
assert.deepEqual(after.attributes, {})
assert.equal(ofReceived.attributes["botanu.run_id"], runId)
assert.equal(trace.getActiveSpan(), undefined)
