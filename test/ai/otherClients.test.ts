/**
 * The clients of Google, OpenRouter and Amazon Bedrock, which want an earlier `@effect/ai` than the others, with the `@effect/ai` of
 * those.
 */
import { AmazonBedrockClient, AmazonBedrockLanguageModel } from "@effect/ai-amazon-bedrock"
import { GoogleClient, GoogleLanguageModel } from "@effect/ai-google"
import { OpenRouterClient, OpenRouterLanguageModel } from "@effect/ai-openrouter"
import { FetchHttpClient } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { PriceBook, RunExporter } from "../../src/index.js"
import { bedrockServer } from "./BedrockServer.js"
import { googleServer } from "./GoogleServer.js"
import { completedRuns, inRun, recorded, type TransformClient } from "./models.js"
import { openRouterServer } from "./OpenRouterServer.js"
import type { Provider } from "./ProviderServer.js"
import { ask, costs, describeScenarios, ours, type Scenario, stream } from "./scenarios.js"

const apiKey = Redacted.make("not a secret")

const google: Scenario["kind"] = {
  name: "gemini",
  model: "gemini-3-x",
  server: googleServer,
  modelOf: ({ url }, transformClient = (client) => client) =>
    GoogleLanguageModel.layer({ model: "gemini-3-x" }).pipe(
      Layer.provide(GoogleClient.layer({ apiKey, apiUrl: url, transformClient })),
      Layer.provide(FetchHttpClient.layer)
    )
}

const bedrock: Scenario["kind"] = {
  name: "bedrock",
  model: "anthropic.claude-x",
  server: bedrockServer,
  modelOf: ({ url }, transformClient = (client) => client) =>
    AmazonBedrockLanguageModel.layer({ model: "anthropic.claude-x" }).pipe(
      Layer.provide(
        AmazonBedrockClient.layer({ accessKeyId: "not a key", secretAccessKey: apiKey, apiUrl: url, transformClient })
      ),
      Layer.provide(FetchHttpClient.layer)
    )
}

const openRouter: Scenario["kind"] = {
  name: "openrouter",
  model: "openai/gpt-x",
  server: openRouterServer,
  modelOf: ({ url }, transformClient = (client) => client) =>
    OpenRouterLanguageModel.layer({ model: "openai/gpt-x" }).pipe(
      Layer.provide(OpenRouterClient.layer({ apiKey, apiUrl: `${url}/api/v1`, transformClient })),
      Layer.provide(FetchHttpClient.layer)
    )
}

/** What an answer says of where it is from. */
const grounded = (groundingMetadata: object) => ({
  candidates: [{ content: { role: "model", parts: [{ text: "Hi" }] }, finishReason: "STOP", groundingMetadata }]
})

describeScenarios({
  "Gemini: thoughts and what tools gave back are beside": {
    kind: google,
    reply: {
      usage: {
        promptTokenCount: 100,
        candidatesTokenCount: 1,
        thoughtsTokenCount: 30,
        toolUsePromptTokenCount: 50,
        totalTokenCount: 181
      }
    },
    cost: "4.6"
  },
  "Gemini: cached tokens are inside": {
    kind: google,
    reply: {
      usage: { promptTokenCount: 100, cachedContentTokenCount: 90, candidatesTokenCount: 1, totalTokenCount: 101 }
    },
    cost: "0.29"
  },
  "Gemini: searches of the web": {
    kind: google,
    reply: {
      usage: { promptTokenCount: 100, candidatesTokenCount: 1, totalTokenCount: 101 },
      fields: grounded({ webSearchQueries: ["a", "b"] })
    },
    cost: "11.1"
  },
  "Gemini: maps that were looked at": {
    kind: google,
    reply: {
      usage: { promptTokenCount: 100, candidatesTokenCount: 1, totalTokenCount: 101 },
      fields: grounded({ groundingChunks: [{ maps: { uri: "https://maps.example", title: "Here" } }] })
    },
    cost: "no_price_for_kind 1.1"
  },
  "OpenRouter: what it cost": {
    kind: openRouter,
    reply: { usage: { prompt_tokens: 100, completion_tokens: 1, total_tokens: 101, cost: 0.62 } },
    cost: "0.62"
  },
  "OpenRouter: cache and reasoning inside": {
    kind: openRouter,
    reply: {
      usage: {
        prompt_tokens: 100,
        prompt_tokens_details: { cached_tokens: 50 },
        completion_tokens: 10,
        completion_tokens_details: { reasoning_tokens: 4 },
        total_tokens: 110
      }
    },
    cost: "1.55"
  },
  "Amazon Bedrock: cached tokens are beside": {
    kind: bedrock,
    reply: {
      usage: {
        inputTokens: 10,
        outputTokens: 1,
        totalTokens: 101,
        cacheReadInputTokens: 90,
        cacheWriteInputTokens: 0
      }
    },
    cost: "0.29",
    unobserved: ["0.29", "no_usage"]
  },
  "Amazon Bedrock: what was written to the cache is kept for 5 minutes": {
    kind: bedrock,
    reply: {
      usage: {
        inputTokens: 10,
        outputTokens: 1,
        totalTokens: 111,
        cacheReadInputTokens: 0,
        cacheWriteInputTokens: 100,
        cacheDetails: [{ ttl: "5m", inputTokens: 100 }]
      }
    },
    // 0.1 + 1.25 + 0.1
    cost: "1.45",
    unobserved: ["1.45", "no_usage"]
  },
  "OpenRouter: a key of one's own": {
    kind: openRouter,
    reply: {
      usage: {
        prompt_tokens: 100,
        completion_tokens: 1,
        total_tokens: 101,
        cost: 0.002,
        is_byok: true,
        cost_details: { upstream_inference_cost: 0.04 }
      }
    },
    cost: "0.042"
  }
})

const tokens = { inputTokens: 100, outputTokens: 1, totalTokens: 101 }
const optimized = { performanceConfig: { latency: "optimized" } } as const

it.scopedLive("Amazon Bedrock: optimized latency is a tier, and is not seen where the client is not observed", () =>
  Effect.gen(function* () {
    const provider = yield* bedrock.server
    const reply = { usage: tokens, fields: optimized }
    provider.script(reply, reply, reply)
    for (const work of [ask, stream]) {
      yield* inRun(work).pipe(Effect.provide(bedrock.modelOf(provider, RunAi.observe)))
    }
    yield* inRun(AmazonBedrockLanguageModel.withConfigOverride(ask, optimized)).pipe(
      Effect.provide(bedrock.modelOf(provider))
    )
    expect(yield* costs).toEqual([["no_price_for_kind"], ["no_price_for_kind"], ["no_usage 1.1"]])
  }).pipe(Effect.provide(ours))
)

it.scopedLive("Amazon Bedrock: a call that nobody observed is unpriced where optimized latency has a price", () =>
  Effect.gen(function* () {
    const provider = yield* bedrock.server
    provider.script({ usage: tokens }, { usage: tokens })
    for (const transformClient of [undefined, RunAi.observe]) {
      yield* inRun(ask).pipe(Effect.provide(bedrock.modelOf(provider, transformClient)))
    }
    expect(yield* costs).toEqual([["no_usage 1.1"], ["1.1"]])
  }).pipe(
    Effect.provide([
      RunAi.layer,
      RunExporter.layerMemory,
      PriceBook.layer([
        {
          model: "anthropic.claude-x",
          usd: { inputToken: "0.01", outputToken: "0.1" },
          serviceTiers: { optimized_latency: { usd: { inputToken: "0.02", outputToken: "0.2" } } }
        }
      ])
    ])
  )
)

for (const [name, kind, provider] of [
  ["Gemini", google, "gcp.gemini"],
  ["OpenRouter", openRouter, "openrouter"],
  ["Amazon Bedrock", bedrock, "aws.bedrock"]
] as const) {
  for (const [how, transformClient] of [
    ["observed", RunAi.observe],
    ["not observed", undefined]
  ] as const satisfies ReadonlyArray<readonly [string, TransformClient | undefined]>) {
    it.scopedLive(`${name}, ${how}: refused calls cost nothing, and those that are cut off are not known`, () =>
      Effect.gen(function* () {
        const server: Provider = yield* kind.server
        server.script({ status: 429 }, { cutAfter: 1 }, { tokens: { input: 100, output: 10 } })
        const model = kind.modelOf(server, transformClient)
        for (const work of [ask, stream, ask]) yield* Effect.exit(inRun(work).pipe(Effect.provide(model)))
        const [refused, cut, served] = yield* costs
        expect(refused).toEqual(["0"])
        expect(cut).toEqual([expect.stringMatching(/^no_usage/)])
        expect(served).toEqual(["2"])
        expect(yield* recorded).toMatchObject(Array(3).fill({ provider, model: kind.model }))
        expect((yield* completedRuns).map(({ usages }) => usages.length)).toEqual([1, 1, 1])
      }).pipe(Effect.provide(ours))
    )
  }
}
