import { NodeSdk } from "@effect/opentelemetry"
import { describe, expect, it } from "@effect/vitest"
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer } from "effect"
import { Botanu, BotanuConfig } from "../../src/index.js"
import { RunContextSpanProcessor, RunOpenTelemetry, type SpanProcessorOptions } from "../../src/opentelemetry/index.js"
import { ids, leanKeys, makeRun, otherRunId } from "../runs.js"

/** What makes spans outside of Effect, with the processor under test. */
const library = (options: SpanProcessorOptions) => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    spanProcessors: [new RunContextSpanProcessor(options), new SimpleSpanProcessor(exporter)]
  })
  const tracer = provider.getTracer("library")
  return {
    call: (name: string, attributes = {}) => tracer.startSpan(name, { attributes }).end(),
    attributes: () => exporter.getFinishedSpans().map(({ attributes }) => attributes)
  }
}

const receivedBaggage = (entries: Record<string, string>) =>
  propagation.setBaggage(
    ROOT_CONTEXT,
    propagation.createBaggage(Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, { value }])))
  )

describe("RunContextSpanProcessor", () => {
  it.live("stamps spans of libraries in a run, wherever they are made, and no others", () =>
    Effect.gen(function* () {
      const { attributes, call } = library({ inbound: "untrusted" })
      const calls = Effect.promise(async () => {
        call("first")
        await new Promise((resolve) => setImmediate(resolve))
        call("second")
      })
      yield* calls.pipe(Botanu.resume(makeRun()))
      yield* calls
      expect(attributes()).toEqual([leanKeys, leanKeys, {}, {}])
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("adds the step in a step, also in a run that is started in one, and nothing in detached work", () =>
    Effect.gen(function* () {
      const { attributes, call } = library({ inbound: "untrusted" })
      const x = Effect.sync(() => call("x"))
      const work = Effect.all([
        x,
        x.pipe(Botanu.step("retrieval")),
        x.pipe(Botanu.workflow("Child", ids), Botanu.step("retrieval")),
        x,
        Botanu.detached(x),
        x
      ])
      yield* work.pipe(Botanu.workflow("Support", ids))
      expect(attributes().map((own) => [own["botanu.workflow"], own["botanu.step"]])).toEqual([
        ["Support", undefined],
        ["Support", "retrieval"],
        ["Child", "retrieval"],
        ["Support", undefined],
        [undefined, undefined],
        ["Support", undefined]
      ])
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("adds three keys in full mode", () =>
    Effect.gen(function* () {
      const { attributes, call } = library({ inbound: "untrusted" })
      const run = makeRun({ tenantId: "acme", parentRunId: otherRunId, attempt: 2 })
      yield* Effect.sync(() => call("x")).pipe(Botanu.resume(run))
      expect(attributes()).toEqual([
        {
          ...leanKeys,
          "botanu.environment": "production",
          "botanu.tenant_id": "acme",
          "botanu.parent_run_id": otherRunId
        }
      ])
    }).pipe(
      Effect.provide([
        RunOpenTelemetry.layer({ propagateTo: [] }),
        BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })
      ])
    )
  )

  it.live("leaves what a span says itself", () =>
    Effect.gen(function* () {
      const { attributes, call } = library({ inbound: "untrusted" })
      yield* Effect.sync(() => call("x", { "botanu.workflow": "its own" })).pipe(Botanu.resume(makeRun()))
      expect(attributes()).toEqual([{ ...leanKeys, "botanu.workflow": "its own" }])
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("believes baggage that came in where it is told to, and only of a whole run", () =>
    Effect.sync(() => {
      const given = receivedBaggage({ ...leanKeys, "botanu.tenant_id": "acme", theme: "dark" })
      const bad = receivedBaggage({ ...leanKeys, "botanu.customer_id": "a\u0000b" })
      for (const [inbound, expected] of [
        ["trusted", [leanKeys, {}, {}]] as const,
        ["untrusted", [{}, {}, {}]] as const
      ]) {
        const { attributes, call } = library({ inbound })
        context.with(given, () => call("received"))
        context.with(bad, () => call("bad"))
        call("outside")
        expect(attributes()).toEqual(expected)
      }
    }).pipe(Effect.provide(RunOpenTelemetry.layer({ propagateTo: [] })))
  )

  it.live("does not put the run around it on the span of a run", () =>
    Effect.gen(function* () {
      const exporter = new InMemorySpanExporter()
      const tracer = NodeSdk.layer(() => ({
        resource: { serviceName: "test" },
        spanProcessor: [new RunContextSpanProcessor({ inbound: "trusted" }), new SimpleSpanProcessor(exporter)]
      }))
      yield* Effect.gen(function* () {
        const child = Effect.withSpan(Effect.void, "inner").pipe(Botanu.workflow("Child", ids))
        yield* child.pipe(Botanu.workflow("Parent", { ...ids, tenantId: "acme" }))
        const spans = exporter.getFinishedSpans()
        expect(spans.map(({ attributes, name }) => [name, attributes["botanu.workflow"]])).toEqual([
          ["inner", "Child"],
          ["botanu.run/Child", "Child"],
          ["botanu.run/Parent", "Parent"]
        ])
        expect(spans[1]?.attributes).not.toHaveProperty(["botanu.tenant_id"])
      }).pipe(Effect.provide(tracer))
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          RunOpenTelemetry.layer({ propagateTo: [] }),
          BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })
        )
      )
    )
  )

  it("has to be told whom to believe", async () => {
    // @ts-expect-error: inbound is required
    const processor = new RunContextSpanProcessor({})
    await processor.forceFlush()
    await processor.shutdown()
  })
})
