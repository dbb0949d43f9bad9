/**
 * A whole price file against an oracle that shares no code with the product. The file is not part of the repository: where it is
 * missing, its tests are left out.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, Either } from "effect"
import { fromText } from "../../src/cost/LiteLlmPrices.js"
import { PriceBook, Usage } from "../../src/index.js"
import { makeUnsafe } from "../../src/schema/SchemaRecord.js"
import { instant } from "../runs.js"

const path = fileURLToPath(new URL("../../../shared/cases/litellm-prices-2026-08-01.json", import.meta.url))
const isThere = existsSync(path)
if (!isThere) console.info(`${path} is missing: the tests of the whole price file are left out`)

type Entry = Readonly<Record<string, unknown>>
type Quantities = Readonly<Record<string, number>>

// Amounts as whole numbers of the 40th decimal place.
const places = 40

/** The digits of a JSON number. */
const decimal = (value: unknown): bigint => {
  const [, whole = "", fraction = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  return BigInt(whole + fraction) * 10n ** BigInt(places - fraction.length + Number(exponent))
}

const product = (price: bigint, quantity: number): bigint => {
  const milli = BigInt(Math.round(quantity * 1000))
  return (price * milli) / 1000n
}

const numberIn = (entry: Entry, key: string): number | undefined =>
  typeof entry[key] === "number" ? (entry[key] as number) : undefined

/** The value of a key with a suffix, else without. */
const keyed = (entry: Entry, key: string, suffix = ""): number | undefined =>
  numberIn(entry, key + suffix) ?? numberIn(entry, key)

const makesPictures = (entry: Entry) => entry["mode"] === "image_generation" || entry["mode"] === "image_edit"

interface Probe {
  readonly what: string
  readonly usage: Quantities
  readonly expected: bigint
  readonly serviceTier?: string
  readonly region?: string
}

/** What one unit of a key is, as a usage that holds nothing else. */
const single: Readonly<Record<string, (quantity: number, entry: Entry) => Quantities | undefined>> = {
  input_cost_per_token: (n) => ({ inputTokens: n }),
  output_cost_per_token: (n, entry) =>
    numberIn(entry, "output_cost_per_token") === 0 && numberIn(entry, "output_cost_per_image_token")
      ? undefined
      : { outputTokens: n },
  cache_read_input_token_cost: (n) => ({ inputTokens: n, cacheReadTokens: n }),
  input_cost_per_token_cache_hit: (n) => ({ inputTokens: n, cacheReadTokens: n }),
  cache_creation_input_token_cost: (n) => ({ inputTokens: n, cacheWriteTokens: n }),
  cache_creation_input_token_cost_above_1hr: (n) => ({ inputTokens: n, cacheWriteTokens: n, cacheWrite1hTokens: n }),
  cache_read_input_audio_token_cost: (n) => ({
    inputTokens: n,
    cacheReadTokens: n,
    inputAudioTokens: n,
    cacheReadAudioTokens: n
  }),
  cache_creation_input_audio_token_cost: (n, entry) =>
    numberIn(entry, "cache_read_input_audio_token_cost") === undefined
      ? { inputTokens: n, cacheReadTokens: n, inputAudioTokens: n, cacheReadAudioTokens: n }
      : undefined,
  input_cost_per_audio_token: (n) => ({ inputTokens: n, inputAudioTokens: n }),
  output_cost_per_audio_token: (n) => ({ outputTokens: n, outputAudioTokens: n }),
  input_cost_per_image_token: (n) => ({ inputTokens: n, inputImageTokens: n }),
  output_cost_per_image_token: (n) => ({ outputTokens: n, outputImageTokens: n }),
  output_cost_per_video_token: (n) => ({ outputTokens: n, outputVideoTokens: n }),
  output_cost_per_reasoning_token: (n) => ({ outputTokens: n, reasoningTokens: n }),
  citation_cost_per_token: (n) => ({ citationTokens: n }),
  input_cost_per_character: (n) => ({ inputCharacters: n }),
  output_cost_per_character: (n) => ({ outputCharacters: n }),
  input_cost_per_image: (n, entry) => {
    if (entry["mode"] === "realtime") return { inputTokens: n, inputImageTokens: n }
    if (!makesPictures(entry)) return { inputImages: n }
    const made = numberIn(entry, "output_cost_per_image")
    return made === undefined || made === numberIn(entry, "input_cost_per_image") ? { images: n } : { inputImages: n }
  },
  output_cost_per_image: (n) => ({ images: n }),
  input_cost_per_pixel: (n) => ({ pixels: n }),
  input_cost_per_second: (n, entry) => {
    if (entry["mode"] === "audio_transcription") return { inputAudioSeconds: n }
    return entry["mode"] === "chat" ? { computeMs: n * 1000 } : undefined
  },
  output_cost_per_second: (n, entry) => {
    if (entry["mode"] === "audio_speech") return { outputAudioSeconds: n }
    return entry["mode"] === "video_generation" && entry["output_cost_per_second_1080p"] === undefined
      ? { outputVideoSeconds: n }
      : undefined
  },
  output_cost_per_video_per_second: (n) => ({ outputVideoSeconds: n }),
  input_cost_per_audio_per_second: (n) => ({ inputAudioSeconds: n }),
  input_cost_per_video_per_second: (n, entry) =>
    entry["input_cost_per_video_per_second_above_8s_interval"] === undefined ? { inputVideoSeconds: n } : undefined,
  input_cost_per_query: (n) => ({ queries: n }),
  input_cost_per_request: (n) => ({ requests: n }),
  code_interpreter_cost_per_session: (n) => ({ sessions: n }),
  ocr_cost_per_page: (n) => ({ pages: n }),
  ocr_cost_per_credit: (n) => ({ credits: n })
}

/** A second of audio counts once, though it has a key on both sides. */
const priceOf = (entry: Entry, key: string): bigint => decimal(numberIn(entry, key))

/** What is to be 0 beside what a probe counts, for it to say that there was nothing else. */
const nothingElse: Quantities = {
  requests: 1,
  inputTokens: 0,
  inputAudioTokens: 0,
  outputTokens: 0,
  outputAudioTokens: 0,
  outputImageTokens: 0,
  inputCharacters: 0,
  outputCharacters: 0,
  inputImages: 0,
  images: 0,
  pixels: 0,
  inputAudioSeconds: 0,
  outputAudioSeconds: 0,
  inputVideoSeconds: 0,
  outputVideoSeconds: 0,
  queries: 0,
  pages: 0,
  credits: 0
}

const meterProbes = (entry: Entry): ReadonlyArray<Probe> =>
  Object.entries(single).flatMap(([key, usageOf]) => {
    const quantity = 7
    const usage = numberIn(entry, key) === undefined ? undefined : usageOf(quantity, entry)
    if (usage === undefined) return []
    const perRequest = key === "input_cost_per_request" ? 0n : decimal(numberIn(entry, "input_cost_per_request") ?? 0)
    return [{ what: key, usage, expected: product(priceOf(entry, key), quantity) + perRequest }]
  })

/** Text, some of it in a cache, at a size of the request. */
const textProbe = (entry: Entry, what: string, size: number, suffix: string, factor = 10n): Probe | undefined => {
  const input = keyed(entry, "input_cost_per_token", suffix)
  const output = keyed(entry, "output_cost_per_token", suffix)
  if (input === undefined || output === undefined) return undefined
  if (output === 0 && numberIn(entry, "output_cost_per_image_token")) return undefined
  const expected = product(decimal(input), size) + product(decimal(output), 3)
  const perRequest = decimal(numberIn(entry, "input_cost_per_request") ?? 0)
  return { what, usage: { inputTokens: size, outputTokens: 3 }, expected: (expected * factor) / 10n + perRequest }
}

const sizeProbes = (entry: Entry): ReadonlyArray<Probe | undefined> =>
  Object.keys(entry).flatMap((key) => {
    const [, digits] = /^input_cost_per_token_above_(\d+)k_tokens$/.exec(key) ?? []
    if (digits === undefined) return []
    const size = Number(digits) * 1000
    const suffix = `_above_${digits}k_tokens`
    const others = Object.keys(entry).flatMap(
      (key) => /^input_cost_per_token_above_(\d+)k_tokens$/.exec(key)?.[1] ?? []
    )
    // Entries of today have one threshold, or the probe would need to know the order.
    expect(others).toHaveLength(1)
    const isLongAt = entry["litellm_provider"] === "xai"
    return [
      textProbe(entry, `below ${suffix}`, size - 1, ""),
      textProbe(entry, `at ${suffix}`, size, isLongAt ? suffix : ""),
      textProbe(entry, `above ${suffix}`, size + 1, suffix)
    ]
  })

const tierProbes = (entry: Entry): ReadonlyArray<Probe | undefined> =>
  (["priority", "flex", "batches"] as const).flatMap((tier) => {
    const [input, output] = [
      numberIn(entry, `input_cost_per_token_${tier}`),
      numberIn(entry, `output_cost_per_token_${tier}`)
    ]
    const cached = numberIn(entry, `cache_read_input_token_cost_${tier}`)
    const serviceTier = tier === "batches" ? "batch" : tier
    const probes: Array<Probe> = []
    if (input !== undefined)
      probes.push({ what: `${tier} in`, serviceTier, usage: { inputTokens: 9 }, expected: product(decimal(input), 9) })
    if (output !== undefined)
      probes.push({
        what: `${tier} out`,
        serviceTier,
        usage: { outputTokens: 9 },
        expected: product(decimal(output), 9)
      })
    if (cached !== undefined)
      probes.push({
        what: `${tier} cached`,
        serviceTier,
        usage: { inputTokens: 9, cacheReadTokens: 9 },
        expected: product(decimal(cached), 9)
      })
    return probes
  })

const rangeProbes = (entry: Entry): ReadonlyArray<Probe> => {
  const ranges = (entry["tiered_pricing"] ?? []) as ReadonlyArray<Entry>
  return ranges.flatMap((range, i) => {
    const [from, to] = (range["range"] ?? []) as ReadonlyArray<number>
    if (from === undefined || to === undefined) return []
    const sizes = i === ranges.length - 1 ? [from + 1, to, to + 1] : [from + 1, to]
    return sizes.map((size) => ({
      what: `${size} in ${from} to ${to}`,
      usage: { inputTokens: size, outputTokens: 3 },
      expected:
        product(decimal(range["input_cost_per_token"]), size) + product(decimal(range["output_cost_per_token"]), 3)
    }))
  })
}

const contexts = ["low", "medium", "high"] as const

const searchProbes = (entry: Entry): ReadonlyArray<Probe> => {
  const prices = entry["search_context_cost_per_query"] as Entry | undefined
  if (prices === undefined) return []
  return contexts.map((context) => ({
    what: `search of ${context} context`,
    usage: { webSearches: 3, [`${context}ContextWebSearches`]: 3 },
    expected: product(decimal(prices[`search_context_size_${context}`]), 3)
  }))
}

const factorProbes = (entry: Entry): ReadonlyArray<Probe | undefined> => {
  const factors = (entry["provider_specific_entry"] ?? {}) as Entry
  const tenths = (factor: unknown): bigint | undefined =>
    typeof factor === "number" ? BigInt(Math.round(factor * 10)) : undefined
  const regional = (region: string, factor: unknown): Probe | undefined => {
    const by = tenths(factor)
    const probe = by === undefined ? undefined : textProbe(entry, region, 11, "", by)
    return probe && { ...probe, region }
  }
  const fastest = tenths(factors["fast"])
  const fast = fastest === undefined ? undefined : textProbe(entry, "fast", 11, "", fastest)
  return [
    regional("us", factors["us"]),
    regional("us", entry["regional_processing_uplift_multiplier_us"]),
    regional("eu", entry["regional_processing_uplift_multiplier_eu"]),
    fast && { ...fast, serviceTier: "fast" }
  ]
}

const probesOf = (entry: Entry): ReadonlyArray<Probe> =>
  [
    ...meterProbes(entry),
    ...sizeProbes(entry),
    ...tierProbes(entry),
    ...rangeProbes(entry),
    ...searchProbes(entry),
    ...factorProbes(entry)
  ].filter((probe) => probe !== undefined)

// A constructor that checks all fields would take longer than the prices.
const usageOf = (model: string, provider: string, details: object): Usage.Usage =>
  makeUnsafe(Usage.Usage, {
    kind: "llm",
    provider,
    operation: "chat",
    model,
    time: instant(1_770_000_000_000),
    status: "success",
    requests: 1,
    ...details
  })

describe.runIf(isThere)("LiteLLM's file of 2026-08-01", () => {
  const text = isThere ? readFileSync(path, "utf8") : "{}"
  const entries = Object.entries(JSON.parse(text) as Record<string, Entry>).filter(([model]) => model !== "sample_spec")
  const read = Either.getOrThrow(fromText(text, { name: "prices.json" }))
  const payer = { customerId: "bigretail" }

  it("has entries that are all read", () => {
    expect(read.skipped).toEqual([])
    expect(read.prices).toHaveLength(entries.length)
  })

  it("names what is not modelled", () => {
    expect(Object.fromEntries(read.notModelled)).toEqual({
      annotation_cost_per_page: 4,
      input_cost_per_video_per_second_above_15s_interval: 2,
      input_cost_per_video_per_second_above_8s_interval: 2,
      output_cost_per_second_1080p: 1,
      tiered_pricing: 2
    })
  })

  it("prices each meter of each entry as the file says", { timeout: 120_000 }, () => {
    const book = Either.getOrThrow(PriceBook.make(read.prices))
    const wrong: Array<string> = []
    let count = 0
    entries.forEach(([model, entry], i) => {
      const provider = read.prices[i]?.provider ?? "unknown"
      for (const { expected, region, serviceTier, usage, what } of probesOf(entry)) {
        count += 1
        const cost = book.priceOf(
          usageOf(model, provider, {
            ...nothingElse,
            ...usage,
            ...(serviceTier !== undefined && { serviceTier }),
            ...(region !== undefined && { region })
          }),
          payer
        )
        const usd = BigDecimal.scale(cost.usd, places).value
        // A meter of which the price is 0 under one key may have another under its second key.
        const isZero = expected === 0n && (what.endsWith("_per_second") || what === "input_cost_per_image")
        if (cost._tag !== "Priced" || (usd !== expected && !isZero)) {
          wrong.push(
            `${model}: ${what}: ${cost._tag} ${usd}, expected ${expected}${cost._tag === "Unpriced" ? ` (${cost.missing})` : ""}`
          )
        }
      }
    })
    expect(wrong.slice(0, 30)).toEqual([])
    expect(count).toBeGreaterThan(8_000)
  })

  it("does not take tokens of media for text", () => {
    const book = Either.getOrThrow(PriceBook.make(read.prices))
    const kept: Readonly<Record<string, readonly [key: string, text: string, total: string]>> = {
      image_generation: ["output_cost_per_image_token", "output_cost_per_token", "outputTokens"],
      audio_speech: ["output_cost_per_audio_token", "output_cost_per_token", "outputTokens"],
      realtime: ["input_cost_per_audio_token", "input_cost_per_token", "inputTokens"]
    }
    let count = 0
    entries.forEach(([model, entry], i) => {
      const [key, text, total] = kept[String(entry["mode"])] ?? []
      if (key === undefined || text === undefined || total === undefined) return
      const [part, whole] = [numberIn(entry, key), numberIn(entry, text)]
      if (part === undefined || !whole || part === whole) return
      count += 1
      const usage = usageOf(model, read.prices[i]?.provider ?? "unknown", {
        inputTokens: 0,
        outputTokens: 0,
        [total]: 9
      })
      expect(book.priceOf(usage, payer)._tag, model).toBe("Unpriced")
    })
    expect(count).toBeGreaterThan(50)
  })

  it("never makes a quantity that was consumed free without a price of 0", { timeout: 120_000 }, () => {
    const book = Either.getOrThrow(PriceBook.make(read.prices))
    const positive = Object.fromEntries(Object.keys(nothingElse).map((name) => [name, 1]))
    const free: Array<string> = []
    entries.forEach(([model, entry], i) => {
      const provider = read.prices[i]?.provider ?? "unknown"
      const hasPrice = Object.entries(entry).some(
        ([key, value]) => /cost/.test(key) && typeof value === "number" && value > 0
      )
      for (const [name, quantity] of Object.entries(positive)) {
        const cost = book.priceOf(usageOf(model, provider, { requests: 1, [name]: quantity }), payer)
        const isFree = cost._tag === "Priced" && cost.usd.value === 0n
        const freeKeys = Object.entries(entry).filter(([key, value]) => /cost/.test(key) && value === 0)
        if (isFree && hasPrice && freeKeys.length === 0) free.push(`${model}: ${name}`)
      }
    })
    expect(free).toEqual([])
  })
})
