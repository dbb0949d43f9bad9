import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { Botanu, Cost, Data, Llm, RunContext, Usage } from "../src/index.js"
import { completedRuns, endedSpans, eventsOf, logging, observed, onlyRun } from "./observed.js"
import { fromAfar, ids, instant, makeRun } from "./runs.js"
import { allUsages, costOf, costText, perToken, prices, quill, spanNamed, spend, usagesOf, usd } from "./usages.js"

const run = Botanu.workflow("Customer Support", ids)

const chat: Usage.UsageDetails = {
  kind: "llm",
  provider: "Azure OpenAI",
  operation: "chat",
  model: "quill-2",
  inputTokens: 120,
  outputTokens: 30
}

describe("a recorded usage", () => {
  it.effect("stands on the run, with its cost and the time at which it was recorded", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_770_000_000_000)
      yield* run(Usage.record(chat)).pipe(Effect.provide(perToken("0.001")))
      const { usages, totals } = (yield* onlyRun).completed
      expect(usages.map(({ usage }) => ({ ...usage }))).toEqual([
        { ...chat, provider: "azure.ai.openai", time: instant(1_770_000_000_000), status: "success", requests: 1 }
      ])
      expect(usages.map(({ cost }) => costText(cost))).toEqual(["0.15"])
      expect(totals).toMatchObject({ inputTokens: 120, outputTokens: 30, calls: 1, unpricedCalls: 0 })
    }).pipe(Effect.provide(observed))
  )

  it.effect("is of another time where that is said, and is priced as of then", () =>
    Effect.gen(function* () {
      const byYear = prices(({ time }) => new Cost.Priced({ usd: usd(time.epochMillis < 1000 ? "1" : "2") }))
      yield* run(Usage.record({ ...chat, time: instant(999) })).pipe(Effect.provide(byYear))
      const [recorded] = (yield* onlyRun).completed.usages
      expect(recorded?.usage.time).toEqual(instant(999))
      expect(costText(recorded?.cost)).toBe("1")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is priced for the run's customer and tenant", () => {
    const payers: Array<unknown> = []
    return Effect.gen(function* () {
      yield* Botanu.workflow(Usage.record(chat), "W", { ...ids, tenantId: "acme" })
      expect(payers).toEqual([["bigretail", "acme"]])
    }).pipe(
      Effect.provide(
        prices((_, { customerId, tenantId }) => {
          payers.push([customerId, tenantId])
          return new Cost.Priced({ usd: usd("0") })
        })
      )
    )
  })

  const withoutPrices: ReadonlyArray<readonly [what: string, details: Usage.UsageDetails, cost: string]> = [
    ["a model", chat, "unknown_model"],
    ["anything else", { kind: "database", provider: "pg", operation: "SELECT" }, "no_price_for_kind"],
    ["what says its cost itself", { ...chat, usd: "0.25" }, "0.25"],
    ["what was refused", { ...chat, requests: 0 }, "0"]
  ]
  for (const [what, details, cost] of withoutPrices) {
    it.effect(`without a price book: ${what}`, () =>
      Effect.gen(function* () {
        yield* run(Usage.record(details))
        const { totals, usages } = (yield* onlyRun).completed
        expect(costText(usages[0]?.cost)).toBe(cost)
        expect(totals.unpricedCalls).toBe(usages[0]?.cost._tag === "Unpriced" ? 1 : 0)
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("has no price where the price book throws, which is logged", () => {
    const lines: Array<string> = []
    const broken = prices(() => {
      throw new Error("no prices today")
    })
    return Effect.gen(function* () {
      yield* run(Usage.record(chat)).pipe(Effect.provide(broken))
      expect((yield* onlyRun).completed).toMatchObject({ status: "success", totals: { calls: 1, unpricedCalls: 1 } })
      expect(lines).toEqual(["the price book failed on azure.ai.openai: Error: no prices today"])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  const places: ReadonlyArray<readonly [where: string, work: Effect.Effect<unknown, unknown, RunContext>]> = [
    ...fromAfar(spend(1)),
    ["before a failure", Effect.zipRight(spend(1), Effect.fail("late"))],
    ["before a defect", Effect.zipRight(spend(1), Effect.die("late"))],
    ["before an interruption", Effect.zipRight(spend(1), Effect.interrupt)]
  ]
  for (const [where, work] of places) {
    it.effect(`lands on the run, once: ${where}`, () =>
      Effect.gen(function* () {
        yield* Effect.exit(run(work))
        const { completed } = yield* onlyRun
        expect([completed.totals.calls, costOf(completed)]).toEqual([1, "1"])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("of an inner run is not that of the outer one", () =>
    Effect.gen(function* () {
      yield* run(Effect.zipRight(Botanu.workflow(spend("0.3"), "Inner", ids), spend("0.2")))
      const runs = yield* completedRuns
      expect(runs.map((run) => [run.run.workflow, run.totals.calls, costOf(run)])).toEqual([
        ["Inner", 1, "0.3"],
        ["Customer Support", 1, "0.2"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is that of its own attempt", () =>
    Effect.gen(function* () {
      let attempt = 0
      const work = Effect.suspend(() =>
        Effect.zipRight(spend(++attempt), attempt < 3 ? Effect.fail("again") : Effect.void)
      )
      yield* Botanu.workflow(work, "W", { ...ids, retry: { times: 5 } })
      const runs = yield* completedRuns
      expect(runs.map((run) => [run.run.attempt, costOf(run)])).toEqual([
        [1, "1"],
        [2, "2"],
        [3, "3"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that comes after the run is over comes too late, which is logged with what it was", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const daemon = Effect.zipRight(
        Deferred.await(go),
        Effect.all([
          Usage.record({ ...chat, usd: "0.5" }),
          Usage.record({ kind: "other", provider: "Fax", operation: "send" })
        ])
      )
      const fiber = yield* run(Effect.forkDaemon(daemon))
      const { completed } = yield* onlyRun
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(fiber)
      expect(completed.usages).toEqual([])
      expect(lines).toEqual([
        "usage of azure.ai.openai (chat quill-2; 0.5 USD) came after the run was over",
        "usage of fax (send; no_price_for_kind, 0 USD known) came after the run was over"
      ])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })
})

describe("a usage is refused with an error that names", () => {
  const refused: ReadonlyArray<readonly [field: string, details: object, problem: string]> = [
    ["kind", { kind: "gpu" }, 'expected one of llm, database, storage, messaging, compute, other, got "gpu"'],
    ["provider", { provider: "" }, 'expected non-empty text, got ""'],
    ["operation", { operation: undefined }, "expected it to be given"],
    ["inputTokens", { inputTokens: -1 }, "expected a whole number, zero or more, got -1"],
    ["usd", { usd: "1e999999999" }, 'expected a decimal amount of US dollars, zero or more, got "1e999999999"'],
    ["status", { status: "done" }, 'expected one of success, failure, interrupted, got "done"'],
    [
      "inputTokens",
      { inputTokens: 5, cacheReadTokens: 6 },
      "expected all input tokens, the 6 read from and written to a cache included, got 5"
    ],
    [
      "outputTokens",
      { outputTokens: 5, reasoningTokens: 6 },
      "expected all output tokens, the 6 of reasoning included, got 5"
    ]
  ]
  for (const [field, details, problem] of refused) {
    it.effect(`${field}: ${problem}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(run(Usage.record({ ...chat, ...details } as Usage.UsageDetails)))
        expect(error).toBeInstanceOf(Usage.InvalidUsage)
        expect([error.field, error.message]).toEqual([field, `${field}: ${problem}`])
        expect((yield* onlyRun).completed).toMatchObject({ usages: [], errorClass: "InvalidUsage" })
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("a run that was joined", () => {
  const joinings: ReadonlyArray<
    readonly [how: string, join: <A, E>(work: Effect.Effect<A, E, RunContext>) => Effect.Effect<A, unknown>]
  > = [
    ["by a layer", (work) => Effect.provide(work, RunContext.layer(makeRun()))],
    ["by Botanu.resume", (work) => Botanu.resume(work, makeRun())],
    ["by its service alone", (work) => Effect.provideService(work, RunContext, makeRun())]
  ]
  for (const [how, join] of joinings) {
    it.effect(`${how}: has its usage on the span, and no record here`, () =>
      Effect.gen(function* () {
        yield* Effect.withSpan(join(Usage.record({ ...chat, usd: "0.25" })), "request")
        expect(yield* completedRuns).toEqual([])
        const span = yield* spanNamed("request")
        expect(eventsOf(span)).toEqual(["botanu.usage_recorded"])
        expect(span.events[0]?.attributes).toEqual({
          "botanu.usage.kind": "llm",
          "botanu.usage.provider": "azure.ai.openai",
          "botanu.usage.operation": "chat",
          "botanu.usage.model": "quill-2",
          "gen_ai.usage.input_tokens": 120,
          "gen_ai.usage.output_tokens": 30,
          "botanu.usage.cost_usd": 0.25
        })
      }).pipe(Effect.provide(observed))
    )

    it.effect(`${how}: has a tracked call on that call's span, and nowhere else`, () =>
      Effect.gen(function* () {
        const call = Llm.track(Effect.zipRight(Usage.report({ inputTokens: 7 }), Effect.void), quill)
        yield* Effect.withSpan(join(call), "request")
        expect(yield* completedRuns).toEqual([])
        expect((yield* spanNamed("chat quill-2")).attributes).toMatchObject({
          "gen_ai.usage.input_tokens": 7,
          "botanu.usage.unpriced": "unknown_model"
        })
        expect(eventsOf(yield* spanNamed("request"))).toEqual([])
      }).pipe(Effect.provide(observed))
    )

    it.effect(`${how}: a workflow in it has a record of its own`, () =>
      Effect.gen(function* () {
        yield* Effect.withSpan(join(Botanu.workflow(spend(1), "Inner", ids)), "request")
        const { completed } = yield* onlyRun
        expect(completed).toMatchObject({ run: { parentRunId: makeRun().runId }, totals: { calls: 1 } })
        expect(eventsOf(yield* spanNamed("request"))).toEqual([])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("and has no span either tells nobody, and harms nothing", () =>
    Effect.gen(function* () {
      yield* Botanu.resume(spend(1), makeRun())
      expect(yield* endedSpans).toEqual([])
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )
})

describe("what is reported of a call", () => {
  const last = Effect.map(allUsages, (usages) => usages.at(-1))

  it.effect("replaces what was said before, detail by detail", () =>
    Effect.gen(function* () {
      const call = Effect.gen(function* () {
        yield* Usage.report({ inputTokens: 10, outputTokens: 1, responseModel: "quill-2-mini" })
        yield* Usage.report({ outputTokens: 2, inputTokens: undefined, finishReason: "length" })
        yield* Usage.report({ outputTokens: 3 })
      })
      yield* run(Llm.track(call, quill))
      expect(yield* last).toMatchObject({
        inputTokens: 10,
        outputTokens: 3,
        responseModel: "quill-2-mini",
        finishReason: "length"
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("can follow from what was said so far", () =>
    Effect.gen(function* () {
      const more = Usage.report(({ outputTokens = 0 }) => ({ outputTokens: outputTokens + 2 }))
      yield* run(Llm.track(Effect.all([more, more, more], { concurrency: "unbounded" }), quill))
      expect(yield* last).toMatchObject({ outputTokens: 6 })
    }).pipe(Effect.provide(observed))
  )

  it.effect("can be said by a fiber that it forks, and goes to the innermost call", () =>
    Effect.gen(function* () {
      const select = { system: "pg", operation: "SELECT" }
      const inner = Data.trackDatabase(
        Effect.flatMap(Effect.fork(Usage.report({ rowsReturned: 3 })), Fiber.join),
        select
      )
      yield* run(Llm.track(Effect.zipRight(Usage.report({ inputTokens: 1 }), inner), quill))
      const [database, model] = yield* allUsages
      expect(database).toMatchObject({ kind: "database", rowsReturned: 3 })
      expect(model).toMatchObject({ kind: "llm", inputTokens: 1 })
      expect(database).not.toHaveProperty("inputTokens")
      expect(model).not.toHaveProperty("rowsReturned")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is recorded but for what is not as it should be, which is logged", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      yield* run(Llm.track(Usage.report({ inputTokens: 5, outputTokens: -1, usd: "much" }), quill))
      expect((yield* onlyRun).completed.status).toBe("success")
      expect(yield* last).toMatchObject({ inputTokens: 5 })
      expect(yield* last).not.toHaveProperty("outputTokens")
      expect(lines).toEqual([
        'usage of openai; outputTokens: expected a whole number, zero or more, got -1; usd: expected a decimal amount of US dollars, zero or more, got "much"'
      ])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("is logged also where the call is interrupted", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        run(Llm.track(Effect.zipRight(Usage.report({ images: 1.5 }), Effect.never), quill))
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(lines).toEqual(["usage of openai; images: expected a whole number, zero or more, got 1.5"])
      expect(yield* last).toMatchObject({ status: "interrupted" })
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("after the call is nothing to it", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const call = Effect.forkDaemon(Effect.zipRight(Deferred.await(go), Usage.report({ inputTokens: 9 })))
      yield* run(
        Effect.gen(function* () {
          const fiber = yield* Llm.track(call, quill)
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(fiber)
        })
      )
      expect((yield* usagesOf("Customer Support"))[0]).toHaveLength(1)
      expect(yield* last).not.toHaveProperty("inputTokens")
    }).pipe(Effect.provide(observed))
  )
})
