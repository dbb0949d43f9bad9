import { describe, expect, it } from "@effect/vitest"
import { Data, Effect, Either, Fiber, Logger, Schema, TestClock } from "effect"
import { Botanu, Outcome, Propagation, RunContext, RunStatus } from "../src/index.js"
import { unknownDetails } from "../src/run/OutcomeRecord.js"
import { completedRuns, endedSpans, eventsOf, logging, observed, onlyRun } from "./observed.js"
import { fromAfar, ids, leanHeader, makeRun } from "./runs.js"

class Broken extends Data.TaggedError("Broken") {}

const run = Botanu.workflow("Customer Support", ids)

const details: Outcome.OutcomeDetails = {
  valueType: "refunded_usd",
  valueAmount: 12.5,
  confidence: 0.8,
  reason: "half of it",
  errorType: "limit",
  metadata: { channel: "mail", retries: 2, vip: true }
}

describe("an emitted outcome", () => {
  it.effect("stands on the run, its span, and its events", () =>
    Effect.gen(function* () {
      yield* run(Outcome.emit("partial", details))
      const { completed, span } = yield* onlyRun
      expect(completed.status).toBe("success")
      expect(completed.outcome).toEqual(Either.getOrThrow(Outcome.make("partial", details)))
      expect(span.attributes).toMatchObject({
        "botanu.outcome.status": "partial",
        "botanu.outcome.value_type": "refunded_usd",
        "botanu.outcome.value_amount": 12.5,
        "botanu.outcome.confidence": 0.8,
        "botanu.outcome.reason": "half of it",
        "botanu.outcome.error_type": "limit",
        "botanu.outcome.metadata.channel": "mail",
        "botanu.outcome.metadata.retries": 2,
        "botanu.outcome.metadata.vip": true
      })
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.outcome_emitted", "botanu.run.completed"])
      expect(span.events[1]?.attributes).toEqual({
        status: "partial",
        value_type: "refunded_usd",
        value_amount: 12.5,
        error_type: "limit"
      })
      expect(span.events[2]?.attributes).toMatchObject({
        status: "success",
        value_type: "refunded_usd",
        value_amount: 12.5
      })
    }).pipe(Effect.provide(observed))
  )

  const emitted = Outcome.emit("partial", { valueAmount: 3 })
  const places: ReadonlyArray<readonly [where: string, work: Effect.Effect<unknown, unknown, RunContext>]> = [
    ...fromAfar(emitted),
    ["in a root span", Effect.withSpan(emitted, "root", { root: true })]
  ]
  for (const [where, work] of places) {
    it.effect(`lands on the run: ${where}`, () =>
      Effect.gen(function* () {
        yield* run(work)
        const { completed, span } = yield* onlyRun
        expect(completed.outcome).toMatchObject({ status: "partial", valueAmount: 3 })
        expect(span.attributes["botanu.outcome.status"]).toBe("partial")
        for (const other of yield* endedSpans) {
          if (other === span) continue
          expect(Object.keys(other.attributes).filter((key) => key.startsWith("botanu.outcome"))).toEqual([])
          expect(eventsOf(other)).toEqual([])
        }
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("of an inner run is not that of the outer one", () =>
    Effect.gen(function* () {
      const { inner, outer } = yield* run(
        Effect.zipRight(emitted.pipe(Botanu.workflow("Inner", ids)), Outcome.emit("failure"))
      ).pipe(
        Effect.zipRight(endedSpans),
        Effect.map((spans) => ({
          inner: spans.find(({ name }) => name === "botanu.run/Inner"),
          outer: spans.find(({ name }) => name === "botanu.run/Customer Support")
        }))
      )
      expect(inner?.attributes["botanu.outcome.status"]).toBe("partial")
      expect(outer?.attributes["botanu.outcome.status"]).toBe("failure")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is the last one of two, as a whole", () =>
    Effect.gen(function* () {
      yield* run(
        Effect.zipRight(
          Outcome.emit("partial", { valueAmount: 3, reason: "first" }),
          Outcome.emit("success", { valueType: "tickets" })
        )
      )
      const { completed, span } = yield* onlyRun
      expect(completed.outcome).toEqual(Either.getOrThrow(Outcome.make("success", { valueType: "tickets" })))
      expect(span.attributes).not.toHaveProperty("botanu.outcome.value_amount")
      expect(eventsOf(span).filter((name) => name === "botanu.outcome_emitted")).toHaveLength(2)
    }).pipe(Effect.provide(observed))
  )

  for (const status of ["failure", "partial", "timeout", "canceled"] as const) {
    it.effect(`of ${status} is not replaced when the run succeeds, nor when it fails`, () =>
      Effect.gen(function* () {
        yield* run(Outcome.emit(status))
        expect((yield* onlyRun).completed).toMatchObject({ status: "success", outcome: { status } })
        yield* Effect.exit(run(Effect.zipRight(Outcome.emit(status), Effect.fail("x"))))
      }).pipe(Effect.provide(observed))
    )
  }

  const ends: ReadonlyArray<readonly [string, Effect.Effect<never, Broken>, Partial<Outcome.Outcome>]> = [
    ["fails", new Broken(), { status: "failure", errorType: "Broken" }],
    ["dies", Effect.die(new RangeError("x")), { status: "failure", errorType: "RangeError" }],
    ["is interrupted", Effect.interrupt, { status: "canceled", reason: "interrupted" }]
  ]
  for (const [how, end, expected] of ends) {
    it.effect(`of success gives way when the run ${how}; its value stays`, () =>
      Effect.gen(function* () {
        yield* Effect.exit(run(Effect.zipRight(Outcome.emit("success", { valueType: "tickets", valueAmount: 1 }), end)))
        const { completed, span } = yield* onlyRun
        expect(completed.outcome).toMatchObject({ ...expected, valueType: "tickets", valueAmount: 1 })
        expect(span.attributes).toMatchObject({
          "botanu.outcome.status": expected.status,
          "botanu.outcome.value_amount": 1
        })
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("of success gives way to the deadline", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.zipRight(Outcome.emit("success"), Effect.never).pipe(
        Botanu.workflow("W", { ...ids, deadline: "1 second" }),
        Effect.fork
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      expect((yield* onlyRun).completed.outcome?.status).toBe("timeout")
    }).pipe(Effect.provide(observed))
  )

  const invalid: ReadonlyArray<readonly [field: string, details: Outcome.OutcomeDetails, problem: string]> = [
    ["confidence", { confidence: -0.1 }, "expected a number from 0 to 1"],
    ["confidence", { confidence: 1.01 }, "expected a number from 0 to 1"],
    ["confidence", { confidence: Number.NaN }, "expected a number from 0 to 1"],
    ["valueAmount", { valueAmount: Number.POSITIVE_INFINITY }, "expected a finite number"],
    ["valueAmount", { valueAmount: Number.NaN }, "expected a finite number"],
    ["valueType", { valueType: 1 as never }, "expected text, got 1"],
    ["metadata", { metadata: null as never }, "Expected"],
    ["metadata", { metadata: "mail" as never }, "Expected"],
    [
      "metadata.__proto__",
      { metadata: JSON.parse('{"__proto__": "x"}') },
      "expected another name, as this one is lost where the record is read"
    ],
    [
      "metadata.depth",
      { metadata: { depth: Number.NEGATIVE_INFINITY } },
      "expected text, a finite number or a boolean, got -Infinity"
    ]
  ]
  for (const [field, details, problem] of invalid) {
    it.effect(
      `is refused when ${field} is ${String(Object.values(details)[0])}, and leaves the one before in place`,
      () =>
        Effect.gen(function* () {
          const error = yield* run(
            Effect.zipRight(Outcome.emit("partial", { valueAmount: 7 }), Effect.flip(Outcome.emit("success", details)))
          )
          expect(error).toBeInstanceOf(Outcome.InvalidOutcome)
          expect(error.field).toBe(field)
          expect(error.message).toContain(`${field}: ${problem}`)
          const { completed, span } = yield* onlyRun
          expect(completed.outcome).toMatchObject({ status: "partial", valueAmount: 7 })
          expect(eventsOf(span).filter((name) => name === "botanu.outcome_emitted")).toHaveLength(1)
        }).pipe(Effect.provide(observed))
    )
  }

  it.effect("takes the limits of its details, and ignores undefined ones", () =>
    Effect.gen(function* () {
      yield* run(Outcome.emit("success", { confidence: 0, valueAmount: -0.5, reason: undefined }))
      const { completed } = yield* onlyRun
      expect(completed.outcome).toEqual(
        Either.getOrThrow(Outcome.make("success", { confidence: 0, valueAmount: -0.5 }))
      )
    }).pipe(Effect.provide(observed))
  )

  it.effect("with a status that only a cast can give is refused too", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.either(run(Outcome.emit("done" as RunStatus)))
      expect(Either.isLeft(exit) && String(exit.left)).toContain(
        'status: expected one of success, failure, partial, timeout, canceled, got "done"'
      )
    })
  )

  it.effect("that comes after the run is over is logged, and changes nothing", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => lines.push(message))
    return Effect.gen(function* () {
      const late = yield* run(
        Effect.map(Effect.context<RunContext>(), (context) => Effect.provide(Outcome.emit("failure"), context))
      )
      yield* late
      expect((yield* onlyRun).completed.outcome?.status).toBe("success")
      expect(String(lines)).toContain('outcome "failure" came after the run was over')
    }).pipe(Effect.provide([observed, Logger.replace(Logger.defaultLogger, logger)]))
  })
})

describe("without an emitted outcome", () => {
  it.effect("autoOutcome: false leaves the run without one", () =>
    Effect.gen(function* () {
      yield* Effect.exit(new Broken().pipe(Botanu.workflow("W", { ...ids, autoOutcome: false })))
      const { completed, span } = yield* onlyRun
      expect(completed.outcome).toBeUndefined()
      expect(completed).toMatchObject({ status: "failure", errorClass: "Broken" })
      expect(Object.keys(span.attributes).filter((key) => key.startsWith("botanu.outcome"))).toEqual([])
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.run.completed"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("autoOutcome: false keeps one that is emitted", () =>
    Effect.gen(function* () {
      yield* Outcome.emit("partial").pipe(Botanu.workflow("W", { ...ids, autoOutcome: false }))
      expect((yield* onlyRun).completed.outcome?.status).toBe("partial")
    }).pipe(Effect.provide(observed))
  )

  const ofResult = (result: number): Botanu.OutcomeOfResult => ({
    status: result > 1 ? "success" : "partial",
    valueAmount: result
  })

  it.effect("the outcome option makes one of the result", () =>
    Effect.gen(function* () {
      yield* Effect.succeed(1).pipe(Botanu.workflow("W", { ...ids, autoOutcome: false, outcome: ofResult }))
      expect((yield* onlyRun).completed.outcome).toMatchObject({ status: "partial", valueAmount: 1 })
    }).pipe(Effect.provide(observed))
  )

  it.effect("the outcome option is logged only where something of it is wrong", () => {
    const lines: Array<string> = []
    const work = Effect.succeed(1).pipe(Botanu.workflow("W", { ...ids, outcome: ofResult }))
    return Effect.map(Effect.provide(work, logging(lines)), () => expect(lines).toEqual([]))
  })

  it.effect("the outcome option is not asked where one was emitted, or there is no result", () =>
    Effect.gen(function* () {
      yield* Effect.as(Outcome.emit("canceled"), 5).pipe(Botanu.workflow("W", { ...ids, outcome: ofResult }))
      expect((yield* onlyRun).completed.outcome?.status).toBe("canceled")
      const failing: Effect.Effect<number, Broken> = new Broken()
      const spans = yield* Effect.exit(failing.pipe(Botanu.workflow("Failing", { ...ids, outcome: ofResult }))).pipe(
        Effect.zipRight(endedSpans)
      )
      const failed = spans.find(({ name }) => name === "botanu.run/Failing")
      expect(failed?.attributes["botanu.outcome.status"]).toBe("failure")
    }).pipe(Effect.provide(observed))
  )

  const wrong: ReadonlyArray<readonly [how: string, outcome: () => Botanu.OutcomeOfResult, warning: string]> = [
    [
      "is not as it should be",
      () => ({ status: "success", confidence: 2 }),
      "confidence: expected a number from 0 to 1"
    ],
    [
      "cannot be made",
      () => {
        throw new Error("no outcome")
      },
      "no outcome"
    ]
  ]
  for (const [how, outcome, warning] of wrong) {
    it.effect(`an outcome option that ${how} is logged, and never harms the program`, () => {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      return Effect.gen(function* () {
        expect(yield* Effect.succeed(1).pipe(Botanu.workflow("W", { ...ids, outcome }))).toBe(1)
        expect((yield* onlyRun).completed.outcome).toMatchObject({ status: "success" })
        expect(String(lines)).toContain(warning)
      }).pipe(Effect.provide([observed, Logger.replace(Logger.defaultLogger, logger)]))
    })
  }
})

describe("a detail that outcomes do not have", () => {
  const given = { status: "success", valueAmout: 3, details: { valueAmount: 3 }, valueType: "answers" } as const
  const known = "expected valueType, valueAmount, confidence, reason, errorType, metadata"
  const warning = `"valueAmout", "details": not recorded, ${known}`

  const observing = (program: Effect.Effect<unknown, unknown>, expected: string) => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      yield* program
      const { completed } = yield* onlyRun
      expect(completed.outcome).toEqual(Either.getOrThrow(Outcome.make("success", { valueType: "answers" })))
      expect(lines).toEqual([expected])
    }).pipe(Effect.provide([observed, logging(lines)]))
  }

  it.effect("is logged, from the outcome option", () =>
    observing(
      Botanu.workflow(Effect.void, "W", { ...ids, outcome: () => given as never }),
      `the outcome option of workflow "W": ${warning}`
    )
  )

  it.effect("is logged, from Outcome.emit", () => {
    const { status, ...details } = given
    return observing(Botanu.workflow(Outcome.emit(status, details), "W", ids), `outcome "success": ${warning}`)
  })

  it.effect("is logged with the first three names, however many there are", () => {
    const many = { status: "success", valueType: "answers", a: 1, b: 1, c: 1, d: 1 }
    return observing(
      Botanu.workflow(Effect.void, "W", { ...ids, outcome: () => many as never }),
      `the outcome option of workflow "W": "a", "b", "c", …: not recorded, ${known}`
    )
  })
})

describe("unknownDetails", () => {
  it("names three without a mark that there are more", () => {
    expect(unknownDetails({ a: 1, b: 1, c: 1 } as never)).toMatch(/^"a", "b", "c": not recorded/)
    expect(unknownDetails({ a: 1, b: 1, c: 1, d: 1 } as never)).toMatch(/^"a", "b", "c", …: not recorded/)
    expect(unknownDetails({ valueAmount: 1 })).toBeUndefined()
  })
})

describe("in a joined run", () => {
  it.effect("an outcome goes to the span that was current when it was joined", () =>
    Effect.gen(function* () {
      const inner = Effect.withSpan(Outcome.emit("partial", { valueAmount: 2 }), "inner")
      yield* Effect.provide(inner, RunContext.layer(makeRun())).pipe(Effect.withSpan("edge"))
      const spans = yield* endedSpans
      const edge = spans.find(({ name }) => name === "edge")
      expect(edge?.attributes).toMatchObject({ "botanu.outcome.status": "partial", "botanu.outcome.value_amount": 2 })
      expect(edge && eventsOf(edge)).toEqual(["botanu.outcome_emitted"])
      expect(spans.find(({ name }) => name === "inner")?.attributes).not.toHaveProperty("botanu.outcome.status")
    }).pipe(Effect.provide(observed))
  )

  it.effect("an outcome without any span is no failure", () =>
    Effect.provide(Outcome.emit("success", { valueAmount: 1 }), RunContext.layer(makeRun()))
  )

  it.effect("an outcome of a run that came in with a span of its sender alone is no trouble", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const headers = { baggage: leanHeader, traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` }
      const received = yield* Effect.flatten(Propagation.extract(headers))
      yield* Effect.provide(Outcome.emit("success"), RunContext.layer(received))
      expect(lines).toEqual([])
    }).pipe(Effect.provide(logging(lines)))
  })

  it.effect("an outcome of a run that is provided by hand in another is not that one's", () =>
    Effect.gen(function* () {
      const byHand = Effect.provideService(Outcome.emit("partial"), RunContext, makeRun())
      yield* Botanu.workflow(byHand, "W", ids)
      expect((yield* completedRuns).map(({ outcome }) => outcome?.status)).toEqual(["success"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("an outcome goes to the current span where RunContext was provided by hand", () =>
    Effect.gen(function* () {
      yield* Outcome.emit("success").pipe(Effect.provideService(RunContext, makeRun()), Effect.withSpan("here"))
      const [span] = yield* endedSpans
      expect(span?.attributes["botanu.outcome.status"]).toBe("success")
    }).pipe(Effect.provide(observed))
  )
})

describe("Outcome", () => {
  it("is a Schema that JSON can carry", () => {
    const outcome = Either.getOrThrow(Outcome.make("partial", { valueAmount: 1, metadata: { a: "b" } }))
    const json = JSON.stringify(Schema.encodeSync(Outcome.Outcome)(outcome))
    expect(Schema.decodeUnknownSync(Outcome.Outcome)(JSON.parse(json))).toEqual(outcome)
  })

  it("has its statuses by name", () => {
    expect(Object.values(RunStatus)).toEqual(["success", "failure", "partial", "timeout", "canceled"])
    expect(Outcome.RunStatus).toBe(RunStatus)
    expect(Botanu.emitOutcome).toBe(Outcome.emit)
  })
})

describe("texts of an outcome", () => {
  it("are cut at 1,024 characters with a mark where they are free, and never in the middle of one", () => {
    const made = Either.getOrThrow(
      Outcome.make("failure", {
        reason: "x".repeat(2000),
        metadata: {
          long: `${"x".repeat(1022)}💼💼`,
          alone: `${"x".repeat(1022)}💼xx`,
          later: `${"x".repeat(1023)}💼💼`,
          half: `${"x".repeat(1022)}\ud83dxx`,
          halves: `${"x".repeat(1022)}\ud83dx\udcbc`,
          otherHalf: `💼${"x".repeat(1021)}\udcbcx`,
          fits: "y".repeat(1024),
          number: 7
        }
      })
    )
    expect(made.reason).toBe(`${"x".repeat(1023)}…`)
    expect(made.metadata).toEqual({
      long: `${"x".repeat(1022)}…`,
      alone: `${"x".repeat(1022)}…`,
      later: `${"x".repeat(1023)}…`,
      half: `${"x".repeat(1022)}\ud83d…`,
      halves: `${"x".repeat(1022)}\ud83d…`,
      otherHalf: `💼${"x".repeat(1021)}…`,
      fits: "y".repeat(1024),
      number: 7
    })
  })

  it("are left out where they are empty", () => {
    const made = Outcome.make("success", {
      valueType: "",
      reason: "",
      errorType: "",
      metadata: { none: "", some: "a" }
    })
    expect(made).toEqual(Outcome.make("success", { metadata: { some: "a" } }))
  })
})
