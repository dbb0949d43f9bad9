/**
 * Calls of models that nothing records are noticed.
 */
import { LanguageModel } from "@effect/ai"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Llm, RunExporter, Usage } from "../../src/index.js"
import { logging } from "../observed.js"
import { inRun, openAi } from "./models.js"

const ask = LanguageModel.generateText({ prompt: "Hello?" })
const stream = Stream.runDrain(LanguageModel.streamText({ prompt: "Hello?" }))

/** What is logged while several runs do some work, by a clock of its own. */
const logged = <E, R>(
  work: Effect.Effect<unknown, E, R>,
  around: Layer.Layer<never> = Layer.empty as unknown as Layer.Layer<never>,
  transformClient = (client: Parameters<typeof RunAi.observe>[0]) => client
) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const provider = yield* openAi.server
    provider.script(...Array.from({ length: 5 }, () => ({})))
    yield* work.pipe(
      inRun,
      Effect.repeat({ times: 1 }),
      Effect.provide(openAi.modelOf(provider, transformClient as never)),
      Effect.provide(Layer.mergeAll(RunExporter.layerMemory, around, logging(lines)))
    )
    return lines
  })

const warning = expect.stringMatching(
  /^run [0-9a-f-]{36} of workflow "Support" called a language model, and its usage is not recorded: provide RunAi.layer/
)

describe("a run that calls a model whose usage nothing records", () => {
  it.scoped("is logged, once: an answer", () => Effect.map(logged(ask), (lines) => expect(lines).toEqual([warning])))
  it.scoped("is logged, once: a stream", () => Effect.map(logged(stream), (lines) => expect(lines).toEqual([warning])))
  it.scoped("is logged, also where the usage of something else is recorded", () =>
    Effect.map(
      logged(Effect.zipRight(ask, Usage.record({ kind: "database", provider: "pg", operation: "SELECT" }))),
      (lines) => expect(lines).toEqual([warning])
    )
  )
  it.scoped("is not, where it calls none", () => Effect.map(logged(Effect.void), (lines) => expect(lines).toEqual([])))
  it.scoped("is not, with RunAi.layer", () =>
    Effect.map(logged(ask, RunAi.layer as unknown as Layer.Layer<never>), (lines) => expect(lines).toEqual([]))
  )
  it.scoped("is not, in Llm.track", () =>
    Effect.map(logged(Llm.track(ask, { provider: "openai", model: "gpt-x" })), (lines) => expect(lines).toEqual([]))
  )
  it.scoped("is not, where the client is observed", () =>
    Effect.map(logged(ask, undefined, RunAi.observe as never), (lines) => expect(lines).toEqual([]))
  )
  it.scoped("is not, where the program records it", () =>
    Effect.map(
      logged(
        Effect.zipRight(ask, Usage.record({ kind: "llm", provider: "openai", operation: "chat", inputTokens: 1 }))
      ),
      (lines) => expect(lines).toEqual([])
    )
  )
})
