import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, Option, Schema, Scope, TestClock } from "effect"
import { Botanu, CompletedRun, Run, RunContext, RunExporter, Usage } from "../../src/index.js"
import { flushFor, record } from "../../src/lifecycle/ActiveExporters.js"
import { brokenTracer } from "../brokenTracer.js"
import { completedRuns, logging, observed, onlyRun, unheard } from "../observed.js"
import { ids, makeRun } from "../runs.js"
import { costOf, costText } from "../usages.js"

const run = Botanu.workflow(Effect.succeed(1), "W", ids)

const recording = (log: Array<string>, name: string): RunExporter.RunExporter => ({
  export: ({ run }) => Effect.sync(() => log.push(`${name} ${run.workflow}`))
})

const capturing = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ cause, message }) => lines.push(`${String(message)} ${JSON.stringify(cause)}`))
  )

describe("an exporter", () => {
  it.effect("receives each run once, and so does every other", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const layers = [RunExporter.layer(recording(log, "a")), RunExporter.layer(recording(log, "b"))] as const
      yield* Effect.provide(Effect.zipRight(run, run), Layer.mergeAll(...layers))
      expect(log.sort()).toEqual(["a W", "a W", "b W", "b W"])
    })
  )

  it.effect("receives no runs of elsewhere", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      yield* Effect.provide(Effect.void, RunExporter.layer(recording(log, "a")))
      yield* run
      expect(log).toEqual([])
    })
  )

  it.effect("receives none after its layer, also where that was merged with others", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const layer = Layer.mergeAll(RunExporter.layer(recording(log, "a")), Layer.empty, Logger.json)
      yield* Effect.provide(run, layer)
      yield* Effect.provide(run, layer)
      yield* run
      expect(log).toEqual(["a W", "a W"])
    })
  )

  it.effect("is acquired and released with its layer", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const acquire = Effect.acquireRelease(
        Effect.as(
          Effect.sync(() => log.push("acquired")),
          recording(log, "export")
        ),
        () => Effect.sync(() => log.push("released"))
      )
      yield* Effect.provide(run, RunExporter.layerScoped(acquire))
      expect(log).toEqual(["acquired", "export W", "released"])
    })
  )

  const failing: ReadonlyArray<readonly [how: string, exported: () => Effect.Effect<void, unknown>]> = [
    ["fails", () => Effect.fail("down")],
    ["dies", () => Effect.die("down")],
    ["fails later", () => Effect.zipRight(Effect.yieldNow(), Effect.fail("down"))],
    ["is interrupted", () => Effect.interrupt],
    [
      "throws",
      () => {
        throw new Error("down")
      }
    ],
    ["gives no effect", () => undefined as never]
  ]
  for (const [how, exported] of failing) {
    it.effect(`that ${how} never touches the program, nor the other exporters`, () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        expect(yield* run).toBe(1)
        expect(yield* completedRuns).toHaveLength(1)
        yield* TestClock.adjust(0)
        expect(lines.filter((line) => line.startsWith("run exporter: failed on run "))).toHaveLength(1)
        expect(yield* Botanu.activeRuns).toEqual([])
      }).pipe(Effect.provide([RunExporter.layer({ export: exported }), observed, capturing(lines)]))
    })
  }

  it.effect.each(["export", "started", "flush"] as const)("whose %s gives no effect is named by it", (hook) => {
    const causes: Array<string> = []
    const logger = Logger.make(({ cause }) => void causes.push(Cause.pretty(cause)))
    const exporter = { export: () => Effect.void, [hook]: hook === "flush" ? 1 : () => 1 }
    return Effect.gen(function* () {
      yield* run
      yield* Effect.withFiberRuntime(flushFor)
      expect(causes.map((cause) => cause.split("\n")[0])).toEqual([
        `TypeError: run exporter: ${hook}: expected an Effect, got 1`
      ])
    }).pipe(Effect.provide([RunExporter.layer(exporter as never), Logger.replace(Logger.defaultLogger, logger)]))
  })

  it.effect("that was released is not flushed, also in a fiber that still has it", () =>
    Effect.gen(function* () {
      let flushed = 0
      const exporter = { export: () => Effect.void, flush: Effect.sync(() => flushed++) }
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(RunExporter.layer(exporter), scope)
      yield* Effect.withFiberRuntime(flushFor)
      yield* Effect.flatMap(Effect.fork(Scope.close(scope, Exit.void)), Fiber.await)
      yield* Effect.withFiberRuntime(flushFor)
      expect(flushed).toBe(1)
    })
  )

  it.effect("receives a run that was interrupted, before the interruption is over", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const later = RunExporter.layer({
        export: ({ status }) =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => log.push(status))
          )
      })
      const fiber = yield* Effect.fork(Effect.provide(Botanu.workflow(Effect.never, "W", ids), later))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(log).toEqual(["canceled"])
    })
  )

  it.effect("has what it receives before the span of the run ends", () => {
    const log: Array<string> = []
    return Effect.provide(run, RunExporter.layer(recording(log, "export"))).pipe(
      Effect.withTracer(brokenTracer({ end: () => log.push("end") })),
      Effect.andThen(() => expect(log).toEqual(["export W", "end"]))
    )
  })
})

describe("the exporter in memory", () => {
  it.effect("keeps runs in the order in which they completed, until it is cleared", () =>
    Effect.gen(function* () {
      const memory = yield* RunExporter.Memory
      yield* Botanu.workflow(Botanu.workflow(Effect.void, "inner", ids), "outer", ids)
      const runs = yield* memory.runs
      expect(runs.map(({ run }) => run.workflow)).toEqual(["inner", "outer"])
      yield* memory.clear
      expect(yield* memory.runs).toEqual([])
      expect(runs).toHaveLength(2)
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("keeps records that JSON can carry", () =>
    Effect.gen(function* () {
      yield* Effect.exit(Botanu.workflow(Effect.fail(new RangeError("x")), "W", { ...ids, tenantId: "acme" }))
      const { completed } = yield* onlyRun
      const encode = Schema.encodeSync(CompletedRun)
      const back = Schema.decodeUnknownSync(CompletedRun)(JSON.parse(JSON.stringify(encode(completed))))
      expect(back.run).toEqual(completed.run)
      expect(encode(back)).toEqual(encode(completed))
    }).pipe(Effect.provide(observed))
  )

  it.effect("keeps records whose usages JSON can carry, to the last digit", () =>
    Effect.gen(function* () {
      const chat: Usage.UsageDetails = {
        kind: "llm",
        provider: "openai",
        operation: "chat",
        model: "quill-2",
        inputTokens: 120,
        outputTokens: 30,
        computeMs: 1.5,
        isStreaming: true,
        attempt: 2,
        finishReason: "stop"
      }
      const body = Effect.all([
        Usage.record({ ...chat, usd: "0.000000000000000000000000001" }),
        Usage.record({ ...chat, usd: "123456789012345678901234567890.5" }),
        Usage.record(chat),
        Botanu.annotate({ team: "support", isPilot: true })
      ])
      yield* Botanu.workflow(body, "W", ids)
      const { completed } = yield* onlyRun
      const json = JSON.stringify(Schema.encodeSync(CompletedRun)(completed))
      const back = Schema.decodeUnknownSync(CompletedRun)(JSON.parse(json))
      expect(costOf(back)).toBe("123456789012345678901234567890.500000000000000000000000001")
      expect(back.usages.map(({ cost }) => costText(cost))).toEqual([
        "0.000000000000000000000000001",
        "123456789012345678901234567890.5",
        "unknown_model"
      ])
      expect(back.totals).toMatchObject({ inputTokens: 360, outputTokens: 90, calls: 3, unpricedCalls: 1 })
      expect(back.annotations).toEqual(completed.annotations)
      expect(JSON.stringify(Schema.encodeSync(CompletedRun)(back))).toBe(json)
    }).pipe(Effect.provide(observed))
  )

  it("takes records of before there were usages", () => {
    const { run, ...rest } = { run: makeRun(), status: "success", endTime: "2026-02-02T02:40:01.000Z", durationMs: 750 }
    const back = Schema.decodeUnknownSync(CompletedRun)({ ...rest, run: Schema.encodeSync(Run)(run) })
    expect(back.usages).toEqual([])
    expect([costOf(back), back.totals.calls]).toEqual(["0", 0])
  })
})

describe("the exporters of a fiber", () => {
  const flushed = (...layers: ReadonlyArray<Layer.Layer<never>>) =>
    Layer.mergeAll(Layer.empty, ...layers).pipe((layer) => Effect.provide(Effect.withFiberRuntime(flushFor), layer))
  const flushing = (flush: () => Effect.Effect<void, unknown> | undefined) =>
    RunExporter.layer({
      export: () => Effect.void,
      get flush() {
        return flush()
      }
    } as RunExporter.RunExporter)

  it.effect("are flushed, each that can be, whatever becomes of the others", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      let count = 0
      const good = flushing(() => Effect.sync(() => void count++))
      const none = RunExporter.layer(recording([], "none"))
      yield* flushed(good, none)
      expect([count, lines]).toEqual([1, []])
      yield* flushed(
        good,
        flushing(() => Effect.fail("down")),
        flushing(() => 1 as never)
      )
      expect(count).toBe(2)
      expect(lines.map((line) => line.split(",")[0])).toEqual([
        "a run exporter was not flushed",
        "a run exporter was not flushed"
      ])
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("have five seconds to be flushed", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.uninterruptible(flushed(flushing(() => Effect.never))))
      yield* TestClock.adjust("4999 millis")
      expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(true)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      expect(lines).toHaveLength(1)
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("whose layer is built in a run do not work in that run", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const layer = RunExporter.layer({
        export: () => Effect.map(Effect.serviceOption(RunContext), (run) => void seen.push(Option.isSome(run)))
      })
      yield* Botanu.workflow(Effect.provide(run, layer), "outer", ids)
      expect(seen).toEqual([false])
    })
  )
})

it.effect("a recorder receives the starts and the ends of runs, and none after its scope", () =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const recorder = {
      started: ({ workflow }: Run) => void log.push(`started ${workflow}`),
      completed: ({ status }: CompletedRun) => void log.push(status),
      flush: Effect.sync(() => void log.push("flushed"))
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* record(recorder, unheard("recorder"))
        yield* run
        yield* Effect.withFiberRuntime(flushFor)
      })
    )
    yield* run
    expect(log).toEqual(["started W", "success", "flushed"])
    const latch = yield* Effect.makeLatch()
    const daemon = yield* Effect.scoped(
      Effect.zipRight(record(recorder, unheard("recorder")), Effect.forkDaemon(Effect.zipRight(latch.await, run)))
    )
    yield* latch.open
    yield* Fiber.join(daemon)
    expect(log).toHaveLength(3)
  })
)
