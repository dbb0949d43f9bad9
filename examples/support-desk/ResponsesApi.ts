/**
 * As much of OpenAI's Responses API as the model server speaks: `POST /responses`, answered with JSON or with server-sent events.
 * https://platform.openai.com/docs/api-reference/responses
 */
import { Schema } from "effect"
import { Simulated } from "./Simulated.js"

const Content = Schema.Union(Schema.String, Schema.Array(Schema.Struct({ text: Schema.String })))

/** A request. */
export const Request = Schema.parseJson(
  Schema.Struct({
    model: Schema.String,
    input: Schema.Array(Schema.Struct({ role: Schema.String, content: Content })),
    stream: Schema.optionalWith(Schema.Boolean, { default: () => false }),
    metadata: Simulated.Metadata
  })
)
export type Request = typeof Request.Type

/** The text of a request's messages: of those that the instructions are in, or of all. */
export const textOf = ({ input }: Request, only?: "system"): string =>
  input
    .filter(({ role }) => only === undefined || role === only)
    .map(({ content }) => (typeof content === "string" ? content : content.map(({ text }) => text).join("")))
    .join("\n")

export interface Tokens {
  /** All that went in. */
  readonly input: number
  /** The part of it that was known from before. */
  readonly cached: number
  /** All that came out. */
  readonly output: number
  /** The part of it that was thought and not said. */
  readonly reasoning: number
}

/** What a request is answered with. */
export interface Answer {
  readonly id: string
  /** The version of the model that answers. */
  readonly model: string
  readonly words: ReadonlyArray<string>
  /** What it consumed, where that is told. */
  readonly tokens: Tokens | undefined
}

/** The answer as a whole. */
export const whole = (answer: Answer): object => ({
  ...begun(answer),
  status: "completed",
  output: [message(answer.words.join(" "))],
  usage: answer.tokens === undefined ? null : usage(answer.tokens)
})

/** The events before the words. */
export const opening = (answer: Answer): ReadonlyArray<object> => [
  { type: "response.created", response: { ...begun(answer), status: "in_progress", output: [], usage: null } },
  { type: "response.output_item.added", output_index: 0, item: message("") }
]

/** The event of some words. */
export const delta = (words: string): object => ({
  type: "response.output_text.delta",
  item_id: messageId,
  output_index: 0,
  content_index: 0,
  delta: words
})

/** The events after the words. Only the last one tells the usage. */
export const closing = (answer: Answer): ReadonlyArray<object> => [
  { type: "response.output_item.done", output_index: 0, item: message(answer.words.join(" ")) },
  { type: "response.completed", response: whole(answer) }
]

/** A refusal. */
export const refusal = (status: number): object => ({
  error: { type: "server_error", message: `refused with ${status}`, code: null, param: null }
})

const begun = ({ id, model }: Answer) => ({
  id,
  object: "response",
  created_at: 1_760_000_000,
  model,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: null,
  parallel_tool_calls: true,
  temperature: 1,
  top_p: 1,
  tool_choice: "auto",
  tools: []
})

const messageId = "msg_1"

const message = (text: string) => ({
  id: messageId,
  type: "message",
  role: "assistant",
  status: "completed",
  content: text === "" ? [] : [{ type: "output_text", text, annotations: [] }]
})

const usage = ({ cached, input, output, reasoning }: Tokens) => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: cached },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: reasoning },
  total_tokens: input + output
})
