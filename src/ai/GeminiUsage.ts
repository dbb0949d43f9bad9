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
  const input = modalities(usage["promptTokensDetails"], usage["toolUsePromptTokensDetails"])
  const output = modalities(usage["candidatesTokensDetails"] ?? usage["responseTokensDetails"])
  const cached = modalities(usage["cacheTokensDetails"])
  const others = { document_tokens: input["DOCUMENT"] ?? 0, ...unnamed(input, "input"), ...unnamed(output, "output") }
  const other = Object.fromEntries(Object.entries(others).filter(([, tokens]) => tokens > 0))
  return merge<Consumption>({
    ...about,
    inputTokens: totals?.input ?? prompt,
    outputTokens: isOutputKnown ? (totals?.output ?? candidates) : undefined,
    inputAudioTokens: input["AUDIO"],
    inputImageTokens: input["IMAGE"],
    inputVideoTokens: input["VIDEO"],
    outputAudioTokens: output["AUDIO"],
    outputImageTokens: output["IMAGE"],
    outputVideoTokens: output["VIDEO"],
    cacheReadAudioTokens: cached["AUDIO"],
    cacheReadImageTokens: cached["IMAGE"],
    cacheReadVideoTokens: cached["VIDEO"],
    other: Object.keys(other).length > 0 ? other : undefined,
    uncounted: totals === undefined ? ["inputTokens", "outputTokens"] : undefined
  })
}

/** Tokens by modality, of lists of `{ modality, tokenCount }`. */
const modalities = (...lists: ReadonlyArray<unknown>): Record<string, number> => {
  const sums: Record<string, number> = {}
  for (const entry of lists.flatMap((list) => (Array.isArray(list) ? list : []))) {
    const tokens = count(record(entry)?.["tokenCount"])
    if (tokens === undefined || tokens === 0) continue
    const modality = text(record(entry)?.["modality"]) ?? "TEXT"
    sums[modality] = (sums[modality] ?? 0) + tokens
  }
  return sums
}

const named = new Set(["TEXT", "MODALITY_UNSPECIFIED", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"])

const unnamed = (sums: Record<string, number>, side: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(sums)
      .filter(([modality]) => !named.has(modality))
      .map(([modality, tokens]) => [`${side}_${modality.toLowerCase()}_tokens`, tokens])
  )

/** The searches that grounded an answer, by its `groundingMetadata`. */
export const geminiSearches = (candidates: unknown, model: string | undefined): Consumption => {
  if (!Array.isArray(candidates)) return {}
  const queries = new Set<string>()
  let isGrounded = false
  for (const candidate of candidates) {
    const grounding = record(record(candidate)?.["groundingMetadata"])
    const searched = grounding?.["webSearchQueries"]
    if (!Array.isArray(searched)) continue
    for (const query of searched) if (typeof query === "string" && query !== "") queries.add(query)
    isGrounded = queries.size > 0
  }
  if (!isGrounded) return {}
  const [, version] = /gemini-(\d+)/.exec(model ?? "") ?? []
  if (version === undefined) return { uncounted: ["webSearches"] }
  return { webSearches: Number(version) >= 3 ? queries.size : 1 }
}

/** Whether a value is usage as these APIs report it. */
export const isGeminiUsage = (usage: unknown): usage is Record<string, unknown> =>
  isRecord(usage) && (count(usage["promptTokenCount"]) !== undefined || count(usage["totalTokenCount"]) !== undefined)
