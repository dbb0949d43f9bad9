import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, HashMap, type Layer, Logger, Schema } from "effect"
import { Botanu, type BusinessContext, CompletedRun, InvalidAnnotation, RunContext, RunExporter } from "../src/index.js"
import { brokenTracer, tracerDown } from "./brokenTracer.js"
import { completedRuns, endedSpans, logging, observed, onlyRun, spanOf } from "./observed.js"
import { ids, makeRun } from "./runs.js"
import { spanNamed } from "./usages.js"

const run = Botanu.workflow("Customer Support", ids)
const child = Botanu.workflow("Child", ids)

const business = { team: "support", costCenter: 4711, isPilot: true }
const attributes = { "botanu.team": "support", "botanu.cost_center": 4711, "botanu.is_pilot": true }

const span = (name: string) => Effect.withSpan(Effect.void, name)

/** What a span or a log line says beside what every run says. */
const businessOf = (annotations: object): object =>
  Object.fromEntries(
    Object.entries(annotations).filter(([key]) =>
      ["team", "cost_center", "is_pilot", "region"].some((name) => key === `botanu.${name}`)
    )
  )

const businessOnSpan = (name: string) => Effect.map(spanNamed(name), ({ attributes }) => businessOf(attributes))

/** Keeps what log lines are annotated with. */
const annotationsOfLog = (lines: Array<readonly [line: string, business: object]>): Layer.Layer<never> =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, message }) => {
      lines.push([String(message), businessOf(Object.fromEntries(HashMap.toEntries(annotations)))])
    })
  )

describe("what is said of a run", () => {
  it.effect("stands on its span and its record", () =>
    Effect.gen(function* () {
      yield* run(Botanu.annotate(business))
      const { completed, span } = yield* onlyRun
      expect(completed.annotations).toEqual(business)
      expect(businessOf(span.attributes)).toEqual(attributes)
    }).pipe(Effect.provide(observed))
  )

  it.effect("stands on the spans of runs inside, also where another fiber said it", () =>
    Effect.gen(function* () {
      const said = Effect.flatMap(Effect.forkDaemon(Botanu.annotate(business)), Fiber.await)
      yield* run(Effect.zipRight(said, child(span("inside"))))
      expect(yield* businessOnSpan("botanu.run/Child")).toEqual(attributes)
      expect(yield* businessOnSpan("inside")).toEqual(attributes)
    }).pipe(Effect.provide(observed))
  )

  it.effect("is nothing where nothing was said", () =>
    Effect.gen(function* () {
      yield* run(Botanu.annotate({}))
      yield* run(Effect.void)
      const [first, second] = yield* completedRuns
      expect(first?.annotations).toEqual({})
      expect(second).not.toHaveProperty("annotations")
    }).pipe(Effect.provide(observed))
  )

  it.effect("stands on the spans that are made from then on, by this fiber and those that it forks", () =>
    Effect.gen(function* () {
      yield* run(
        Effect.gen(function* () {
          const before = yield* Effect.fork(Effect.zipRight(Effect.yieldNow(), span("fork from before")))
          yield* span("before")
          yield* Botanu.annotate(business)
          yield* span("after")
          yield* Effect.flatMap(Effect.fork(span("fork")), Fiber.join)
          yield* Effect.all([span("parallel"), Effect.void], { concurrency: 2 })
          yield* Fiber.join(before)
        })
      )
      for (const name of ["before", "fork from before"]) expect(yield* businessOnSpan(name)).toEqual({})
      for (const name of ["after", "fork", "parallel"]) expect(yield* businessOnSpan(name)).toEqual(attributes)
    }).pipe(Effect.provide(observed))
  )

  it.effect("stands on log lines from then on", () => {
    const lines: Array<readonly [string, object]> = []
    return Effect.gen(function* () {
      yield* run(
        Effect.gen(function* () {
          yield* Effect.log("before")
          yield* Botanu.annotate(business)
          yield* Effect.log("after")
          yield* Effect.flatMap(Effect.fork(Effect.log("fork")), Fiber.join)
        })
      )
      yield* Effect.log("outside")
      expect(lines).toEqual([
        ["before", {}],
        ["after", attributes],
        ["fork", attributes],
        ["outside", {}]
      ])
    }).pipe(Effect.provide(annotationsOfLog(lines)))
  })

  it.effect("is for each key what was said last", () =>
    Effect.gen(function* () {
      yield* run(
        Effect.gen(function* () {
          yield* Botanu.annotate(business)
          yield* Botanu.annotate({ team: "billing", region: "eu" })
          yield* span("after")
        })
      )
      const { completed, span: runSpan } = yield* onlyRun
      expect(completed.annotations).toEqual({ ...business, team: "billing", region: "eu" })
      const expected = { ...attributes, "botanu.team": "billing", "botanu.region": "eu" }
      expect(businessOf(runSpan.attributes)).toEqual(expected)
      expect(yield* businessOnSpan("after")).toEqual(expected)
    }).pipe(Effect.provide(observed))
  )

  it.effect("may be said at any depth, in any of its fibers, and however it ends", () =>
    Effect.gen(function* () {
      const deep = Effect.withSpan(Effect.withSpan(Botanu.annotate({ team: "deep" }), "inner"), "outer")
      const inFork = Effect.flatMap(Effect.fork(Botanu.annotate({ region: "eu" })), Fiber.join)
      yield* Effect.exit(run(Effect.zipRight(Effect.all([deep, inFork], { concurrency: 2 }), Effect.fail("no"))))
      const { completed, span: runSpan } = yield* onlyRun
      expect(completed).toMatchObject({ status: "failure", annotations: { team: "deep", region: "eu" } })
      expect(businessOf(runSpan.attributes)).toEqual({ "botanu.team": "deep", "botanu.region": "eu" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("is JSON and back on the record", () =>
    Effect.gen(function* () {
      yield* run(Botanu.annotate({ ...business, share: 0.5 }))
      const { completed } = yield* onlyRun
      const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(CompletedRun)(completed)))
      expect(Schema.decodeUnknownSync(CompletedRun)(json).annotations).toEqual({ ...business, share: 0.5 })
    }).pipe(Effect.provide(observed))
  )
})

describe("runs inside of it", () => {
  it.effect("have what was said before they began, on record, span and spans; and may say more for themselves", () =>
    Effect.gen(function* () {
      yield* run(
        Effect.gen(function* () {
          yield* child(span("early"))
          yield* Botanu.annotate(business)
          yield* child(Effect.zipRight(Botanu.annotate({ team: "child", region: "eu" }), span("late")))
          yield* span("after")
        })
      )
      const [early, late, parent] = yield* completedRuns
      if (early === undefined || late === undefined || parent === undefined) throw new Error("expected three runs")
      const expected = { ...attributes, "botanu.team": "child", "botanu.region": "eu" }
      expect([early.annotations, late.annotations, parent.annotations]).toEqual([
        undefined,
        { ...business, team: "child", region: "eu" },
        business
      ])
      expect(businessOf((yield* spanOf(early)).attributes)).toEqual({})
      expect(businessOf((yield* spanOf(late)).attributes)).toEqual(expected)
      expect(businessOf((yield* spanOf(parent)).attributes)).toEqual(attributes)
      expect(yield* businessOnSpan("early")).toEqual({})
      expect(yield* businessOnSpan("late")).toEqual(expected)
      expect(yield* businessOnSpan("after")).toEqual(attributes)
    }).pipe(Effect.provide(observed))
  )

  it.effect("have it also where another fiber said it", () =>
    Effect.gen(function* () {
      yield* run(
        Effect.zipRight(
          Effect.flatMap(Effect.fork(Botanu.annotate(business)), Fiber.join),
          child(child(span("inside")))
        )
      )
      expect((yield* completedRuns).map(({ annotations }) => annotations)).toEqual([business, business, business])
      expect(yield* businessOnSpan("inside")).toEqual(attributes)
    }).pipe(Effect.provide(observed))
  )
})

describe("what was said of a run is not said of others", () => {
  it.effect("of its next attempt", () =>
    Effect.gen(function* () {
      let attempt = 0
      const body = Effect.suspend(() => {
        attempt += 1
        return attempt === 1
          ? Effect.zipRight(Botanu.annotate(business), Effect.fail("again"))
          : span(`attempt ${attempt}`)
      })
      yield* Botanu.workflow(body, "W", { ...ids, retry: { times: 1 } })
      const [first, second] = yield* completedRuns
      if (first === undefined || second === undefined) throw new Error("expected two runs")
      expect([first.annotations, second.annotations]).toEqual([business, undefined])
      expect(businessOf((yield* spanOf(second)).attributes)).toEqual({})
      expect(yield* businessOnSpan("attempt 2")).toEqual({})
    }).pipe(Effect.provide(observed))
  )

  it.effect("of what its caller does next", () => {
    const lines: Array<readonly [string, object]> = []
    return Effect.gen(function* () {
      yield* run(Botanu.annotate(business))
      yield* run(Effect.zipRight(Botanu.annotate(business), Effect.yieldNow()))
      yield* span("afterwards")
      yield* Effect.log("afterwards")
      yield* child(Effect.void)
      expect(yield* businessOnSpan("afterwards")).toEqual({})
      expect(lines).toEqual([["afterwards", {}]])
      expect((yield* completedRuns).at(-1)).not.toHaveProperty("annotations")
    }).pipe(Effect.provide([observed, annotationsOfLog(lines)]))
  })

  it.effect("of the run around it", () =>
    Effect.gen(function* () {
      yield* run(Effect.zipRight(child(Botanu.annotate(business)), span("after")))
      expect((yield* completedRuns).map(({ annotations }) => annotations)).toEqual([business, undefined])
      expect(yield* businessOnSpan("after")).toEqual({})
    }).pipe(Effect.provide(observed))
  )

  it.effect(
    "said after the run is over, it is too late for that, and stands on what its daemon does from then on",
    () =>
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const daemon = Effect.gen(function* () {
          yield* Deferred.await(go)
          yield* Botanu.annotate(business)
          yield* span("late")
          yield* child(span("inside"))
        })
        const fiber = yield* run(Effect.forkDaemon(daemon))
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        const [completed, inside] = yield* completedRuns
        expect(completed).not.toHaveProperty("annotations")
        expect(inside?.annotations).toEqual(business)
        for (const name of ["late", "inside"]) expect(yield* businessOnSpan(name)).toEqual(attributes)
      }).pipe(Effect.provide(observed))
  )
})

describe("of a run that was joined", () => {
  const joinings: ReadonlyArray<
    readonly [how: string, join: <A, E>(work: Effect.Effect<A, E, RunContext>) => Effect.Effect<A, unknown>]
  > = [
    ["by Botanu.resume", (work) => Botanu.resume(work, makeRun())],
    ["by a layer", (work) => Effect.provide(work, RunContext.layer(makeRun()))]
  ]
  for (const [how, join] of joinings) {
    it.effect(`${how}, it stands on the span under which that was, on later ones, and on runs inside`, () =>
      Effect.gen(function* () {
        const work = Effect.zipRight(Botanu.annotate(business), Effect.zipRight(span("later"), child(Effect.void)))
        yield* Effect.withSpan(join(work), "request")
        expect(yield* businessOnSpan("request")).toEqual(attributes)
        expect(yield* businessOnSpan("later")).toEqual(attributes)
        expect((yield* onlyRun).completed.annotations).toEqual(business)
      }).pipe(Effect.provide(observed))
    )
  }
})

describe("a name", () => {
  const names: ReadonlyArray<readonly [name: string, attribute: string]> = [
    ["team", "botanu.team"],
    ["costCenter", "botanu.cost_center"],
    ["CostCenter", "botanu.cost_center"],
    ["cost_center", "botanu.cost_center"],
    ["isEU", "botanu.is_e_u"],
    ["line2", "botanu.line2"],
    ["constructor", "botanu.constructor"],
    ["x".repeat(64), `botanu.${"x".repeat(64)}`]
  ]
  for (const [name, attribute] of names) {
    it.effect(`in snake case: ${name}`, () =>
      Effect.gen(function* () {
        yield* run(Botanu.annotate({ [name]: "v" }))
        const { completed, span: runSpan } = yield* onlyRun
        expect(completed.annotations).toEqual({ [name]: "v" })
        expect(runSpan.attributes[attribute]).toBe("v")
      }).pipe(Effect.provide(observed))
    )
  }

  const ofTheRun = [
    "runId",
    "workflow",
    "eventId",
    "customerId",
    "customer_id",
    "environment",
    "tenantId",
    "parentRunId",
    "rootRunId",
    "attempt",
    "retryOfRunId",
    "deadline",
    "cancelled",
    "RunId"
  ]
  const named = "expected a name of letters, digits and _, at most 64"
  const refused: ReadonlyArray<readonly [context: object, field: string, problem: string]> = [
    ...ofTheRun.map((name) => [{ [name]: "x" }, name, "expected a name that is not one of the run's own"] as const),
    [{ "": "x" }, '""', named],
    [{ "cost center": "x" }, '"cost center"', named],
    [{ "run.cost_usd": 1 }, '"run.cost_usd"', named],
    [{ "1st": "x" }, '"1st"', named],
    [{ _private: "x" }, '"_private"', named],
    [{ größe: "x" }, '"größe"', named],
    [{ "team\n": "x" }, '"team\\n"', named],
    [{ ["x".repeat(65)]: "x" }, `"${"x".repeat(63)}…"`, named],
    [JSON.parse('{"__proto__": "x"}'), '"__proto__"', named],
    [{ team: "" }, "team", 'expected non-empty text, got ""'],
    [{ team: "a\nb" }, "team", 'expected text without control characters, got "a\\nb"'],
    [{ team: "x".repeat(257) }, "team", `expected at most 256 bytes of UTF-8, got "${"x".repeat(63)}…"`],
    [{ team: Number.NaN }, "team", "expected text, a finite number or a boolean, got NaN"],
    [{ team: undefined }, "team", "expected text, a finite number or a boolean, got undefined"],
    [{ team: { name: "x" } }, "team", "expected text, a finite number or a boolean, got [object Object]"],
    [{ team: Object.create(null) }, "team", "expected text, a finite number or a boolean, got object"]
  ]
  for (const [context, field, problem] of refused) {
    it.effect(`or a value is refused, and nothing of it taken: ${field}, ${problem.slice(0, 60)}`, () =>
      Effect.gen(function* () {
        const said = { region: "eu", ...context } as BusinessContext
        const error = yield* Effect.flip(run(Botanu.annotate(said)))
        expect(error).toBeInstanceOf(InvalidAnnotation)
        expect(error.message).toBe(`${field}: ${problem}`)
        const { completed, span: runSpan } = yield* onlyRun
        expect(completed).not.toHaveProperty("annotations")
        expect(businessOf(runSpan.attributes)).toEqual({})
        expect(completed.errorClass).toBe("InvalidAnnotation")
      }).pipe(Effect.provide(observed))
    )
  }
})

it.effect("a tracer that throws harms neither the program nor the record", () => {
  const lines: Array<string> = []
  const tracer = brokenTracer({ attribute: (key) => (key === "botanu.team" ? tracerDown() : undefined) })
  return Effect.gen(function* () {
    expect(yield* run(Effect.as(Botanu.annotate({ team: "support" }), 1))).toBe(1)
    const [completed] = yield* completedRuns
    expect(completed).toMatchObject({ status: "success", annotations: { team: "support" } })
  }).pipe(Effect.withTracer(tracer), Effect.provide([RunExporter.layerMemory, logging(lines)]))
})

it.effect("spans outside of runs know nothing of it", () =>
  Effect.gen(function* () {
    yield* Effect.withSpan(run(Botanu.annotate(business)), "around")
    const around = (yield* endedSpans).find(({ name }) => name === "around")
    expect(around?.attributes).toEqual({})
  }).pipe(Effect.provide(observed))
)
