/**
 * Usage in the form of OpenAI's APIs, which many providers share.
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts, unmodelled } from "./NamedCounts.js"
import { type ProviderRule, reportedCost, ruleOf } from "./ProviderRules.js"
import { totalsOf } from "./ReportedTotals.js"
import { count, isRecord, quantity, record, text } from "./UnknownJson.js"

/** What an answer of OpenAI's form reports of its usage; `answer` is the message that it is in, where there is one. */
export const openAiUsage = (usage: Record<string, unknown>, provider: string): Consumption => {
  const rule = ruleOf(provider)
  const input = details(usage, [
    "input_tokens_details",
    "prompt_tokens_details",
    "input_token_details",
    "prompt_token_details"
  ])
  const output = details(usage, ["output_tokens_details", "completion_tokens_details", "output_token_details"])
  const uncounted: Array<string> = []
  const agreed = (name: string, ...values: ReadonlyArray<unknown>): number | undefined => {
    const [first, ...others] = values.map(count).filter((value) => value !== undefined)
    if (others.some((other) => other !== first)) uncounted.push(name)
    return first
  }
  const cacheReadTokens = agreed(
    "cacheReadTokens",
    input["cached_tokens"],
    input["cache_read_input_tokens"],
    usage["prompt_cache_hit_tokens"],
    usage["cached_tokens"],
    usage["num_cached_tokens"]
  )
  const cacheWriteTokens = agreed(
    "cacheWriteTokens",
    input["cache_write_tokens"],
    input["cache_creation_input_tokens"],
    input["cache_creation_tokens"]
  )
  const writes = record(input["cache_write_tokens_details"]) ?? record(usage["cache_write_tokens_details"])
  // What is kept for 12 hours costs more than what is kept for 30 minutes, and no list of prices has both.
  if (positive(writes?.["ttl_12h_tokens"]) !== undefined) uncounted.push("cacheWrite12hTokens")
  if (rule.hasSeveralCachePrices && cacheReadTokens) uncounted.push("cacheReadTokens")
  const reasoningTokens = agreed("reasoningTokens", output["reasoning_tokens"], usage["reasoning_tokens"])
  const total = count(usage["total_tokens"])
  const hit = count(usage["prompt_cache_hit_tokens"])
  const miss = count(usage["prompt_cache_miss_tokens"])
  const hitAndMiss = hit === undefined || miss === undefined ? undefined : hit + miss
  const reportedInput = agreed("inputTokens", usage["input_tokens"], usage["prompt_tokens"], hitAndMiss)
  const reportedOutput = agreed("outputTokens", usage["output_tokens"], usage["completion_tokens"])
  // Providers of embeddings report a total alone: all of it is input.
  const isTotalAlone = reportedInput === undefined && reportedOutput === undefined
  const totals = totalsIn(rule, {
    input: isTotalAlone ? total : reportedInput,
    output: reportedOutput,
    total: isTotalAlone ? undefined : total,
    cache: (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0),
    reasoning: reasoningTokens ?? 0,
    isResponses: usage["output_tokens"] !== undefined
  })
  uncounted.push(...totals.uncounted)
  const cached = record(input["cached_tokens_details"]) ?? {}
  const searches = searchesIn(usage)
  return merge<Consumption>({
    inputTokens: totals.input,
    cacheReadTokens,
    cacheWriteTokens,
    outputTokens: totals.output,
    reasoningTokens,
    inputAudioTokens: partIn(input, "audio_tokens"),
    inputImageTokens: partIn(input, "image_tokens") ?? positive(usage["image_tokens"]),
    inputVideoTokens: partIn(input, "video_tokens"),
    outputAudioTokens: partIn(output, "audio_tokens"),
    outputImageTokens: partIn(output, "image_tokens"),
    outputVideoTokens: partIn(output, "video_tokens"),
    cacheReadAudioTokens: count(cached["audio_tokens"]),
    cacheReadImageTokens: count(cached["image_tokens"]),
    citationTokens: positive(usage["citation_tokens"]),
    inputAudioSeconds: quantity(usage["prompt_audio_seconds"]) ?? quantity(usage["seconds"]),
    ...searches,
    serviceTier: text(usage["service_tier"]),
    usd: reportedCost(usage),
    toolCalls: toolsIn(usage),
    other: unmodelled(known, usage, input, output),
    uncounted: uncounted.length > 0 ? Array.from(new Set(uncounted)) : undefined
  })
}

const details = (usage: Record<string, unknown>, names: ReadonlyArray<string>): Record<string, unknown> =>
  names.map((name) => record(usage[name])).find((value) => value !== undefined) ?? {}

/** A count that is zero says nothing that its absence does not. */
const positive = (value: unknown): number | undefined => count(value) || undefined

/** A part of tokens. Where the details name the text too they are whole, and zero says that the rest is text. */
const partIn = (details: Record<string, unknown>, name: string): number | undefined =>
  details["text_tokens"] === undefined ? positive(details[name]) : count(details[name])

interface Reported {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly total: number | undefined
  readonly cache: number
  readonly reasoning: number
  readonly isResponses: boolean
}

const totalsIn = (
  rule: ProviderRule,
  { cache, input, isResponses, output, reasoning, total }: Reported
): {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly uncounted: ReadonlyArray<string>
} => {
  if (input === undefined) return { input, output, uncounted: [] }
  const placement = (isResponses ? rule.reasoningInResponses : undefined) ?? rule.reasoning
  const totals = totalsOf({ input, output: output ?? 0 }, total, [
    { amount: cache, side: "input", placement: rule.cache },
    { amount: reasoning, side: "output", placement }
  ])
  if (totals === undefined) return { input, output, uncounted: ["inputTokens", "outputTokens"] }
  return {
    input: totals.input,
    output: output === undefined && totals.output === 0 ? undefined : totals.output,
    uncounted: []
  }
}

/** Searches of the web: those that are counted, else the one that a request of Perplexity makes, by the size of its context. */
const searchesIn = (usage: Record<string, unknown>): Consumption => {
  const xAi = record(usage["server_side_tool_usage_details"])
  const openRouter = record(usage["server_tool_use_details"])
  const counted =
    positive(usage["num_search_queries"]) ??
    positive(xAi?.["web_search_calls"]) ??
    positive(openRouter?.["web_search_requests"]) ??
    positive(record(record(usage["tool_calls_details"])?.["web_search"])?.["invocation"])
  if (counted !== undefined) return { webSearches: counted }
  switch (text(usage["search_context_size"])) {
    case undefined:
      return {}
    case "low":
      return { webSearches: 1, lowContextWebSearches: 1 }
    case "medium":
      return { webSearches: 1, mediumContextWebSearches: 1 }
    case "high":
      return { webSearches: 1, highContextWebSearches: 1 }
    default:
      return { webSearches: 1 }
  }
}

/** Tools that the server ran: of xAI, of Perplexity's agents and of Mistral's conversations. */
const toolsIn = (usage: Record<string, unknown>): Consumption["toolCalls"] => {
  const tools = new NamedCounts()
  for (const [name, calls] of Object.entries(record(usage["server_side_tool_usage_details"]) ?? {})) {
    if (name !== "web_search_calls") tools.add(name.replace(/_calls$/, ""), count(calls))
  }
  for (const [name, tool] of Object.entries(record(usage["tool_calls_details"]) ?? {})) {
    if (name !== "web_search") tools.add(name, count(record(tool)?.["invocation"]))
  }
  for (const [name, calls] of Object.entries(record(usage["connectors"]) ?? {})) tools.add(name, count(calls))
  return tools.record
}

/** What the table of meters has, what is counted elsewhere, and what describes a call and costs nothing. */
const known: ReadonlySet<string> = new Set([
  ...["input_tokens", "prompt_tokens", "output_tokens", "completion_tokens", "total_tokens"],
  ...["cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens"],
  ...["cache_read_input_tokens", "cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens"],
  ...["reasoning_tokens", "text_tokens", "audio_tokens", "image_tokens", "video_tokens", "citation_tokens"],
  // Predictions that were not used are inside of the output.
  ...["accepted_prediction_tokens", "rejected_prediction_tokens"],
  ...["num_search_queries", "num_server_side_tools_used", "prompt_audio_seconds", "seconds", "request_count"],
  ...["cost", "cost_in_usd_ticks", "estimated_cost", "dram_cached_tokens", "sram_cached_tokens"]
])

/**
 * What the tools of a response of the Responses API cost beside its tokens, which its usage does not say: searches of the web by
 * `action.type`, containers by id, searches in files (types of `openai`, `ResponseOutputItem`). Whether opening a page and finding
 * in it are billed is not documented.
 */
export const responseTools = (output: unknown): Consumption => {
  if (!Array.isArray(output)) return {}
  let webSearches = 0
  let hasImages = false
  const containers = new Set<unknown>()
  const tools = new NamedCounts()
  for (const item of output) {
    if (!isRecord(item)) continue
    if (item["type"] === "web_search_call") {
      const action = text(record(item["action"])?.["type"]) ?? "search"
      if (action === "search") webSearches += 1
      else tools.add(action, 1)
    } else if (item["type"] === "code_interpreter_call") containers.add(item["container_id"])
    else if (item["type"] === "file_search_call") tools.add("file_search", 1)
    else if (item["type"] === "image_generation_call") hasImages = true
  }
  return merge<Consumption>({
    webSearches: webSearches || undefined,
    sessions: containers.size || undefined,
    toolCalls: tools.record,
    // The tokens of the tool that makes images are in no usage.
    uncounted: hasImages ? ["outputImageTokens"] : undefined
  })
}
