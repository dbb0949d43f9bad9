/**
 * What calls cost, through the real clients, of servers that answer as the providers do.
 */
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, type RunContext } from "../../src/index.js"
import { anthropic, completedRuns, inRun, openAi } from "./models.js"
import { openAiServer } from "./OpenAiServer.js"
import type { Written } from "./ProviderServer.js"
import { costs, describeScenarios, ours, type Scenario } from "./scenarios.js"

const scenarios: Readonly<Record<string, Scenario>> = {
  "OpenAI: cache and reasoning inside": {
    kind: openAi,
    reply: {
      usage: {
        input_tokens: 100,
        input_tokens_details: { cached_tokens: 50 },
        output_tokens: 10,
        output_tokens_details: { reasoning_tokens: 4 },
        total_tokens: 110
      }
    },
    cost: "1.55"
  },
  "OpenAI: what was served is a tier": {
    kind: openAi,
    reply: {
      fields: { service_tier: "priority" },
      usage: {
        input_tokens: 100,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 10,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 110
      }
    },
    cost: "4"
  },
  "Anthropic: cache writes that are kept for 5 minutes and for 1 hour": {
    kind: anthropic,
    reply: {
      usage: {
        input_tokens: 100,
        cache_read_input_tokens: 1000,
        cache_creation_input_tokens: 300,
        cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
        output_tokens: 10,
        service_tier: "standard"
      }
    },
    // 1 + 1 + 1.25 + 4 + 1
    cost: "8.25"
  },
  "Anthropic: searches of the web": {
    kind: anthropic,
    reply: {
      usage: {
        input_tokens: 100,
        output_tokens: 10,
        server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
        service_tier: "standard"
      }
    },
    cost: "12"
  },
  "Anthropic: a tier of which the price is not known": {
    kind: anthropic,
    reply: { usage: { input_tokens: 100, output_tokens: 10, service_tier: "batch" } },
    cost: "no_price_for_kind"
  },
  "Anthropic: writes of which it is not known how long they are kept": {
    kind: anthropic,
    reply: {
      usage: { input_tokens: 100, cache_creation_input_tokens: 100, output_tokens: 10, service_tier: "standard" }
    },
    cost: "no_usage 3.25"
  }
}

describeScenarios(scenarios)

/** An answer of Chat Completions, whole and as a stream whose last chunks have the usage. */
const chat = (usage: object, model = "grok-x"): Written => {
  const about = { id: "c1", created: 1, model }
  const chunk = (choices: ReadonlyArray<object>, usage?: object) => ({
    data: { ...about, object: "chat.completion.chunk", choices, usage: usage ?? null }
  })
  return {
    json: { ...about, object: "chat.completion", choices: [{ index: 0, message: {}, finish_reason: "stop" }], usage },
    events: [
      chunk([{ index: 0, delta: { content: "Hi" }, finish_reason: null }], { ...usage, completion_tokens: 0 }),
      chunk([{ index: 0, delta: {}, finish_reason: "stop" }]),
      chunk([], usage),
      { data: "[DONE]" }
    ]
  }
}

const gemini = (usageMetadata: object, grounding: object = {}): Written => {
  const answer = (parts: object, more: object) => ({
    candidates: [{ content: { parts: [{ text: "Hi" }] }, ...parts }],
    modelVersion: "gemini-3-x",
    responseId: "g1",
    ...more
  })
  const last = answer({ finishReason: "STOP", ...grounding }, { usageMetadata })
  return {
    json: last,
    events: [{ data: answer({}, { usageMetadata: { promptTokenCount: 100, totalTokenCount: 100 } }) }, { data: last }]
  }
}

/** An answer of the Interactions API: `calls` are steps of the whole one, and events of the streamed one. */
const interaction = (usage: object, more: object = {}, calls: ReadonlyArray<object> = []): Written => {
  const about = { id: "v1_1", object: "interaction", model: "gemini-3-x" }
  const whole = { ...about, status: "completed", service_tier: "standard", usage, ...more }
  return {
    json: { ...whole, steps: calls },
    events: [
      { data: { event_type: "interaction.created", interaction: { ...about, status: "in_progress" } } },
      ...calls.map((step, index) => ({ data: { event_type: "step.start", index, step } })),
      { data: { event_type: "step.delta", index: 9, delta: { type: "text", text: "Hi" } } },
      { data: { event_type: "interaction.completed", interaction: whole } }
    ]
  }
}

const interactions = "/v1beta/interactions"
const interacted = { total_input_tokens: 100, total_output_tokens: 1, total_tokens: 101 }
const searched = { type: "google_search_call", id: "c1", arguments: { queries: ["a", "b"] }, search_type: "web_search" }

interface Exchange {
  readonly raw: Written
  readonly path?: string
  readonly cost: string
}

const exchanges: Readonly<Record<string, Exchange>> = {
  "xAI: reasoning beside the completion": {
    raw: chat({
      prompt_tokens: 100,
      completion_tokens: 1,
      total_tokens: 131,
      completion_tokens_details: { reasoning_tokens: 30 }
    }),
    cost: "4.1"
  },
  "xAI: what it cost": {
    raw: chat({ prompt_tokens: 100, completion_tokens: 1, total_tokens: 101, cost_in_usd_ticks: 37_756_000 }),
    cost: "0.0037756"
  },
  "DeepSeek: hits of the cache": {
    raw: chat({
      prompt_tokens: 100,
      completion_tokens: 1,
      total_tokens: 101,
      prompt_cache_hit_tokens: 90,
      prompt_cache_miss_tokens: 10
    }),
    cost: "0.29"
  },
  "OpenRouter: what it cost": {
    raw: chat(
      { prompt_tokens: 100, completion_tokens: 1, total_tokens: 101, cost: 0.62, is_byok: false },
      "nobody/knows-x"
    ),
    cost: "0.62"
  },
  "Perplexity: what it cost": {
    raw: chat({
      prompt_tokens: 9,
      completion_tokens: 1,
      total_tokens: 10,
      search_context_size: "low",
      cost: { total_cost: 0.005393 }
    }),
    cost: "0.005393"
  },
  "totals that do not add up": {
    raw: chat({ prompt_tokens: 100, completion_tokens: 1, total_tokens: 777 }),
    cost: "no_usage 1.1"
  },
  "a quantity that nobody has heard of": {
    raw: chat({ prompt_tokens: 100, completion_tokens: 1, total_tokens: 101, smell_tokens: 7 }),
    cost: "no_price_for_kind 1.1"
  },
  "Gemini: thoughts and what tools gave back": {
    raw: gemini({
      promptTokenCount: 100,
      candidatesTokenCount: 1,
      thoughtsTokenCount: 30,
      toolUsePromptTokenCount: 50,
      totalTokenCount: 181
    }),
    path: "/v1beta/models/gemini-3-x:generateContent",
    cost: "4.6"
  },
  "Gemini: searches of the web": {
    raw: gemini(
      { promptTokenCount: 100, candidatesTokenCount: 1, totalTokenCount: 101 },
      { groundingMetadata: { webSearchQueries: ["a", "b"] } }
    ),
    path: "/v1beta/models/gemini-3-x:streamGenerateContent",
    cost: "11.1"
  },
  "Interactions: thoughts and what tools gave back": {
    raw: interaction({
      total_input_tokens: 100,
      input_tokens_by_modality: [{ modality: "text", tokens: 100 }],
      total_cached_tokens: 0,
      total_output_tokens: 1,
      total_tool_use_tokens: 50,
      total_thought_tokens: 30,
      total_tokens: 181
    }),
    path: interactions,
    cost: "4.6"
  },
  "Interactions of Vertex AI: cached tokens": {
    raw: interaction({ totalInputTokens: 100, totalCachedTokens: 90, totalOutputTokens: 1, totalTokens: 101 }),
    path: "/v1beta1/projects/p/locations/global/interactions",
    cost: "0.29"
  },
  "Interactions: another tier": {
    raw: interaction(interacted, { service_tier: "priority" }),
    path: interactions,
    cost: "2.2"
  },
  "Interactions: searches that are counted": {
    raw: interaction({ ...interacted, grounding_tool_count: [{ type: "google_search", count: 2 }] }, {}, [searched]),
    path: interactions,
    cost: "11.1"
  },
  "Interactions: searches among the steps": {
    raw: interaction(interacted, {}, [searched, { ...searched, id: "c2", arguments: { queries: ["b", ""] } }]),
    path: interactions,
    cost: "11.1"
  },
  "Interactions: a search without its queries": {
    raw: interaction(interacted, {}, [{ type: "google_search_call" }]),
    path: interactions,
    cost: "no_usage 1.1"
  },
  "Interactions: a tool that has no price": {
    raw: interaction({ ...interacted, grounding_tool_count: [{ type: "google_maps", count: 1 }] }),
    path: interactions,
    cost: "no_price_for_kind 1.1"
  },
  "Interactions: searches of images": {
    raw: interaction(interacted, {}, [{ ...searched, search_type: "image_search" }]),
    path: interactions,
    cost: "no_price_for_kind 1.1"
  },
  "Interactions: totals that do not add up": {
    raw: interaction({ ...interacted, total_tokens: 777 }),
    path: interactions,
    cost: "no_usage 1.1"
  },
  "Interactions: one that is worked on in the background": {
    raw: {
      json: { id: "v1_1", object: "interaction", model: "gemini-3-x", status: "in_progress" },
      events: [
        { data: { event_type: "interaction.created", interaction: { object: "interaction", model: "gemini-3-x" } } }
      ]
    },
    path: interactions,
    cost: "no_usage"
  }
}

describe("clients of others, through RunAi.observe", () => {
  for (const [name, { cost, path = "/v1/chat/completions", raw }] of Object.entries(exchanges)) {
    it.scopedLive(`${name}: an answer, a stream, and both inside of Llm.track`, () =>
      Effect.gen(function* () {
        const { script, url } = yield* openAiServer
        script({ raw }, { raw }, { raw }, { raw })
        const client = RunAi.observe(yield* HttpClient.HttpClient)
        const post = (isStream: boolean): Effect.Effect<unknown, unknown, RunContext> =>
          HttpClientRequest.post(`${url}${path}`).pipe(
            HttpClientRequest.bodyUnsafeJson({ model: "grok-x", stream: isStream }),
            client.execute,
            Effect.flatMap((response) => (isStream ? Stream.runDrain(response.stream) : response.json))
          )
        const tracked = Llm.track({ provider: "openai", model: "grok-x" })
        for (const work of [post(false), post(true), tracked(post(false)), tracked(post(true))]) yield* inRun(work)
        expect(yield* costs).toEqual(Array(4).fill([cost]))
      }).pipe(Effect.provide(ours), Effect.provide(FetchHttpClient.layer))
    )
  }

  const answering = (json: unknown) =>
    RunAi.observe(
      HttpClient.make((request) =>
        Effect.succeed(
          HttpClientResponse.fromWeb(
            request,
            new Response(JSON.stringify(json), { headers: { "content-type": "application/json" } })
          )
        )
      )
    )
  const providerOf = (url: string) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.post(url).pipe(HttpClientRequest.bodyUnsafeJson({ model: "grok-x" }))
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
      yield* inRun(Effect.flatMap(answering(chat(usage).json).execute(request), ({ json }) => json))
      return (yield* completedRuns).flatMap(({ usages }) => usages.map(({ usage }) => usage.provider))
    }).pipe(Effect.provide(ours))

  it.effect("are recorded as who they are, or by the name of their host", () =>
    Effect.gen(function* () {
      expect(yield* providerOf("https://api.x.ai/v1/chat/completions")).toEqual(["x_ai"])
      expect(yield* providerOf("https://llm.example.com/v1/chat/completions")).toEqual(["llm.example.com"])
      expect(yield* providerOf("http://127.0.0.1:1/v1/chat/completions")).toEqual(["openai"])
    })
  )
})
