/**
 * A run span with more attributes than a tracer keeps: what came of the run is among those that are kept.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { describe, expect, it } from "@effect/vitest"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect } from "effect"
import { Botanu, Llm, Outcome, PriceBook, type RunContext } from "../../src/index.js"
import { ids } from "../runs.js"

const prices = PriceBook.layer([{ model: "quill-2", usd: { inputToken: "0.001", outputToken: "0.002" } }])

const call = Llm.track(Effect.succeed("draft"), {
  provider: "acme",
  model: "quill-2",
  usage: () => ({ inputTokens: 10, outputTokens: 5 })
})

/** More attributes on the span of the run than any tracer keeps by default. */
const flood = Effect.annotateCurrentSpan(
  Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`app.key.${index}`, index]))
)

const attributesOf = (
  work: Effect.Effect<unknown, unknown, RunContext>,
  options: Partial<Botanu.WorkflowOptions<unknown>> = {}
) =>
  Effect.gen(function* () {
    const exporter = new InMemorySpanExporter()
    const tracer = NodeSdk.layer(() => ({
      resource: { serviceName: "test" },
      spanProcessor: new SimpleSpanProcessor(exporter)
    }))
    return yield* work.pipe(
      Botanu.workflow("Support", { ...ids, ...options }),
      Effect.exit,
      Effect.map(() => {
        const span = exporter.getFinishedSpans().find(({ name }) => name === "botanu.run/Support")
        return span === undefined ? {} : { ...span.attributes, dropped: span.droppedAttributesCount }
      }),
      Effect.provide([tracer, prices])
    )
  })

describe("a run span that is full", () => {
  it.effect("has the outcome, the duration and the cost of the run", () =>
    Effect.gen(function* () {
      const work = call.pipe(
        Effect.zipRight(flood),
        Effect.zipRight(call),
        Effect.zipRight(Outcome.emit("partial", { valueType: "tickets", valueAmount: 1 }))
      )
      const attributes: Record<string, unknown> = yield* attributesOf(work)
      expect(attributes).toMatchObject({
        "botanu.outcome.status": "partial",
        "botanu.run.cost_usd": 0.04,
        "botanu.run.input_tokens": 20
      })
      expect(attributes["botanu.run.duration_ms"]).toBeTypeOf("number")
      expect(attributes["dropped"]).toBeGreaterThan(300)
    })
  )

  it.effect("has an unknown outcome while the run is at work", () => {
    let atWork: unknown
    const look = Effect.map(Effect.currentSpan, (span) => {
      atWork = span.attributes.get("botanu.outcome.status")
    })
    return Effect.map(attributesOf(Effect.orDie(look)), (attributes) => {
      expect(atWork).toBe("unknown")
      expect(attributes).toMatchObject({ "botanu.outcome.status": "success" })
    })
  })

  it.effect("has the status of a run that failed", () =>
    Effect.gen(function* () {
      const attributes = yield* attributesOf(Effect.zipRight(flood, Effect.fail("down")))
      expect(attributes).toMatchObject({ "botanu.outcome.status": "failure" })
    })
  )

  it.effect("has no outcome where the run has none", () =>
    Effect.gen(function* () {
      const attributes = yield* attributesOf(Effect.void, { autoOutcome: false })
      expect(attributes).not.toHaveProperty("botanu.outcome.status")
    })
  )
})
