/**
 * Real servers on loopback, and a client that sends exactly the headers it is told to.
 */
import { createServer, type IncomingHttpHeaders, request as nodeRequest } from "node:http"
import { type HttpApp, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"

const listening = () => NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

/** What a server on Node provides. */
export type NodeServer = Layer.Layer.Success<ReturnType<typeof listening>>

/** Serves a layer on a free port of its own, for as long as the scope is open, and gives its origin. */
export const serving = <A, E, R>(server: Layer.Layer<A, E, R>) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Layer.provideMerge(server, listening()))
    const { address } = Context.get(context, HttpServer.HttpServer)
    if (address._tag !== "TcpAddress") return yield* Effect.die("expected a TCP address")
    return `http://127.0.0.1:${address.port}`
  })

export type Options = RunHttpServer.Options & Partial<RunHttpServer.OptionsOrElse>

/** The middleware on an app whose errors are defects. */
export const middleware = (options: Options) => (app: HttpApp.Default) =>
  Effect.orDie(RunHttpServer.middleware(options)(app)) as HttpApp.Default

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface RequestOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
  /** Learns of each part of the body as it comes. */
  readonly onData?: (text: string) => void
}

/** A request on a connection of its own, which is cut when the effect is interrupted. */
export const request = (url: string, options: RequestOptions = {}): Effect.Effect<Answer, Error> =>
  Effect.async((resume) => {
    const headers = Object.entries(options.headers ?? {}).map(
      ([name, value]) => [name, typeof value === "string" ? value : [...value]] as const
    )
    const sent = nodeRequest(
      url,
      { method: options.method ?? "GET", agent: false, headers: Object.fromEntries(headers) },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (data: string) => {
          text += data
          options.onData?.(data)
        })
        response.on("error", (error) => resume(Effect.fail(error)))
        response.on("end", () =>
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
        )
      }
    )
    sent.on("error", (error) => resume(Effect.fail(error)))
    sent.end()
    return Effect.sync(() => sent.destroy())
  })
