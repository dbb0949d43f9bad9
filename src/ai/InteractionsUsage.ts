/**
 * Usage as Google's Interactions API reports it.
 *
 * Its totals are those of `usageMetadata` under other names: thoughts and what tools gave back are beside input and output, as the
 * total shows. Grounding is counted by `grounding_tool_count` (types of `@google/genai`, `Usage`), else by the calls among the
 * steps. Vertex AI writes the same names in camel case.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import type { AnswerForm, Message } from "./AnswerForm.js"
import { geminiUsage, searchesOf } from "./GeminiUsage.js"
import { joined } from "./KnownConsumption.js"
import { NamedCounts } from "./NamedCounts.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

/** The interaction that an answer is, or that an event of a stream is about. */
export const interactionIn = (message: Record<string, unknown>): Record<string, unknown> | undefined => {
  const interaction = record(message["interaction"]) ?? message
  return interaction["object"] === "interaction" ? interaction : undefined
}

/** Whether a message is an event of a streamed interaction. */
export const isInteractionEvent = ({ event_type: type }: Record<string, unknown>): boolean =>
  /^(?:interaction|step)\./.test(text(type) ?? "")

export const interactionsForm: AnswerForm = {
  read: (message): Message => {
    const interaction = interactionIn(message)
    const steps = [message["step"], interaction?.["steps"], interaction?.["outputs"]].flat()
    const searches = searchesIn(steps, text(message["index"]) ?? String(message["index"] ?? ""))
    if (interaction === undefined) return { about: {}, usage: searches && { searches } }
    const status = text(interaction["status"])
    const model = text(interaction["model"]) ?? text(interaction["agent"])
    const usage = record(interaction["usage"])
    return {
      about: {
        responseModel: model,
        providerRequestId: text(interaction["id"]),
        finishReason: status === "in_progress" ? undefined : status,
        serviceTier: text(interaction["service_tier"])
      },
      usage: usage || searches ? { ...(usage && snakeCased(usage)), model, searches } : undefined
    }
  },
  consumption: ({ grounding_tool_count: groundings, model, searches, ...usage }): Consumption => {
    const tokens = geminiUsage(asUsageMetadata(usage))
    const version = text(model)
    return joined(tokens, Array.isArray(groundings) ? groundingsOf(groundings, version) : callsOf(searches, version))
  },
  isLast: ({ event_type: type }) => type === "interaction.completed" || type === "interaction.complete"
}

/** `totalInputTokens` as `total_input_tokens`. */
const snakeCased = (usage: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(usage).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value
    ])
  )

const names: ReadonlyMap<string, string> = new Map([
  ["total_input_tokens", "promptTokenCount"],
  ["total_cached_tokens", "cachedContentTokenCount"],
  ["total_output_tokens", "candidatesTokenCount"],
  ["total_thought_tokens", "thoughtsTokenCount"],
  ["total_tool_use_tokens", "toolUsePromptTokenCount"],
  ["total_tokens", "totalTokenCount"],
  ["input_tokens_by_modality", "promptTokensDetails"],
  ["cached_tokens_by_modality", "cacheTokensDetails"],
  ["output_tokens_by_modality", "candidatesTokensDetails"],
  ["tool_use_tokens_by_modality", "toolUsePromptTokensDetails"]
])

const asUsageMetadata = (usage: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(usage).map(([name, value]) => [
      names.get(name) ?? name,
      Array.isArray(value) ? value.map(asModalityCount) : value
    ])
  )

const asModalityCount = (entry: unknown) => ({
  modality: text(record(entry)?.["modality"])?.toUpperCase(),
  tokenCount: record(entry)?.["tokens"]
})

const groundingsOf = (groundings: ReadonlyArray<unknown>, model: string | undefined): Consumption => {
  const tools = new NamedCounts()
  let searches = 0
  for (const grounding of groundings) {
    const calls = count(record(grounding)?.["count"]) ?? 0
    const type = text(record(grounding)?.["type"]) ?? "unknown"
    if (type === "google_search") searches += calls
    else tools.add(type, calls)
  }
  return { ...tools.toolCalls, ...searchesOf(searches, model) }
}

/** What the calls among the steps asked for: by the id of each, as the events of a stream repeat them. */
type Searches = Record<string, { readonly tool: string; readonly queries: ReadonlyArray<string> }>

const searchesIn = (steps: ReadonlyArray<unknown>, fallbackId: string): Searches | undefined => {
  const found: Searches = {}
  for (const step of steps) {
    if (!isRecord(step)) continue
    const tool = /^(google_search|google_maps|file_search|retrieval)_call$/.exec(text(step["type"]) ?? "")?.[1]
    if (tool === undefined) continue
    const kind = text(step["search_type"])
    const queries = record(step["arguments"])?.["queries"]
    found[text(step["id"]) ?? fallbackId] = {
      tool: kind === undefined || kind === "web_search" ? tool : kind,
      queries: Array.isArray(queries) ? queries.filter((query) => typeof query === "string" && query !== "") : []
    }
  }
  return Object.keys(found).length === 0 ? undefined : found
}

const callsOf = (searches: unknown, model: string | undefined): Consumption => {
  const tools = new NamedCounts()
  const queries = new Set<string>()
  let isAsked = false
  for (const search of Object.values(record(searches) ?? {}) as ReadonlyArray<Searches[string]>) {
    if (search.tool !== "google_search") tools.add(search.tool, 1)
    else {
      isAsked = true
      for (const query of search.queries) queries.add(query)
    }
  }
  // A call without its queries was one of an unknown number of them.
  const counted = isAsked && queries.size === 0 ? { uncounted: ["webSearches"] } : searchesOf(queries.size, model)
  return { ...tools.toolCalls, ...counted }
}
