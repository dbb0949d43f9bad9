/**
 * OpenAI's Responses, Chat Completions and Embeddings APIs on loopback.
 */
import { type Asked, provider, type Reply, type Tokens, type Written } from "./ProviderServer.js"

type Filled = Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply

const write = (asked: Asked, reply: Filled): Written => {
  if (asked.path.endsWith("/embeddings")) return embeddings(asked, reply)
  return asked.path.endsWith("/chat/completions") ? chat(asked, reply) : responses(asked, reply)
}

export const openAiServer = provider(write)

const modelOf = (asked: Asked, { model }: Reply): string => model ?? `${asked.body["model"]}-2026-01-01`

const usageOf = (tokens: Tokens) => ({
  input_tokens: tokens.input,
  input_tokens_details: { cached_tokens: tokens.cacheRead ?? 0 },
  output_tokens: tokens.output,
  output_tokens_details: { reasoning_tokens: tokens.reasoning ?? 0 },
  total_tokens: tokens.input + tokens.output
})

const responses = (asked: Asked, reply: Filled): Written => {
  const { fields = {}, isTold, items = [], text, tokens, toolCall, usage = usageOf(tokens) } = reply
  const item =
    toolCall === undefined
      ? message(text)
      : {
          id: "fc_1",
          type: "function_call",
          call_id: "call_1",
          name: toolCall.name,
          arguments: JSON.stringify(toolCall.input),
          status: "completed"
        }
  const begun = {
    id: "resp_1",
    object: "response",
    created_at: 1_770_000_000,
    error: null,
    incomplete_details: null,
    instructions: null,
    parallel_tool_calls: true,
    model: modelOf(asked, reply),
    tools: [],
    tool_choice: "auto",
    metadata: null,
    temperature: 1,
    top_p: 1
  }
  const output = [...items, item]
  const whole = { ...begun, status: "completed", output, usage: isTold ? usage : null, ...fields }
  const events = [
    { type: "response.created", response: { ...begun, status: "in_progress", output: [], usage: null } },
    ...items.flatMap((item) => [
      { type: "response.output_item.added", output_index: 0, item },
      { type: "response.output_item.done", output_index: 0, item }
    ]),
    { type: "response.output_item.added", output_index: 0, item: toolCall === undefined ? message("") : item },
    ...(toolCall === undefined ? text.split(" ").map(delta) : []),
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response: whole }
  ]
  return {
    json: whole,
    events: events.map((data, sequence_number) => ({ event: data.type, data: { ...data, sequence_number } }))
  }
}

const message = (text: string) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  status: "completed",
  content: text === "" ? [] : [{ type: "output_text", text, annotations: [] }]
})

const delta = (text: string) => ({
  type: "response.output_text.delta",
  output_index: 0,
  content_index: 0,
  item_id: "msg_1",
  delta: text
})

/** Each chunk of a stream tells the usage so far. */
const chat = (asked: Asked, reply: Filled): Written => {
  const { isTold, text, tokens } = reply
  const about = { id: "chatcmpl_1", created: 1_770_000_000, model: modelOf(asked, reply) }
  const usage = (output: number) => ({
    prompt_tokens: tokens.input,
    prompt_tokens_details: { cached_tokens: tokens.cacheRead ?? 0 },
    completion_tokens: output,
    completion_tokens_details: { reasoning_tokens: tokens.reasoning ?? 0 },
    total_tokens: tokens.input + output
  })
  const words = text.split(" ")
  const chunk = (choices: ReadonlyArray<unknown>, output: number) => ({
    data: { ...about, object: "chat.completion.chunk", choices, usage: isTold ? usage(output) : null }
  })
  return {
    json: {
      ...about,
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop", logprobs: null }],
      ...(isTold && { usage: usage(tokens.output) })
    },
    events: [
      ...words.map((content, index) => chunk([{ index: 0, delta: { content }, finish_reason: null }], index + 1)),
      chunk([{ index: 0, delta: {}, finish_reason: "stop" }], tokens.output),
      { data: "[DONE]" }
    ]
  }
}

const embeddings = (asked: Asked, reply: Filled): Written => {
  const inputs = [asked.body["input"]].flat()
  const json = {
    object: "list",
    model: modelOf(asked, reply),
    data: inputs.map((_, index) => ({ object: "embedding", index, embedding: [index, 0.5] })),
    usage: { prompt_tokens: reply.tokens.input, total_tokens: reply.tokens.input }
  }
  return { json, events: [] }
}
