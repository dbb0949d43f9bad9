/**
 * Anthropic's Messages API on loopback.
 */
import { type Asked, provider, type Reply, type Tokens, type Written } from "./ProviderServer.js"

type Filled = Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply

/** Of all input tokens, `input_tokens` are those that no cache was concerned with. */
const usageOf = ({ cacheRead = 0, cacheWrite = 0, input, output }: Tokens) => ({
  input_tokens: input - cacheRead - cacheWrite,
  cache_read_input_tokens: cacheRead,
  cache_creation_input_tokens: cacheWrite,
  cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: 0 },
  output_tokens: output,
  service_tier: "standard"
})

const write = (
  asked: Asked,
  { isTold, text, tokens, toolCall, usage = usageOf(tokens), ...reply }: Filled
): Written => {
  const block =
    toolCall === undefined
      ? { type: "text", text }
      : { type: "tool_use", id: "toolu_1", name: toolCall.name, input: toolCall.input }
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: reply.model ?? `${asked.body["model"]}-20260101`,
    stop_sequence: null
  }
  const stop_reason = toolCall === undefined ? "end_turn" : "tool_use"
  const begun = {
    ...message,
    content: [],
    stop_reason: null,
    ...(isTold && { usage: { ...usage, output_tokens: 1 } })
  }
  const words = text.split(" ")
  const events = [
    { type: "message_start", message: begun },
    { type: "ping" },
    {
      type: "content_block_start",
      index: 0,
      content_block: toolCall === undefined ? { type: "text", text: "" } : { ...block, input: {} }
    },
    ...(toolCall === undefined
      ? words.map((word) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: word } }))
      : [
          {
            type: "content_block_delta",
            index: 0,
            delta: { type: "input_json_delta", partial_json: JSON.stringify(toolCall.input) }
          }
        ]),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason, stop_sequence: null },
      usage: isTold ? { output_tokens: usage.output_tokens } : {}
    },
    { type: "message_stop" }
  ]
  return {
    json: { ...message, content: [block], stop_reason, ...(isTold && { usage }) },
    events: events.map((data) => ({ event: data.type, data }))
  }
}

export const anthropicServer = provider(write)
