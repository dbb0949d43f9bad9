/**
 * What the package of a provider has put on the span of a call.
 */
import type { Tracer } from "effect"
import { normalizeProvider } from "../cost/Provider.js"
import type { Consumption } from "../cost/UsageRecord.js"
import { GenAi } from "../wire/SemanticConventions.js"
import { conversePath } from "./BedrockUsage.js"
import { count, text } from "./UnknownJson.js"

/** Who was asked. */
export const providerOn = ({ attributes }: Tracer.Span): string | undefined =>
  text(attributes.get(GenAi.providerName)) ?? text(attributes.get(systemAttribute))

/** What was asked for, such as `chat`. */
export const operationOn = ({ attributes }: Tracer.Span): string | undefined =>
  text(attributes.get(GenAi.operationName))

/** The model that was asked for. */
export const modelOn = ({ attributes }: Tracer.Span): string | undefined => text(attributes.get(GenAi.requestModel))

/** What was consumed, as far as attributes have it. */
export const consumptionOn = (span: Tracer.Span): Consumption => {
  const { attributes } = span
  const reasons = attributes.get(GenAi.responseFinishReasons)
  const reported = {
    inputTokens: count(attributes.get(GenAi.inputTokens)),
    outputTokens: count(attributes.get(GenAi.outputTokens)),
    responseModel: text(attributes.get(GenAi.responseModel)),
    providerRequestId: text(attributes.get(GenAi.responseId)),
    finishReason: Array.isArray(reasons) ? text(reasons[0]) : undefined
  }
  const inPart = partial.get(normalizeProvider(providerOn(span) ?? ""))
  return inPart === undefined ? reported : { ...reported, [inPart]: undefined }
}

/** Whether the span of an HTTP request shows that Anthropic was asked for its fast mode (docs.claude.com, "Fast mode"). */
export const asksForSpeedOn = ({ attributes }: Tracer.Span): boolean =>
  text(attributes.get("http.request.header.anthropic-beta"))?.includes("fast-mode") ?? false

/** Whether the span of an HTTP request shows a call of Amazon Bedrock, whose package names Anthropic on the span of the call. */
export const asksBedrockOn = ({ attributes }: Tracer.Span): boolean =>
  conversePath.test(text(attributes.get("url.path")) ?? "")

/** Who puts tokens on the span that are not all: those of caches are missing, or those of reasoning. */
const partial: ReadonlyMap<string, "inputTokens" | "outputTokens"> = new Map([
  ["anthropic", "inputTokens"],
  ["aws.bedrock", "inputTokens"],
  ["gcp.gemini", "outputTokens"],
  ["gcp.vertex_ai", "outputTokens"],
  ["gcp.gen_ai", "outputTokens"]
])

// What `gen_ai.provider.name` was called before, and what `@effect/ai` calls it.
const systemAttribute = "gen_ai.system"
