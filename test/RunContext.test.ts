import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Either, Equal, FastCheck, Hash, HashMap, Logger, Option, Schema, TestClock } from "effect"
import { Botanu, InvalidRunContext, Run, RunContext } from "../src/index.js"
import { completedRuns, endedSpans, observed } from "./observed.js"
import { fieldText, instant, leanKeys, makeRun, otherRunId, runId, thirdRunId } from "./runs.js"

const options = { workflow: "Customer Support", eventId: "ticket-42", customerId: "bigretail" }

describe("RunContext.make", () => {
  it.effect("makes a run without starting it", () =>
    Effect.gen(function* () {
      const run = yield* RunContext.make({ ...options, deadline: "2 seconds" })
      expect(run).toMatchObject({ ...options, environment: "production", attempt: 1, deadline: instant(2_000) })
      expect(yield* Botanu.activeRuns).toEqual([])
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the run in scope as parent, and its deadline", () =>
    Effect.gen(function* () {
      const parent = makeRun({ deadline: instant(1_000) })
      const run = yield* Effect.provideService(RunContext.make(options), RunContext, parent)
      expect(run).toMatchObject({ parentRunId: parent.runId, rootRunId: run.runId, deadline: instant(1_000) })
    })
  )

  it.effect("refuses what is wrong", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(RunContext.make({ ...options, customerId: "" }))
      expect(error).toBeInstanceOf(InvalidRunContext)
      expect(`${error.field}: ${error.problem}`).toBe('customerId: expected non-empty text, got ""')
    })
  )
})

describe("RunContext.make and the Schema of Run", () => {
  const anyText = FastCheck.oneof(
    fieldText,
    FastCheck.string({ unit: "binary", maxLength: 300 }),
    FastCheck.constant("")
  )
  const optional = FastCheck.option(anyText, { nil: undefined })

  it.effect.prop(
    "refuse the same options, and make the same run of the others",
    [
      FastCheck.record({
        workflow: anyText,
        eventId: anyText,
        customerId: anyText,
        environment: anyText,
        tenantId: optional,
        version: optional
      })
    ],
    ([made]) =>
      Effect.gen(function* () {
        const run = yield* Effect.either(RunContext.make(made))
        const fields: Record<string, unknown> = { ...made, workflowVersion: made.version }
        const defined = Object.fromEntries(
          Object.entries(fields).filter(([key, value]) => value !== undefined && key !== "version")
        )
        const id = Either.match(run, { onLeft: () => runId, onRight: ({ runId }) => runId })
        const bySchema = Schema.decodeUnknownEither(Run)({
          ...defined,
          runId: id,
          rootRunId: id,
          attempt: 1,
          startTime: "1970-01-01T00:00:00.000Z",
          cancelled: false
        })
        expect(Either.isRight(run)).toBe(Either.isRight(bySchema))
        if (Either.isRight(run) && Either.isRight(bySchema)) {
          expect(Equal.equals(run.right, bySchema.right)).toBe(true)
          expect(Hash.hash(run.right)).toBe(Hash.hash(bySchema.right))
          expect(run.right).toEqual(bySchema.right)
        }
      })
  )
})

describe("RunContext.retry", () => {
  it.effect("makes the next attempt of the same event, with as much time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(60_000)
      const previous = makeRun({
        tenantId: "acme",
        environment: "staging",
        workflowVersion: "2",
        parentRunId: otherRunId,
        rootRunId: thirdRunId,
        attempt: 2,
        startTime: instant(10_000),
        deadline: instant(15_000),
        cancelled: true
      })
      const next = yield* RunContext.retry(previous)
      expect(next).toMatchObject({
        workflow: previous.workflow,
        eventId: previous.eventId,
        customerId: previous.customerId,
        tenantId: "acme",
        environment: "staging",
        workflowVersion: "2",
        parentRunId: otherRunId,
        rootRunId: thirdRunId,
        retryOfRunId: runId,
        attempt: 3,
        startTime: instant(60_000),
        deadline: instant(65_000),
        cancelled: false
      })
      expect(next.runId).not.toBe(previous.runId)
    })
  )

  it.effect("stays within the deadline of the run in scope", () =>
    Effect.gen(function* () {
      const previous = makeRun({ startTime: instant(0), deadline: instant(5_000) })
      const next = yield* Effect.provideService(
        RunContext.retry(previous),
        RunContext,
        makeRun({ deadline: instant(1_000) })
      )
      expect(next.deadline).toEqual(instant(1_000))
      expect(next.parentRunId).toBeUndefined()
    })
  )

  it.effect("counts to the number that the wire can carry, and goes on with it", () =>
    Effect.gen(function* () {
      const last = yield* RunContext.retry(makeRun({ attempt: 999_998 }))
      const next = yield* RunContext.retry(last)
      expect([last.attempt, next.attempt]).toEqual([999_999, 999_999])
      expect(next.retryOfRunId).toBe(last.runId)
      expect(next.rootRunId).toBe(last.rootRunId)
    })
  )
})

describe("RunContext.layer", () => {
  it.effect("provides the run, and puts it on every span and log line made under it, and on no other", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ annotations }) => {
      lines.push(Object.fromEntries(HashMap.toEntries(annotations)))
    })
    return Effect.gen(function* () {
      const run = makeRun()
      const work = Effect.log("in").pipe(Effect.zipRight(RunContext), Effect.withSpan("in"))
      const joined = yield* Effect.provide(work, RunContext.layer(run)).pipe(Effect.withSpan("edge"))
      yield* Effect.log("out").pipe(Effect.withSpan("out"))
      expect(joined).toBe(run)
      expect(lines).toEqual([leanKeys, {}])
      expect((yield* endedSpans).map(({ attributes, name }) => [name, attributes])).toEqual([
        ["in", leanKeys],
        ["edge", {}],
        ["out", {}]
      ])
    }).pipe(Effect.provide([observed, Logger.replace(Logger.defaultLogger, logger)]))
  })

  it.effect("neither starts nor completes the run; a workflow inside is its child", () =>
    Effect.gen(function* () {
      const active = yield* Effect.provide(Botanu.activeRuns, RunContext.layer(makeRun()))
      expect(active).toEqual([])
      expect(yield* completedRuns).toEqual([])
      const child = yield* Effect.provide(
        RunContext.pipe(Botanu.workflow("Child", { eventId: "e", customerId: "c" })),
        RunContext.layer(makeRun())
      )
      expect(child.parentRunId).toBe(runId)
      expect((yield* completedRuns).map(({ run }) => run.workflow)).toEqual(["Child"])
    }).pipe(Effect.provide(observed))
  )
})

describe("the current run", () => {
  it.effect("has a remaining time that runs out", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const look = Effect.map(Effect.all([RunContext.remainingTime, RunContext.isPastDeadline]), (state) =>
        seen.push(state)
      )
      yield* Effect.gen(function* () {
        yield* look
        yield* TestClock.adjust("400 millis")
        yield* look
        yield* TestClock.adjust("1 second")
        yield* look
      }).pipe(Effect.provideService(RunContext, makeRun({ deadline: instant(1_000) })))
      yield* Effect.provideService(look, RunContext, makeRun())
      expect(seen).toEqual([
        [Option.some(Duration.millis(1_000)), false],
        [Option.some(Duration.millis(600)), false],
        [Option.some(Duration.zero), true],
        [Option.none(), false]
      ])
    })
  )
})
