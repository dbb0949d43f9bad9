/**
 * How providers report usage: one table, with the source of each rule.
 */
import { sumOf } from "../cost/Decimal.js"
import type { UsdInput } from "../cost/Usd.js"
import type { Placement } from "./ReportedTotals.js"
import { count, quantity, record, text } from "./UnknownJson.js"

/** What is known of a provider's numbers, where these do not decide by themselves. */
export interface ProviderRule {
  /** Whether cached tokens are inside of the input tokens. */
  readonly cache: Placement
  /** Whether tokens of reasoning are inside of the output tokens, in the form of Chat Completions. */
  readonly reasoning: Placement
  /** The same in the form of the Responses API. @default `reasoning` */
  readonly reasoningInResponses?: Placement
  /** Whether cached tokens have several prices, of which the answer does not say which one holds. @default false */
  readonly hasSeveralCachePrices?: boolean
}

const inside = { cache: "inside", reasoning: "inside" } as const

/**
 * What the whole call cost in US dollars, where the answer says so: that is the authority. Its form says whose it is, also behind a
 * proxy.
 *
 * - xAI counts in ticks, of which 10^10 are a US dollar; final, with the tools of the server (docs.x.ai, "Cost tracking").
 * - Perplexity reports `cost.total_cost` of the whole call (docs.perplexity.ai, "Sonar API").
 * - OpenRouter reports what it charges as `cost` (openrouter.ai/docs, "Usage accounting"). With a key of the customer's own that is
 *   its fee alone, and the provider behind it charges `upstream_inference_cost` beside it; otherwise that is part of the cost.
 */
export const reportedCost = (usage: Record<string, unknown>): UsdInput | undefined => {
  const ticks = count(usage["cost_in_usd_ticks"])
  if (ticks !== undefined) return `${ticks}e-10`
  const cost = record(usage["cost"])
  if (cost !== undefined) return (text(cost["currency"]) ?? "USD") === "USD" ? quantity(cost["total_cost"]) : undefined
  const fee = quantity(usage["cost"])
  const upstream = quantity(record(usage["cost_details"])?.["upstream_inference_cost"])
  if (fee === undefined || usage["is_byok"] === false) return fee
  // Where the client keeps to itself whose key it is, a part that is more than the whole is none.
  const isByok = usage["is_byok"] === true || (upstream ?? 0) > fee
  if (!isByok) return fee
  return upstream === undefined ? undefined : sumOf(fee, upstream)
}

/**
 * - `openai`, `azure.ai.openai`: reads and writes of the cache inside of input, reasoning and rejected predictions inside of
 *   output (types of `openai`, `CompletionUsage`; `@ai-sdk/openai`, `convert-openai-*-usage`).
 * - `x_ai`: reasoning beside in chat, inside in Responses (`@ai-sdk/xai`, `convert-xai-*-usage`); cache inside (docs.x.ai,
 *   "Prompt caching").
 * - `deepseek`: hits and misses of the cache are the prompt (api-docs.deepseek.com, "Context caching"); reasoning inside
 *   (`@ai-sdk/deepseek`).
 * - `moonshot_ai`: cache inside, also under its old name (`@ai-sdk/moonshotai`); reasoning inside.
 * - `alibaba`: DashScope's OpenAI form, reads and writes inside (`@ai-sdk/alibaba`). Hits of the explicit and of the implicit cache
 *   have different prices and one field (help.aliyun.com, "Context cache").
 * - `mistral_ai`: cache inside (`@ai-sdk/mistral`); its documents do not say where reasoning is.
 * - `groq`, `cerebras`, `fireworks_ai`: OpenAI's form (types of `groq-sdk` and `@cerebras/cerebras_cloud_sdk`; docs.fireworks.ai,
 *   "Prompt caching"). `together_ai`: where cached tokens are is not documented.
 * - `openrouter`: OpenAI's form for all models, in native tokens.
 * - `perplexity`: no cache in Sonar, reasoning of deep research beside, at a price of its own (docs.perplexity.ai, "Pricing").
 */
const rules: ReadonlyMap<string, ProviderRule> = new Map<string, ProviderRule>([
  ["openai", inside],
  ["azure.ai.openai", inside],
  ["azure.ai.inference", { cache: "inside", reasoning: "unknown" }],
  ["x_ai", { cache: "inside", reasoning: "beside", reasoningInResponses: "inside" }],
  ["deepseek", inside],
  ["moonshot_ai", inside],
  ["alibaba", { ...inside, hasSeveralCachePrices: true }],
  ["mistral_ai", { cache: "inside", reasoning: "unknown" }],
  ["groq", inside],
  ["cerebras", inside],
  ["fireworks_ai", inside],
  ["together_ai", { cache: "unknown", reasoning: "inside" }],
  ["openrouter", inside],
  ["perplexity", { cache: "unknown", reasoning: "beside" }]
])

const unknown: ProviderRule = { cache: "unknown", reasoning: "unknown" }

/** The rule of a provider, by the name that the conventions have for it. */
export const ruleOf = (provider: string): ProviderRule => rules.get(provider) ?? unknown

/**
 * The hosts of providers, by the end of the name: their documentation's base URLs. OpenAI's protocol and Anthropic's are spoken
 * by many; a host that is not here is recorded by its name.
 */
const hosts: ReadonlyArray<readonly [end: string, provider: string]> = [
  ["api.openai.com", "openai"],
  ["openai.azure.com", "azure.ai.openai"],
  ["cognitiveservices.azure.com", "azure.ai.openai"],
  ["services.ai.azure.com", "azure.ai.inference"],
  ["anthropic.com", "anthropic"],
  ["generativelanguage.googleapis.com", "gcp.gemini"],
  ["aiplatform.googleapis.com", "gcp.vertex_ai"],
  ["amazonaws.com", "aws.bedrock"],
  ["groq.com", "groq"],
  ["mistral.ai", "mistral_ai"],
  ["deepseek.com", "deepseek"],
  ["x.ai", "x_ai"],
  ["perplexity.ai", "perplexity"],
  ["together.xyz", "together_ai"],
  ["together.ai", "together_ai"],
  ["fireworks.ai", "fireworks_ai"],
  ["openrouter.ai", "openrouter"],
  ["cerebras.ai", "cerebras"],
  ["moonshot.ai", "moonshot_ai"],
  ["moonshot.cn", "moonshot_ai"],
  ["aliyuncs.com", "alibaba"],
  ["voyageai.com", "voyage"],
  ["jina.ai", "jina_ai"],
  ["cohere.com", "cohere"],
  ["cohere.ai", "cohere"]
]

/**
 * Who answers at a URL: the provider of the host, else the host's name. A loopback address names nobody: a proxy, whose requests
 * are taken for what they look like.
 */
export const providerAt = (url: string): string | undefined => {
  const host = hostOf(url)
  if (host === undefined || isLoopback(host)) return undefined
  // Vertex has a host for each region: `europe-west4-aiplatform.googleapis.com`, `aiplatform.eu.rep.googleapis.com`.
  if (host.endsWith("googleapis.com") && host.includes("aiplatform")) return "gcp.vertex_ai"
  return hosts.find(([end]) => host === end || host.endsWith(`.${end}`))?.[1] ?? host
}

/** The region of a host, where its prices differ: `eu.api.openai.com`. */
export const regionAt = (url: string): string | undefined =>
  /^([a-z]{2})\.api\.openai\.com$/.exec(hostOf(url) ?? "")?.[1]

const hostOf = (url: string): string | undefined => {
  const [, authority] = /^[a-z]+:\/\/([^/?#]+)/i.exec(url) ?? []
  if (authority === undefined) return undefined
  const host = authority.slice(authority.lastIndexOf("@") + 1).toLowerCase()
  return host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.split(":", 1)[0]
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host)
