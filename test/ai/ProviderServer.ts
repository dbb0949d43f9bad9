/**
 * A provider of models on loopback: it answers each request as the test has written down, and keeps a log of what it served.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Deferred, Effect, type Scope } from "effect"

/** What a request is answered with. */
export interface Reply {
  readonly text?: string
  readonly toolCall?: { readonly name: string; readonly input: unknown }
  /** The tokens that are served and told. */
  readonly tokens?: Tokens
  /** The usage as the provider writes it, in place of `tokens`. */
  readonly usage?: Readonly<Record<string, unknown>>
  /** What the answer has beside its text: items of OpenAI's responses. */
  readonly items?: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** What else the answer has, such as `service_tier`. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** The answer as it is, whatever else is said of it. */
  readonly raw?: Written
  /** Whether the answer tells what was consumed. */
  readonly isTold?: boolean
  /** The answer of the name. */
  readonly model?: string
  /** Nothing is served, with a status of 400 or above. */
  readonly status?: number
  /** After so many events of a stream the connection is cut; with 0 there is not even an answer. */
  readonly cutAfter?: number
  /** After so many events of a stream nothing more comes until the client has left. */
  readonly holdAfter?: number
}

export interface Tokens {
  readonly input: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  readonly output: number
  readonly reasoning?: number
}

/** A request as it came in. */
export interface Asked {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

/** What a provider sends: the whole of a JSON answer, or the events of a streamed one. */
export interface Written {
  readonly json: unknown
  readonly events: ReadonlyArray<WrittenEvent>
  /** Whether the events were asked for. @default whether the body of the request says `stream: true` */
  readonly isStream?: boolean
  /** How events are sent. @default as server-sent events */
  readonly encoding?: EventEncoding
}

export interface WrittenEvent {
  readonly event?: string
  readonly data: unknown
}

export interface EventEncoding {
  readonly contentType: string
  readonly encode: (event: WrittenEvent) => string | Uint8Array
}

const serverSentEvents: EventEncoding = {
  contentType: "text/event-stream; charset=utf-8",
  encode: ({ data, event }) => {
    const name = event === undefined ? "" : `event: ${event}\n`
    return `${name}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`
  }
}

export interface Provider {
  readonly url: string
  /** What is answered next; with none left, requests are refused. */
  readonly script: (...replies: ReadonlyArray<Reply>) => void
  /** What was asked, in the order in which it came in. */
  readonly asked: ReadonlyArray<Asked>
  /** What was served, wholly or in part. */
  readonly served: ReadonlyArray<Tokens>
  /** Done when a client has left a stream that was held. */
  readonly left: Effect.Effect<void>
}

/** A provider that writes its answers as `write` does. */
export const provider = (
  write: (asked: Asked, reply: Required<Pick<Reply, "text" | "tokens" | "isTold">> & Reply) => Written
): Effect.Effect<Provider, never, Scope.Scope> =>
  Effect.gen(function* () {
    const replies: Array<Reply> = []
    const asked: Array<Asked> = []
    const served: Array<Tokens> = []
    const left = yield* Deferred.make<void>()

    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const sent = await textOf(request)
      const isJson = request.headers["content-type"]?.startsWith("application/json") ?? false
      const body = (isJson ? JSON.parse(sent) : {}) as Asked["body"]
      const question = { path: request.url ?? "", body }
      asked.push(question)
      const reply = {
        text: "Hello",
        tokens: { input: 10, output: 5 },
        isTold: true,
        ...(replies.shift() ?? outOfReplies)
      }
      if (reply.status !== undefined) return refuse(response, reply.status)
      served.push(reply.tokens)
      if (reply.cutAfter === 0) {
        response.destroy()
        return
      }
      const written = reply.raw ?? write(question, reply)
      const { encoding = serverSentEvents, isStream = body["stream"] === true } = written
      if (!isStream) {
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(written.json))
        return
      }
      response.on("close", () => Deferred.unsafeDone(left, Effect.void))
      response.writeHead(200, { "content-type": encoding.contentType })
      const upTo = reply.cutAfter ?? reply.holdAfter
      for (const event of written.events.slice(0, upTo)) {
        await new Promise<void>((resolve) => response.write(encoding.encode(event), () => resolve()))
      }
      if (reply.cutAfter !== undefined) response.destroy()
      else if (reply.holdAfter === undefined) response.end()
    }

    const server = createServer((request, response) => void answer(request, response))
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return {
      url: `http://127.0.0.1:${port}`,
      script: (...more) => void replies.push(...more),
      asked,
      served,
      left: Deferred.await(left)
    }
  })

const outOfReplies: Reply = { status: 418 }

const refuse = (response: ServerResponse, status: number): void => {
  const error = { type: "error", error: { type: "rate_limit_error", message: "not now", code: null, param: null } }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(error))
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const part of request.setEncoding("utf8")) text += part as string
  return text
}
