/**
 * What it costs to record calls of models, beside the same calls on spans that nobody looks at.
 */
import { LanguageModel, type Response, Telemetry } from "@effect/ai"
import { Effect, Stream } from "effect"
import { RunAi } from "../src/ai/index.js"
import { Llm, PriceBook } from "../src/index.js"
import { type Comparison, type Measurement, measure, repeatedEffect } from "./measure.js"
import { run } from "./subjects.js"
import { format } from "./table.js"
import type { NamedTracer } from "./tracers.js"

interface Reply {
  readonly model: string
  readonly inputTokens: number
  readonly outputTokens: number
}

const reply: Effect.Effect<Reply> = Effect.succeed({ model: "quill-2-0611", inputTokens: 1204, outputTokens: 87 })

const tracked = Llm.track(reply, {
  provider: "openai",
  model: "quill-2",
  usage: ({ inputTokens, model, outputTokens }) => ({ responseModel: model, inputTokens, outputTokens })
})

const annotated = Effect.useSpan(
  "chat quill-2",
  {
    kind: "client",
    captureStackTrace: false,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "quill-2"
    }
  },
  (span) =>
    Effect.withParentSpan(
      Effect.map(reply, (reply) => {
        span.attribute("gen_ai.response.model", reply.model)
        span.attribute("gen_ai.usage.input_tokens", reply.inputTokens)
        span.attribute("gen_ai.usage.output_tokens", reply.outputTokens)
        return reply
      }),
      span
    )
)

const prices = PriceBook.layer([
  {
    provider: "openai",
    model: "quill-2",
    usd: { inputToken: PriceBook.perMillion("2.50"), outputToken: PriceBook.perMillion(10) }
  }
])

const inRun = (calls: Effect.Effect<void>) => Effect.orDie(Effect.provide(run(calls), prices))

const parts: Array<Response.PartEncoded> = [
  { type: "response-metadata", id: "resp_1", modelId: "quill-2-0611", timestamp: "2026-06-11T00:00:00Z" },
  { type: "text", text: "Have you tried turning it off and on?" },
  { type: "finish", reason: "stop", usage: { inputTokens: 1204, outputTokens: 87, totalTokens: 1291 } }
]

const model = LanguageModel.make({
  generateText: ({ span }) =>
    Effect.sync(() => {
      Telemetry.addGenAIAnnotations(span, {
        system: "openai",
        operation: { name: "chat" },
        request: { model: "quill-2" },
        response: { id: "resp_1", model: "quill-2-0611", finishReasons: ["stop"] },
        usage: { inputTokens: 1204, outputTokens: 87 }
      })
      return parts
    }),
  streamText: () => Stream.empty
})

const asking = (times: number) =>
  Effect.flatMap(model, (model) => repeatedEffect(() => model.generateText({ prompt: "Nothing works." }))(times))

/** A comparison, and what recording a usage may take beside the span of the call, in microseconds. */
interface UsageComparison extends Comparison {
  readonly aimMicros: number
}

const comparisons: ReadonlyArray<UsageComparison> = [
  {
    name: "tracked call of a model",
    aimMicros: 10,
    ours: (times) => inRun(repeatedEffect(() => tracked as Effect.Effect<Reply>)(times)),
    theirs: (times) => inRun(repeatedEffect(() => annotated)(times))
  },
  {
    name: "call of an @effect/ai model",
    aimMicros: 15,
    ours: (times) => Effect.provide(inRun(asking(times)), RunAi.layer),
    theirs: (times) => inRun(asking(times))
  }
]

/** The lines for one tracer. */
export const usages = ({ layer, name: tracer }: NamedTracer): ReadonlyArray<Measurement> =>
  comparisons.map((comparison) => {
    const name = `${comparison.name} (${tracer})`
    const lines = Effect.map(measure(comparison), ({ ours, theirs }) => {
      const { aimMicros } = comparison
      const added = (ours - theirs) / 1000
      return [
        format({ name, ours, theirs, unit: "ns" }),
        `  a usage takes ${added.toFixed(1)} µs (aim: at most ${aimMicros} µs; ${added <= aimMicros ? "ok" : "missed"})`
      ]
    })
    return { name, lines: Effect.provide(lines, layer) }
  })
