/**
 * Random usages of many meters at once, in all tiers and regions, priced by entries of LiteLLM's file and by an oracle: what comes
 * out priced costs what the oracle says. `BOTANU_PRICE_USAGES` is how many usages each entry gets, `BOTANU_PRICE_SEED` which ones.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, Either } from "effect"
import { fromText } from "../../src/cost/LiteLlmPrices.js"
import { make } from "../../src/cost/UsageRecord.js"
import { PriceBook } from "../../src/index.js"
import { instant } from "../runs.js"
import { type Entry, Oracle, places } from "./LiteLlmOracle.js"
import { randomUsage } from "./RandomUsage.js"

const path = fileURLToPath(new URL("../../../shared/cases/litellm-prices-2026-08-01.json", import.meta.url))
const isThere = existsSync(path)

const seed = Number(process.env["BOTANU_PRICE_SEED"] ?? Math.floor(Math.random() * 1_000_000))
const long = process.env["BOTANU_PRICE_USAGES"]

/** Entries of invented models, which have what entries of the file have. */
const invented: Readonly<Record<string, Entry>> = {
  "quill-2": {
    litellm_provider: "openai",
    mode: "chat",
    supports_vision: true,
    input_cost_per_token: 2.5e-6,
    output_cost_per_token: 1e-5,
    cache_read_input_token_cost: 2.5e-7,
    input_cost_per_audio_token: 4e-5,
    output_cost_per_audio_token: 8e-5,
    input_cost_per_token_priority: 4.25e-6,
    output_cost_per_token_priority: 1.7e-5,
    cache_read_input_token_cost_priority: 4.25e-7,
    input_cost_per_token_batches: 1.25e-6,
    output_cost_per_token_batches: 5e-6,
    input_cost_per_token_above_272k_tokens: 5e-6,
    output_cost_per_token_above_272k_tokens: 1.5e-5,
    regional_processing_uplift_multiplier_eu: 1.1,
    search_context_cost_per_query: {
      search_context_size_low: 0.03,
      search_context_size_medium: 0.035,
      search_context_size_high: 0.05
    }
  },
  "quill-3": {
    litellm_provider: "anthropic",
    mode: "chat",
    supports_vision: true,
    input_cost_per_token: 5e-6,
    output_cost_per_token: 2.5e-5,
    cache_read_input_token_cost: 5e-7,
    cache_creation_input_token_cost: 6.25e-6,
    cache_creation_input_token_cost_above_1hr: 1e-5,
    input_cost_per_token_above_200k_tokens: 1e-5,
    output_cost_per_token_above_200k_tokens: 3.75e-5,
    cache_read_input_token_cost_above_200k_tokens: 1e-6,
    cache_creation_input_token_cost_above_200k_tokens: 1.25e-5,
    provider_specific_entry: { fast: 2, us: 1.1 },
    search_context_cost_per_query: {
      search_context_size_low: 0.01,
      search_context_size_medium: 0.01,
      search_context_size_high: 0.01
    }
  },
  "xai/reed-1": {
    litellm_provider: "xai",
    mode: "chat",
    input_cost_per_token: 3e-6,
    output_cost_per_token: 1.5e-5,
    output_cost_per_reasoning_token: 4e-6,
    cache_read_input_token_cost: 7.5e-7,
    input_cost_per_token_above_128k_tokens: 6e-6,
    output_cost_per_token_above_128k_tokens: 3e-5
  },
  "dashscope/brush": {
    litellm_provider: "dashscope",
    mode: "chat",
    tiered_pricing: [
      {
        range: [0, 32_000],
        input_cost_per_token: 1e-6,
        output_cost_per_token: 4e-6,
        cache_read_input_token_cost: 2e-7
      },
      { range: [32_000, 128_000], input_cost_per_token: 2e-6, output_cost_per_token: 8e-6 },
      { range: [128_000, 1_000_000], input_cost_per_token: 3e-6, output_cost_per_token: 1.2e-5 }
    ]
  },
  "deepseek/pen": {
    litellm_provider: "deepseek",
    mode: "chat",
    input_cost_per_token: 2.7e-7,
    input_cost_per_token_cache_hit: 7e-8,
    output_cost_per_token: 1.1e-6
  },
  "quill-voice": {
    litellm_provider: "openai",
    mode: "realtime",
    input_cost_per_token: 4e-6,
    output_cost_per_token: 1.6e-5,
    input_cost_per_audio_token: 3.2e-5,
    output_cost_per_audio_token: 6.4e-5,
    input_cost_per_image: 5e-6,
    cache_read_input_token_cost: 4e-7,
    cache_creation_input_audio_token_cost: 4e-7
  },
  "quill-paint": {
    litellm_provider: "openai",
    mode: "image_generation",
    input_cost_per_token: 5e-6,
    input_cost_per_image_token: 1e-5,
    output_cost_per_image_token: 4e-5,
    output_cost_per_image: 0.134,
    input_cost_per_image: 0.0011
  },
  "quill-hear": {
    litellm_provider: "openai",
    mode: "audio_transcription",
    input_cost_per_second: 0.0001,
    output_cost_per_second: 0.0001
  },
  "quill-film": {
    litellm_provider: "openai",
    mode: "video_generation",
    output_cost_per_second: 0.3,
    output_cost_per_video_per_second: 0.1
  },
  "quill-read": { litellm_provider: "mistral", mode: "ocr", ocr_cost_per_page: 0.001, ocr_cost_per_credit: 0.002 },
  "quill-rank": {
    litellm_provider: "cohere",
    mode: "rerank",
    input_cost_per_query: 0.002,
    input_cost_per_token: 0,
    output_cost_per_token: 0
  },
  "quill-embed": {
    litellm_provider: "vertex_ai",
    mode: "embedding",
    input_cost_per_character: 2e-7,
    input_cost_per_token: 8e-7,
    input_cost_per_image: 0.0001,
    input_cost_per_video_per_second: 0.0005,
    input_cost_per_audio_per_second: 0.00016
  },
  "bedrock/reserved/quill-3": {
    litellm_provider: "bedrock",
    mode: "chat",
    input_cost_per_second: 0.011,
    output_cost_per_second: 0.011
  },
  "perplexity/nib": {
    litellm_provider: "perplexity",
    mode: "chat",
    input_cost_per_token: 2e-6,
    output_cost_per_token: 8e-6,
    output_cost_per_reasoning_token: 3e-6,
    citation_cost_per_token: 2e-6,
    input_cost_per_request: 0.005,
    code_interpreter_cost_per_session: 0.03
  }
}

/** What is priced otherwise than the oracle has it, of so many usages of each entry, and how many were compared. */
const compared = (text: string, usages: number) => {
  const entries = Object.entries(JSON.parse(text) as Record<string, Entry>).filter(([model]) => model !== "sample_spec")
  const { prices } = Either.getOrThrow(fromText(text, { name: "prices.json" }))
  const book = Either.getOrThrow(PriceBook.make(prices))
  const wrong: Array<string> = []
  let priced = 0
  let wholes = 0
  entries.forEach(([model, entry], i) => {
    for (let k = 0; k < usages; k++) {
      const probe = randomUsage(entry, seed * 7919 + i * 100_003 + k)
      const { quantities, region, tier: serviceTier } = probe
      const details = { kind: "llm", provider: prices[i]?.provider ?? "unknown", operation: "chat", model } as const
      const problems: Array<unknown> = []
      const usage = make(
        { ...details, ...quantities, serviceTier, region },
        {},
        { time: instant(1_770_000_000_000) },
        (problem) => problems.push(problem)
      )
      if (problems.length > 0) wrong.push(`${model}: ${JSON.stringify(probe)}: ${JSON.stringify(problems)}`)
      const cost = book.priceOf(usage, { customerId: "bigretail" })
      const charged = cost.charges.reduce((sum, { usd }) => BigDecimal.sum(sum, usd), BigDecimal.make(0n, 0))
      if (!BigDecimal.equals(charged, cost.usd))
        wrong.push(`${model}: ${JSON.stringify(probe)}: the charges are not the cost`)
      const expected = new Oracle(entry, probe).cost
      if (expected !== undefined) wholes += 1
      if (cost._tag !== "Priced") continue
      priced += 1
      const usd = BigDecimal.scale(cost.usd, places).value
      if (usd !== expected) wrong.push(`${model}: ${JSON.stringify(probe)}: ${usd}, expected ${expected}`)
    }
  })
  return { wrong, priced, wholes, entries: entries.length }
}

describe(`random usages of seed ${seed}`, () => {
  it("cost what an oracle says, or are unpriced: invented entries", { timeout: 600_000 }, () => {
    const { priced, wholes, wrong } = compared(JSON.stringify(invented), Number(long ?? 100))
    expect(wrong.slice(0, 10)).toEqual([])
    // A book that gave up too often would never be wrong.
    expect(priced).toBeGreaterThan(wholes / 4)
  })

  it.runIf(isThere)(
    "cost what an oracle says, or are unpriced: LiteLLM's file of 2026-08-01",
    { timeout: 3_600_000 },
    () => {
      const { entries, priced, wholes, wrong } = compared(readFileSync(path, "utf8"), Number(long ?? 1))
      expect(wrong.slice(0, 10)).toEqual([])
      expect(entries).toBeGreaterThan(2900)
      expect(priced).toBeGreaterThan(wholes / 4)
    }
  )
})
