/**
 * What it costs to record calls of models. A tracked call is compared with the same call on a span of the program's own, with the same
 * attributes. A call of an `@effect/ai` model is compared with itself: alone, in a span of the program's own, with `RunAi.layer`, with the
 * least by hand in its place, and with `RunAi.observe` on a client that answers at once. All are in runs of 20 calls, as a record keeps each
 * call until its run is over, and layers are provided once, as to a whole program. What is added is the median of 300 differences of CPU time.
 */
import { LanguageModel, type Response as ModelResponse, Telemetry } from "@effect/ai"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Fiber, Layer, Stream } from "effect"
import { RunAi } from "../src/ai/index.js"
import { Llm, PriceBook } from "../src/index.js"
import {
  type Comparison,
  type Difference,
  type Measurement,
  measureDifference,
  type Repeated,
  repeatedEffect
} from "./measure.js"
import { run } from "./subjects.js"
import { format } from "./table.js"
import type { NamedTracer } from "./tracers.js"
import { layerByHand } from "./usages-by-hand.js"

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

const callsPerRun = 20

/** So many runs of 20 calls. */
const inRuns = (call: () => Effect.Effect<unknown, unknown>): Repeated => {
  const calls = repeatedEffect(call)(callsPerRun)
  const runs = repeatedEffect(() => run(calls))
  return (times) => Effect.orDie(Effect.provide(runs(times), prices))
}

const parts: Array<ModelResponse.PartEncoded> = [
  { type: "response-metadata", id: "resp_1", modelId: "quill-2-0611", timestamp: "2026-06-11T00:00:00Z" },
  { type: "text", text: "Have you tried turning it off and on?" },
  { type: "finish", reason: "stop", usage: { inputTokens: 1204, outputTokens: 87, totalTokens: 1291 } }
]

const annotate = (span: Parameters<typeof Telemetry.addGenAIAnnotations>[0]) =>
  Telemetry.addGenAIAnnotations(span, {
    system: "openai",
    operation: { name: "chat" },
    request: { model: "quill-2" },
    response: { id: "resp_1", model: "quill-2-0611", finishReasons: ["stop"] },
    usage: { inputTokens: 1204, outputTokens: 87 }
  })

/** A model that answers at once, by way of a client where there is one. */
const modelOf = (client?: HttpClient.HttpClient) =>
  LanguageModel.make({
    generateText: ({ span }) => {
      const answer = Effect.sync(() => {
        annotate(span)
        return parts
      })
      if (client === undefined) return answer
      return client.execute(request).pipe(
        Effect.flatMap(({ json }) => json),
        Effect.orDie,
        Effect.zipRight(answer)
      )
    },
    streamText: () => Stream.empty
  })

const request = HttpClientRequest.post("https://api.openai.com/v1/responses").pipe(
  HttpClientRequest.bodyUnsafeJson({ model: "quill-2", input: "Nothing works." })
)

const body = JSON.stringify({
  id: "resp_1",
  model: "quill-2-0611",
  output: [{ type: "message", content: [{ type: "output_text", text: "Have you tried turning it off and on?" }] }],
  usage: {
    input_tokens: 1204,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 87,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 1291
  }
})

const client = HttpClient.make((request) =>
  Effect.sync(() =>
    HttpClientResponse.fromWeb(request, new Response(body, { headers: { "content-type": "application/json" } }))
  )
)

const asking = (
  model: Effect.Effect<LanguageModel.Service>,
  wrap = (call: Effect.Effect<unknown, unknown>) => call
) => {
  return (times: number) =>
    Effect.flatMap(model, (model) => {
      const call = wrap(model.generateText({ prompt: "Nothing works." }))
      return inRuns(() => call)(times)
    })
}

const onSpan = Effect.withSpan("ask", {
  kind: "client",
  captureStackTrace: false,
  attributes: { "app.feature": "support" }
})

/** A comparison, and what is added by ours, in microseconds, at most. */
interface UsageComparison extends Comparison {
  readonly added: string
  /** What is provided to ours. */
  readonly layer?: Layer.Layer<Telemetry.CurrentSpanTransformer>
  readonly aimMicros?: number
}

const observe = Effect.sync(() => RunAi.observe(client))

const comparisons: ReadonlyArray<UsageComparison> = [
  {
    name: "tracked call of a model, beside the same on a span",
    added: "Llm.track",
    aimMicros: 10,
    warmUpRounds: 200,
    ours: inRuns(() => tracked as Effect.Effect<Reply>),
    theirs: inRuns(() => annotated)
  },
  {
    name: "call of an @effect/ai model in a span, beside none",
    added: "a span of the program's own",
    warmUpRounds: 300,
    ours: asking(modelOf(), onSpan),
    theirs: asking(modelOf())
  },
  {
    name: "call of an @effect/ai model with the least by hand in the place of RunAi.layer",
    added: "the least by hand",
    warmUpRounds: 300,
    layer: layerByHand,
    ours: asking(modelOf()),
    theirs: asking(modelOf())
  },
  {
    name: "call of an @effect/ai model with RunAi.layer",
    added: "RunAi.layer",
    aimMicros: 15,
    warmUpRounds: 300,
    layer: RunAi.layer,
    ours: asking(modelOf()),
    theirs: asking(modelOf())
  },
  {
    name: "call through a client with RunAi.observe",
    added: "RunAi.layer with RunAi.observe",
    warmUpRounds: 300,
    layer: RunAi.layer,
    ours: asking(Effect.flatMap(observe, modelOf)),
    theirs: asking(modelOf(client))
  }
]

/** The lines for one tracer. */
export const usages = ({ layer, name: tracer }: NamedTracer): ReadonlyArray<Measurement> =>
  comparisons.map((comparison) => {
    const name = `${comparison.name} (${tracer})`
    const lines = Effect.map(differenceOf(comparison), ({ added: nanos, ours, theirs }) => {
      const { added, aimMicros } = comparison
      const micros = nanos / 1000
      const aim =
        aimMicros === undefined ? "" : ` (aim: at most ${aimMicros}; ${micros <= aimMicros ? "ok" : "missed"})`
      return [format({ name, ours, theirs, unit: "ns" }), `  ${added} adds ${micros.toFixed(1)} µs${aim}`]
    })
    return { name, lines: Effect.provide(lines, layer) }
  })

const runsInTurn = 3

/** Nanoseconds for one call. */
const differenceOf = ({ layer, ...comparison }: UsageComparison): Effect.Effect<Difference> =>
  (layer === undefined ? measureDifference(comparison, runsInTurn) : measureWith(layer, comparison)).pipe(
    Effect.map(({ added, ours, theirs }) => ({
      added: added / callsPerRun,
      ours: ours / callsPerRun,
      theirs: theirs / callsPerRun
    })),
    Effect.scoped
  )

/** Builds the layer in a fiber of its own, in which it sets its references: theirs are to have none of them. */
const measureWith = (layer: Layer.Layer<Telemetry.CurrentSpanTransformer>, comparison: Comparison) =>
  Effect.fork(Layer.toRuntime(layer)).pipe(
    Effect.flatMap(Fiber.await),
    Effect.flatten,
    Effect.flatMap((runtime) =>
      measureDifference({ ...comparison, ours: (times) => Effect.provide(comparison.ours(times), runtime) }, runsInTurn)
    )
  )
