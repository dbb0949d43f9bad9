/**
 * Usage as Anthropic's Messages API reports it.
 *
 * The three kinds of input are beside each other, and are added up; thinking is inside of the output (types of
 * `@anthropic-ai/sdk`, `Usage`). Cache writes that are kept for 5 minutes and for 1 hour differ in price, so their split is
 * needed (docs.claude.com, "Prompt caching"). `speed: "fast"` is a tier of its own, beside which the others stand (docs.claude.com,
 * "Fast mode"). Of `iterations`, compactions are not in the counts above them, and advisors are billed at the price of their own
 * model (types of `@anthropic-ai/sdk`, `BetaUsage`).
 */
import type { Consumption } from "../cost/UsageRecord.js"
import { merge } from "./KnownConsumption.js"
import { NamedCounts, unmodelled } from "./NamedCounts.js"
import { count, isRecord, record, text } from "./UnknownJson.js"

export const anthropicUsage = (usage: unknown): Consumption => {
  if (!isRecord(usage)) return {}
  const uncounted = new Set<string>()
  const own = inputsOf(usage)
  const whole: Inputs = { ...own, output: count(usage["output_tokens"]) }
  for (const iteration of Array.isArray(usage["iterations"]) ? usage["iterations"] : []) {
    const type = text(record(iteration)?.["type"])
    if (type === "compaction") add(whole, inputsOf(iteration as Record<string, unknown>))
    else if (type === "advisor_message") uncounted.add("advisorTokens")
    else if (type !== "message" && type !== "fallback_message") uncounted.add(type ?? "iterations")
  }
  const { fresh, output, read, shortWrite, longWrite, write } = whole
  // Without the split nobody knows which price holds.
  if ((write ?? 0) > 0 && (shortWrite ?? 0) + (longWrite ?? 0) !== write) uncounted.add("cacheWrite1hTokens")
  const geo = text(usage["inference_geo"])
  return merge<Consumption>({
    inputTokens: fresh === undefined ? undefined : fresh + (read ?? 0) + (write ?? 0),
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWrite1hTokens: uncounted.has("cacheWrite1hTokens") ? undefined : longWrite || undefined,
    outputTokens: output,
    reasoningTokens: count(record(usage["output_tokens_details"])?.["thinking_tokens"]),
    ...toolsIn(record(usage["server_tool_use"])),
    other: unmodelled(known, usage),
    serviceTier: tierOf(text(usage["service_tier"]), text(usage["speed"])),
    // Where the place of work is not restricted there is none to name.
    region: geo === "global" || geo === "not_available" ? undefined : geo,
    uncounted: uncounted.size > 0 ? Array.from(uncounted) : undefined
  })
}

const known: ReadonlySet<string> = new Set([
  ...["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
])

interface Inputs {
  fresh: number | undefined
  read: number | undefined
  write: number | undefined
  shortWrite: number | undefined
  longWrite: number | undefined
  output: number | undefined
}

const inputsOf = (usage: Record<string, unknown>): Inputs => {
  const split = record(usage["cache_creation"])
  return {
    fresh: count(usage["input_tokens"]),
    read: count(usage["cache_read_input_tokens"]),
    write: count(usage["cache_creation_input_tokens"]),
    shortWrite: count(split?.["ephemeral_5m_input_tokens"]),
    longWrite: count(split?.["ephemeral_1h_input_tokens"]),
    output: count(usage["output_tokens"])
  }
}

const add = (whole: Inputs, part: Inputs): void => {
  for (const name of Object.keys(part) as ReadonlyArray<keyof Inputs>) {
    const more = part[name]
    if (more !== undefined) whole[name] = (whole[name] ?? 0) + more
  }
}

const tierOf = (tier: string | undefined, speed: string | undefined): string | undefined => {
  if (speed === undefined || speed === "standard") return tier
  return tier === undefined || tier === "standard" ? speed : `${tier}_${speed}`
}

/** Searches of the web have a fee; other tools are named, as `web_fetch`. */
const toolsIn = (tools: Record<string, unknown> | undefined): Consumption => {
  const calls = new NamedCounts()
  for (const [name, requests] of Object.entries(tools ?? {})) {
    if (name !== "web_search_requests") calls.add(name.replace(/_requests$/, ""), count(requests))
  }
  return { webSearches: count(tools?.["web_search_requests"]) || undefined, toolCalls: calls.record }
}
