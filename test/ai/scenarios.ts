/**
 * What calls through the real client of a provider cost: an answer, a stream, and both inside of `Llm.track`.
 */
import { LanguageModel } from "@effect/ai"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, PriceBook, RunExporter } from "../../src/index.js"
import { costText } from "../usages.js"
import { completedRuns, inRun, type openAi, type TransformClient } from "./models.js"
import type { Reply } from "./ProviderServer.js"

const usd = {
  inputToken: "0.01",
  cacheReadToken: "0.001",
  cacheWriteToken: "0.0125",
  cacheWrite1hToken: "0.02",
  outputToken: "0.1"
}

/** Prices of no provider in particular, so that it is the quantities that are seen. */
const prices = Layer.orDie(
  PriceBook.layer(
    ["gpt-x", "claude-x", "grok-x", "gemini-3-x", "anthropic.claude-x", "openai/gpt-x"].map((model) => ({
      model,
      usd: { ...usd, webSearch: 5 },
      serviceTiers: { priority: { usd: { inputToken: "0.02", outputToken: "0.2" } } }
    }))
  )
)

export const ours = Layer.mergeAll(RunAi.layer, RunExporter.layerMemory, prices)

/** The costs of all calls, run by run. */
export const costs = Effect.map(completedRuns, (runs) =>
  runs.map(({ usages }) => usages.map(({ cost }) => costText(cost)))
)

export const ask = LanguageModel.generateText({ prompt: "Hello?" })
export const stream = Stream.runDrain(LanguageModel.streamText({ prompt: "Hello?" }))

const clients: ReadonlyArray<readonly [name: string, transformClient: TransformClient | undefined]> = [
  ["observed", RunAi.observe],
  ["not observed", undefined]
]

/** The cost of an answer, and of a stream. */
type Streamed = readonly [answer: string, stream: string]

export interface Scenario {
  readonly kind: Pick<typeof openAi, "model" | "modelOf" | "name" | "server">
  readonly reply: Reply
  readonly cost: string
  /** Where nobody sees what passes between client and provider. */
  readonly unobserved?: string | Streamed
}

/** Tests of answers and streams of the real clients, by a name. */
export const describeScenarios = (scenarios: Readonly<Record<string, Scenario>>): void => {
  for (const [name, { cost, kind, reply, unobserved = cost }] of Object.entries(scenarios)) {
    describe.each(clients)(`${name}; the client is %s`, (_, transformClient) => {
      it.scopedLive("an answer, a stream, and both inside of Llm.track", () =>
        Effect.gen(function* () {
          const provider = yield* kind.server
          provider.script(reply, reply, reply, reply)
          const tracked = Llm.track({ provider: kind.name, model: kind.model })
          for (const work of [ask, stream, tracked(ask), tracked(stream)]) {
            yield* inRun(work).pipe(Effect.provide(kind.modelOf(provider, transformClient)))
          }
          const expected = transformClient === undefined ? unobserved : cost
          const [answer, streamed] = typeof expected === "string" ? [expected, expected] : expected
          expect(yield* costs).toEqual([[answer], [streamed], [answer], [streamed]])
        }).pipe(Effect.provide(ours))
      )
    })
  }
}
