/**
 * What docs/otlp.md says of a tracer that leaves out the contexts of OpenTelemetry: the spans are the same.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { describe, expect, it } from "@effect/vitest"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Tracer } from "effect"
import { Botanu, Llm } from "../../src/index.js"

const program = Effect.sleep("1 millis").pipe(
  Effect.withSpan("lookup"),
  Effect.zipRight(Llm.track(Effect.yieldNow(), { provider: "openai", model: "quill-2" })),
  Botanu.step("retrieval"),
  Effect.withSpan("work"),
  Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }),
  Effect.withSpan("request")
)

const withoutContexts = (tracer: Tracer.Tracer): Tracer.Tracer =>
  Tracer.make({ span: (...options) => tracer.span(...options), context: (step) => step() })

const spansOf = (change: (tracer: Tracer.Tracer) => Tracer.Tracer) => {
  const exporter = new InMemorySpanExporter()
  const sdk = NodeSdk.layer(() => ({
    resource: { serviceName: "test" },
    spanProcessor: new SimpleSpanProcessor(exporter)
  }))
  const tracing = Layer.unwrapEffect(Effect.map(Effect.tracer, (tracer) => Layer.setTracer(change(tracer))))
  return Effect.scoped(
    Effect.gen(function* () {
      const runtime = yield* Layer.toRuntime(Layer.provide(tracing, sdk))
      yield* Effect.provide(program, runtime)
      return exporter.getFinishedSpans()
    })
  )
}

/** What a span is, apart from ids and times. */
const shapesOf = (spans: ReadonlyArray<ReadableSpan>) =>
  spans.map(({ attributes, events, name, parentSpanContext, status }) => ({
    name,
    parent: spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId)?.name,
    attributes: Object.keys(attributes).sort(),
    events: events.map(({ name }) => name),
    status
  }))

describe("a tracer without contexts of OpenTelemetry", () => {
  it.live("makes the spans that NodeSdk makes", () =>
    Effect.gen(function* () {
      const spans = shapesOf(yield* spansOf(withoutContexts))
      expect(spans).toEqual(shapesOf(yield* spansOf((tracer) => tracer)))
      expect(spans.map(({ name, parent }) => [name, parent])).toEqual([
        ["lookup", "botanu.step/retrieval"],
        ["chat quill-2", "botanu.step/retrieval"],
        ["botanu.step/retrieval", "work"],
        ["work", "botanu.run/Customer Support"],
        ["botanu.run/Customer Support", "request"],
        ["request", undefined]
      ])
      expect(spans[0]?.attributes).toContain("botanu.run_id")
    })
  )
})
