/**
 * Usage as Google's Gemini API and Vertex AI report it.
 *
 * `totalTokenCount` is prompt, candidates, results of tools and thoughts (types of `@google/genai`,
 * `GenerateContentResponseUsageMetadata`), but versions differ in whether the candidates include the thoughts, so the total decides.
 * What tools gave back is fed to the model as input. Cached tokens are inside of the prompt. Searches are billed by query from
 * Gemini 3 on, and by grounded prompt before (ai.google.dev, "Grounding with Google Search").
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts, unmodelled } from "./NamedCounts.js"
import { totalsOf } from "./ReportedTotals.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

/** What `usageMetadata` reports. */
export const geminiUsage = (usage: Record<string, unknown>): Consumption => {
  const prompt = count(usage["promptTokenCount"])
  const candidates = count(usage["candidatesTokenCount"]) ?? count(usage["responseTokenCount"])
  const thoughts = count(usage["thoughtsTokenCount"])
  const toolUse = count(usage["toolUsePromptTokenCount"])
  const about = {
    cacheReadTokens: count(usage["cachedContentTokenCount"]),
    reasoningTokens: thoughts,
    serviceTier: text(usage["serviceTier"]) ?? text(usage["trafficType"])
  }
  if (prompt === undefined) return merge<Consumption>({ ...about, outputTokens: candidates })
  const totals = totalsOf({ input: prompt, output: candidates ?? 0 }, count(usage["totalTokenCount"]), [
    { amount: toolUse ?? 0, side: "input", placement: "beside" },
    { amount: thoughts ?? 0, side: "output", placement: "beside" }
  ])
  const isOutputKnown = candidates !== undefined || thoughts !== undefined
  const input = modalities(prompt + (toolUse ?? 0), usage["promptTokensDetails"], usage["toolUsePromptTokensDetails"])
  const output = modalities(candidates, usage["candidatesTokensDetails"] ?? usage["responseTokensDetails"])
  const cached = modalities(about.cacheReadTokens, usage["cacheTokensDetails"])
  const other = new NamedCounts()
  other.add("document_tokens", input.get("DOCUMENT"))
  for (const [side, counts] of [
    ["input", input],
    ["output", output]
  ] as const) {
    for (const [modality, tokens] of counts) {
      if (!named.has(modality)) other.add(`${side}_${modality.toLowerCase()}_tokens`, tokens)
    }
  }
  return merge<Consumption>({
    ...about,
    inputTokens: totals?.input ?? prompt,
    outputTokens: isOutputKnown ? (totals?.output ?? candidates) : undefined,
    inputAudioTokens: input.get("AUDIO"),
    inputImageTokens: input.get("IMAGE"),
    inputVideoTokens: input.get("VIDEO"),
    outputAudioTokens: output.get("AUDIO"),
    outputImageTokens: output.get("IMAGE"),
    outputVideoTokens: output.get("VIDEO"),
    cacheReadAudioTokens: cached.get("AUDIO"),
    cacheReadImageTokens: cached.get("IMAGE"),
    cacheReadVideoTokens: cached.get("VIDEO"),
    other: joinedNames(other.record, unmodelled(known, usage)),
    uncounted: totals === undefined ? ["inputTokens", "outputTokens"] : undefined
  })
}

const joinedNames = (one: Consumption["other"], two: Consumption["other"]): Consumption["other"] =>
  one === undefined || two === undefined ? (one ?? two) : { ...one, ...two }

/** What is counted, and what describes the prompt and is inside of it. */
const known: ReadonlySet<string> = new Set([
  ...["promptTokenCount", "candidatesTokenCount", "responseTokenCount", "thoughtsTokenCount", "totalTokenCount"],
  ...["toolUsePromptTokenCount", "cachedContentTokenCount", "initialPromptTokenCount"]
])

/** Tokens by modality, of lists of `{ modality, tokenCount }` for so many tokens. */
const modalities = (total: number | undefined, ...lists: ReadonlyArray<unknown>): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  let all = 0
  for (const entry of lists.flatMap((list) => (Array.isArray(list) ? list : []))) {
    const tokens = count(record(entry)?.["tokenCount"])
    if (tokens === undefined || tokens === 0) continue
    const modality = text(record(entry)?.["modality"]) ?? "TEXT"
    sums.set(modality, (sums.get(modality) ?? 0) + tokens)
    all += tokens
  }
  // Where the lists are whole, what they do not name is none.
  if (all > 0 && all === total) for (const name of media) if (!sums.has(name)) sums.set(name, 0)
  return sums
}

const media = ["AUDIO", "IMAGE", "VIDEO"] as const
const named: ReadonlySet<string> = new Set(["TEXT", "MODALITY_UNSPECIFIED", "DOCUMENT", ...media])

/**
 * What grounded an answer, by its `groundingMetadata`: searches of the web, and what is named as tools, for no list has its price:
 * searches of images, retrievals and maps.
 */
export const geminiSearches = (candidates: unknown, model: string | undefined): Consumption => {
  if (!Array.isArray(candidates)) return {}
  const groundings = candidates
    .map((candidate) => record(record(candidate)?.["groundingMetadata"]))
    .filter((grounding) => grounding !== undefined)
  const tools = new NamedCounts()
  tools.add("image_search", queriesIn(groundings, "imageSearchQueries"))
  tools.add("retrieval", queriesIn(groundings, "retrievalQueries"))
  tools.add("google_maps", groundings.some(hasMaps) ? 1 : 0)
  return { ...tools.toolCalls, ...searchesOf(queriesIn(groundings, "webSearchQueries"), model) }
}

/** What is billed for so many queries. */
export const searchesOf = (queries: number, model: string | undefined): Consumption => {
  if (queries === 0) return {}
  const [, version] = /gemini-(\d+)/.exec(model ?? "") ?? []
  if (version === undefined) return { uncounted: ["webSearches"] }
  return { webSearches: Number(version) >= 3 ? queries : 1 }
}

/** How many different queries there are. */
const queriesIn = (groundings: ReadonlyArray<Record<string, unknown>>, name: string): number => {
  const queries = groundings.flatMap((grounding) => grounding[name])
  return new Set(queries.filter((query) => typeof query === "string" && query !== "")).size
}

const hasMaps = ({ groundingChunks }: Record<string, unknown>): boolean =>
  Array.isArray(groundingChunks) && groundingChunks.some((chunk) => isRecord(record(chunk)?.["maps"]))

/** Whether a value is usage as these APIs report it. */
export const isGeminiUsage = (usage: unknown): usage is Record<string, unknown> =>
  isRecord(usage) && (count(usage["promptTokenCount"]) !== undefined || count(usage["totalTokenCount"]) !== undefined)
