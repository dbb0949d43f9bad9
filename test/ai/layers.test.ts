/**
 * `RunAi.layer` beside what else a program has: transformers, tracers, retries, runs that are over or owned elsewhere.
 */
import { LanguageModel, Telemetry, Tool, Toolkit } from "@effect/ai"
import { HttpClient } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { propagation } from "@opentelemetry/api"
import type { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base"
import { Deferred, Effect, Fiber, flow, Layer, Schema, Stream } from "effect"
import { RunAi } from "../../src/ai/index.js"
import { Botanu, RunExporter } from "../../src/index.js"
import { RunOpenTelemetry } from "../../src/opentelemetry/index.js"
import { logging, sdk } from "../observed.js"
import { ids, makeRun } from "../runs.js"
import { anthropic, completedRuns, inRun, openAi, recorded } from "./models.js"

const ask = LanguageModel.generateText({ prompt: "Hi" })
const stream = LanguageModel.streamText({ prompt: "Hi" })
const tokens = { input: 12, cacheRead: 5, output: 3 }
const told = { inputTokens: 12, cacheReadTokens: 5, outputTokens: 3 }

const ours = Layer.mergeAll(RunAi.layer, RunExporter.layerMemory)

/** A transformer of the user, and what it was called with. */
const transformer = () => {
  const seen: Array<string> = []
  const layer = Layer.succeed(Telemetry.CurrentSpanTransformer, ({ response }) => {
    seen.push(response.map(({ type }) => type).join(" "))
  })
  return { layer, seen }
}

const whole = expect.stringContaining("finish")

describe("span transformers", () => {
  it.scopedLive("one that is there where the layer is built goes on being called", () =>
    Effect.gen(function* () {
      const { layer, seen } = transformer()
      const server = yield* anthropic.server
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(Effect.zipRight(ask, Stream.runDrain(stream)))
        expect(yield* recorded).toMatchObject([told, told])
        expect(seen).toEqual([whole, whole])
      }).pipe(Effect.provide(anthropic.modelOf(server)), Effect.provide(Layer.provide(ours, layer)))
    })
  )

  it.scopedLive("one that is given at a call replaces ours, and the usage is known all the same", () =>
    Effect.gen(function* () {
      const { layer, seen } = transformer()
      const server = yield* anthropic.server
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        yield* ask.pipe(Effect.provide(layer), inRun)
        yield* Stream.runDrain(stream).pipe(Effect.provide(layer), inRun)
        expect(yield* recorded).toMatchObject([told, told])
        expect(seen).toEqual([whole, whole])
      }).pipe(Effect.provide(anthropic.modelOf(server, RunAi.observe)), Effect.provide(ours))
    })
  )

  it.scopedLive("one that is given to a stream of a client that is not observed leaves what the span tells", () =>
    Effect.gen(function* () {
      const { layer } = transformer()
      const server = yield* openAi.server
      server.script({ tokens })
      yield* Effect.gen(function* () {
        yield* Stream.runDrain(stream).pipe(Effect.provide(layer), inRun)
        expect(yield* recorded).toMatchObject([
          { provider: "openai", model: "gpt-x", inputTokens: 12, outputTokens: 3, status: "success" }
        ])
      }).pipe(Effect.provide(openAi.modelOf(server)), Effect.provide(ours))
    })
  )

  it.scopedLive("one that throws does to the call what it would do alone, and the usage is recorded", () =>
    Effect.gen(function* () {
      const broken = Layer.succeed(Telemetry.CurrentSpanTransformer, () => {
        throw new Error("broken")
      })
      const server = yield* openAi.server
      server.script({ tokens })
      yield* Effect.gen(function* () {
        const exit = yield* Effect.exit(inRun(ask))
        expect(exit._tag).toBe("Failure")
        expect(yield* recorded).toMatchObject([{ ...told, status: "failure", errorType: "Error" }])
      }).pipe(Effect.provide(openAi.modelOf(server)), Effect.provide(Layer.provide(ours, broken)))
    })
  )
})

/** What stands on the spans of calls. */
const attributesOf = (exporter: InMemorySpanExporter) =>
  exporter
    .getFinishedSpans()
    .filter(({ name }) => name.startsWith("LanguageModel."))
    .map(({ attributes }) => attributes)

describe("a call that fails in a tool", () => {
  const tool = Tool.make("LookUp", { parameters: { city: Schema.String }, failure: Schema.String })
  const toolkit = Toolkit.make(tool)
  const failing = toolkit.toLayer({ LookUp: () => Effect.fail("not found") })
  const askWithTool = Effect.provide(LanguageModel.generateText({ prompt: "Hi", toolkit }), failing)
  const toolCall = { name: "LookUp", input: { city: "Rome" } }

  it.scopedLive("has consumed what the span tells, as far as that is all", () =>
    Effect.gen(function* () {
      for (const [kind, usage] of [
        [openAi, { inputTokens: 12, outputTokens: 3 }],
        [anthropic, { inputTokens: undefined, outputTokens: 3 }]
      ] as const) {
        const server = yield* kind.server
        server.script({ tokens, toolCall })
        yield* Effect.gen(function* () {
          expect(yield* Effect.flip(inRun(askWithTool))).toBe("not found")
          expect(yield* recorded).toMatchObject([{ status: "failure", errorType: "string", requests: 1 }])
          const [{ inputTokens, outputTokens } = {}] = yield* recorded
          expect({ inputTokens, outputTokens }).toEqual(usage)
        }).pipe(Effect.provide(kind.modelOf(server)), Effect.provide(ours))
      }
    })
  )

  it.scopedLive("has consumed all that an observed client has told", () =>
    Effect.gen(function* () {
      const server = yield* anthropic.server
      server.script({ tokens, toolCall })
      yield* Effect.gen(function* () {
        yield* Effect.flip(inRun(askWithTool))
        expect(yield* recorded).toMatchObject([{ ...told, status: "failure" }])
      }).pipe(Effect.provide(anthropic.modelOf(server, RunAi.observe)), Effect.provide(ours))
    })
  )
})

describe("tracers", () => {
  it.scopedLive("what was consumed stands on the span of the call", () =>
    Effect.gen(function* () {
      const { exporter, layer } = sdk()
      const server = yield* anthropic.server
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(Effect.zipRight(ask, Stream.runDrain(stream)))
        const expected = expect.objectContaining({
          "gen_ai.system": "anthropic",
          "gen_ai.usage.input_tokens": 12,
          "gen_ai.usage.cache_read.input_tokens": 5,
          "gen_ai.usage.output_tokens": 3
        })
        expect(attributesOf(exporter)).toEqual([expected, expected])
      }).pipe(Effect.provide(anthropic.modelOf(server, RunAi.observe)), Effect.provide(Layer.mergeAll(ours, layer)))
    })
  )

  it.scopedLive.each([
    Layer.mergeAll(RunAi.layer, RunOpenTelemetry.layer({ propagateTo: [] })),
    Layer.mergeAll(RunOpenTelemetry.layer({ propagateTo: [] }), RunAi.layer),
    RunAi.layer.pipe(Layer.provideMerge(RunOpenTelemetry.layer({ propagateTo: [] }))),
    RunOpenTelemetry.layer({ propagateTo: [] }).pipe(Layer.provideMerge(RunAi.layer))
  ])("in runs in runs a call is noticed once, beside OpenTelemetry's active context (order %#)", (both) =>
    Effect.gen(function* () {
      const { layer } = sdk()
      const server = yield* openAi.server
      server.script({ tokens }, { status: 429 }, { tokens })
      const seen: Array<string | undefined> = []
      const look = Effect.sync(() => seen.push(propagation.getActiveBaggage()?.getEntry("botanu.workflow")?.value))
      yield* Effect.gen(function* () {
        const inner = Effect.all([Effect.exit(ask), look]).pipe(Botanu.workflow("Inner", ids))
        yield* Effect.all([ask, look, inner, ask]).pipe(inRun)
        const runs = yield* completedRuns
        expect(runs.map(({ run, totals }) => [run.workflow, totals.calls, totals.inputTokens])).toEqual([
          ["Inner", 1, 0],
          ["Support", 2, 24]
        ])
        expect(seen).toEqual(["Support", "Inner"])
      }).pipe(
        Effect.provide(openAi.modelOf(server)),
        Effect.provide(Layer.mergeAll(both, RunExporter.layerMemory, layer))
      )
    })
  )

  it.scopedLive("the step of a call is on its usage, also of a stream that is read outside of the step", () =>
    Effect.gen(function* () {
      const server = yield* anthropic.server
      server.script({ tokens }, { tokens }, { tokens })
      yield* Effect.gen(function* () {
        const calls = [ask.pipe(Botanu.step("draft")), Stream.runDrain(stream.pipe(Botanu.step("review"))), ask]
        yield* inRun(Effect.all(calls, { discard: true }))
        expect((yield* recorded).map(({ step }) => step)).toEqual(["draft", "review", undefined])
      }).pipe(Effect.provide(anthropic.modelOf(server)), Effect.provide(ours))
    })
  )

  it.scopedLive("two layers notice a call once", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(Effect.zipRight(ask, Stream.runDrain(stream)))
        expect(yield* recorded).toMatchObject([told, told])
      }).pipe(
        Effect.provide(openAi.modelOf(server, flow(RunAi.observe, RunAi.observe))),
        Effect.provide(Layer.fresh(RunAi.layer)),
        Effect.provide(ours)
      )
    })
  )

  it.scopedLive("without the layer, an observed client records what passes", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ tokens }, { status: 429 }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(Effect.all([ask, Effect.exit(ask), Stream.runDrain(stream)]))
        expect(yield* recorded).toMatchObject([
          told,
          { requests: 0 },
          { ...told, isStreaming: true, status: "success" }
        ])
      }).pipe(Effect.provide(openAi.modelOf(server, RunAi.observe)), Effect.provide(RunExporter.layerMemory))
    })
  )

  it.scopedLive("a layer that was released notices nothing more", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ tokens }, { tokens })
      yield* Effect.gen(function* () {
        const inside = Effect.provide(ask, RunAi.layer)
        yield* inRun(Effect.zipRight(inside, ask))
        expect((yield* completedRuns)[0]?.totals.calls).toBe(1)
      }).pipe(Effect.provide(openAi.modelOf(server)), Effect.provide(RunExporter.layerMemory))
    })
  )
})

describe("requests that are sent again by the client", () => {
  const retrying = flow(RunAi.observe, HttpClient.retryTransient({ times: 3 }))

  it.scopedLive("are one call; those that were refused cost nothing", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ status: 429 }, { status: 503 }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(ask)
        expect(server.asked).toHaveLength(3)
        expect(yield* recorded).toMatchObject([{ ...told, requests: 1, status: "success" }])
      }).pipe(Effect.provide(openAi.modelOf(server, retrying)), Effect.provide(ours))
    })
  )

  it.scopedLive("nobody knows what became of one that was cut off", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ tokens, cutAfter: 0 }, { tokens })
      yield* Effect.gen(function* () {
        yield* inRun(ask)
        expect(yield* recorded).toMatchObject([
          { ...told, status: "success" },
          { requests: 1, status: "failure" }
        ])
        expect((yield* recorded)[1]).not.toHaveProperty("inputTokens")
      }).pipe(Effect.provide(openAi.modelOf(server, retrying)), Effect.provide(ours))
    })
  )

  it.scopedLive("one that found nobody there consumed nothing", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(openAi.server)
      yield* Effect.gen(function* () {
        yield* Effect.exit(inRun(ask))
        expect(yield* recorded).toMatchObject([{ requests: 0, status: "failure", errorType: "HttpRequestError" }])
      }).pipe(Effect.provide(openAi.modelOf(gone, RunAi.observe)), Effect.provide(ours))
    })
  )
})

describe("runs", () => {
  it.scopedLive("usage that comes after the run is over is logged", () =>
    Effect.gen(function* () {
      const server = yield* openAi.server
      server.script({ tokens })
      const lines: Array<string> = []
      yield* Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const late = yield* inRun(Effect.forkDaemon(Effect.zipRight(Deferred.await(gate), ask)))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(late)
        expect(yield* recorded).toEqual([])
        expect(lines.join()).toContain("after the run was over")
      }).pipe(Effect.provide(openAi.modelOf(server)), Effect.provide(Layer.mergeAll(ours, logging(lines))))
    })
  )

  it.scopedLive("a run that was joined has it on the span of the call", () =>
    Effect.gen(function* () {
      const { exporter, layer } = sdk()
      const server = yield* openAi.server
      server.script({ tokens })
      yield* Effect.gen(function* () {
        yield* Botanu.resume(ask, makeRun())
        expect(attributesOf(exporter)).toMatchObject([{ "gen_ai.usage.cache_read.input_tokens": 5 }])
      }).pipe(Effect.provide(openAi.modelOf(server)), Effect.provide(Layer.mergeAll(ours, layer)))
    })
  )
})
