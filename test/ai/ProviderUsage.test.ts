/**
 * What answers of providers say of their usage, in the providers' own forms.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, FastCheck } from "effect"
import { anthropicUsage } from "../../src/ai/AnthropicUsage.js"
import { sum } from "../../src/ai/ConsumptionSum.js"
import { geminiSearches, geminiUsage } from "../../src/ai/GeminiUsage.js"
import { joined } from "../../src/ai/KnownConsumption.js"
import { openAiUsage, responseTools } from "../../src/ai/OpenAiUsage.js"
import { providerAt, regionAt, reportedCost } from "../../src/ai/ProviderRules.js"
import { totalsOf } from "../../src/ai/ReportedTotals.js"
import type { Consumption } from "../../src/cost/UsageRecord.js"
import { format, fromNonNegative } from "../../src/cost/Usd.js"

const usdOf = ({ usd }: Consumption) => {
  const amount = fromNonNegative(usd)
  return amount && format(amount)
}

type Usage = Record<string, unknown>

describe("usage in OpenAI's form", () => {
  const cases: Readonly<Record<string, readonly [provider: string, usage: Usage, expected: Usage]>> = {
    "OpenAI Chat: cache and reasoning inside": [
      "openai",
      {
        prompt_tokens: 2006,
        completion_tokens: 300,
        total_tokens: 2306,
        prompt_tokens_details: { cached_tokens: 1920, cache_write_tokens: 0, audio_tokens: 0 },
        completion_tokens_details: {
          reasoning_tokens: 192,
          audio_tokens: 0,
          accepted_prediction_tokens: 5,
          rejected_prediction_tokens: 7
        }
      },
      { inputTokens: 2006, cacheReadTokens: 1920, cacheWriteTokens: 0, outputTokens: 300, reasoningTokens: 192 }
    ],
    "OpenAI audio, of which some was cached": [
      "openai",
      {
        total_tokens: 253,
        input_tokens: 132,
        output_tokens: 121,
        input_token_details: {
          text_tokens: 119,
          audio_tokens: 13,
          image_tokens: 0,
          cached_tokens: 64,
          cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 }
        },
        output_token_details: { text_tokens: 30, audio_tokens: 91 }
      },
      {
        inputTokens: 132,
        inputAudioTokens: 13,
        inputImageTokens: 0,
        cacheReadTokens: 64,
        cacheReadAudioTokens: 0,
        cacheReadImageTokens: 0,
        outputTokens: 121,
        outputAudioTokens: 91
      }
    ],
    "OpenAI images": [
      "openai",
      {
        input_tokens: 50,
        input_tokens_details: { text_tokens: 10, image_tokens: 40 },
        output_tokens: 272,
        output_tokens_details: { image_tokens: 272, text_tokens: 0 },
        total_tokens: 322
      },
      { inputTokens: 50, inputImageTokens: 40, outputTokens: 272, outputImageTokens: 272 }
    ],
    embeddings: ["openai", { prompt_tokens: 8, total_tokens: 8 }, { inputTokens: 8 }],
    "Voyage, whose total is all input": ["voyage", { total_tokens: 10 }, { inputTokens: 10 }],
    "more cached tokens than input, without a total: beside": [
      "openai",
      { prompt_tokens: 18, completion_tokens: 386, prompt_tokens_details: { cached_tokens: 7502 } },
      { inputTokens: 7520, cacheReadTokens: 7502, outputTokens: 386 }
    ],
    "xAI Responses without a total: reasoning inside": [
      "x_ai",
      { input_tokens: 32, output_tokens: 103, output_tokens_details: { reasoning_tokens: 94 } },
      { inputTokens: 32, outputTokens: 103, reasoningTokens: 94 }
    ],
    "xAI Chat: reasoning beside": [
      "x_ai",
      {
        prompt_tokens: 32,
        completion_tokens: 9,
        total_tokens: 135,
        completion_tokens_details: { reasoning_tokens: 94 }
      },
      { inputTokens: 32, outputTokens: 103, reasoningTokens: 94 }
    ],
    "xAI Responses: reasoning inside": [
      "x_ai",
      {
        input_tokens: 57743,
        output_tokens: 4373,
        total_tokens: 62116,
        output_tokens_details: { reasoning_tokens: 3041 }
      },
      { inputTokens: 57743, outputTokens: 4373, reasoningTokens: 3041 }
    ],
    "xAI behind a proxy: the total decides": [
      "gateway.example.com",
      {
        prompt_tokens: 32,
        completion_tokens: 9,
        total_tokens: 135,
        completion_tokens_details: { reasoning_tokens: 94 }
      },
      { inputTokens: 32, outputTokens: 103, reasoningTokens: 94 }
    ],
    "xAI Chat without a total: the rule of the provider": [
      "x_ai",
      { prompt_tokens: 32, completion_tokens: 109, completion_tokens_details: { reasoning_tokens: 94 } },
      { inputTokens: 32, outputTokens: 203, reasoningTokens: 94 }
    ],
    "a stranger without a total: unknown": [
      "gateway.example.com",
      { prompt_tokens: 32, completion_tokens: 109, completion_tokens_details: { reasoning_tokens: 94 } },
      { inputTokens: 32, outputTokens: 109, reasoningTokens: 94, uncounted: ["inputTokens", "outputTokens"] }
    ],
    "a stranger without a total and without parts: as it says": [
      "gateway.example.com",
      { prompt_tokens: 32, completion_tokens: 109 },
      { inputTokens: 32, outputTokens: 109 }
    ],
    "reasoning that is more than the output": [
      "azure.ai.inference",
      {
        prompt_tokens: 5,
        completion_tokens: 1,
        total_tokens: 103,
        completion_tokens_details: { reasoning_tokens: 97 }
      },
      { inputTokens: 5, outputTokens: 98, reasoningTokens: 97 }
    ],
    "totals that do not add up: unknown": [
      "openai",
      { prompt_tokens: 10, completion_tokens: 5, total_tokens: 99, completion_tokens_details: { reasoning_tokens: 2 } },
      { inputTokens: 10, outputTokens: 5, reasoningTokens: 2, uncounted: ["inputTokens", "outputTokens"] }
    ],
    "as many cached as reasoning tokens, one of them beside: the rule of the provider": [
      "x_ai",
      {
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 170,
        prompt_tokens_details: { cached_tokens: 20 },
        completion_tokens_details: { reasoning_tokens: 20 }
      },
      { inputTokens: 100, cacheReadTokens: 20, outputTokens: 70, reasoningTokens: 20 }
    ],
    "as many cached as reasoning tokens, at a stranger: unknown": [
      "gateway.example.com",
      {
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 170,
        prompt_tokens_details: { cached_tokens: 20 },
        completion_tokens_details: { reasoning_tokens: 20 }
      },
      {
        inputTokens: 100,
        cacheReadTokens: 20,
        outputTokens: 50,
        reasoningTokens: 20,
        uncounted: ["inputTokens", "outputTokens"]
      }
    ],
    "DeepSeek: hits of the cache": [
      "deepseek",
      {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        prompt_cache_hit_tokens: 64,
        prompt_cache_miss_tokens: 36,
        prompt_tokens_details: { cached_tokens: 64 }
      },
      { inputTokens: 100, cacheReadTokens: 64, outputTokens: 5 }
    ],
    "DeepSeek: hits under one name": [
      "deepseek",
      {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        prompt_cache_hit_tokens: 64,
        prompt_cache_miss_tokens: 36
      },
      { inputTokens: 100, cacheReadTokens: 64, outputTokens: 5 }
    ],
    "hits and misses that are not the prompt: unknown": [
      "deepseek",
      {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        prompt_cache_hit_tokens: 64,
        prompt_cache_miss_tokens: 6
      },
      { inputTokens: 100, cacheReadTokens: 64, outputTokens: 5, uncounted: ["inputTokens"] }
    ],
    "one count under two names that differ: unknown": [
      "moonshot_ai",
      {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        cached_tokens: 60,
        prompt_tokens_details: { cached_tokens: 64 }
      },
      { inputTokens: 100, cacheReadTokens: 64, outputTokens: 5, uncounted: ["cacheReadTokens"] }
    ],
    "Moonshot: cached tokens twice": [
      "moonshot_ai",
      {
        prompt_tokens: 1336,
        completion_tokens: 31,
        total_tokens: 1367,
        cached_tokens: 1280,
        prompt_tokens_details: { cached_tokens: 1280 }
      },
      { inputTokens: 1336, cacheReadTokens: 1280, outputTokens: 31 }
    ],
    "DashScope: reads of the cache, of two prices, and writes": [
      "alibaba",
      {
        prompt_tokens: 100,
        completion_tokens: 5,
        total_tokens: 105,
        prompt_tokens_details: { cached_tokens: 10, cache_creation_input_tokens: 30 }
      },
      {
        inputTokens: 100,
        cacheReadTokens: 10,
        cacheWriteTokens: 30,
        outputTokens: 5,
        uncounted: ["cacheReadTokens"]
      }
    ],
    "DashScope: nothing read of the cache": [
      "alibaba",
      { prompt_tokens: 100, completion_tokens: 5, total_tokens: 105, prompt_tokens_details: { cached_tokens: 0 } },
      { inputTokens: 100, cacheReadTokens: 0, outputTokens: 5 }
    ],
    "OpenAI: cache writes that are kept for 30 minutes": [
      "openai",
      {
        input_tokens: 100,
        output_tokens: 5,
        input_tokens_details: { cache_write_tokens: 30, cache_write_tokens_details: { ttl_30m_tokens: 30 } }
      },
      { inputTokens: 100, cacheWriteTokens: 30, outputTokens: 5 }
    ],
    "OpenAI: cache writes that are kept for 12 hours, which cost more": [
      "openai",
      {
        input_tokens: 100,
        output_tokens: 5,
        input_tokens_details: {
          cache_write_tokens: 30,
          cache_write_tokens_details: { ttl_30m_tokens: 10, ttl_12h_tokens: 20 }
        }
      },
      { inputTokens: 100, cacheWriteTokens: 30, outputTokens: 5, uncounted: ["cacheWrite12hTokens"] }
    ],
    "Mistral: audio, tier and connectors": [
      "mistral_ai",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        prompt_audio_seconds: 3,
        num_cached_tokens: 0,
        request_count: 1,
        service_tier: "priority",
        connectors: { web_search: 2 }
      },
      {
        inputTokens: 10,
        cacheReadTokens: 0,
        outputTokens: 5,
        inputAudioSeconds: 3,
        serviceTier: "priority",
        toolCalls: { web_search: 2 }
      }
    ],
    "Groq: times are no quantities": [
      "groq",
      {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        queue_time: 0.01,
        prompt_time: 0.02,
        completion_time: 0.03,
        total_time: 0.05
      },
      { inputTokens: 10, outputTokens: 5 }
    ],
    "Perplexity: citations and searches": [
      "perplexity",
      {
        prompt_tokens: 9,
        completion_tokens: 384,
        total_tokens: 393,
        citation_tokens: 70,
        num_search_queries: 4,
        reasoning_tokens: null
      },
      { inputTokens: 9, outputTokens: 384, citationTokens: 70, webSearches: 4 }
    ],
    "Perplexity: the search of a request, by its context": [
      "perplexity",
      { prompt_tokens: 9, completion_tokens: 384, total_tokens: 393, search_context_size: "low" },
      { inputTokens: 9, outputTokens: 384, webSearches: 1, lowContextWebSearches: 1 }
    ],
    "xAI: tools of the server": [
      "x_ai",
      {
        input_tokens: 7583,
        input_tokens_details: { cached_tokens: 3072 },
        output_tokens: 3192,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 10775,
        num_sources_used: 0,
        num_server_side_tools_used: 5,
        server_side_tool_usage_details: { web_search_calls: 2, x_search_calls: 3, code_interpreter_calls: 0 }
      },
      {
        inputTokens: 7583,
        cacheReadTokens: 3072,
        outputTokens: 3192,
        reasoningTokens: 0,
        webSearches: 2,
        toolCalls: { x_search: 3 }
      }
    ],
    "what nobody has heard of is named": [
      "openai",
      {
        input_tokens: 10,
        output_tokens: 5,
        total_tokens: 15,
        orchestration_input_tokens: 7,
        input_tokens_details: { cached_tokens: 0, smell_tokens: 3 }
      },
      {
        inputTokens: 10,
        cacheReadTokens: 0,
        outputTokens: 5,
        other: { orchestration_input_tokens: 7, smell_tokens: 3 }
      }
    ],
    "what is no number": [
      "openai",
      { input_tokens: "10", output_tokens: -5, total_tokens: Number.NaN, input_tokens_details: "none" },
      {}
    ]
  }
  it.each(Object.entries(cases))("%s", (_, [provider, usage, expected]) => {
    expect(openAiUsage(usage, provider)).toEqual(expected)
  })
})

describe("the tools of a response", () => {
  it("are searches, containers by id, and others by name", () => {
    const output = [
      { type: "web_search_call", action: { type: "search" } },
      { type: "web_search_call" },
      { type: "web_search_call", action: { type: "open_page" } },
      { type: "code_interpreter_call", container_id: "c1" },
      { type: "code_interpreter_call", container_id: "c1" },
      { type: "code_interpreter_call", container_id: "c2" },
      { type: "file_search_call" },
      { type: "image_generation_call" },
      { type: "message" },
      null
    ]
    expect(responseTools(output)).toEqual({
      webSearches: 2,
      sessions: 2,
      toolCalls: { open_page: 1, file_search: 1 },
      uncounted: ["outputImageTokens"]
    })
  })
  it.each([[undefined], ["x"], [[]], [[{ type: "message" }]]])("are none in %j", (output) => {
    expect(responseTools(output)).toEqual({})
  })
})

describe("quantities without a meter, in more than one place of a usage", () => {
  const inputs = { prompt_tokens: 9, prompt_tokens_details: { smell_tokens: 3 } }
  const outputs = { completion_tokens: 9, completion_tokens_details: { smell_tokens: 4 } }

  it.each([
    ["the details of input", inputs, 3],
    ["the details of input and of output, which add up", { ...inputs, ...outputs }, 7],
    ["the usage itself, which counts its details", { ...inputs, ...outputs, smell_tokens: 8 }, 8],
    ["the usage itself, which says less than its details", { ...inputs, ...outputs, smell_tokens: 2 }, 7]
  ])("%s", (_, usage, smells) => {
    expect(openAiUsage({ completion_tokens: 9, ...usage }, "openai").other).toEqual({
      smell_tokens: smells
    })
  })
})

describe("names that objects have of their own", () => {
  const named = JSON.parse('{"__proto__": 2, "constructor": 3}') as Record<string, number>

  it("are names of tools and of quantities", () => {
    const { toolCalls } = openAiUsage({ prompt_tokens: 1, completion_tokens: 1, connectors: named }, "mistral_ai")
    expect(Object.entries(toolCalls ?? {})).toEqual(Object.entries(named))
    const { other } = openAiUsage({ ...named, prompt_tokens: 1, completion_tokens: 1 }, "openai")
    expect(Object.entries(other ?? {})).toEqual(Object.entries(named))
    const ofAnthropic = anthropicUsage({ input_tokens: 1, output_tokens: 1, server_tool_use: named })
    expect(Object.entries(ofAnthropic.toolCalls ?? {})).toEqual(Object.entries(named))
    const details = [{ modality: "__proto__", tokenCount: 4 }]
    const ofGemini = geminiUsage({ promptTokenCount: 4, candidatesTokenCount: 0, promptTokensDetails: details })
    expect(ofGemini.other).toEqual({ input___proto___tokens: 4 })
    const twice = sum([{ toolCalls: named }, { toolCalls: named }])
    expect(Object.entries(twice.toolCalls ?? {})).toEqual([
      ["__proto__", 4],
      ["constructor", 6]
    ])
  })
})

describe("what an answer says that it cost", () => {
  const cases: Readonly<Record<string, readonly [usage: Usage, usd: string | undefined]>> = {
    "xAI, in ticks": [{ cost_in_usd_ticks: 37_756_000 }, "0.0037756"],
    OpenRouter: [{ cost: 0.62, is_byok: false, cost_details: { upstream_inference_cost: 0.6 } }, "0.62"],
    "OpenRouter with a key of one's own: its fee and the bill of the provider": [
      { cost: 0.0018, is_byok: true, cost_details: { upstream_inference_cost: 0.0360795 } },
      "0.0378795"
    ],
    "OpenRouter with a key of one's own, without the bill": [{ cost: 0.0018, is_byok: true }, undefined],
    "OpenRouter, free": [{ cost: 0 }, "0"],
    Perplexity: [{ cost: { input_tokens_cost: 0.000009, request_cost: 0.005, total_cost: 0.005393 } }, "0.005393"],
    "Perplexity, in another currency": [{ cost: { currency: "EUR", total_cost: 0.005393 } }, undefined],
    "a number that is so small that it has an exponent": [{ cost: 1e-7 }, "0.0000001"],
    nothing: [{}, undefined],
    "no number": [{ cost: "0.62" }, undefined],
    "a negative one": [{ cost: -1 }, undefined]
  }
  it.each(Object.entries(cases))("%s", (_, [usage, usd]) => {
    const amount = fromNonNegative(reportedCost(usage))
    expect(amount && format(amount)).toBe(usd)
    expect(usdOf(openAiUsage({ prompt_tokens: 1, completion_tokens: 1, ...usage }, "openai"))).toBe(usd)
  })
})

describe("usage in Anthropic's form", () => {
  const usage = { input_tokens: 21, cache_read_input_tokens: 100, output_tokens: 393 }
  const cases: Readonly<Record<string, readonly [usage: Usage, expected: Usage]>> = {
    "three inputs beside each other, and writes by how long they are kept": [
      {
        ...usage,
        cache_creation_input_tokens: 188_086,
        cache_creation: { ephemeral_5m_input_tokens: 456, ephemeral_1h_input_tokens: 187_630 }
      },
      {
        inputTokens: 188_207,
        cacheReadTokens: 100,
        cacheWriteTokens: 188_086,
        cacheWrite1hTokens: 187_630,
        outputTokens: 393
      }
    ],
    "writes whose split is not there: unknown": [
      { ...usage, cache_creation_input_tokens: 7 },
      {
        inputTokens: 128,
        cacheReadTokens: 100,
        cacheWriteTokens: 7,
        outputTokens: 393,
        uncounted: ["cacheWrite1hTokens"]
      }
    ],
    "writes whose split is not the whole: unknown": [
      {
        ...usage,
        cache_creation_input_tokens: 7,
        cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 }
      },
      {
        inputTokens: 128,
        cacheReadTokens: 100,
        cacheWriteTokens: 7,
        outputTokens: 393,
        uncounted: ["cacheWrite1hTokens"]
      }
    ],
    "tools of the server": [
      { ...usage, server_tool_use: { web_search_requests: 3, web_fetch_requests: 1 } },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, webSearches: 3, toolCalls: { web_fetch: 1 } }
    ],
    "thinking, inside of the output": [
      { ...usage, output_tokens_details: { thinking_tokens: 210 } },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, reasoningTokens: 210 }
    ],
    "a tier": [
      { ...usage, service_tier: "batch" },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, serviceTier: "batch" }
    ],
    "fast mode": [
      { ...usage, service_tier: "standard", speed: "fast", inference_geo: "us" },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, serviceTier: "fast", region: "us" }
    ],
    "fast mode that was not served": [
      { ...usage, service_tier: "standard", speed: "standard", inference_geo: "global" },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, serviceTier: "standard" }
    ],
    "fast mode in another tier, which has a name of its own": [
      { ...usage, service_tier: "priority", speed: "fast" },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, serviceTier: "priority_fast" }
    ],
    "a compaction, which is beside": [
      {
        ...usage,
        iterations: [
          { type: "message", input_tokens: 21, output_tokens: 393 },
          { type: "compaction", input_tokens: 1000, output_tokens: 50 }
        ]
      },
      { inputTokens: 1121, cacheReadTokens: 100, outputTokens: 443 }
    ],
    "what nobody has heard of": [
      { ...usage, fallback_credit: 7, new_tokens: 0 },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, other: { fallback_credit: 7 } }
    ],
    "an advisor, who has a price of their own": [
      { ...usage, iterations: [{ type: "advisor_message", model: "claude-y", input_tokens: 5 }] },
      { inputTokens: 121, cacheReadTokens: 100, outputTokens: 393, uncounted: ["advisorTokens"] }
    ]
  }
  it.each(Object.entries(cases))("%s", (_, [usage, expected]) => {
    expect(anthropicUsage(usage)).toEqual(expected)
  })
  it("is nothing where there is none", () => {
    expect([undefined, null, "x", {}].map((usage) => anthropicUsage(usage))).toEqual([{}, {}, {}, {}])
  })
})

describe("usage in Gemini's form", () => {
  const cases: Readonly<Record<string, readonly [usage: Usage, expected: Usage]>> = {
    "thoughts beside the candidates": [
      {
        promptTokenCount: 41,
        candidatesTokenCount: 5,
        thoughtsTokenCount: 343,
        totalTokenCount: 389,
        trafficType: "ON_DEMAND"
      },
      { inputTokens: 41, outputTokens: 348, reasoningTokens: 343, serviceTier: "ON_DEMAND" }
    ],
    "what nobody has heard of": [
      { promptTokenCount: 41, candidatesTokenCount: 5, totalTokenCount: 46, initialPromptTokenCount: 41, newCount: 3 },
      { inputTokens: 41, outputTokens: 5, other: { newCount: 3 } }
    ],
    "thoughts inside of the candidates": [
      { promptTokenCount: 41, candidatesTokenCount: 348, thoughtsTokenCount: 343, totalTokenCount: 389 },
      { inputTokens: 41, outputTokens: 348, reasoningTokens: 343 }
    ],
    "thoughts and what tools gave back": [
      {
        promptTokenCount: 41,
        candidatesTokenCount: 5,
        thoughtsTokenCount: 343,
        toolUsePromptTokenCount: 100,
        totalTokenCount: 489
      },
      { inputTokens: 141, outputTokens: 348, reasoningTokens: 343 }
    ],
    "thoughts without an answer": [
      { promptTokenCount: 41, thoughtsTokenCount: 343, totalTokenCount: 384 },
      { inputTokens: 41, outputTokens: 343, reasoningTokens: 343 }
    ],
    "a prompt whose answer has not come": [{ promptTokenCount: 41, totalTokenCount: 41 }, { inputTokens: 41 }],
    "modalities, of which some were cached": [
      {
        promptTokenCount: 300,
        cachedContentTokenCount: 120,
        candidatesTokenCount: 1290,
        totalTokenCount: 1590,
        promptTokensDetails: [
          { modality: "TEXT", tokenCount: 40 },
          { modality: "AUDIO", tokenCount: 200 },
          { modality: "IMAGE", tokenCount: 60 }
        ],
        cacheTokensDetails: [{ modality: "AUDIO", tokenCount: 120 }],
        candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 1290 }],
        serviceTier: "flex"
      },
      {
        inputTokens: 300,
        cacheReadTokens: 120,
        cacheReadAudioTokens: 120,
        cacheReadImageTokens: 0,
        cacheReadVideoTokens: 0,
        inputAudioTokens: 200,
        inputImageTokens: 60,
        inputVideoTokens: 0,
        outputTokens: 1290,
        outputAudioTokens: 0,
        outputImageTokens: 1290,
        outputVideoTokens: 0,
        serviceTier: "flex"
      }
    ],
    "documents, which have no price that is known": [
      {
        promptTokenCount: 258,
        candidatesTokenCount: 5,
        totalTokenCount: 263,
        promptTokensDetails: [{ modality: "DOCUMENT", tokenCount: 258 }]
      },
      {
        inputTokens: 258,
        inputAudioTokens: 0,
        inputImageTokens: 0,
        inputVideoTokens: 0,
        outputTokens: 5,
        other: { document_tokens: 258 }
      }
    ],
    "modalities of a part of the prompt say nothing of the rest": [
      {
        promptTokenCount: 100,
        toolUsePromptTokenCount: 50,
        candidatesTokenCount: 5,
        totalTokenCount: 155,
        promptTokensDetails: [{ modality: "TEXT", tokenCount: 100 }]
      },
      { inputTokens: 150, outputTokens: 5 }
    ],
    "totals that do not add up: unknown": [
      { promptTokenCount: 41, candidatesTokenCount: 5, thoughtsTokenCount: 3, totalTokenCount: 389 },
      { inputTokens: 41, outputTokens: 5, reasoningTokens: 3, uncounted: ["inputTokens", "outputTokens"] }
    ]
  }
  it.each(Object.entries(cases))("%s", (_, [usage, expected]) => {
    expect(geminiUsage(usage)).toEqual(expected)
  })

  const grounded = (...queries: ReadonlyArray<string>) => [{ groundingMetadata: { webSearchQueries: queries } }]
  it("searches are counted by query from Gemini 3 on, and by prompt before", () => {
    expect(geminiSearches(grounded("a", "b", "a", ""), "gemini-3-pro-preview")).toEqual({ webSearches: 2 })
    expect(geminiSearches(grounded("a", "b"), "gemini-2.5-flash")).toEqual({ webSearches: 1 })
    expect(geminiSearches(grounded("a"), "models/latest")).toEqual({ uncounted: ["webSearches"] })
    expect(geminiSearches(grounded(), "gemini-2.5-flash")).toEqual({})
    expect(geminiSearches([{}, null], "gemini-2.5-flash")).toEqual({})
  })
  it("what else grounds an answer is named, for no list has its price", () => {
    const grounding = {
      webSearchQueries: ["a"],
      imageSearchQueries: ["a", "a", "b"],
      retrievalQueries: ["c"],
      groundingChunks: [{ web: {} }, { maps: { uri: "x" } }, { maps: {} }]
    }
    expect(geminiSearches([{ groundingMetadata: grounding }], "gemini-3-pro")).toEqual({
      webSearches: 1,
      toolCalls: { image_search: 2, retrieval: 1, google_maps: 1 }
    })
    expect(geminiSearches([{ groundingMetadata: { groundingChunks: [{ maps: {} }] } }], "gemini-3-pro")).toEqual({
      toolCalls: { google_maps: 1 }
    })
  })
})

describe("what the numbers decide", () => {
  const amount = FastCheck.integer({ min: 0, max: 1000 })
  it.prop(
    "is what was counted, wherever parts stand, or nothing",
    [amount, amount, amount, amount, FastCheck.boolean(), FastCheck.boolean()],
    ([input, output, cacheShare, reasoningShare, isCacheBeside, isReasoningBeside]) => {
      const cache = Math.min(cacheShare, input)
      const reasoning = Math.min(reasoningShare, output)
      const reported = {
        input: isCacheBeside ? input - cache : input,
        output: isReasoningBeside ? output - reasoning : output
      }
      const totals = totalsOf(reported, input + output, [
        { amount: cache, side: "input", placement: "unknown" },
        { amount: reasoning, side: "output", placement: "unknown" }
      ])
      // Nothing only where cache and reasoning are as many, so that the total fits two readings.
      if (totals === undefined) expect(cache).toBe(reasoning)
      else expect(totals).toMatchObject({ input, output })
    }
  )
})

describe("what several places say", () => {
  it("of one answer, is named side by side", () => {
    expect(
      joined(
        { toolCalls: { a: 1 }, uncounted: ["x"], inputTokens: 1 },
        { toolCalls: { b: 2 }, uncounted: ["y", "x"], inputTokens: 2 }
      )
    ).toEqual({ toolCalls: { a: 1, b: 2 }, uncounted: ["x", "y"], inputTokens: 2 })
  })
  it("of several exchanges, is added up, and costs too", () => {
    const one = { inputTokens: 1, usd: "0.1", toolCalls: { a: 1 }, other: { c: 1 } }
    const total = sum([one, { ...one, toolCalls: { a: 2, b: 1 } }])
    expect({ ...total, usd: usdOf(total) }).toEqual({
      inputTokens: 2,
      usd: "0.2",
      toolCalls: { a: 3, b: 1 },
      other: { c: 2 }
    })
  })
  it("of several exchanges, is no cost where only some say theirs", () => {
    expect(sum([{ inputTokens: 1, usd: BigDecimal.unsafeFromString("0.1") }, { inputTokens: 2 }])).toEqual({
      inputTokens: 3
    })
  })
})

describe("who answers at a URL", () => {
  it.each([
    ["https://api.openai.com/v1/responses", "openai"],
    ["https://eu.api.openai.com/v1/responses", "openai"],
    ["https://acme.openai.azure.com/openai/deployments/x/chat/completions", "azure.ai.openai"],
    ["https://acme.cognitiveservices.azure.com/openai", "azure.ai.openai"],
    ["https://api.x.ai/v1/chat/completions", "x_ai"],
    ["https://api.deepseek.com/chat/completions", "deepseek"],
    ["https://api.deepseek.com/anthropic/v1/messages", "deepseek"],
    ["https://openrouter.ai/api/v1/chat/completions", "openrouter"],
    ["https://europe-west4-aiplatform.googleapis.com/v1/x", "gcp.vertex_ai"],
    ["https://aiplatform.eu.rep.googleapis.com/v1/x", "gcp.vertex_ai"],
    ["https://generativelanguage.googleapis.com/v1beta/x", "gcp.gemini"],
    ["https://llm.example.com/v1/chat/completions", "llm.example.com"],
    ["https://user:secret@LLM.example.com:8443/v1", "llm.example.com"],
    ["https://notopenai.com/v1", "notopenai.com"],
    ["https://api.openai.com.evil.example/v1", "api.openai.com.evil.example"],
    ["http://127.0.0.1:4000/v1", undefined],
    ["http://localhost:4000/v1", undefined],
    ["http://[::1]:4000/v1", undefined],
    ["/v1/responses", undefined]
  ])("%s: %s", (url, provider) => {
    expect(providerAt(url)).toBe(provider)
  })
  it("and in which region", () => {
    expect(
      ["https://eu.api.openai.com/v1", "https://api.openai.com/v1", "https://eu.example.com"].map(regionAt)
    ).toEqual(["eu", undefined, undefined])
  })
})
