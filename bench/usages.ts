/**
 * What it costs to track a call of a model, beside the same span that a program makes and annotates itself.
 */
import { Effect } from "effect"
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

const comparison: Comparison = {
  name: "tracked call of a model",
  ours: (times) => inRun(repeatedEffect(() => tracked as Effect.Effect<Reply>)(times)),
  theirs: (times) => inRun(repeatedEffect(() => annotated)(times))
}

// What recording a usage may take beside the span of the call.
const aimMicros = 10

/** The lines for one tracer. */
export const usages = ({ layer, name }: NamedTracer): Measurement => ({
  name: `${comparison.name} (${name})`,
  lines: Effect.map(measure(comparison), ({ ours, theirs }) => {
    const added = (ours - theirs) / 1000
    return [
      format({ name: `${comparison.name} (${name})`, ours, theirs, unit: "ns" }),
      `  a usage takes ${added.toFixed(1)} µs (aim: at most ${aimMicros} µs; ${added <= aimMicros ? "ok" : "missed"})`
    ]
  }).pipe(Effect.provide(layer))
})
