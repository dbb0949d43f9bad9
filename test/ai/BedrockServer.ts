/**
 * Amazon Bedrock's Converse API on loopback, whose streams are of binary events.
 */
import { EventStreamCodec } from "@smithy/eventstream-codec"
import { type Asked, type EventEncoding, provider, type Reply, type Tokens, type Written } from "./ProviderServer.js"

type Filled = Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply

/** Tokens of caches are beside the input. */
const usageOf = ({ cacheRead = 0, cacheWrite = 0, input, output }: Tokens) => ({
  inputTokens: input - cacheRead - cacheWrite,
  outputTokens: output,
  totalTokens: input + output,
  cacheReadInputTokens: cacheRead,
  cacheWriteInputTokens: cacheWrite
})

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (text) => Buffer.from(text, "utf8")
)

const eventStream: EventEncoding = {
  contentType: "application/vnd.amazon.eventstream",
  encode: ({ data, event = "" }) =>
    codec.encode({
      headers: {
        ":message-type": { type: "string", value: "event" },
        ":event-type": { type: "string", value: event },
        ":content-type": { type: "string", value: "application/json" }
      },
      body: Buffer.from(JSON.stringify(data))
    })
}

const write = (asked: Asked, { fields, text, tokens, usage = usageOf(tokens) }: Filled): Written => {
  const metrics = { latencyMs: 7 }
  return {
    json: {
      output: { message: { role: "assistant", content: [{ text }] } },
      stopReason: "end_turn",
      usage,
      metrics,
      ...fields
    },
    events: [
      { event: "messageStart", data: { role: "assistant" } },
      { event: "contentBlockDelta", data: { contentBlockIndex: 0, delta: { text } } },
      { event: "contentBlockStop", data: { contentBlockIndex: 0 } },
      { event: "messageStop", data: { stopReason: "end_turn" } },
      { event: "metadata", data: { usage, metrics, ...fields } }
    ],
    isStream: asked.path.endsWith("/converse-stream"),
    encoding: eventStream
  }
}

export const bedrockServer = provider(write)
