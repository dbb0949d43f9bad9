import { describe, expect, it } from "@effect/vitest"
import { DateTime, Either, FastCheck } from "effect"
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
    ["a provider that is no text", { litellm_provider: 3 }, "litellm_provider: expected text, got 3"]
  ]

  it.each(bad)("is read without an entry that has %s", (_, entry, problem) => {
    const { prices, skipped } = pricesIn({ "quill-1": quill, bad: entry, "quill-2": quill })
    expect(prices.map(({ model }) => model)).toEqual(["quill-1", "quill-2"])
    expect(skipped.map(({ message }) => message)).toEqual([`price file prices.json, entry "bad": ${problem}`])
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
