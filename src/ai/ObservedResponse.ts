/**
 * The response of an HTTP client, with an eye on what is read of it.
 */
import { type HttpClientError, HttpClientResponse, HttpIncomingMessage, type UrlParams } from "@effect/platform"
import { Effect, type Exit, Inspectable, Stream } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import type { ProviderExchange } from "./ProviderExchange.js"

type Response = HttpClientResponse.HttpClientResponse
type ResponseError = HttpClientError.ResponseError

/** Passes everything on as it is. What the bytes report goes to the exchange; `onEnd` is called when they were read. */
export class ObservedResponse extends Inspectable.Class implements Response {
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId

  constructor(
    private readonly original: Response,
    private readonly exchange: ProviderExchange,
    private readonly onEnd: (fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>) => void
  ) {
    super()
  }

  get request() {
    return this.original.request
  }

  get status() {
    return this.original.status
  }

  get headers() {
    return this.original.headers
  }

  get cookies() {
    return this.original.cookies
  }

  get remoteAddress() {
    return this.original.remoteAddress
  }

  get json(): Effect.Effect<unknown, ResponseError> {
    return this.read(this.original.json, (json) => this.exchange.report(json))
  }

  get text(): Effect.Effect<string, ResponseError> {
    return this.read(this.original.text, (text) => this.exchange.tellText(text))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, ResponseError> {
    return this.read(this.original.arrayBuffer, (buffer) => {
      const reader = this.reader
      reader?.push(new Uint8Array(buffer))
      reader?.end?.()
    })
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, ResponseError> {
    return this.read(this.original.urlParamsBody, () => {})
  }

  get formData(): Effect.Effect<FormData, ResponseError> {
    return this.read(this.original.formData, () => {})
  }

  get stream(): Stream.Stream<Uint8Array, ResponseError> {
    return Stream.suspend(() => {
      const reader = this.reader
      return this.original.stream.pipe(
        Stream.mapChunks((chunk) => {
          quietly(() => {
            for (const bytes of chunk) reader?.push(bytes)
          })
          return chunk
        }),
        Stream.ensuringWith((exit) => this.ended(exit, () => reader?.end?.()))
      )
    })
  }

  toJSON(): unknown {
    return this.original.toJSON()
  }

  private get reader() {
    return this.exchange.reader(this.headers["content-type"])
  }

  private read<A>(body: Effect.Effect<A, ResponseError>, report: (body: A) => void): Effect.Effect<A, ResponseError> {
    return Effect.onExit(body, (exit) =>
      this.ended(exit, () => {
        if (exit._tag === "Success") report(exit.value)
      })
    )
  }

  private ended(exit: Exit.Exit<unknown, unknown>, report: () => void): Effect.Effect<void> {
    return Effect.withFiberRuntime((fiber) => {
      quietly(report)
      quietly(() => this.onEnd(fiber, exit))
      return Effect.void
    })
  }
}

/** What goes wrong in looking on is nobody's trouble. */
const quietly = (look: () => void): void => {
  try {
    look()
  } catch {
    // What was not understood is not reported.
  }
}
