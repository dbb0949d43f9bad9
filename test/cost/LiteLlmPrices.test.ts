import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Either, FastCheck } from "effect"
import { fromText, type LiteLlmOptions } from "../../src/cost/LiteLlmPrices.js"
import { Cost, PriceBook, Usage } from "../../src/index.js"

const read = (file: unknown, options: Partial<LiteLlmOptions> = {}) =>
  fromText(typeof file === "string" ? file : JSON.stringify(file), { name: "prices.json", ...options })

const pricesIn = (file: unknown, options?: Partial<LiteLlmOptions>) => Either.getOrThrow(read(file, options))

const bookOf = (file: unknown, options?: Partial<LiteLlmOptions>) =>
  Either.getOrThrow(PriceBook.make(pricesIn(file, options).prices))

const usageOf = (details: Partial<ConstructorParameters<typeof Usage.Usage>[0]>) =>
  new Usage.Usage({
    kind: "llm",
    provider: "openai",
    operation: "chat",
    model: "quill-2",
    time: DateTime.unsafeMake("2026-06-01T00:00:00Z"),
    status: "success",
    requests: 1,
    ...details
  })

const costOf = (file: unknown, details: Parameters<typeof usageOf>[0], options?: Partial<LiteLlmOptions>): string => {
  const cost = bookOf(file, options).priceOf(usageOf(details), { customerId: "bigretail" })
  return cost._tag === "Priced" ? Cost.format(cost.usd) : cost.reason
}

const quill = { litellm_provider: "openai", mode: "chat", input_cost_per_token: 3e-5, output_cost_per_token: "0.00006" }

describe("a file of LiteLLM's format", () => {
  it.each([
    [quill, { inputTokens: 1000, outputTokens: 100 }, "0.036"],
    [
      { ...quill, cache_read_input_token_cost: 1e-6 },
      { inputTokens: 100, cacheReadTokens: 90, outputTokens: 0 },
      "0.00039"
    ],
    [
      { ...quill, cache_creation_input_token_cost: 4e-5 },
      { inputTokens: 10, cacheWriteTokens: 9, outputTokens: 0 },
      "0.00039"
    ],
    [
      { ...quill, output_cost_per_reasoning_token: 1e-4 },
      { inputTokens: 0, outputTokens: 3, reasoningTokens: 2 },
      "0.00026"
    ],
    [
      { input_cost_per_character: 1e-6, output_cost_per_character: 2e-6 },
      { inputCharacters: 5, outputCharacters: 7 },
      "0.000019"
    ],
    [{ output_cost_per_image: 0.04 }, { images: 2 }, "0.08"],
    [{ input_cost_per_request: 0.005 }, {}, "0.005"],
    [{ ...quill, input_cost_per_token_above_128k_tokens: 6e-5 }, { inputTokens: 128_000, outputTokens: 0 }, "3.84"],
    [{ ...quill, input_cost_per_token_above_128k_tokens: 6e-5 }, { inputTokens: 128_001, outputTokens: 1 }, "7.68012"],
    [
      { ...quill, input_cost_per_token: null, mode: null, litellm_provider: null },
      { inputTokens: 0, outputTokens: 1 },
      "0.00006"
    ],
    [
      { litellm_provider: "openai", mode: "moderation", max_tokens: 32_768 },
      { inputTokens: 7, outputTokens: 0 },
      "no_price_for_kind"
    ]
  ])("prices %o", (entry, details, expected) => expect(costOf({ "quill-2": entry }, details)).toBe(expected))

  it.each([
    ["azure", "azure.ai.openai"],
    ["vertex_ai-language-models", "gcp.vertex_ai"],
    ["vertex_ai-anthropic_models", "gcp.vertex_ai"],
    ["gemini", "gcp.gemini"],
    ["bedrock_converse", "aws.bedrock"],
    ["text-completion-openai", "openai"],
    ["cohere_chat", "cohere"],
    ["mistral", "mistral_ai"],
    ["xai", "x_ai"],
    ["anthropic", "anthropic"],
    ["some_other", "some_other"]
  ])("knows the provider %s as %s", (name, provider) => {
    const [price] = pricesIn({ "quill-2": { ...quill, litellm_provider: name } }).prices
    expect(price?.provider).toBe(provider)
    expect(
      costOf({ "quill-2": { ...quill, litellm_provider: name } }, { provider, inputTokens: 0, outputTokens: 1 })
    ).toBe("0.00006")
  })

  it("says when and for whom it holds", () => {
    const file = { "quill-2": quill }
    const tokens = { inputTokens: 1, outputTokens: 0 }
    expect(costOf(file, tokens, { from: "2026-06-01T00:00:00Z", customerId: "bigretail" })).toBe("0.00003")
    expect(costOf(file, tokens, { until: "2026-06-01T00:00:00Z" })).toBe("unknown_model")
    expect(costOf(file, tokens, { customerId: "smallretail" })).toBe("unknown_model")
  })

  it("may hold models by any name", () => {
    const file = `{ "__proto__": ${JSON.stringify(quill)}, "constructor": ${JSON.stringify(quill)}, "sample_spec": { "mode": 7 } }`
    expect(pricesIn(file).prices.map(({ model }) => model)).toEqual(["__proto__", "constructor"])
    expect(costOf(file, { model: "__proto__", inputTokens: 0, outputTokens: 1 })).toBe("0.00006")
    expect(costOf(file, { model: "toString", inputTokens: 0, outputTokens: 1 })).toBe("unknown_model")
  })

  const long = "k".repeat(100_000)
  const cut = `${"k".repeat(255)}…`
  const bad: ReadonlyArray<readonly [string, unknown, string]> = [
    ["no object", 7, "expected an object, got 7"],
    ["a list", [], "expected an object, got a list"],
    [
      "a negative price",
      { input_cost_per_token: -1 },
      "input_cost_per_token: expected a decimal amount of US dollars, zero or more, got -1"
    ],
    [
      "a price in words",
      { output_cost_per_token: "free" },
      'output_cost_per_token: expected a decimal amount of US dollars, zero or more, got "free"'
    ],
    [
      "a price that is no number",
      { input_cost_per_image: {} },
      "input_cost_per_image: expected a decimal amount of US dollars, zero or more, got [object Object]"
    ],
    [
      "a huge exponent",
      { input_cost_per_token: "1e999999999" },
      'input_cost_per_token: expected a decimal amount of US dollars, zero or more, got "1e999999999"'
    ],
    [
      "a huge number",
      { input_cost_per_token: 1e300 },
      "input_cost_per_token: expected a decimal amount of US dollars, zero or more, got 1e+300"
    ],
    [
      "a wrong tier",
      { input_cost_per_token_above_200k_tokens: true },
      "input_cost_per_token_above_200k_tokens: expected a decimal amount of US dollars, zero or more, got true"
    ],
    ["a provider that is no text", { litellm_provider: 3 }, "litellm_provider: expected text, got 3"],
    ["nothing in it", null, "expected an object, got null"],
    [
      "a provider of a hundred thousand dashes",
      { litellm_provider: "-".repeat(100_000) },
      `litellm_provider: expected at most 256 bytes of UTF-8, got "${"-".repeat(63)}…"`
    ],
    [
      "a range that begins below zero",
      { tiered_pricing: [{ range: [-1, 5], input_cost_per_token: 1 }] },
      "tiered_pricing.0.range: expected two counts of tokens, got a list"
    ],
    ["a range that is a number", { tiered_pricing: [7] }, "tiered_pricing.0: expected an object, got 7"],
    [
      "searches that are none",
      { search_context_cost_per_query: "free" },
      'search_context_cost_per_query: expected an object, got "free"'
    ],
    ["ranges that are none", { tiered_pricing: 7 }, "tiered_pricing: expected a list, got 7"],
    [
      "a range that is none",
      { tiered_pricing: [{ range: "all", input_cost_per_token: 1 }] },
      'tiered_pricing.0.range: expected two counts of tokens, got "all"'
    ],
    [
      "a wrong price in a range",
      { tiered_pricing: [{ range: [0, 1], input_cost_per_token: -1 }] },
      "tiered_pricing.0.input_cost_per_token: expected a decimal amount of US dollars, zero or more, got -1"
    ],
    [
      "a wrong price of a search",
      { search_context_cost_per_query: { search_context_size_low: "?" } },
      'search_context_cost_per_query.search_context_size_low: expected a decimal amount of US dollars, zero or more, got "?"'
    ],
    [
      "a wrong factor",
      { provider_specific_entry: { fast: -6 } },
      "provider_specific_entry.fast: expected a decimal amount of US dollars, zero or more, got -6"
    ],
    [
      "a wrong factor under a name that acts on a terminal",
      { provider_specific_entry: { "us\n\u001b[31m\u2028": -6 } },
      "provider_specific_entry.us\\n\\u001b[31m\\u2028: expected a decimal amount of US dollars, zero or more, got -6"
    ],
    [
      "a wrong factor under a name without end",
      { provider_specific_entry: { [long]: -6 } },
      `provider_specific_entry.${cut}: expected a decimal amount of US dollars, zero or more, got -6`
    ],
    [
      "a wrong factor of a region that acts on a terminal",
      { "regional_processing_uplift_multiplier_\u0007": "?" },
      'regional_processing_uplift_multiplier_\\u0007: expected a decimal amount of US dollars, zero or more, got "?"'
    ],
    [
      "a wrong price of a search under a name without end",
      { search_context_cost_per_query: { [`\n${long}`]: "?" } },
      `search_context_cost_per_query.\\n${cut.slice(1)}: expected a decimal amount of US dollars, zero or more, got "?"`
    ],
    [
      "a price that is a list",
      { input_cost_per_token: [[1]] },
      "input_cost_per_token: expected a decimal amount of US dollars, zero or more, got a list"
    ]
  ]

  it.each(bad)("is read without an entry that has %s", (_, entry, problem) => {
    const { prices, skipped } = pricesIn({ "quill-1": quill, bad: entry, "quill-2": quill })
    expect(prices.map(({ model }) => model)).toEqual(["quill-1", "quill-2"])
    expect(skipped.map(({ message }) => message)).toEqual([`price file prices.json, entry "bad": ${problem}`])
  })

  it("is refused as a whole without what it has of control characters", () => {
    const failed = Either.flip(read('{ "quill-2":\n\u001b[31m', {}))
    expect(Either.getOrThrow(failed).message).toMatch(/^price file prices\.json: expected JSON: .*\\u001b/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
    expect(Either.getOrThrow(failed).message).not.toMatch(/[\u0000-\u001f]/)
  })

  it("is refused for such an entry where that is asked for", () => {
    const failed = Either.flip(read({ "quill-1": quill, bad: { input_cost_per_token: -1 } }, { badEntries: "fail" }))
    expect(Either.getOrThrow(failed).message).toMatch(
      /^price file prices\.json, entry "bad": input_cost_per_token: expected /
    )
  })

  it.each([
    ["", "expected JSON: "],
    ["{", "expected JSON: "],
    ["[]", "expected an object with an entry for each model"],
    ["null", "expected an object with an entry for each model"],
    ["7", "expected an object with an entry for each model"]
  ])("is refused as a whole where it is %o", (text, problem) => {
    const { message } = Either.getOrThrow(Either.flip(read(text)))
    expect(message.startsWith(`price file prices.json: ${problem}`)).toBe(true)
  })

  it.prop("never throws", [FastCheck.json()], ([text]) => {
    const made = Either.flatMap(read(text), ({ prices }) => PriceBook.make(prices))
    expect(Either.isEither(made)).toBe(true)
  })

  it.prop(
    "keeps each digit of a price",
    [FastCheck.integer({ min: 1, max: 999_999_999 }), FastCheck.integer({ min: 0, max: 15 })],
    ([digits, places]) => {
      const price = Number(`${digits}e-${places}`)
      const cost = bookOf({ "quill-2": { input_cost_per_token: price } }).priceOf(
        usageOf({ inputTokens: 1, outputTokens: 0 }),
        {
          customerId: "bigretail"
        }
      )
      expect(cost._tag).toBe("Priced")
      expect(cost.usd.value * 10n ** BigInt(places)).toBe(BigInt(digits) * 10n ** BigInt(cost.usd.scale))
    }
  )

  /** What a file of one entry makes of a usage: `0.5`, or `0.5, no_usage of outputTokens`. */
  const shown = (entry: object, details: Parameters<typeof usageOf>[0]): string => {
    const { litellm_provider: provider = "openai" } = entry as { readonly litellm_provider?: string }
    const cost = bookOf({ "quill-2": entry }).priceOf(
      usageOf({ provider: provider === "xai" ? "x_ai" : provider, ...details }),
      { customerId: "bigretail" }
    )
    const usd = Cost.format(cost.usd)
    return cost._tag === "Priced" ? usd : `${usd}, ${cost.reason} of ${cost.missing}`
  }

  const text = { input_cost_per_token: 1e-2, output_cost_per_token: 3e-2, mode: "chat" }
  const none = { inputTokens: 0, outputTokens: 0 }
  const cases: ReadonlyArray<
    readonly [what: string, entry: object, details: Parameters<typeof usageOf>[0], expected: string]
  > = [
    [
      "cache hits under their old name",
      { ...text, input_cost_per_token_cache_hit: 1e-3 },
      { inputTokens: 10, cacheReadTokens: 10, outputTokens: 0 },
      "0.01"
    ],
    [
      "cache writes kept for an hour",
      { ...text, cache_creation_input_token_cost: 1e-2, cache_creation_input_token_cost_above_1hr: 2e-2 },
      { inputTokens: 10, cacheWriteTokens: 10, cacheWrite1hTokens: 4, outputTokens: 0 },
      "0.14"
    ],
    [
      "cache writes kept for an hour, in long requests",
      {
        ...text,
        cache_creation_input_token_cost_above_1hr: 2e-2,
        cache_creation_input_token_cost_above_1hr_above_200k_tokens: 4e-2
      },
      { inputTokens: 200_001, cacheWriteTokens: 200_001, cacheWrite1hTokens: 200_001, outputTokens: 0 },
      "8000.04"
    ],
    [
      "cache writes kept for an hour, in long requests where only the others have a price",
      {
        ...text,
        cache_creation_input_token_cost: 1e-2,
        cache_creation_input_token_cost_above_1hr: 2e-2,
        cache_creation_input_token_cost_above_200k_tokens: 3e-2
      },
      { inputTokens: 200_001, cacheWriteTokens: 200_001, cacheWrite1hTokens: 1, outputTokens: 0 },
      "6000, no_price_for_kind of cacheWrite1hTokens"
    ],
    [
      "cache writes kept for an hour, in long requests in fast mode where only the others have a price",
      {
        ...text,
        cache_creation_input_token_cost: 1e-2,
        cache_creation_input_token_cost_above_1hr: 2e-2,
        cache_creation_input_token_cost_above_200k_tokens: 3e-2,
        provider_specific_entry: { fast: 2 }
      },
      { serviceTier: "fast", inputTokens: 200_001, cacheWriteTokens: 200_001, cacheWrite1hTokens: 1, outputTokens: 0 },
      "12000, no_price_for_kind of cacheWrite1hTokens"
    ],
    [
      "cached tokens, in fast mode in a range that has no price for them",
      {
        tiered_pricing: [
          { range: [0, 100], input_cost_per_token: 1, output_cost_per_token: 1, cache_read_input_token_cost: 1e-2 },
          { range: [100, 200], input_cost_per_token: 2, output_cost_per_token: 2 }
        ],
        provider_specific_entry: { fast: 2 }
      },
      { serviceTier: "fast", inputTokens: 150, cacheReadTokens: 50, outputTokens: 1 },
      "404, no_price_for_kind of cacheReadTokens"
    ],
    [
      "audio",
      { ...text, input_cost_per_audio_token: 1, output_cost_per_audio_token: 2 },
      { inputTokens: 3, inputAudioTokens: 2, outputTokens: 3, outputAudioTokens: 2 },
      "6.04"
    ],
    [
      "audio in a cache, by the key of realtime models",
      {
        ...text,
        mode: "realtime",
        input_cost_per_audio_token: 1,
        cache_read_input_token_cost: 1e-3,
        cache_creation_input_audio_token_cost: 5e-2
      },
      { inputTokens: 3, cacheReadTokens: 2, inputAudioTokens: 3, cacheReadAudioTokens: 2, outputTokens: 0 },
      "1.1"
    ],
    [
      "images as tokens, by the key of realtime models",
      { ...text, mode: "realtime", input_cost_per_image: 5 },
      { inputTokens: 3, inputImageTokens: 2, outputTokens: 0 },
      "10.01"
    ],
    [
      "image tokens at the price of text, where the model sees",
      { ...text, supports_vision: true },
      { inputTokens: 3, inputImageTokens: 2, outputTokens: 0 },
      "0.03"
    ],
    [
      "image tokens without a price, where it does not say so",
      text,
      { inputTokens: 3, inputImageTokens: 2, outputTokens: 0 },
      "0.01, no_price_for_kind of inputImageTokens"
    ],
    [
      "image tokens as the output, where that has no other price",
      { input_cost_per_token: 1, output_cost_per_image_token: 2, mode: "image_generation" },
      { inputTokens: 1, outputTokens: 4 },
      "9"
    ],
    [
      "images that are made, beside those that are looked at",
      { input_cost_per_image: 0.0011, output_cost_per_image: 0.134, mode: "image_generation" },
      { images: 1 },
      "0.134"
    ],
    [
      "images that are looked at, beside those that are made",
      { input_cost_per_image: 0.0011, output_cost_per_image: 0.134, mode: "image_generation" },
      { inputImages: 2 },
      "0.0022"
    ],
    [
      "images that are made, though the input is free",
      { input_cost_per_image: 0, output_cost_per_image: 0.008, mode: "image_generation" },
      { images: 1 },
      "0.008"
    ],
    [
      "images that are made, by the key of input alone",
      { input_cost_per_image: 0.02, mode: "image_generation" },
      { images: 2 },
      "0.04"
    ],
    [
      "images that are made, once where both keys are the same",
      { input_cost_per_image: 0.05, output_cost_per_image: 0.05, mode: "image_generation" },
      { images: 1 },
      "0.05"
    ],
    [
      "images that are looked at",
      { input_cost_per_image: 0.02, mode: "embedding" },
      { operation: "embeddings", inputImages: 2 },
      "0.04"
    ],
    [
      "pixels",
      { input_cost_per_pixel: 2e-8, output_cost_per_pixel: 0, mode: "image_generation" },
      { pixels: 100 },
      "0.000002"
    ],
    [
      "seconds that have the same price twice",
      { input_cost_per_second: 1e-4, output_cost_per_second: 1e-4, mode: "audio_transcription" },
      { inputAudioSeconds: 1.5 },
      "0.00015"
    ],
    [
      "seconds that are free on one side",
      { input_cost_per_second: 1e-4, output_cost_per_second: 0, mode: "audio_transcription" },
      { inputAudioSeconds: 10 },
      "0.001"
    ],
    [
      "seconds of speech",
      { input_cost_per_token: 1e-6, output_cost_per_second: 0.01, mode: "audio_speech" },
      { inputTokens: 0, outputAudioSeconds: 3 },
      "0.03"
    ],
    [
      "seconds of video",
      { output_cost_per_second: 0.4, output_cost_per_video_per_second: 9, mode: "video_generation" },
      { outputVideoSeconds: 2 },
      "0.8"
    ],
    [
      "seconds of video that differ by resolution",
      { output_cost_per_second: 0.05, output_cost_per_second_1080p: 0.08, mode: "video_generation" },
      { outputVideoSeconds: 2 },
      "0, no_price_for_kind of outputVideoSeconds"
    ],
    [
      "seconds of reserved computing",
      { input_cost_per_second: 0.01, output_cost_per_second: 0.01, mode: "chat" },
      { computeMs: 1500 },
      "0.015"
    ],
    [
      "queries, beside free tokens",
      { input_cost_per_query: 0.002, input_cost_per_token: 0, output_cost_per_token: 0, mode: "rerank" },
      { operation: "rerank", queries: 3 },
      "0.006"
    ],
    [
      "queries that are not counted",
      { input_cost_per_query: 0.002, input_cost_per_token: 0, output_cost_per_token: 0, mode: "rerank" },
      { operation: "rerank", inputTokens: 3 },
      "0, no_usage of queries"
    ],
    [
      "queries by the number of results",
      { mode: "search", tiered_pricing: [{ max_results_range: [0, 25], input_cost_per_query: 1 }] },
      { queries: 3 },
      "0, no_price_for_kind of queries"
    ],
    [
      "web searches",
      {
        ...text,
        search_context_cost_per_query: {
          search_context_size_low: 0.01,
          search_context_size_medium: 0.01,
          search_context_size_high: 0.01
        }
      },
      { ...none, webSearches: 3 },
      "0.03"
    ],
    [
      "web searches by context",
      {
        ...text,
        search_context_cost_per_query: {
          search_context_size_low: 1,
          search_context_size_medium: 2,
          search_context_size_high: 3
        }
      },
      { ...none, webSearches: 3, mediumContextWebSearches: 3 },
      "6"
    ],
    ["pages", { ocr_cost_per_page: 0.004, annotation_cost_per_page: 0.005, mode: "ocr" }, { pages: 2 }, "0.008"],
    ["credits", { ocr_cost_per_credit: 0.015, mode: "ocr" }, { pages: 2, credits: 2 }, "0.03"],
    ["sessions", { code_interpreter_cost_per_session: 0.03, mode: "chat" }, { sessions: 2 }, "0.06"],
    ["citations", { ...text, citation_cost_per_token: 1 }, { ...none, citationTokens: 2 }, "2"],
    [
      "priority",
      { ...text, input_cost_per_token_priority: 2e-2, output_cost_per_token_priority: 6e-2 },
      { inputTokens: 1, outputTokens: 1, serviceTier: "priority" },
      "0.08"
    ],
    [
      "priority without a price for output",
      { ...text, input_cost_per_token_priority: 2e-2 },
      { inputTokens: 1, outputTokens: 1, serviceTier: "priority" },
      "0.02, no_price_for_kind of outputTokens"
    ],
    [
      "priority of long requests",
      {
        ...text,
        input_cost_per_token_priority: 2e-2,
        input_cost_per_token_above_200k_tokens: 1,
        input_cost_per_token_above_200k_tokens_priority: 2
      },
      { inputTokens: 200_001, outputTokens: 0, serviceTier: "priority" },
      "400002"
    ],
    [
      "flex",
      { ...text, input_cost_per_token_flex: 5e-3, output_cost_per_token_flex: 1 },
      { inputTokens: 1, outputTokens: 1, serviceTier: "flex" },
      "1.005"
    ],
    [
      "batches",
      { ...text, input_cost_per_token_batches: 5e-3, output_cost_per_token_batches: 1 },
      { inputTokens: 1, outputTokens: 1, serviceTier: "batch" },
      "1.005"
    ],
    [
      "a tier without prices",
      text,
      { inputTokens: 1, outputTokens: 1, serviceTier: "priority" },
      "0, no_price_for_kind of inputTokens,outputTokens"
    ],
    [
      "fast answers, caches too",
      { ...text, cache_read_input_token_cost: 1e-3, provider_specific_entry: { fast: 6, us: 1.1 } },
      { inputTokens: 11, cacheReadTokens: 10, outputTokens: 0, serviceTier: "fast" },
      "0.12"
    ],
    [
      "fast answers where those have no price",
      text,
      { inputTokens: 1, outputTokens: 0, serviceTier: "fast" },
      "0, no_price_for_kind of inputTokens"
    ],
    [
      "a place",
      { ...text, provider_specific_entry: { us: 1.1 } },
      { inputTokens: 1, outputTokens: 0, region: "us" },
      "0.011"
    ],
    [
      "a place of another key",
      { ...text, regional_processing_uplift_multiplier_eu: 1.1 },
      { inputTokens: 1, outputTokens: 0, region: "eu" },
      "0.011"
    ],
    [
      "exactly a threshold",
      { ...text, input_cost_per_token_above_128k_tokens: 1 },
      { inputTokens: 128_000, outputTokens: 0 },
      "1280"
    ],
    [
      "exactly a threshold of xAI",
      { ...text, litellm_provider: "xai", input_cost_per_token_above_128k_tokens: 1 },
      { inputTokens: 128_000, outputTokens: 0 },
      "128000"
    ],
    [
      "a threshold of nothing of xAI",
      { ...text, litellm_provider: "xai", input_cost_per_token_above_0_tokens: 1 },
      { inputTokens: 2, outputTokens: 0 },
      "2"
    ],
    [
      "a threshold without thousands",
      { ...text, input_cost_per_token_above_100_tokens: 1 },
      { inputTokens: 101, outputTokens: 0 },
      "101"
    ]
  ]
  for (const [what, entry, details, expected] of cases) {
    it(`prices ${what}`, () => expect(shown(entry, details)).toBe(expected))
  }

  const sees = { ...text, supports_vision: true, supports_video_input: true, cache_read_input_token_cost: 1e-3 }
  it.each<readonly [what: string, entry: object, details: Parameters<typeof usageOf>[0], expected: string]>([
    ["images as text", sees, { inputTokens: 10, inputImageTokens: 4, outputTokens: 0 }, "0.1"],
    ["video as text", sees, { inputTokens: 10, inputVideoTokens: 4, outputTokens: 0 }, "0.1"],
    [
      "cached images and video as cached text",
      sees,
      {
        inputTokens: 10,
        cacheReadTokens: 8,
        cacheReadImageTokens: 3,
        cacheReadVideoTokens: 5,
        inputImageTokens: 3,
        inputVideoTokens: 5,
        outputTokens: 0
      },
      "0.028"
    ],
    [
      "images at their own price, and cached ones at none",
      { ...sees, input_cost_per_image_token: 5e-2 },
      { inputTokens: 4, inputImageTokens: 4, cacheReadTokens: 4, cacheReadImageTokens: 4, outputTokens: 0 },
      "0, no_price_for_kind of cacheReadImageTokens"
    ],
    [
      "images and video of a model that takes none",
      { ...text, cache_read_input_token_cost: 1e-3 },
      { inputTokens: 10, inputImageTokens: 4, outputTokens: 0 },
      "0.06, no_price_for_kind of inputImageTokens"
    ],
    [
      "images of a model that makes images",
      { ...sees, mode: "image_edit" },
      { inputTokens: 10, inputImageTokens: 4, outputTokens: 0 },
      "0.06, no_price_for_kind of inputImageTokens"
    ],
    [
      "a request of one token less than a long one at xAI",
      { ...text, litellm_provider: "xai", input_cost_per_token_above_128k_tokens: 1 },
      { inputTokens: 127_999, outputTokens: 0 },
      "1279.99"
    ]
  ])("prices %s", (_, entry, details, expected) => expect(shown(entry, details)).toBe(expected))

  const priceOf = (entry: object) => pricesIn({ "quill-2": entry }).prices[0]

  it("has searches of one price by that, and others by their context", () => {
    const searches = (low: unknown, medium: unknown, high: unknown) =>
      priceOf({
        ...text,
        search_context_cost_per_query: {
          search_context_size_low: low,
          search_context_size_medium: medium,
          search_context_size_high: high
        }
      })?.usd
    expect(searches(1, 1, 1)).toMatchObject({ webSearch: 1 })
    expect(searches(1, 1, 2)).toMatchObject({
      lowContextWebSearch: 1,
      mediumContextWebSearch: 1,
      highContextWebSearch: 2
    })
    expect(searches(2, 1, 2)).not.toHaveProperty("webSearch")
    expect(searches(null, 1, null)).toMatchObject({ mediumContextWebSearch: 1 })
    expect(searches(null, 1, null)).not.toHaveProperty("lowContextWebSearch")
  })

  it("is for no provider where its name is none", () => {
    expect(priceOf({ ...text, litellm_provider: "text-completion-" })?.provider).toBeUndefined()
  })

  it("leaves out an entry whose name cannot be a model's", () => {
    const { prices, skipped } = pricesIn({ "quill\n2": text, "quill-2": text })
    expect(prices.map(({ model }) => model)).toEqual(["quill-2"])
    expect(skipped.map(({ message }) => message)).toEqual([expect.stringMatching(/: name: expected /)])
  })

  it("says nothing of what an entry does not have", () => {
    const price = priceOf(text)
    for (const field of ["regions", "serviceTiers", "expects"]) expect(price).not.toHaveProperty(field)
    expect(priceOf({ ...text, provider_specific_entry: "12" })).not.toHaveProperty("regions")
  })

  it("has factors by region, as numbers and as text, and one for fast answers", () => {
    const price = priceOf({ ...text, provider_specific_entry: { US: "1.1", eu: 1.2, fast: 6, note: "beta" } })
    expect(price?.regions).toEqual({ us: "1.1", eu: 1.2 })
    expect(Object.keys(price?.serviceTiers ?? {})).toEqual(["fast"])
  })

  it("expects the parts that a mode is there for, where they have a price", () => {
    const pictures = { mode: "image_generation", input_cost_per_token: 1, output_cost_per_image_token: 2 }
    expect(priceOf(pictures)?.expects).toEqual(["outputImageTokens"])
    expect(priceOf({ ...pictures, output_cost_per_image_token: null })).not.toHaveProperty("expects")
  })

  it("takes a price of images for those that are made, where images are made at that price alone", () => {
    const made = { mode: "image_generation", input_cost_per_image: 0.02 }
    expect(priceOf(made)?.usd).not.toHaveProperty("inputImage")
    expect(priceOf({ ...made, output_cost_per_image: 0.02 })?.usd).not.toHaveProperty("inputImage")
    expect(priceOf({ ...made, output_cost_per_image: 0.04 })?.usd).toMatchObject({ inputImage: 0.02 })
    expect(priceOf({ ...made, mode: "chat" })?.usd).toMatchObject({ inputImage: 0.02 })
  })

  it("prices by ranges of input tokens, each for itself", () => {
    const entry = {
      mode: "chat",
      tiered_pricing: [
        { range: [0, 100], input_cost_per_token: 1, output_cost_per_token: 0, cache_read_input_token_cost: 0.5 },
        { range: [100, 200], input_cost_per_token: 2, output_cost_per_token: 0 }
      ]
    }
    const costs = [0, 100, 101, 500].map((inputTokens) => shown(entry, { inputTokens, outputTokens: 0 }))
    expect(costs).toEqual(["0", "100", "202", "1000"])
    expect(shown(entry, { inputTokens: 10, cacheReadTokens: 10, outputTokens: 0 })).toBe("5")
    expect(shown(entry, { inputTokens: 101, cacheReadTokens: 101, outputTokens: 0 })).toBe(
      "0, no_price_for_kind of cacheReadTokens"
    )
  })

  it("reports the prices that it does not model", () => {
    const { notModelled, prices } = pricesIn({
      "quill-1": { ...text, annotation_cost_per_page: 1, off_peak_pricing: {}, max_tokens: 7 },
      "quill-2": { ...text, off_peak_pricing: {} }
    })
    expect(prices).toHaveLength(2)
    expect(Array.from(notModelled)).toEqual([
      ["annotation_cost_per_page", 1],
      ["off_peak_pricing", 2]
    ])
  })

  it("is the source of its prices", () => {
    const [charge] = bookOf({ "quill-2": quill }).priceOf(usageOf({ inputTokens: 1, outputTokens: 0 }), {
      customerId: "bigretail"
    }).charges
    expect(charge?.price).toEqual({ source: "prices.json", entry: "quill-2", tier: "standard" })
  })

  it("may hold thousands of models", () => {
    const entries = Array.from(
      { length: 3000 },
      (_, i) => [`model-${i}`, { ...quill, input_cost_per_token: i }] as const
    )
    const book = bookOf(Object.fromEntries(entries))
    for (const i of [0, 1, 1500, 2999]) {
      const cost = book.priceOf(usageOf({ model: `model-${i}`, inputTokens: 2, outputTokens: 0 }), { customerId: "c" })
      expect(Cost.format(cost.usd)).toBe(String(2 * i))
    }
  })
})

it("takes a key that is longer than any of LiteLLM's for none of a price, whatever is in it", () => {
  const key = `cost${"_".repeat(100_000)}`
  expect(pricesIn({ "quill-2": { ...quill, [key]: 1 } })).toMatchObject({ skipped: [], notModelled: new Map() })
})

describe("an entry of LiteLLM's file", () => {
  /** The price of an entry, without its name. */
  const priceOf = (entry: object): PriceBook.Price => {
    const [price] = pricesIn({ "quill-2": entry }).prices
    if (price === undefined) throw new Error("The entry was left out")
    return price
  }

  it("without a provider is loaded", () => {
    expect(priceOf({ ...quill, litellm_provider: "" })).toMatchObject({ model: "quill-2", usd: { inputToken: 3e-5 } })
    expect(priceOf({ ...quill, litellm_provider: "" }).provider).toBeUndefined()
  })

  it("has another provider only where its name ends in the way of calling", () => {
    const providers = ["openai_chat", "acme_text_lab", "text-completion-openai", "acme-text-completion-lab"]
    expect(providers.map((litellm_provider) => priceOf({ ...quill, litellm_provider }).provider)).toEqual([
      "openai",
      "acme_text_lab",
      "openai",
      "acme-text-completion-lab"
    ])
  })

  it("has images at the price of text only where it says that it takes them", () => {
    const vision = (supports_vision: unknown, more = {}) => priceOf({ ...quill, supports_vision, ...more }).usd
    expect([true, false, "true", 1].map((flag) => vision(flag).inputImageToken)).toEqual([
      3e-5,
      undefined,
      undefined,
      undefined
    ])
    expect(vision(true, { mode: 7 }).inputImageToken).toBe(3e-5)
  })

  it("has video at the price of text where it takes it and has no price of its own", () => {
    const video = (more: object) => priceOf({ ...quill, input_cost_per_token_above_200k_tokens: 6e-5, ...more })
    const pricesOf = ({ tiers = [], usd }: PriceBook.Price) => [usd, ...tiers.map(({ usd }) => usd)]
    const tokens = (price: PriceBook.Price) => pricesOf(price).map(({ inputVideoToken }) => inputVideoToken)
    expect(tokens(video({}))).toEqual([undefined, undefined])
    expect(tokens(video({ supports_video_input: true }))).toEqual([3e-5, 6e-5])
    expect(tokens(video({ supports_video_input: true, input_cost_per_video_token: 1e-3 }))).toEqual([1e-3, undefined])
  })

  it("of a batch alone is loaded, whatever it takes", () => {
    const { serviceTiers } = priceOf({
      litellm_provider: "openai",
      mode: "chat",
      supports_vision: true,
      supports_video_input: true,
      input_cost_per_token_batches: 1e-5
    })
    expect(serviceTiers?.["batch"]?.usd.inputToken).toBe(1e-5)
  })

  it("has the price of image tokens for all that comes out only where the output has no price", () => {
    const output = (output_cost_per_token: number | undefined) =>
      priceOf({ ...quill, output_cost_per_token, output_cost_per_image_token: 4e-5 }).usd.outputToken
    expect([undefined, 0, 1e-5].map(output)).toEqual([4e-5, 4e-5, 1e-5])
  })

  it("has seconds of computing, unless it is for audio or video", () => {
    const computed = (mode: string, key: string) => priceOf({ mode, [key]: 0.5 }).usd.computeHour !== undefined
    const modes = ["chat", "audio_transcription", "audio_speech", "realtime", "video_generation"]
    expect(modes.map((mode) => computed(mode, "input_cost_per_second"))).toEqual([true, false, false, false, false])
    expect(modes.map((mode) => computed(mode, "output_cost_per_second"))).toEqual([true, false, false, false, false])
  })

  it("has images that are looked at, which are tokens in a conversation", () => {
    const looked = (mode: string) => {
      const { inputImage, inputImageToken } = priceOf({ ...quill, mode, input_cost_per_image: 0.01 }).usd
      return [inputImage, inputImageToken]
    }
    expect([looked("chat"), looked("realtime")]).toEqual([
      [0.01, undefined],
      [undefined, 0.01]
    ])
  })

  it("has no price for a context of searches that it leaves open", () => {
    const { usd } = priceOf({
      ...quill,
      search_context_cost_per_query: { search_context_size_low: null, search_context_size_high: 0.02 }
    })
    expect([usd.lowContextWebSearch, usd.highContextWebSearch]).toEqual([undefined, 0.02])
  })

  it("has no price for what a range of tokens leaves open", () => {
    const range = { range: [0, 1000], input_cost_per_token: 1e-6, output_cost_per_token: null }
    const { usd } = priceOf({ litellm_provider: "dashscope", mode: "chat", tiered_pricing: [range] })
    expect([usd.inputToken, usd.outputToken]).toEqual([1e-6, undefined])
  })

  it("has no price that holds under a condition only, however that is named", () => {
    const input = (key: string) => priceOf({ ...quill, [key]: 1e-5 }).usd.inputToken
    expect(["input_cost_per_token_at_night", "input_cost_per_tokens_at_night"].map(input)).toEqual([undefined, 3e-5])
  })

  it("answers fast at a factor, in long requests too", () => {
    const { serviceTiers } = priceOf({
      ...quill,
      input_cost_per_token_above_200k_tokens: 6e-5,
      provider_specific_entry: { fast: 2 }
    })
    const fast = serviceTiers?.["fast"]
    const shown = (usd: Cost.UsdInput | undefined) => (BigDecimal.isBigDecimal(usd) ? Cost.format(usd) : usd)
    expect([shown(fast?.usd.inputToken), shown(fast?.usd.outputToken)]).toEqual(["0.00006", "0.00012"])
    expect(fast?.tiers?.map(({ aboveInputTokens, usd }) => [aboveInputTokens, shown(usd.inputToken)])).toEqual([
      [200_000, "0.00012"]
    ])
  })
})
