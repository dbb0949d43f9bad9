/**
 * Random usages for an entry of LiteLLM's price file: some of all meters, in numbers that fit each other, those that the entry
 * has prices for more often than others.
 */
import type { Entry, Probe } from "./LiteLlmOracle.js"

/** Numbers that look random, the same ones for a seed (mulberry32). */
const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Meters beside tokens, and what a key that prices them holds. */
const others: Readonly<Record<string, string>> = {
  citationTokens: "citation",
  inputCharacters: "input_cost_per_character",
  outputCharacters: "output_cost_per_character",
  inputImages: "per_image",
  images: "per_image",
  pixels: "per_pixel",
  inputAudioSeconds: "per_second",
  outputAudioSeconds: "per_second",
  inputVideoSeconds: "per_second",
  outputVideoSeconds: "per_second",
  pages: "page",
  annotatedPages: "page",
  credits: "credit",
  queries: "query",
  sessions: "session",
  computeMs: "per_second"
}

const tiers = ["standard", "standard", "standard", "standard", "priority", "flex", "batch", "fast", "reserved"]
const regions = [undefined, undefined, undefined, "us", "eu", "global"]

export const randomUsage = (entry: Entry, seed: number): Probe => {
  const random = randomFrom(seed)
  const upTo = (limit: number): number => Math.floor(random() * (limit + 1))
  const one = <A>(list: ReadonlyArray<A>): A => list[upTo(list.length - 1)] as A
  const isChosen = (probability: number): boolean => random() < probability
  const keys = Object.keys(entry).join(" ")
  const quantities: Record<string, number> = { requests: isChosen(0.9) ? 1 : 1 + upTo(2) }
  const put = (name: string, count: number): number => {
    quantities[name] = count
    return count
  }
  const thresholds = Array.from(keys.matchAll(/_above_(\d+)k_tokens/g), ([, digits]) => Number(digits) * 1000)
  const isOfTokens = keys.includes("per_token")
  if (isChosen(isOfTokens ? 0.9 : 0.3)) {
    const size = one([upTo(40), upTo(1_000_000), 0, ...thresholds.flatMap((limit) => [limit - 1, limit, limit + 1])])
    const input = put("inputTokens", size)
    let rest = input
    const part = (name: string, hint: string, left: number): number => {
      const count = isChosen(keys.includes(hint) ? 0.4 : 0.08) ? put(name, upTo(left)) : 0
      return count
    }
    const read = part("cacheReadTokens", "cache_read", rest)
    const write = part("cacheWriteTokens", "cache_creation_input_token", rest - read)
    if (write > 0) part("cacheWrite1hTokens", "above_1hr", write)
    const byModality = [
      ["Audio", "audio_token"],
      ["Image", "image_token"],
      ["Video", "video_token"]
    ] as const
    let cached = read
    for (const [modality, hint] of byModality) {
      const count = part(`input${modality}Tokens`, hint, rest)
      rest -= count
      if (count > 0 && cached > 0 && isChosen(0.6))
        cached -= put(`cacheRead${modality}Tokens`, upTo(Math.min(count, cached)))
    }
  }
  if (isChosen(isOfTokens ? 0.8 : 0.3)) {
    let rest = put("outputTokens", one([upTo(40), upTo(100_000), 0]))
    for (const [name, hint] of [
      ["reasoningTokens", "reasoning"],
      ["outputAudioTokens", "output_cost_per_audio"],
      ["outputImageTokens", "output_cost_per_image_token"],
      ["outputVideoTokens", "output_cost_per_video_token"]
    ] as const) {
      if (isChosen(keys.includes(hint) ? 0.5 : 0.08)) rest -= put(name, upTo(rest))
    }
  }
  for (const [name, hint] of Object.entries(others)) {
    if (!isChosen(keys.includes(hint) ? 0.35 : 0.03)) continue
    put(name, name.endsWith("Seconds") ? upTo(5000) / 100 : upTo(name === "computeMs" ? 100_000 : 20))
  }
  if (isChosen(keys.includes("search_context") ? 0.3 : 0.03)) {
    let rest = put("webSearches", upTo(9))
    for (const context of ["low", "medium", "high"]) {
      if (isChosen(0.5)) rest -= put(`${context}ContextWebSearches`, isChosen(0.5) ? rest : upTo(rest))
    }
  }
  return { quantities, tier: one(tiers), region: one(regions) }
}
