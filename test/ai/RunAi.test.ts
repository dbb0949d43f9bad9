import { Chat, LanguageModel, Tool, Toolkit } from "@effect/ai"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Botanu, Llm, RunExporter } from "../../src/index.js"
import { ids } from "../runs.js"
import { anthropic, completedRuns, inRun, openAi, recorded, type TransformClient } from "./models.js"
import type { Provider, Tokens } from "./ProviderServer.js"

class Place extends Schema.Class<Place>("Place")({ city: Schema.String }) {}

const ask = LanguageModel.generateText({ prompt: "Hi" })
const askForPlace = LanguageModel.generateObject({ prompt: "Where?", schema: Place, objectName: "Place" })
const stream = LanguageModel.streamText({ prompt: "Hi" })

const unobserved: TransformClient = (client) => client

type ProviderKind = typeof openAi | typeof anthropic

/** A program with a model and all that is recorded, and the provider behind it. */
const withModel = <A, E>(
  kind: ProviderKind,
  transformClient: TransformClient,
  program: (provider: Provider) => Effect.Effect<A, E, LanguageModel.LanguageModel | RunExporter.Memory>
) =>
  Effect.flatMap(kind.server, (provider) =>
    program(provider).pipe(
      Effect.provide(kind.modelOf(provider, transformClient)),
      Effect.provide(Layer.mergeAll(RunAi.layer, RunExporter.layerMemory))
    )
  )

const tokens: Tokens = { input: 120, cacheRead: 50, cacheWrite: 20, output: 30, reasoning: 8 }

/** What OpenAI and Anthropic tell of the same tokens. */
const told = ({ name }: ProviderKind) => ({
  inputTokens: 120,
  cacheReadTokens: 50,
  outputTokens: 30,
  ...(name === "openai" ? { reasoningTokens: 8 } : { cacheWriteTokens: 20, serviceTier: "standard" })
})

const call = (kind: ProviderKind) => ({
  kind: "llm",
  provider: kind.name,
  operation: "chat",
  model: kind.model,
  requests: 1,
  isStreaming: false
})

const answered = (kind: ProviderKind) => ({
  ...call(kind),
  status: "success",
  responseModel: expect.stringMatching(`^${kind.model}-2026`),
  providerRequestId: expect.stringMatching(/_1$/)
})

/** Waits for the first words of an answer. */
const firstWords = <E, R>(parts: Stream.Stream<{ readonly type: string }, E, R>) =>
  parts.pipe(
    Stream.filter(({ type }) => type === "text-delta"),
    Stream.take(1),
    Stream.runDrain
  )

const textParts = 4

describe.each([openAi, anthropic])("$name", (kind) => {
  describe.each([
    { clients: "observed", transformClient: RunAi.observe },
    { clients: "not observed", transformClient: unobserved }
  ])("clients that are $clients", ({ transformClient }) => {
    const isObserved = transformClient !== unobserved
    const model = <A, E>(
      name: string,
      program: (provider: Provider) => Effect.Effect<A, E, LanguageModel.LanguageModel | RunExporter.Memory>
    ) => it.scopedLive(name, () => withModel(kind, transformClient, program))

    model("a text", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens })
        yield* inRun(ask)
        expect(yield* recorded).toEqual([{ ...answered(kind), ...told(kind), finishReason: expect.any(String) }])
      })
    )

    model("a stream", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three" })
        yield* inRun(Stream.runDrain(stream))
        expect(yield* recorded).toEqual([
          { ...answered(kind), ...told(kind), isStreaming: true, finishReason: expect.any(String) }
        ])
      })
    )

    model("an object, and one that is not what was asked for", ({ script }) =>
      Effect.gen(function* () {
        const answer = (input: unknown) =>
          kind === openAi ? { text: JSON.stringify(input) } : { toolCall: { name: "Place", input } }
        script({ tokens, ...answer({ city: "Rome" }) }, { tokens, ...answer({ town: "Rome" }) })
        expect((yield* inRun(askForPlace)).value).toEqual(new Place({ city: "Rome" }))
        const error = yield* Effect.flip(inRun(askForPlace))
        expect(error._tag).toBe("MalformedOutput")
        expect(yield* recorded).toMatchObject([
          { ...answered(kind), ...told(kind) },
          { ...answered(kind), ...told(kind), status: "failure", errorType: "MalformedOutput" }
        ])
      })
    )

    model("a stream that the consumer abandons", ({ left, script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three", holdAfter: textParts })
        yield* inRun(firstWords(stream))
        yield* left
        expect(yield* recorded).toEqual([cutOff("interrupted")])
      })
    )

    model("a stream that the provider cuts off", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three", cutAfter: textParts })
        const exit = yield* Effect.exit(inRun(Stream.runDrain(stream)))
        expect(Exit.isFailure(exit)).toBe(true)
        expect(yield* recorded).toEqual([{ ...cutOff("failure"), errorType: "HttpResponseError" }])
      })
    )

    model("a stream that is interrupted", ({ left, script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three", holdAfter: textParts })
        const begun = yield* Deferred.make<void>()
        const fiber = yield* stream.pipe(
          Stream.tap(() => Deferred.succeed(begun, undefined)),
          Stream.runDrain,
          inRun,
          Effect.fork
        )
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        yield* left
        expect(yield* recorded).toEqual([cutOff("interrupted")])
      })
    )

    model("a stream at the deadline of its run", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three", holdAfter: textParts })
        const timed = Botanu.workflow("Support", { ...ids, deadline: "300 millis" })
        yield* Effect.exit(timed(Stream.runDrain(stream)))
        const [run] = yield* completedRuns
        expect(run?.status).toBe("timeout")
        const usages = yield* recorded
        expect(usages).toMatchObject([{ ...call(kind), isStreaming: true, status: "interrupted" }])
        expect(usages[0]).not.toHaveProperty("outputTokens")
      })
    )

    model("calls that are refused and tried again", ({ asked, script }) =>
      Effect.gen(function* () {
        script({ status: 429 }, { status: 529 }, { tokens })
        yield* inRun(Effect.retry(ask, { times: 2 }))
        const refused = { ...call(kind), requests: 0, status: "failure", errorType: "HttpResponseError" }
        expect(yield* recorded).toMatchObject([refused, refused, { ...answered(kind), ...told(kind) }])
        const [run] = yield* completedRuns
        expect(run?.totals).toMatchObject({ calls: 3, unpricedCalls: 1, unpriced: { unknown_model: 1, no_usage: 0 } })
        expect(asked).toHaveLength(3)
      })
    )

    model("a stream that is refused", ({ script }) =>
      Effect.gen(function* () {
        script({ status: 429 })
        yield* Effect.exit(inRun(Stream.runDrain(stream)))
        expect(yield* recorded).toEqual([
          { ...call(kind), isStreaming: true, requests: 0, status: "failure", errorType: "HttpResponseError" }
        ])
      })
    )

    model("an answer that never comes", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, cutAfter: 0 })
        yield* Effect.exit(inRun(ask))
        expect(yield* recorded).toEqual([{ ...call(kind), status: "failure", errorType: "HttpRequestError" }])
        expect((yield* completedRuns)[0]?.totals).toMatchObject({ unpricedCalls: 1 })
      })
    )

    model("a stream that is interrupted before it is answered", ({ asked, left, script }) =>
      Effect.gen(function* () {
        script({ tokens, holdAfter: 0 })
        const fiber = yield* Effect.fork(inRun(Stream.runDrain(stream)))
        yield* Effect.repeat(Effect.sleep(1), { until: () => asked.length > 0 })
        yield* Fiber.interrupt(fiber)
        yield* left
        expect(yield* recorded).toEqual([{ ...call(kind), isStreaming: true, status: "interrupted" }])
      })
    )

    model("tools, with a model call in one of them", ({ script }) =>
      Effect.gen(function* () {
        const lookUp = Tool.make("LookUp", {
          parameters: { city: Schema.String },
          success: Schema.String,
          dependencies: [LanguageModel.LanguageModel]
        })
        const toolkit = Toolkit.make(lookUp)
        const inner = LanguageModel.generateText({ prompt: "inner" })
        const handlers = toolkit.toLayer({ LookUp: () => Effect.map(Effect.orDie(inner), ({ text }) => text) })
        script(
          { toolCall: { name: "LookUp", input: { city: "Rome" } }, tokens: { input: 1, output: 2 } },
          { text: "inner", tokens: { input: 3, output: 4 } },
          { toolCall: { name: "LookUp", input: { city: "Rome" } }, tokens: { input: 5, output: 6 } },
          { text: "inner", tokens: { input: 7, output: 8 } }
        )
        const program = Effect.gen(function* () {
          yield* LanguageModel.generateText({ prompt: "Hi", toolkit })
          yield* Stream.runDrain(LanguageModel.streamText({ prompt: "Hi", toolkit }))
        }).pipe(Effect.provide(handlers))
        yield* inRun(program)
        const [run] = yield* completedRuns
        expect(run?.totals).toMatchObject({ calls: 4, inputTokens: 16, outputTokens: 20 })
        expect((yield* recorded).map(({ inputTokens }) => inputTokens)).toEqual([3, 1, 7, 5])
      })
    )

    model("a chat", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens }, { tokens })
        const talk = Effect.gen(function* () {
          const chat = yield* Chat.fromPrompt("Be brief")
          yield* chat.generateText({ prompt: "Hi" })
          yield* Stream.runDrain(chat.streamText({ prompt: "And?" }))
        })
        yield* inRun(talk)
        expect(yield* recorded).toMatchObject([told(kind), told(kind)])
      })
    )

    model("a call that is tracked as well counts once", ({ script }) =>
      Effect.gen(function* () {
        const options = { provider: kind.name, model: "as tracked" }
        script({ tokens }, { tokens }, { status: 429 })
        yield* inRun(Llm.track(ask, options))
        yield* inRun(Stream.runDrain(Llm.track(stream, options)))
        yield* Effect.exit(inRun(Llm.track(ask, options)))
        expect((yield* completedRuns).map(({ totals }) => totals.calls)).toEqual([1, 1, 1])
        expect(yield* recorded).toMatchObject([told(kind), told(kind), { requests: 0 }])
      })
    )

    model("nested runs: usage stands on the inner one", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens }, { tokens })
        yield* Effect.zipRight(ask, Botanu.workflow("Child", ids)(ask)).pipe(inRun)
        const runs = yield* completedRuns
        expect(runs.map((run) => [run.run.workflow, run.totals.calls, run.totals.inputTokens])).toEqual([
          ["Child", 1, 120],
          ["Support", 1, 120]
        ])
      })
    )

    model("a stream counts where it was started, once, whoever consumes it", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, text: "one two three" })
        const elsewhere = Effect.flatMap(Stream.toQueue(stream), (queue) =>
          Stream.fromQueue(queue).pipe(
            Stream.flattenTake,
            Stream.runDrain,
            Botanu.workflow("Consumer", ids),
            Effect.fork
          )
        )
        yield* inRun(Effect.scoped(Effect.flatMap(elsewhere, Fiber.join)))
        const runs = yield* completedRuns
        expect(runs.map((run) => [run.run.workflow, run.totals.calls])).toEqual([
          ["Consumer", 0],
          ["Support", 1]
        ])
      })
    )

    model("outside of a run nothing happens", ({ script, served }) =>
      Effect.gen(function* () {
        script({ tokens }, { tokens })
        yield* ask
        yield* Stream.runDrain(stream)
        expect(served).toHaveLength(2)
        expect(yield* completedRuns).toEqual([])
      })
    )

    model("with tracing off", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens }, { tokens, text: "one two" })
        yield* Effect.zipRight(ask, Stream.runDrain(stream)).pipe(Effect.withTracerEnabled(false), inRun)
        expect(yield* recorded).toMatchObject([told(kind), { ...told(kind), isStreaming: true }])
        expect(yield* recorded).toHaveLength(2)
      })
    )

    model("calls at the same time", ({ script, served }) =>
      Effect.gen(function* () {
        const replies = Array.from({ length: 20 }, (_, n) => ({ tokens: { input: n + 1, output: 2 * n } }))
        script(...replies)
        const calls = (n: number) => (n % 2 === 0 ? Effect.asVoid(ask) : Stream.runDrain(stream))
        yield* Effect.forEach(
          Array.from({ length: 10 }).keys(),
          (n) => inRun(Effect.all([calls(n), calls(n + 1)], { concurrency: 2, discard: true })),
          { concurrency: 5 }
        )
        const runs = yield* completedRuns
        expect(runs.map(({ totals }) => totals.calls)).toEqual(Array.from({ length: 10 }, () => 2))
        const sum = (of: (tokens: Tokens) => number) => served.reduce((sum, tokens) => sum + of(tokens), 0)
        const total = (key: "inputTokens" | "outputTokens") => runs.reduce((sum, { totals }) => sum + totals[key], 0)
        expect(total("inputTokens")).toBe(sum(({ input }) => input))
        expect(total("outputTokens")).toBe(sum(({ output }) => output))
      })
    )

    model("an answer that tells no usage", ({ script }) =>
      Effect.gen(function* () {
        script({ tokens, isTold: false }, { tokens, isTold: false })
        yield* Effect.exit(inRun(ask))
        yield* Effect.exit(inRun(Stream.runDrain(stream)))
        const runs = yield* completedRuns
        for (const { totals } of runs) expect(totals).toMatchObject({ calls: 1, unpricedCalls: 1, inputTokens: 0 })
        expect(runs).toHaveLength(2)
        for (const usage of yield* recorded) expect(usage).not.toHaveProperty("inputTokens")
      })
    )

    /** A stream that has told who answers; observed clients of Anthropic also learn what went in. */
    const cutOff = (status: string) => ({
      ...answered(kind),
      isStreaming: true,
      status,
      ...(isObserved &&
        kind === anthropic && { inputTokens: 120, cacheReadTokens: 50, cacheWriteTokens: 20, serviceTier: "standard" })
    })
  })
})
