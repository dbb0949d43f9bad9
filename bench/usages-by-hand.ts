/**
 * The least that records what a call of an `@effect/ai` model costs, by hand: the span of the call is followed to its end, where its tokens
 * are read, multiplied by two prices, pushed to a list, and their cost is put on the span. It knows no run, checks nothing, and knows no cache, tier,
 * time, customer, budget or exporter.
 */
import { Telemetry } from "@effect/ai"
import { Effect, Layer, type Tracer } from "effect"
import { wrapTracer } from "../src/fiber/TracerWrapper.js"

interface CallByHand {
  readonly model: unknown
  readonly inputTokens: number
  readonly outputTokens: number
  readonly usd: number
  readonly time: number
}

/** US dollars for a token. */
const prices = new Map([["quill-2", { input: 2.5e-6, output: 1e-5 }]])

let calls: Array<CallByHand> = []

const record = (span: Tracer.Span): void => {
  const { attributes } = span
  const inputTokens = attributes.get("gen_ai.usage.input_tokens") as number
  const outputTokens = attributes.get("gen_ai.usage.output_tokens") as number
  const price = prices.get(attributes.get("gen_ai.request.model") as string)
  if (price === undefined) return
  const usd = inputTokens * price.input + outputTokens * price.output
  // As many as a run of the benchmark keeps.
  if (calls.length >= 20) calls = []
  calls.push({ model: attributes.get("gen_ai.response.model"), inputTokens, outputTokens, usd, time: Date.now() })
  span.attribute("botanu.cost.usd", usd)
}

const followingCalls = (tracer: Tracer.Tracer): Tracer.Tracer => {
  const following: Tracer.Tracer = Object.create(tracer)
  following.span = (name, ...options) => {
    const span = tracer.span(name, ...options)
    if (name !== "LanguageModel.generateText") return span
    const end = span.end
    span.end = (time, exit) => {
      record(span)
      end.call(span, time, exit)
    }
    return span
  }
  return following
}

const ignored: Telemetry.SpanTransformer = () => {}

/** What stands in the place of `RunAi.layer`. */
export const layerByHand: Layer.Layer<Telemetry.CurrentSpanTransformer> = Layer.scoped(
  Telemetry.CurrentSpanTransformer,
  Effect.as(wrapTracer(followingCalls), ignored)
)
