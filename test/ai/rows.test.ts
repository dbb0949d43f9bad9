/**
 * Every way in which a call was once priced wrongly, end to end: through the real clients against servers that answer as the
 * providers do, whole and streamed, alone and inside of `Llm.track`, observed and not; and by `RunAi.usageIn` of the same answers.
 */
import { LanguageModel, Toolkit } from "@effect/ai"
import { AnthropicLanguageModel } from "@effect/ai-anthropic"
import { OpenAiClient, OpenAiTool } from "@effect/ai-openai"
import { HttpBody, HttpClient, HttpClientRequest } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Schema, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { fromText } from "../../src/cost/LiteLlmPrices.js"
import { Llm, PriceBook, RunExporter, Usage } from "../../src/index.js"
import { costText } from "../usages.js"
import { anthropic, completedRuns, inRun, openAi, openAiClient, type TransformClient } from "./models.js"
import { openAiServer } from "./OpenAiServer.js"
import type { Reply, Written } from "./ProviderServer.js"

/** Entries as LiteLLM's file has them, of models that there are not. */
const file = {
  "claude-x": {
    litellm_provider: "anthropic",
    mode: "chat",
    input_cost_per_token: 5e-6,
    output_cost_per_token: 2.5e-5,
    cache_read_input_token_cost: 5e-7,
    cache_creation_input_token_cost: 6.25e-6,
    cache_creation_input_token_cost_above_1hr: 1e-5,
    provider_specific_entry: { fast: 6, us: 1.1 },
    search_context_cost_per_query: {
      search_context_size_low: 0.01,
      search_context_size_medium: 0.01,
      search_context_size_high: 0.01
    }
  },
  "gpt-x": {
    litellm_provider: "openai",
    mode: "chat",
    input_cost_per_token: 1e-6,
    output_cost_per_token: 1e-5,
    cache_read_input_token_cost: 1e-7,
    input_cost_per_token_priority: 2e-6,
    output_cost_per_token_priority: 2e-5,
    cache_read_input_token_cost_priority: 2e-7,
    input_cost_per_token_flex: 5e-7,
    output_cost_per_token_flex: 5e-6,
    input_cost_per_token_batches: 5e-7,
    output_cost_per_token_batches: 5e-6,
    web_search_cost_per_request: 0.01,
    code_interpreter_cost_per_session: 0.03
  },
  "gpt-x-audio": {
    litellm_provider: "openai",
    mode: "chat",
    input_cost_per_token: 2.5e-6,
    output_cost_per_token: 1e-5,
    input_cost_per_audio_token: 4e-5,
    output_cost_per_audio_token: 8e-5
  },
  "draw-x": {
    litellm_provider: "openai",
    mode: "image_generation",
    input_cost_per_token: 5e-6,
    output_cost_per_token: 1e-5,
    input_cost_per_image_token: 8e-6,
    output_cost_per_image_token: 3e-5
  },
  "draw-z": {
    litellm_provider: "openai",
    mode: "image_generation",
    input_cost_per_token: 1e-6,
    input_cost_per_image_token: 4e-6,
    output_cost_per_image_token: 3e-5
  },
  "draw-y": {
    litellm_provider: "openai",
    mode: "image_generation",
    input_cost_per_token: 0,
    input_cost_per_image: 0.0011,
    output_cost_per_image: 0.134
  },
  "hear-x": {
    litellm_provider: "openai",
    mode: "audio_transcription",
    input_cost_per_second: 1e-4,
    output_cost_per_second: 0
  },
  "hear-y": {
    litellm_provider: "openai",
    mode: "audio_transcription",
    input_cost_per_token: 2.5e-6,
    input_cost_per_audio_token: 6e-6,
    output_cost_per_token: 1e-5
  },
  "say-x": { litellm_provider: "openai", mode: "audio_speech", input_cost_per_character: 1.5e-5 },
  "say-y": {
    litellm_provider: "openai",
    mode: "audio_speech",
    input_cost_per_token: 2.5e-6,
    output_cost_per_token: 1e-5,
    output_cost_per_audio_token: 1.2e-5
  },
  "rerank-x": {
    litellm_provider: "cohere",
    mode: "rerank",
    input_cost_per_token: 0,
    output_cost_per_token: 0,
    input_cost_per_query: 0.002
  },
  "ranges-x": {
    litellm_provider: "openai",
    mode: "chat",
    tiered_pricing: [
      { range: [0, 1000], input_cost_per_token: 1e-6, output_cost_per_token: 2e-6 },
      { range: [1000, 5000], input_cost_per_token: 3e-6, output_cost_per_token: 4e-6 }
    ]
  }
}

const ofFile = Either.getOrThrow(fromText(JSON.stringify(file), { name: "prices.json" })).prices

const oursWith = (...overrides: ReadonlyArray<PriceBook.Price>) =>
  Layer.mergeAll(
    RunAi.layer,
    RunExporter.layerMemory,
    Layer.orDie(PriceBook.layer([...ofFile, ...overrides], { deployments: { "support-chat": "gpt-x" } }))
  )

const costs = Effect.map(completedRuns, (runs) => runs.map(({ usages }) => usages.map(({ cost }) => costText(cost))))

/** What an answer costs where it is read by `usageIn` of what the provider wrote: as a whole, and event by event. */
const readCosts = (provider: string, model: string, { events, json }: Written) =>
  Effect.gen(function* () {
    const call = { provider, model, usage: RunAi.usageIn(provider) }
    yield* inRun(Llm.track(Effect.succeed(json), call))
    if (events.length > 0) {
      const chunks = Stream.fromIterable(events).pipe(Stream.map(({ data }) => data))
      yield* inRun(Stream.runDrain(Llm.track(chunks, call)))
    }
    return yield* costs
  })

interface ModelRow {
  readonly kind: typeof openAi | typeof anthropic
  readonly reply: Reply
  readonly cost: string
  /** Where nobody sees what passes between client and provider. */
  readonly unobserved?: string
  readonly hasSearch?: boolean
}

const claude = { input_tokens: 100, output_tokens: 10, service_tier: "standard" }
const gpt = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 10,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 110
}
const search = { id: "ws_1", type: "web_search_call", status: "completed", action: { type: "search", query: "q" } }

const modelRows: Readonly<Record<string, ModelRow>> = {
  "cache writes, kept for 1 hour": {
    kind: anthropic,
    reply: {
      usage: {
        ...claude,
        cache_creation_input_tokens: 300,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 300 }
      }
    },
    cost: "0.00375"
  },
  "cache writes, kept for 5 minutes": {
    kind: anthropic,
    reply: {
      usage: {
        ...claude,
        cache_creation_input_tokens: 300,
        cache_creation: { ephemeral_5m_input_tokens: 300, ephemeral_1h_input_tokens: 0 }
      }
    },
    cost: "0.002625"
  },
  "the tier priority": { kind: openAi, reply: { usage: gpt, fields: { service_tier: "priority" } }, cost: "0.0004" },
  "the tier flex": { kind: openAi, reply: { usage: gpt, fields: { service_tier: "flex" } }, cost: "0.0001" },
  "the tier default": { kind: openAi, reply: { usage: gpt, fields: { service_tier: "default" } }, cost: "0.0002" },
  "a tier without a price": {
    kind: openAi,
    reply: { usage: gpt, fields: { service_tier: "scale" } },
    cost: "no_price_for_kind"
  },
  "cached tokens in a tier that has no price for them": {
    kind: openAi,
    reply: { usage: { ...gpt, input_tokens_details: { cached_tokens: 40 } }, fields: { service_tier: "flex" } },
    cost: "no_price_for_kind 0.00008"
  },
  "fast mode": {
    kind: anthropic,
    reply: { usage: { ...claude, speed: "fast" } },
    cost: "0.0045",
    // The client's schema has no speed.
    unobserved: "0.00075"
  },
  "fees of searches at Anthropic": {
    kind: anthropic,
    reply: { usage: { ...claude, server_tool_use: { web_search_requests: 3, web_fetch_requests: 0 } } },
    cost: "0.03075"
  },
  "fees of searches at OpenAI": {
    kind: openAi,
    reply: { usage: gpt, items: [search, { ...search, id: "ws_2" }] },
    hasSearch: true,
    cost: "0.0202"
  },
  "reasoning inside of the output, in Responses": {
    kind: openAi,
    reply: { usage: { ...gpt, output_tokens_details: { reasoning_tokens: 8 } } },
    cost: "0.0002"
  }
}

const toolkit = Toolkit.make(OpenAiTool.WebSearch({}))
const prompt = "Hello?"

const worksOf = ({ hasSearch = false, kind }: ModelRow) => {
  const ask = hasSearch
    ? Effect.asVoid(LanguageModel.generateText({ prompt, toolkit }))
    : Effect.asVoid(LanguageModel.generateText({ prompt }))
  const stream = hasSearch
    ? Stream.runDrain(LanguageModel.streamText({ prompt, toolkit }))
    : Stream.runDrain(LanguageModel.streamText({ prompt }))
  const tracked = Llm.track({ provider: kind.name, model: kind.model })
  return [ask, stream, tracked(ask), tracked(stream)]
}

for (const [name, row] of Object.entries(modelRows)) {
  const { cost, kind, reply, unobserved = cost } = row
  it.scopedLive.each([
    ["observed", RunAi.observe, cost],
    ["not observed", undefined, unobserved]
  ] as const)(`${name}: through the model, %s`, ([, transformClient, expected]) =>
    Effect.gen(function* () {
      const provider = yield* kind.server
      provider.script(reply, reply, reply, reply)
      for (const work of worksOf(row)) {
        yield* inRun(work).pipe(Effect.provide(kind.modelOf(provider, transformClient)))
      }
      expect(yield* costs).toEqual(Array(4).fill([expected]))
    }).pipe(Effect.provide(oursWith()))
  )
}

/** An answer of Chat Completions, whole and as a stream whose last chunk has the usage. */
const chat = (model: string, usage: object): Written => {
  const about = { id: "c1", created: 1, model, service_tier: "default", system_fingerprint: "f" }
  const message = { role: "assistant", content: "Hi", refusal: null }
  return {
    json: {
      ...about,
      object: "chat.completion",
      choices: [{ index: 0, message, finish_reason: "stop", logprobs: null }],
      usage
    },
    events: [
      {
        data: {
          ...about,
          object: "chat.completion.chunk",
          choices: [{ index: 0, delta: { content: "Hi" }, finish_reason: "stop" }],
          usage: null
        }
      },
      { data: { ...about, object: "chat.completion.chunk", choices: [], usage } },
      { data: "[DONE]" }
    ]
  }
}

interface ChatRow {
  readonly provider?: string
  readonly model?: string
  readonly usage: object
  readonly cost: string
}

const chatRows: Readonly<Record<string, ChatRow>> = {
  "audio tokens in and out": {
    model: "gpt-x-audio",
    usage: {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 80 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 40 }
    },
    cost: "0.00655"
  },
  "audio tokens of a model that has no price for them": {
    usage: {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { audio_tokens: 80 }
    },
    cost: "no_price_for_kind 0.00052"
  },
  "reasoning beside the completion, as at xAI": {
    usage: {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 }
    },
    cost: "0.001062"
  },
  "hits of the cache at DeepSeek": {
    usage: {
      prompt_tokens: 100,
      completion_tokens: 5,
      total_tokens: 105,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36
    },
    cost: "0.0000924"
  },
  "what the call cost, by xAI": {
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost_in_usd_ticks: 37_756_000 },
    cost: "0.0037756"
  },
  "what the call cost, by OpenRouter": {
    model: "author/model",
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost: 0.62 },
    cost: "0.62"
  },
  "what the call cost, by Perplexity": {
    model: "sonar-x",
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost: { total_cost: 0.005393 } },
    cost: "0.005393"
  },
  "totals that do not add up": {
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 99 },
    cost: "no_usage 0.00006"
  },
  "ranges of input tokens, exactly at the end of one": {
    model: "ranges-x",
    usage: { prompt_tokens: 1000, completion_tokens: 1, total_tokens: 1001 },
    cost: "0.001002"
  },
  "ranges of input tokens, in the next one": {
    model: "ranges-x",
    usage: { prompt_tokens: 1001, completion_tokens: 1, total_tokens: 1002 },
    cost: "0.003007"
  }
}

for (const [name, { cost, model = "gpt-x", usage }] of Object.entries(chatRows)) {
  const raw = chat(model, usage)
  it.scopedLive(`${name}: through OpenAI's client, whole, streamed, and in Llm.track`, () =>
    Effect.gen(function* () {
      const provider = yield* openAiServer
      provider.script({ raw }, { raw }, { raw }, { raw })
      yield* Effect.gen(function* () {
        const { client, streamRequest } = yield* OpenAiClient.OpenAiClient
        const body = { model, messages: [{ role: "user", content: prompt }] } as const
        const ask = Effect.asVoid(client.createChatCompletion(body))
        const request = HttpClientRequest.post("/chat/completions", {
          body: HttpBody.unsafeJson({ ...body, stream: true })
        })
        const stream = Stream.runDrain(streamRequest(request, Schema.Unknown))
        const tracked = Llm.track({ provider: "openai", model })
        for (const work of [ask, stream, tracked(ask), tracked(stream)]) yield* inRun(work)
        expect(yield* costs).toEqual(Array(4).fill([cost]))
      }).pipe(Effect.provide(openAiClient(provider, RunAi.observe)))
    }).pipe(Effect.provide(oursWith()))
  )

  it.effect(`${name}: by RunAi.usageIn, whole and event by event`, () =>
    Effect.gen(function* () {
      expect(yield* readCosts("openai", model, raw)).toEqual([[cost], [cost]])
    }).pipe(Effect.provide(oursWith()))
  )
}

const pictures = (...usage: ReadonlyArray<object>): Written => ({
  json: { created: 1, data: [{ b64_json: "AAAA" }, { b64_json: "AAAA" }], ...(usage[0] && { usage: usage[0] }) },
  events: []
})

const drawn = { input_tokens: 50, input_tokens_details: { text_tokens: 10, image_tokens: 40 }, output_tokens: 272 }

interface MediaRow {
  readonly raw: Written
  readonly ask: (client: OpenAiClient.OpenAiClient["Type"]["client"]) => Effect.Effect<unknown, unknown>
  readonly cost: string
  readonly usage: Partial<Usage.Usage>
}

const sound = new Blob(["la"])

const mediaRows: Readonly<Record<string, MediaRow>> = {
  "image tokens out": {
    raw: pictures({ ...drawn, output_tokens_details: { image_tokens: 272, text_tokens: 0 }, total_tokens: 322 }),
    ask: (client) => client.createImage({ model: "draw-x", prompt, n: 2 }),
    cost: "0.00853",
    usage: { model: "draw-x", operation: "image_generation", images: 2, outputImageTokens: 272, inputImageTokens: 40 }
  },
  "image tokens out that are not said to be those of images": {
    raw: pictures({ ...drawn, total_tokens: 322 }),
    ask: (client) => client.createImage({ model: "draw-x", prompt, n: 2 }),
    cost: "no_usage 0.00309",
    usage: { outputTokens: 272 }
  },
  "tokens out that are all those of images": {
    raw: pictures({ ...drawn, total_tokens: 322 }),
    ask: (client) => client.createImage({ model: "draw-z", prompt, n: 2 }),
    cost: "0.00833",
    usage: { images: 2, outputTokens: 272 }
  },
  "images made, behind a price of tokens that is 0": {
    raw: pictures(),
    ask: (client) => client.createImage({ model: "draw-y", prompt, n: 2 }),
    cost: "0.268",
    usage: { images: 2 }
  },
  "images that were edited": {
    raw: pictures(),
    ask: (client) => client.createImageEdit({ model: "draw-y", prompt, image: sound } as never),
    cost: "0.268",
    usage: { images: 2, model: "draw-y" }
  },
  "seconds of audio in": {
    raw: { json: { text: "La", usage: { type: "duration", seconds: 9 } }, events: [] },
    ask: (client) => client.createTranscription({ file: sound, model: "hear-x" } as never),
    cost: "0.0009",
    usage: { model: "hear-x", operation: "audio_transcription", inputAudioSeconds: 9 }
  },
  "tokens of audio in": {
    raw: {
      json: {
        text: "La",
        usage: {
          type: "tokens",
          input_tokens: 14,
          input_token_details: { text_tokens: 0, audio_tokens: 14 },
          output_tokens: 45,
          total_tokens: 59
        }
      },
      events: []
    },
    ask: (client) => client.createTranscription({ file: sound, model: "hear-y" } as never),
    cost: "0.000534",
    usage: { inputTokens: 14, inputAudioTokens: 14, outputTokens: 45 }
  },
  "characters of speech": {
    raw: { json: {}, events: [] },
    // The client takes the audio for an answer that it does not expect.
    ask: (client) => Effect.ignore(client.createSpeech({ model: "say-x", input: "Grüß 👋", voice: "alloy" })),
    cost: "0.00009",
    usage: { model: "say-x", operation: "audio_speech", inputCharacters: 6 }
  },
  "speech that is priced by tokens": {
    raw: { json: {}, events: [] },
    ask: (client) => Effect.ignore(client.createSpeech({ model: "say-y", input: "Hi", voice: "alloy" })),
    cost: "no_price_for_kind",
    usage: { inputCharacters: 2 }
  }
}

for (const [name, { ask, cost, raw, usage }] of Object.entries(mediaRows)) {
  it.scopedLive(`${name}: through OpenAI's client, alone and in Llm.track`, () =>
    Effect.gen(function* () {
      const provider = yield* openAiServer
      provider.script({ raw }, { raw })
      yield* Effect.gen(function* () {
        const { client } = yield* OpenAiClient.OpenAiClient
        yield* inRun(ask(client))
        yield* inRun(Llm.track(ask(client), { provider: "openai", model: "draw-x", operation: "image_generation" }))
        expect(yield* costs).toEqual([[cost], [cost]])
        const [run] = yield* completedRuns
        expect(run?.usages[0]?.usage).toMatchObject(usage)
      }).pipe(Effect.provide(openAiClient(provider, RunAi.observe)))
    }).pipe(Effect.provide(oursWith()))
  )
}

interface AnswerRow {
  readonly provider: string
  readonly model: string
  readonly answer: Written
  readonly cost: string
}

const whole = (json: unknown): Written => ({ json, events: [] })
const geminiAnswer = (usageMetadata: object, grounding: object = {}): Written => {
  const last = {
    candidates: [{ content: {}, finishReason: "STOP", ...grounding }],
    modelVersion: "gemini-3-x",
    usageMetadata
  }
  const first = { candidates: [{ content: {} }], usageMetadata: { promptTokenCount: 100, totalTokenCount: 100 } }
  return { json: last, events: [{ data: first }, { data: last }] }
}
const gemini: PriceBook.Price = {
  model: "gemini-3-x",
  usd: { inputToken: "0.01", outputToken: "0.1", outputImageToken: 1, cacheReadToken: "0.001", webSearch: 5 }
}
const claudeOnBedrock: PriceBook.Price = {
  provider: "bedrock",
  model: "claude-x",
  usd: { inputToken: 1, cacheReadToken: "0.1", cacheWriteToken: "1.25", cacheWrite1hToken: 2, outputToken: 5 }
}
const ofGroq: PriceBook.Price = {
  provider: "groq",
  model: "gpt-x",
  usd: { inputToken: "0.01", cacheReadToken: "0.01", outputToken: "0.1" }
}
const reader: PriceBook.Price = { model: "ocr-x", usd: { page: 2 } }
const converse = (usage: object): Written =>
  whole({ output: {}, stopReason: "end_turn", usage, metrics: { latencyMs: 5 }, serviceTier: { type: "default" } })

/** Answers as the providers' own clients give them. */
/** An answer of Anthropic, and the events of its stream: how it begins, and what its last event names anew. */
const claudeAnswer = (begun: object, last: object, container?: object): Written => {
  const usage = { ...begun, ...last, output_tokens: 10 }
  return {
    json: { type: "message", model: "claude-x", usage, ...(container && { container }) },
    events: [
      { data: { type: "message_start", message: { model: "claude-x", usage: { ...begun, output_tokens: 1 } } } },
      {
        data: {
          type: "message_delta",
          delta: { stop_reason: "end_turn", ...(container && { container }) },
          usage: { ...last, output_tokens: 10 }
        }
      },
      { data: { type: "message_stop" } }
    ]
  }
}

const answerRows: Readonly<Record<string, AnswerRow>> = {
  "Gemini: thoughts and what tools gave back, beside the candidates": {
    provider: "google",
    model: "gemini-3-x",
    answer: geminiAnswer({
      promptTokenCount: 100,
      candidatesTokenCount: 1,
      thoughtsTokenCount: 30,
      toolUsePromptTokenCount: 50,
      totalTokenCount: 181
    }),
    cost: "4.6"
  },
  "Gemini: images out": {
    provider: "google",
    model: "gemini-3-x",
    answer: geminiAnswer({
      promptTokenCount: 100,
      candidatesTokenCount: 12,
      totalTokenCount: 112,
      candidatesTokensDetails: [
        { modality: "IMAGE", tokenCount: 10 },
        { modality: "TEXT", tokenCount: 2 }
      ]
    }),
    cost: "11.2"
  },
  "Gemini: searches": {
    provider: "vertex",
    model: "gemini-3-x",
    answer: geminiAnswer(
      { promptTokenCount: 100, candidatesTokenCount: 1, totalTokenCount: 101 },
      { groundingMetadata: { webSearchQueries: ["a", "b"] } }
    ),
    cost: "11.1"
  },
  "Gemini: a tier that has no price": {
    provider: "vertex",
    model: "gemini-3-x",
    answer: geminiAnswer({
      promptTokenCount: 100,
      candidatesTokenCount: 1,
      totalTokenCount: 101,
      trafficType: "ON_DEMAND_PRIORITY"
    }),
    cost: "no_price_for_kind"
  },
  "Bedrock: cached tokens beside the input": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({
      inputTokens: 18,
      outputTokens: 386,
      totalTokens: 7906,
      cacheReadInputTokens: 0,
      cacheWriteInputTokens: 7502,
      cacheDetails: [{ ttl: "1h", inputTokens: 7502 }]
    }),
    cost: "16952"
  },
  "Bedrock: the metadata event of a stream": {
    provider: "bedrock",
    model: "claude-x",
    answer: {
      json: { metadata: { usage: { inputTokens: 10, outputTokens: 1, totalTokens: 11 } } },
      events: [
        { data: { contentBlockDelta: { delta: { text: "Hi" } } } },
        { data: { messageStop: { stopReason: "end_turn" } } },
        { data: { metadata: { usage: { inputTokens: 10, outputTokens: 1, totalTokens: 11 } } } }
      ]
    },
    cost: "15"
  },
  "Bedrock: cache writes of which it is not known how long they are kept": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({ inputTokens: 10, outputTokens: 1, totalTokens: 111, cacheWriteInputTokens: 100 }),
    cost: "no_usage 140"
  },
  "Bedrock: cached tokens that may be inside or beside": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({ inputTokens: 10, outputTokens: 1, cacheReadInputTokens: 5 }),
    cost: "no_usage 10.5"
  },
  "Bedrock: one count under two names that differ": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({
      inputTokens: 10,
      outputTokens: 1,
      totalTokens: 16,
      cacheReadInputTokens: 5,
      cacheReadInputTokenCount: 6
    }),
    cost: "no_usage 15.5"
  },
  "Bedrock: one count under two names": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({
      inputTokens: 10,
      outputTokens: 1,
      totalTokens: 16,
      cacheReadInputTokens: 5,
      cacheReadInputTokenCount: 5
    }),
    cost: "15.5"
  },
  "Bedrock: tools of the server": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({ inputTokens: 10, outputTokens: 1, totalTokens: 11, serverToolUsage: { webSearch: 2 } }),
    cost: "no_price_for_kind 15"
  },
  "Bedrock: what nobody has heard of": {
    provider: "bedrock",
    model: "claude-x",
    answer: converse({ inputTokens: 10, outputTokens: 1, totalTokens: 11, newTokens: 2 }),
    cost: "no_price_for_kind 15"
  },
  "Bedrock: optimized latency, which has a price of its own": {
    provider: "bedrock",
    model: "claude-x",
    answer: whole({
      output: {},
      usage: { inputTokens: 10, outputTokens: 1, totalTokens: 11 },
      performanceConfig: { latency: "optimized" }
    }),
    cost: "no_price_for_kind"
  },
  "Anthropic: code that ran in a container": {
    provider: "anthropic",
    model: "claude-x",
    answer: whole({ type: "message", model: "claude-x", usage: claude, container: { id: "c", expires_at: "x" } }),
    cost: "no_usage 0.00075"
  },
  "Groq: several models that answer together": {
    provider: "groq",
    model: "gpt-x",
    answer: whole({ model: "gpt-x", usage: gpt, usage_breakdown: { models: [{ model: "y", usage: gpt }] } }),
    cost: "no_usage 2"
  },
  "Mistral: pages that were read": {
    provider: "mistral",
    model: "ocr-x",
    answer: whole({ model: "ocr-x", pages: [], usage_info: { pages_processed: 3, doc_size_bytes: 9 } }),
    cost: "6"
  },
  "Cohere: cached tokens, of which it is not known what they are a part of": {
    provider: "cohere",
    model: "rerank-x",
    answer: whole({ usage: { billed_units: { search_units: 3 }, cached_tokens: 4 } }),
    cost: "no_usage 0.006"
  },
  "Cohere: what is billed, not what was processed": {
    provider: "cohere",
    model: "rerank-x",
    answer: whole({ results: [], meta: { billed_units: { search_units: 3 } } }),
    cost: "0.006"
  },
  "Anthropic: events of a stream, with cache writes for 1 hour": {
    provider: "anthropic",
    model: "claude-x",
    answer: {
      json: {
        type: "message",
        model: "claude-x",
        usage: {
          ...claude,
          cache_creation_input_tokens: 300,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 300 }
        }
      },
      events: [
        {
          data: {
            type: "message_start",
            message: {
              model: "claude-x",
              usage: {
                ...claude,
                output_tokens: 1,
                cache_creation_input_tokens: 300,
                cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 300 }
              }
            }
          }
        },
        {
          data: {
            type: "message_delta",
            delta: { stop_reason: "end_turn" },
            usage: { input_tokens: 100, cache_creation_input_tokens: 300, output_tokens: 10 }
          }
        },
        { data: { type: "message_stop" } }
      ]
    },
    cost: "0.00375"
  },
  "Anthropic: events of a stream, of which the last names the input and no cache, as nothing changed": {
    provider: "anthropic",
    model: "claude-x",
    answer: claudeAnswer({ input_tokens: 500, cache_read_input_tokens: 100 }, { input_tokens: 500 }),
    cost: "0.0028"
  },
  "Anthropic: events of a stream, of which the last names more that was in the cache, and no input": {
    provider: "anthropic",
    model: "claude-x",
    answer: claudeAnswer({ input_tokens: 500, cache_read_input_tokens: 100 }, { cache_read_input_tokens: 300 }),
    cost: "0.0029"
  },
  "Anthropic: events of a stream, of which the last names a larger input, and what was written for 1 hour is as it was":
    {
      provider: "anthropic",
      model: "claude-x",
      answer: claudeAnswer(
        {
          input_tokens: 100,
          cache_creation_input_tokens: 300,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 300 }
        },
        { input_tokens: 200 }
      ),
      cost: "0.00425"
    },
  "Anthropic: code that ran in a container, as the last event of a stream names it": {
    provider: "anthropic",
    model: "claude-x",
    answer: claudeAnswer({ input_tokens: 100 }, {}, { id: "c", expires_at: "x" }),
    cost: "no_usage 0.00075"
  }
}

for (const [name, { answer, cost, model, provider }] of Object.entries(answerRows)) {
  it.effect(`${name}: in Llm.track, by RunAi.usageIn`, () =>
    Effect.gen(function* () {
      const expected = answer.events.length > 0 ? [[cost], [cost]] : [[cost]]
      expect(yield* readCosts(provider, model, answer)).toEqual(expected)
    }).pipe(Effect.provide(oursWith(gemini, claudeOnBedrock, ofGroq, reader)))
  )
}

const pricedAt = (usd: string, more: Partial<PriceBook.Price>): PriceBook.Price => ({
  usd: { inputToken: usd, outputToken: 0 },
  ...more
})

const overrideRows: Readonly<Record<string, readonly [override: PriceBook.Price, model: string, cost: string]>> = {
  "an override without a provider": [pricedAt("0.01", { model: "gpt-x" }), "gpt-x", "1"],
  "an override for the family of a dated answer": [pricedAt("0.01", { model: "gpt-x" }), "gpt-x", "1"],
  "an override for the dated answer alone": [pricedAt("0.01", { model: "gpt-x-2026-01-01" }), "gpt-x", "1"],
  "an override for a deployment": [pricedAt("0.01", { model: "support-chat" }), "support-chat", "1"],
  "an override for the customer": [pricedAt("0.01", { model: "gpt-x", customerId: "bigretail" }), "gpt-x", "1"],
  "an override for another customer": [pricedAt("0.01", { model: "gpt-x", customerId: "acme" }), "gpt-x", "0.0002"],
  "the price of the model behind a deployment": [pricedAt("0.01", { model: "another" }), "support-chat", "0.0002"]
}

for (const [name, [override, model, cost]] of Object.entries(overrideRows)) {
  it.scopedLive(`${name}, through the client`, () =>
    Effect.gen(function* () {
      const provider = yield* openAiServer
      const reply: Reply = { tokens: { input: 100, output: 10 }, ...(model === "support-chat" && { model: "gpt-x" }) }
      provider.script(reply, reply)
      yield* Effect.gen(function* () {
        const client = yield* OpenAiClient.OpenAiClient
        const ask = client.createResponse({ model, input: prompt })
        yield* inRun(ask)
        yield* inRun(Llm.track(ask, { provider: "openai", model }))
        expect(yield* costs).toEqual([[cost], [cost]])
      }).pipe(Effect.provide(openAiClient(provider, RunAi.observe)))
    }).pipe(Effect.provide(oursWith(override)))
  )
}

/** Lets a request ask for Anthropic's fast mode, as its API wants it. */
const askingForFastMode: TransformClient = HttpClient.mapRequest((request) =>
  HttpClientRequest.setHeader(request, "anthropic-beta", "context-1m-2025-08-07,fast-mode-2026-02-01")
)

for (const [name, speed, observed, cost] of [
  ["is unpriced where the answer is not observed", "fast", false, "no_usage 0.00075"],
  ["is unpriced where the answer is not observed, also where it was not served", "standard", false, "no_usage 0.00075"],
  ["costs what was served where the answer is observed", "fast", true, "0.0045"],
  ["costs what was served where the answer is observed: standard", "standard", true, "0.00075"]
] as const) {
  for (const isStream of [false, true]) {
    it.scopedLive(`a request for fast mode ${name}${isStream ? ", streamed" : ""}`, () =>
      Effect.gen(function* () {
        const provider = yield* anthropic.server
        provider.script({ usage: { ...claude, speed } })
        const transformClient: TransformClient = (client) =>
          observed ? RunAi.observe(askingForFastMode(client)) : askingForFastMode(client)
        const ask = isStream
          ? Stream.runDrain(LanguageModel.streamText({ prompt }))
          : LanguageModel.generateText({ prompt })
        yield* inRun(ask).pipe(Effect.provide(anthropic.modelOf(provider, transformClient)))
        expect(yield* costs).toEqual([[cost]])
      }).pipe(Effect.provide(oursWith()))
    )
  }
}

it.scopedLive("a request for fast mode by the options of a call is unpriced where the answer is not observed", () =>
  Effect.gen(function* () {
    const provider = yield* anthropic.server
    const usage = { ...claude, speed: "fast" }
    provider.script({ usage }, { usage })
    // The options have no speed in their type.
    const ask = (speed: string) =>
      inRun(LanguageModel.generateText({ prompt })).pipe(AnthropicLanguageModel.withConfigOverride({ speed } as object))
    yield* Effect.all([ask("fast"), ask("standard")]).pipe(Effect.provide(anthropic.modelOf(provider)))
    expect(yield* costs).toEqual([["no_usage 0.00075"], ["0.00075"]])
  }).pipe(Effect.provide(oursWith()))
)

/** Hides requests from tracers. */
const untraced: TransformClient = HttpClient.withTracerDisabledWhen(() => true)

for (const [name, transformClient, override, cost] of [
  ["is unpriced where fast mode has a price", untraced, [], "no_usage 0.00075"],
  [
    "is priced where fast mode has none",
    untraced,
    [{ model: "claude-x", usd: { inputToken: "0.01", outputToken: "0.01" } }],
    "1.1"
  ],
  ["is priced where the answer is observed", (client) => RunAi.observe(untraced(client)), [], "0.00075"]
] as const satisfies ReadonlyArray<readonly [string, TransformClient, ReadonlyArray<PriceBook.Price>, string]>) {
  it.scopedLive(`a call of Anthropic whose request has no span ${name}`, () =>
    Effect.gen(function* () {
      const provider = yield* anthropic.server
      provider.script({ usage: claude }, { usage: claude })
      yield* inRun(LanguageModel.generateText({ prompt })).pipe(
        Effect.zipRight(inRun(Stream.runDrain(LanguageModel.streamText({ prompt })))),
        Effect.provide(anthropic.modelOf(provider, transformClient))
      )
      expect(yield* costs).toEqual([[cost], [cost]])
    }).pipe(Effect.provide(oursWith(...override)))
  )
}

it.scopedLive("each try that a provider served costs what it consumed, observed or reported", () =>
  Effect.gen(function* () {
    const provider = yield* openAiServer
    const reply: Reply = { tokens: { input: 100, output: 10 } }
    provider.script(reply, reply, reply, reply)
    yield* Effect.gen(function* () {
      const client = yield* OpenAiClient.OpenAiClient
      const ask = client.createResponse({ model: "gpt-x", input: prompt })
      const call = { provider: "openai", model: "gpt-x" }
      yield* inRun(Llm.track(Effect.repeat(ask, { times: 1 }), call))
      const reported = Usage.report({ inputTokens: 100, outputTokens: 10 })
      yield* inRun(Llm.track(Effect.repeat(reported, { times: 2 }), call))
      expect(yield* costs).toEqual([
        ["0.0002", "0.0002"],
        ["0.0002", "0.0002", "0.0002"]
      ])
    }).pipe(Effect.provide(openAiClient(provider, RunAi.observe)))
  }).pipe(Effect.provide(oursWith()))
)
