/**
 * Invented models behind OpenAI's Responses API, without a network: an `HttpClient` that answers by itself. What an answer says, and
 * what it consumes, follows from the request alone. A program of your own provides `FetchHttpClient.layer` in its place.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"

/** What a request asks the models to simulate. It travels in the metadata, for which OpenAI's API has a place. */
export interface Simulated {
  readonly ticket: string
  readonly workMs: number
  readonly refusals: number
  readonly isTold: boolean
  /** Whether a streamed answer stops in the middle. */
  readonly hangs: boolean
  readonly isOverloaded: boolean
}

/** A request in the models' own log. */
export interface ModelCall {
  readonly ticket: string
  readonly model: string
  readonly status: number
  readonly isTold: boolean
  /** Whether the client left before the end of the answer. */
  readonly isCut: boolean
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
}

const Content = Schema.Union(Schema.String, Schema.Array(Schema.Struct({ text: Schema.String })))
const decode = Schema.decodeUnknownSync(
  Schema.parseJson(
    Schema.Struct({
      model: Schema.String,
      input: Schema.Array(Schema.Struct({ role: Schema.String, content: Content })),
      stream: Schema.optionalWith(Schema.Boolean, { default: () => false }),
      metadata: Schema.Struct({ simulate: Schema.parseJson() })
    })
  )
)
type Asked = ReturnType<typeof decode>

/** `log` receives each request when it is over. */
export const layer = (log: (call: ModelCall) => void): Layer.Layer<HttpClient.HttpClient> =>
  Layer.sync(HttpClient.HttpClient, () => {
    const refused = new Map<string, number>()
    return HttpClient.make((request) => Effect.suspend(() => answer(request, refused, log)))
  })

const answer = (
  request: HttpClientRequest.HttpClientRequest,
  refused: Map<string, number>,
  log: (call: ModelCall) => void
): Effect.Effect<HttpClientResponse.HttpClientResponse> => {
  const { body } = request
  const asked = decode(body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : "{}")
  const simulated = asked.metadata.simulate as Simulated
  const status = statusFor(simulated, refused)
  const { reply, tokens } = replyTo(asked, simulated.isTold)
  const over = (isCut: boolean) =>
    log({ ticket: simulated.ticket, model: asked.model, status, isTold: simulated.isTold, isCut, ...tokens })
  const respond = (text: BodyInit, type = "application/json") =>
    HttpClientResponse.fromWeb(request, new Response(text, { status, headers: { "content-type": type } }))
  if (status !== 200) {
    over(false)
    return Effect.succeed(
      respond(JSON.stringify({ error: { type: "server_error", message: `refused with ${status}` } }))
    )
  }
  if (asked.stream) return Effect.sync(() => respond(eventsOf(reply, simulated, over), "text/event-stream"))
  return Effect.sleep(simulated.workMs).pipe(
    Effect.onExit((exit) => Effect.sync(() => over(exit._tag === "Failure"))),
    Effect.map(() => respond(JSON.stringify(reply)))
  )
}

const statusFor = ({ isOverloaded, refusals, ticket }: Simulated, refused: Map<string, number>): 200 | 429 | 503 => {
  if (isOverloaded) return 503
  const before = refused.get(ticket) ?? 0
  if (before >= refusals) return 200
  refused.set(ticket, before + 1)
  return 429
}

const charactersPerToken = 4
const tokensPerBlock = 64
const mostWords = 160
const vocabulary = "we have looked into this for you and found what to do about it which takes a minute or two".split(
  " "
)

const textOf = ({ input }: Asked, only?: "system"): string =>
  input
    .filter(({ role }) => only === undefined || role === only)
    .map(({ content }) => (typeof content === "string" ? content : content.map(({ text }) => text).join("")))
    .join("\n")

const digestOf = (text: string): number => {
  let digest = 7
  for (const character of text) digest = (digest * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003
  return digest
}

/** A reply, and what it consumed. Longer questions get longer answers, and models that are not small think before they speak. */
const replyTo = (asked: Asked, isTold: boolean) => {
  const text = textOf(asked)
  const seed = digestOf(text)
  const instructions = Math.floor(textOf(asked, "system").length / charactersPerToken)
  const inputTokens = Math.ceil(text.length / charactersPerToken)
  const length = Math.min(mostWords, 24 + (seed % 16) + Math.floor((inputTokens - instructions) / 2))
  const reasoning = asked.model.endsWith("-mini") ? 0 : 2 * length
  // Instructions are the same each time, and cached in blocks.
  const cachedTokens = instructions - (instructions % tokensPerBlock)
  const outputTokens = length + reasoning
  const said = Array.from({ length }, (_, index) => vocabulary[(seed + index) % vocabulary.length]).join(" ")
  const usage = {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: inputTokens + outputTokens
  }
  const reply = {
    ...{ id: `resp_${seed}`, object: "response", created_at: 1_760_000_000, model: `${asked.model}-0611` },
    ...{ status: "completed", error: null, incomplete_details: null, instructions: null, metadata: null },
    ...{ parallel_tool_calls: true, temperature: 1, top_p: 1, tool_choice: "auto", tools: [] },
    output: [message(said)],
    usage: isTold ? usage : null
  }
  return { reply, tokens: { inputTokens, cachedTokens, outputTokens } }
}

const message = (text: string) => ({
  ...{ id: "msg_1", type: "message", role: "assistant", status: "completed" },
  content: text === "" ? [] : [{ type: "output_text", text, annotations: [] }]
})

const deltas = 8

/** The reply as server-sent events, a part of the words at a time. */
const eventsOf = (
  reply: ReturnType<typeof replyTo>["reply"],
  { hangs, workMs }: Simulated,
  over: (isCut: boolean) => void
): ReadableStream<Uint8Array> => {
  const [{ content = [] } = message("")] = reply.output
  const said = content[0]?.text ?? ""
  const words = said.split(" ")
  const size = Math.ceil(words.length / deltas)
  const events = [
    { type: "response.created", response: { ...reply, status: "in_progress", output: [], usage: null } },
    { type: "response.output_item.added", output_index: 0, item: message("") },
    ...Array.from({ length: deltas }, (_, index) => ({
      ...{ type: "response.output_text.delta", item_id: "msg_1", output_index: 0, content_index: 0 },
      delta: `${words.slice(index * size, (index + 1) * size).join(" ")} `
    })),
    { type: "response.output_item.done", output_index: 0, item: message(said) },
    { type: "response.completed", response: reply }
  ]
  let sent = 0
  let isLeft = false
  return new ReadableStream({
    async pull(controller) {
      const event = events[sent]
      if (hangs && sent > deltas / 2) return new Promise<void>(() => {})
      if (event?.type.endsWith("delta")) await sleep(workMs / deltas)
      if (isLeft) return
      if (event === undefined) {
        over(false)
        return controller.close()
      }
      controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify({ ...event, sequence_number: sent })}\n\n`))
      sent += 1
    },
    cancel() {
      isLeft = true
      over(true)
    }
  })
}
