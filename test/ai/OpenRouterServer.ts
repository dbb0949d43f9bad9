/**
 * OpenRouter's Chat Completions API on loopback.
 */
import { type Asked, provider, type Reply, type Tokens, type Written } from "./ProviderServer.js"

type Filled = Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply

const usageOf = ({ cacheRead = 0, input, output, reasoning = 0 }: Tokens) => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
  prompt_tokens_details: { cached_tokens: cacheRead },
  completion_tokens_details: { reasoning_tokens: reasoning }
})

const write = (asked: Asked, { isTold, model, text, tokens, usage = usageOf(tokens) }: Filled): Written => {
  const about = { id: "gen-1", created: 1_770_000_000, model: model ?? asked.body["model"], provider: "OpenAI" }
  const chunk = (delta: object, more: object) => ({
    data: {
      ...about,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta: { role: "assistant", ...delta }, finish_reason: null, ...more }]
    }
  })
  const told = isTold ? { usage } : {}
  const message = { role: "assistant", content: text }
  return {
    json: {
      ...about,
      object: "chat.completion",
      choices: [{ index: 0, finish_reason: "stop", message }],
      ...told
    },
    events: [
      chunk({ content: text }, {}),
      chunk({ content: "" }, { finish_reason: "stop" }),
      { data: { ...about, object: "chat.completion.chunk", choices: [], ...told } },
      { data: "[DONE]" }
    ]
  }
}

export const openRouterServer = provider(write)
