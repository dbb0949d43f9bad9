import { EmbeddingModel } from "@effect/ai"
import { OpenAiEmbeddingModel } from "@effect/ai-openai"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, RunExporter } from "../../src/index.js"
import { completedRuns, inRun, openAiClient, recorded, type TransformClient } from "./models.js"
import { openAiServer } from "./OpenAiServer.js"
import type { Provider } from "./ProviderServer.js"

const ours = Layer.mergeAll(RunAi.layer, RunExporter.layerMemory)

type Mode = Parameters<typeof OpenAiEmbeddingModel.model>[1]

const model = (provider: Provider, mode: Mode, transformClient?: TransformClient) =>
  OpenAiEmbeddingModel.model("embed-x", mode).pipe(Layer.provide(openAiClient(provider, transformClient)))

const embed = (text: string) => Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed(text))
const embedMany = (texts: ReadonlyArray<string>) =>
  Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(texts))

const tokens = (input: number) => ({ tokens: { input, output: 0 } })

const call = {
  kind: "llm",
  provider: "openai",
  operation: "embeddings",
  isStreaming: false,
  requests: 1,
  status: "success"
}

const answered = { ...call, model: "embed-x", responseModel: "embed-x-2026-01-01" }

const withModel = <A, E>(
  mode: Mode,
  transformClient: TransformClient | undefined,
  program: (provider: Provider) => Effect.Effect<A, E, EmbeddingModel.EmbeddingModel | RunExporter.Memory>
) =>
  Effect.flatMap(openAiServer, (provider) =>
    program(provider).pipe(Effect.provide(model(provider, mode, transformClient)), Effect.provide(ours))
  )

describe("embeddings of a client that is observed", () => {
  const it_ = (name: string, mode: Mode, program: Parameters<typeof withModel>[2]) =>
    it.scopedLive(name, () => withModel(mode, RunAi.observe, program))

  it_("one, and many in one request", { mode: "batched" }, ({ script }) =>
    Effect.gen(function* () {
      script(tokens(4), tokens(9))
      yield* inRun(embed("a"))
      yield* inRun(embedMany(["a", "b", "c"]))
      expect(yield* recorded).toEqual([
        { ...answered, inputTokens: 4 },
        { ...answered, inputTokens: 9 }
      ])
    })
  )

  it_("many in several requests are one call", { mode: "batched", maxBatchSize: 2 }, ({ script }) =>
    Effect.gen(function* () {
      script(tokens(4), tokens(5), tokens(6))
      yield* inRun(embedMany(["a", "b", "c", "d", "e"]))
      expect(yield* recorded).toEqual([{ ...answered, inputTokens: 15, requests: 3 }])
    })
  )

  it_("several that are batched together are one", { mode: "batched" }, ({ script, served }) =>
    Effect.gen(function* () {
      script(tokens(9))
      yield* inRun(Effect.forEach(["a", "b", "c"], embed, { batching: true, concurrency: "unbounded" }))
      expect(served).toHaveLength(1)
      expect(yield* recorded).toEqual([{ ...answered, inputTokens: 9 }])
    })
  )

  it_(
    "what comes out of the cache costs nothing",
    { mode: "batched", cache: { capacity: 10, timeToLive: "1 minute" } },
    ({ script }) =>
      Effect.gen(function* () {
        script(tokens(4))
        yield* inRun(Effect.zipRight(embed("a"), embed("a")))
        yield* inRun(embed("a"))
        expect((yield* completedRuns).map(({ totals }) => totals.calls)).toEqual([1, 0])
        expect(yield* recorded).toEqual([{ ...answered, inputTokens: 4 }])
      })
  )

  it_("refused, and tried again", { mode: "batched" }, ({ script }) =>
    Effect.gen(function* () {
      script({ status: 429 }, tokens(4))
      yield* inRun(Effect.retry(embed("a"), { times: 1 }))
      expect(yield* recorded).toEqual([
        { ...call, model: "embed-x", requests: 0, status: "failure", errorType: "HttpResponseError" },
        { ...answered, inputTokens: 4 }
      ])
    })
  )

  it_("a call that is tracked as well counts once", { mode: "batched" }, ({ script }) =>
    Effect.gen(function* () {
      script(tokens(4))
      yield* inRun(Llm.track(embed("a"), { provider: "openai", model: "embed-x", operation: "embeddings" }))
      expect(yield* recorded).toEqual([{ ...answered, inputTokens: 4 }])
    })
  )

  it_(
    "a data loader sends for several runs at once: their calls are known, what each consumed is not",
    {
      mode: "data-loader",
      window: "20 millis"
    },
    ({ script, served }) =>
      Effect.gen(function* () {
        script(tokens(9))
        yield* Effect.all([inRun(embed("a")), inRun(embedMany(["b", "c"]))], { concurrency: 2 })
        expect(served).toHaveLength(1)
        const runs = yield* completedRuns
        expect(runs.map(({ totals }) => totals)).toMatchObject([
          { calls: 1, unpricedCalls: 1 },
          { calls: 1, unpricedCalls: 1 }
        ])
        for (const usage of yield* recorded) expect(usage).not.toHaveProperty("inputTokens")
      })
  )
})

describe("a data loader that belongs to a run", () => {
  it.scopedLive("has its requests recorded there", () =>
    Effect.gen(function* () {
      const server = yield* openAiServer
      server.script(tokens(9))
      const loader = model(server, { mode: "data-loader", window: "20 millis" }, RunAi.observe)
      yield* Effect.gen(function* () {
        yield* inRun(Effect.provide(Effect.all([embed("a"), embed("b")], { concurrency: 2 }), loader))
        expect(yield* recorded).toEqual([{ ...answered, inputTokens: 9 }])
      }).pipe(Effect.provide(ours))
    })
  )
})

describe("embeddings of a client that is not observed", () => {
  it.scopedLive("are calls of which nobody tells what they consumed", () =>
    withModel({ mode: "batched" }, undefined, ({ script }) =>
      Effect.gen(function* () {
        script(tokens(4), tokens(9), { status: 429 })
        yield* inRun(embed("a"))
        yield* inRun(embedMany(["a", "b"]))
        yield* Effect.exit(inRun(embed("a")))
        expect(yield* recorded).toEqual([
          call,
          call,
          { ...call, requests: 0, status: "failure", errorType: "HttpResponseError" }
        ])
        expect((yield* completedRuns).map(({ totals }) => totals.unpricedCalls)).toEqual([1, 1, 0])
      })
    )
  )
})
