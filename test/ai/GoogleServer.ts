/**
 * Google's Gemini API on loopback.
 */
import { type Asked, provider, type Reply, type Tokens, type Written } from "./ProviderServer.js"

type Filled = Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply

/** Thoughts are beside the candidates. */
const usageOf = ({ cacheRead = 0, input, output, reasoning = 0 }: Tokens) => ({
  promptTokenCount: input,
  cachedContentTokenCount: cacheRead,
  candidatesTokenCount: output - reasoning,
  thoughtsTokenCount: reasoning,
  totalTokenCount: input + output
})

const write = (asked: Asked, { fields, isTold, model, text, tokens, usage = usageOf(tokens) }: Filled): Written => {
  const [, asksFor] = /\/models\/([^/:]+):/.exec(asked.path) ?? []
  const chunk = (text: string, more: object) => ({
    candidates: [{ content: { role: "model", parts: [{ text }] }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: tokens.input, totalTokenCount: tokens.input },
    modelVersion: model ?? asksFor,
    responseId: "g_1"
  })
  const told = { ...(isTold && { usageMetadata: usage }), ...fields }
  return {
    json: { ...chunk(text, { finishReason: "STOP" }), ...told },
    events: [{ data: chunk(text, {}) }, { data: { ...chunk("", { finishReason: "STOP" }), ...told } }],
    isStream: asked.path.includes(":streamGenerateContent")
  }
}

export const googleServer = provider(write)
