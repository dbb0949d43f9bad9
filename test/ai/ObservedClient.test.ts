import { AnthropicClient } from "@effect/ai-anthropic"
import { OpenAiClient } from "@effect/ai-openai"
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, RunExporter } from "../../src/index.js"
import { anthropicServer } from "./AnthropicServer.js"
import { anthropicClient, completedRuns, inRun, openAiClient, recorded } from "./models.js"
import { openAiServer } from "./OpenAiServer.js"
import type { Provider, Reply } from "./ProviderServer.js"

type Response = HttpClientResponse.HttpClientResponse

const tokens = { input: 12, cacheRead: 5, output: 3 }
const told = { inputTokens: 12, cacheReadTokens: 5, outputTokens: 3, reasoningTokens: 0 }

const answered = {
  kind: "llm",
  provider: "openai",
  operation: "chat",
  model: "gpt-x",
  responseModel: "gpt-x-2026-01-01",
  requests: 1,
  status: "success",
  isStreaming: false
}

const clients = { fetch: FetchHttpClient.layer, undici: NodeHttpClient.layerUndici, "node:http": NodeHttpClient.layer }

/** A request of an observed client to a provider that has replies. */
const withClient = <A, E, R>(
  replies: ReadonlyArray<Reply>,
  program: (
    send: (path: string, body: unknown) => Effect.Effect<Response, unknown>,
    provider: Provider
  ) => Effect.Effect<A, E, R | RunExporter.Memory>,
  client: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer
) =>
  Effect.gen(function* () {
    const server = yield* openAiServer
    server.script(...replies)
    const http = yield* HttpClient.HttpClient
    const send = (path: string, body: unknown) =>
      http.execute(HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(`${server.url}${path}`), body))
    return yield* program(send, server)
  }).pipe(
    Effect.provide(Layer.provideMerge(RunAi.layerHttpClient, client)),
    Effect.provide(Layer.mergeAll(RunAi.layer, RunExporter.layerMemory))
  )

const question = { model: "gpt-x", messages: [{ role: "user", content: "Hi" }] }
const chat = "/v1/chat/completions"

const bytesOf = (chunks: Chunk.Chunk<Uint8Array>) => Buffer.concat(Chunk.toReadonlyArray(chunks)).toString()

const reading: Record<string, (response: Response) => Effect.Effect<string, unknown>> = {
  json: ({ json }) => Effect.map(json, (json) => JSON.stringify(json)),
  text: ({ text }) => text,
  arrayBuffer: ({ arrayBuffer }) => Effect.map(arrayBuffer, (buffer) => Buffer.from(buffer).toString()),
  stream: ({ stream }) => Effect.map(Stream.runCollect(stream), bytesOf)
}

describe.each(Object.entries(clients))("with %s", (_, client) => {
  it.scopedLive.each(Object.entries(reading))("an answer is told and handed on as it is, read as %s", ([, read]) =>
    withClient(
      [{ tokens }, { tokens }],
      (send) =>
        Effect.gen(function* () {
          const ask = Effect.flatMap(send(chat, question), read)
          const inside = yield* inRun(ask)
          expect(inside).toBe(yield* ask)
          expect(JSON.parse(inside)).toMatchObject({ object: "chat.completion", choices: [{ index: 0 }] })
          expect(yield* recorded).toEqual([
            { ...answered, ...told, finishReason: "stop", providerRequestId: "chatcmpl_1" }
          ])
        }),
      client
    )
  )

  it.scopedLive("a stream is told as it passes, and handed on as it is", () =>
    withClient(
      [{ tokens }, { tokens }],
      (send) =>
        Effect.gen(function* () {
          const ask = Effect.flatMap(send(chat, { ...question, stream: true }), ({ stream }) =>
            Effect.map(Stream.runCollect(stream), bytesOf)
          )
          const inside = yield* inRun(ask)
          expect(inside).toBe(yield* ask)
          expect(inside).toContain("[DONE]")
          expect(yield* recorded).toEqual([
            { ...answered, ...told, isStreaming: true, finishReason: "stop", providerRequestId: "chatcmpl_1" }
          ])
        }),
      client
    )
  )

  it.scopedLive("a stream that is cut off has told what was written so far", () =>
    withClient(
      [
        { tokens, text: "one two three", cutAfter: 2 },
        { tokens, text: "one two three", holdAfter: 2 }
      ],
      (send, { left }) =>
        Effect.gen(function* () {
          const ask = Effect.map(send(chat, { ...question, stream: true }), ({ stream }) => stream)
          yield* Effect.exit(inRun(Stream.runDrain(Stream.unwrap(ask))))
          const second = Stream.unwrap(ask).pipe(
            Stream.decodeText(),
            Stream.splitLines,
            Stream.filter((line) => line.includes("two")),
            Stream.take(1)
          )
          yield* inRun(Stream.runDrain(second))
          yield* left
          const soFar = { ...told, outputTokens: 2, isStreaming: true }
          expect(yield* recorded).toMatchObject([
            { ...soFar, status: "failure", errorType: "ResponseError" },
            { ...soFar, status: "interrupted" }
          ])
        }),
      client
    )
  )
})

describe("clients of providers that are used directly", () => {
  it.scopedLive("OpenAI's", () =>
    Effect.gen(function* () {
      const server = yield* openAiServer
      server.script({ tokens }, { tokens }, { tokens: { input: 4, output: 0 } }, { status: 429 }, { tokens })
      yield* Effect.gen(function* () {
        const client = yield* OpenAiClient.OpenAiClient
        const prompt = { model: "gpt-x", input: "Hi" } as const
        yield* inRun(client.createResponse(prompt))
        yield* inRun(Stream.runDrain(client.createResponseStream(prompt)))
        yield* inRun(client.createEmbedding({ model: "embed-x", input: "Hi" }))
        yield* Effect.exit(inRun(client.createResponse(prompt)))
        yield* inRun(Llm.track(client.createResponse(prompt), { provider: "openai", model: "gpt-x" }))
        expect(yield* recorded).toMatchObject([
          { ...answered, ...told },
          { ...answered, ...told, isStreaming: true },
          { operation: "embeddings", model: "embed-x", inputTokens: 4 },
          { requests: 0, status: "failure", errorType: "429" },
          { ...answered, ...told }
        ])
      }).pipe(
        Effect.provide(openAiClient(server, RunAi.observe)),
        Effect.provide(Layer.mergeAll(RunAi.layer, RunExporter.layerMemory))
      )
    })
  )

  it.scopedLive("Anthropic's", () =>
    Effect.gen(function* () {
      const server = yield* anthropicServer
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        const client = yield* AnthropicClient.AnthropicClient
        const payload = { model: "claude-x", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] } as const
        yield* inRun(client.createMessage({ payload }))
        yield* inRun(Stream.runDrain(client.createMessageStream({ payload })))
        const usage = { provider: "anthropic", model: "claude-x", inputTokens: 12, cacheReadTokens: 5, outputTokens: 3 }
        expect(yield* recorded).toMatchObject([
          { ...usage, finishReason: "end_turn" },
          { ...usage, isStreaming: true, status: "success" }
        ])
      }).pipe(
        Effect.provide(anthropicClient(server, RunAi.observe)),
        Effect.provide(Layer.mergeAll(RunAi.layer, RunExporter.layerMemory))
      )
    })
  )
})

describe("what is none of its business", () => {
  it.scopedLive("requests to others, and answers of those who only look like a provider", () =>
    withClient([{ tokens }, { tokens }, { status: 404 }], (send, { asked }) =>
      Effect.gen(function* () {
        yield* inRun(Effect.flatMap(send("/v1/orders", question), ({ json }) => json))
        yield* inRun(Effect.flatMap(send("/messages", question), ({ json }) => json))
        yield* inRun(send("/surveys/7/responses", { answers: [1, 2] }))
        expect(asked).toHaveLength(3)
        expect(yield* recorded).toEqual([])
      })
    )
  )

  it.scopedLive("whatever is outside of a run", () =>
    withClient([{ tokens }], (send) =>
      Effect.gen(function* () {
        yield* Effect.flatMap(send(chat, question), ({ json }) => json)
        expect(yield* completedRuns).toEqual([])
      })
    )
  )

  it.scopedLive("an answer without usage is a call of which nothing is known", () =>
    withClient([{ tokens, isTold: false }], (send) =>
      Effect.gen(function* () {
        yield* inRun(Effect.flatMap(send(chat, question), ({ json }) => json))
        expect(yield* recorded).toEqual([{ ...answered, finishReason: "stop", providerRequestId: "chatcmpl_1" }])
      })
    )
  )
})
