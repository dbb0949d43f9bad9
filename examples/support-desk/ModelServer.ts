/**
 * A server of invented models on the loopback interface. What it answers, and what that consumes, follows from the request alone.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Either, Schema, type Scope } from "effect"
import type { ModelCall } from "./CallLog.js"
import * as Api from "./ResponsesApi.js"

/** Starts the server, and gives its address. `log` learns of each request when it is over. */
export const start = (log: (call: ModelCall) => void): Effect.Effect<string, never, Scope.Scope> => {
  const refused = new Map<string, number>()
  const server = createServer((request, response) => {
    // Whoever breaks off a request wants no answer.
    answer(request, response, refused, log).catch(() => response.destroy())
  })
  const listening = Effect.async<void>((resume) => {
    server.listen(0, "127.0.0.1", () => resume(Effect.void))
  })
  const closed = Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
  return Effect.map(
    Effect.acquireRelease(listening, () => closed),
    () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  )
}

const decode = Schema.decodeUnknownEither(Api.Request)

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  refused: Map<string, number>,
  log: (call: ModelCall) => void
): Promise<void> => {
  const from = request.socket.remoteAddress ?? ""
  const decoded = decode(await textOf(request))
  if (request.url !== "/v1/responses" || Either.isLeft(decoded)) return refuse(response, 400)
  const asked = decoded.right
  const { simulate } = asked.metadata
  const status = statusFor(asked, refused)
  const reply = replyTo(asked)
  let said = 0
  response.once("close", () => {
    const { cached, input } = reply.tokens
    log({
      from,
      ticket: simulate.ticket,
      model: asked.model,
      status,
      isTold: simulate.isTold,
      isCut: !response.writableFinished,
      inputTokens: input,
      cachedTokens: cached,
      outputTokens: said === reply.words.length ? reply.tokens.output : said
    })
  })
  if (status !== 200) return refuse(response, status)
  const told: Api.Answer = { ...reply, tokens: simulate.isTold ? reply.tokens : undefined }
  if (!asked.stream) {
    await sleep(simulate.workMs)
    said = reply.words.length
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(Api.whole(told)))
    return
  }
  response.writeHead(200, { "content-type": "text/event-stream" })
  const parts = partsOf(reply.words)
  let sent = 0
  const send = (event: object) => {
    response.write(`data: ${JSON.stringify({ ...event, sequence_number: sent })}\n\n`)
    sent += 1
  }
  for (const event of Api.opening(told)) send(event)
  for (const [index, part] of parts.entries()) {
    if (simulate.hangs && index === parts.length / 2) return
    await sleep(simulate.workMs / parts.length)
    if (response.closed) return
    send(Api.delta(`${part.join(" ")} `))
    said += part.length
  }
  for (const event of Api.closing(told)) send(event)
  response.end()
}

const refuse = (response: ServerResponse, status: number): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(Api.refusal(status)))
}

const statusFor = ({ metadata: { simulate } }: Api.Request, refused: Map<string, number>): 200 | 429 | 503 => {
  if (simulate.isOverloaded) return 503
  const before = refused.get(simulate.ticket) ?? 0
  if (before >= simulate.refusals) return 200
  refused.set(simulate.ticket, before + 1)
  return 429
}

const charactersPerToken = 4
const tokensPerBlock = 64

/** A reply, and what it consumes. Models that are not small think before they speak. */
const replyTo = (asked: Api.Request): Api.Answer & { readonly tokens: Api.Tokens } => {
  const text = Api.textOf(asked)
  const instructions = Math.floor(Api.textOf(asked, "system").length / charactersPerToken)
  const input = Math.ceil(text.length / charactersPerToken)
  const words = wordsFor(digest(text), input - instructions)
  const reasoning = asked.model.endsWith("-mini") ? 0 : 2 * words.length
  return {
    id: `resp_${digest(text)}`,
    model: `${asked.model}-0611`,
    words,
    tokens: {
      input,
      // Instructions are the same each time, and known in blocks.
      cached: instructions - (instructions % tokensPerBlock),
      output: words.length + reasoning,
      reasoning
    }
  }
}

const vocabulary = "we have looked into this for you and found what to do about it which takes a minute or two".split(
  " "
)

const mostWords = 160

/** Who asks for more is told more. */
const wordsFor = (seed: number, askedTokens: number): ReadonlyArray<string> =>
  Array.from(
    { length: Math.min(mostWords, 24 + (seed % 16) + Math.floor(askedTokens / 2)) },
    (_, index) => vocabulary[(seed + index) % vocabulary.length] ?? ""
  )

const digest = (text: string): number => {
  let digest = 7
  for (const character of text) digest = (digest * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003
  return digest
}

const partsPerReply = 8

const partsOf = (words: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const size = Math.ceil(words.length / partsPerReply)
  return Array.from({ length: partsPerReply }, (_, index) => words.slice(index * size, (index + 1) * size))
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const part of request.setEncoding("utf8")) text += part as string
  return text
}
