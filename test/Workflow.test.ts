import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Context,
  Data,
  DateTime,
  Deferred,
  Effect,
  Either,
  Exit,
  Fiber,
  HashMap,
  Logger,
  Option,
  Queue,
  Runtime,
  Schedule,
  Stream,
  TestClock,
  Tracer
} from "effect"
import {
  Botanu,
  BotanuConfig,
  type CompletedRun,
  DeadlineExceeded,
  InvalidRunContext,
  Outcome,
  Propagation,
  type Run,
  RunContext,
  RunExporter
} from "../src/index.js"
import { brokenTracer, tracerDown } from "./brokenTracer.js"
import { completedRuns, endedSpans, logging, observed, onlyRun, spanOf } from "./observed.js"
import { ids, instant, makeRun, otherRunId } from "./runs.js"

class Broken extends Data.TaggedError("Broken")<{ readonly attempt: number }> {}

const outer = Botanu.workflow("Outer", ids)
const inner = Botanu.workflow("Inner", { eventId: "lookup-7", customerId: "bigretail" })

const failBefore = (attempts: number) =>
  Effect.flatMap(RunContext, ({ attempt }) =>
    attempt < attempts ? Effect.fail(new Broken({ attempt })) : Effect.succeed(attempt)
  )

const byWorkflow = (name: string) =>
  Effect.map(completedRuns, (runs) => runs.filter(({ run }) => run.workflow === name))

const only = (runs: ReadonlyArray<CompletedRun>): CompletedRun => {
  expect(runs).toHaveLength(1)
  return runs[0] as CompletedRun
}

const full = BotanuConfig.layerOf({ environment: "staging", propagationMode: "full" })

describe("a workflow", () => {
  it.effect("provides its run, made of the options, the clock and the configuration", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const run = yield* RunContext.pipe(
        Botanu.workflow("Customer Support", { ...ids, tenantId: "acme", version: "2", deadline: "1 minute" })
      )
      expect(run).toMatchObject({
        workflow: "Customer Support",
        eventId: "ticket-42",
        customerId: "bigretail",
        tenantId: "acme",
        workflowVersion: "2",
        environment: "staging",
        attempt: 1,
        cancelled: false
      })
      expect(run.rootRunId).toBe(run.runId)
      expect(run.parentRunId).toBeUndefined()
      expect([run.startTime.epochMillis, run.deadline?.epochMillis]).toEqual([5_000, 65_000])
    }).pipe(Effect.provide(full))
  )

  it.effect("works data-first too, and takes an option over the environment", () =>
    Effect.gen(function* () {
      const run = yield* Botanu.workflow(RunContext, "Customer Support", { ...ids, environment: "test" })
      expect(run.environment).toBe("test")
    }).pipe(Effect.provide(full))
  )

  const refused: ReadonlyArray<readonly [field: string, options: object, problem: string]> = [
    ["eventId", { eventId: "" }, 'expected non-empty text, got ""'],
    ["customerId", { customerId: "" }, 'expected non-empty text, got ""'],
    ["customerId", { customerId: "a\u0000b" }, 'expected text without control characters, got "a\\u0000b"'],
    ["customerId", { customerId: undefined }, "expected text, got undefined"],
    ["tenantId", { tenantId: "" }, 'expected non-empty text, got ""'],
    ["version", { version: "x".repeat(300) }, `expected at most 256 bytes of UTF-8, got "${"x".repeat(63)}…"`],
    ["environment", { environment: "" }, 'expected non-empty text, got ""'],
    ["deadline", { deadline: "soon" }, 'expected a duration of zero or more, got "soon"'],
    ["deadline", { deadline: "1000000000 weeks" }, "expected an instant that a date can hold"],
    [
      "eventId",
      { retryOf: makeRun({ eventId: "other" }) },
      'expected "other", the event of the run that is retried, got "ticket-42"'
    ]
  ]
  for (const [field, options, problem] of refused) {
    it.effect(`is refused with an error that names ${field}: ${problem.slice(0, 50)}`, () =>
      Effect.gen(function* () {
        let started = false
        const body = Effect.sync(() => {
          started = true
        })
        const error = yield* Effect.flip(
          Botanu.workflow(body, "Customer Support", { ...ids, ...options } as typeof ids)
        )
        expect(error).toBeInstanceOf(InvalidRunContext)
        expect(error.field).toBe(field)
        expect(error.message.startsWith(`${field}: ${problem}`)).toBe(true)
        expect(started).toBe(false)
        expect(yield* completedRuns).toEqual([])
        expect(yield* endedSpans).toEqual([])
        expect(yield* Botanu.activeRuns).toEqual([])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is refused when it has no name", () =>
    Effect.map(Effect.flip(Botanu.workflow(Effect.void, "", ids)), ({ field }) => expect(field).toBe("workflow"))
  )

  it.effect("is listed while it is alive, and only then", () =>
    Effect.gen(function* () {
      const [run, active] = yield* outer(Effect.all([RunContext, Botanu.activeRuns]))
      expect(active).toEqual([run])
      expect(yield* Botanu.activeRuns).toEqual([])
      expect(yield* Botanu.cancel(run.runId, "too late")).toBe(false)
      expect(yield* Botanu.cancel("unknown", "no such run")).toBe(false)
    })
  )

  it.effect("keeps the interruptibility of the region that it stands in", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.uninterruptible(outer(Effect.sleep("1 minute"))))
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.await(fiber)
      expect((yield* onlyRun).completed.status).toBe("success")
    }).pipe(Effect.provide(observed))
  )
})

describe("the run span", () => {
  it.effect("is named after the workflow, is a server span, and carries the run whole", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_770_000_000_000)
      yield* Effect.void.pipe(
        Botanu.workflow("Customer Support", { ...ids, tenantId: "acme", version: "2", deadline: "30 seconds" })
      )
      const { completed, span } = yield* onlyRun
      expect(span.name).toBe("botanu.run/Customer Support")
      expect(span.kind).toBe(1)
      expect(span.attributes).toEqual({
        "botanu.run_id": completed.run.runId,
        "botanu.workflow": "Customer Support",
        "botanu.event_id": "ticket-42",
        "botanu.customer_id": "bigretail",
        "botanu.environment": "production",
        "botanu.tenant_id": "acme",
        "botanu.root_run_id": completed.run.runId,
        "botanu.attempt": 1,
        "botanu.workflow.version": "2",
        "botanu.run.start_time": "2026-02-02T02:40:00.000Z",
        "botanu.run.deadline_ts": 1_770_000_030,
        "botanu.run.duration_ms": 0,
        "botanu.outcome.status": "success"
      })
      expect(span.events[0]?.attributes).toEqual({ run_id: completed.run.runId, workflow: "Customer Support" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("is of the kind that is asked for, and a child of the span around it", () =>
    Effect.gen(function* () {
      yield* Effect.void.pipe(Botanu.workflow("W", { ...ids, spanKind: "consumer" }), Effect.withSpan("request"))
      const { span } = yield* onlyRun
      const request = (yield* endedSpans).find(({ name }) => name === "request")
      expect(span.kind).toBe(4)
      expect(span.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
      expect(request?.attributes).toEqual({})
    }).pipe(Effect.provide(observed))
  )

  it.effect("ends when the work ends, with its duration in ms", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(outer(Effect.sleep("1500 millis")))
      yield* TestClock.adjust("1500 millis")
      yield* Fiber.join(fiber)
      const { completed, span } = yield* onlyRun
      expect(completed.durationMs).toBe(1500)
      expect(span.duration).toEqual([1, 500_000_000])
      expect(completed.endTime.epochMillis - completed.run.startTime.epochMillis).toBe(1500)
    }).pipe(Effect.provide(observed))
  )

  it.effect("says when and that the run was cancelled", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(outer(Effect.ensuring(Effect.never, Effect.sleep("1 second"))))
      yield* TestClock.adjust("2 seconds")
      for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "operator")
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      const { completed, span } = yield* onlyRun
      expect(span.attributes).toMatchObject({
        "botanu.run.cancelled": true,
        "botanu.run.cancelled_at": 2,
        "botanu.outcome.status": "canceled",
        "botanu.outcome.reason": "operator"
      })
      expect(completed.run.cancelledAt?.epochMillis).toBe(2000)
    }).pipe(Effect.provide(observed))
  )
})

describe("spans and log lines in a run", () => {
  const span = Effect.withSpan("inside")(Effect.void)

  const everywhere: ReadonlyArray<readonly [how: string, work: Effect.Effect<unknown>]> = [
    ["directly", span],
    ["forked", Effect.flatMap(Effect.fork(span), Fiber.join)],
    ["as a daemon", Effect.flatMap(Effect.forkDaemon(span), Fiber.join)],
    ["concurrently", Effect.all([span, span], { concurrency: 2 })],
    ["in a Stream", Stream.runDrain(Stream.mapEffect(Stream.range(1, 3), () => span, { concurrency: 2 }))],
    [
      "after an async boundary",
      Effect.zipRight(
        Effect.promise(() => Promise.resolve()),
        span
      )
    ],
    [
      "with a captured runtime",
      Effect.flatMap(Effect.runtime(), (runtime) => Effect.promise(() => Runtime.runPromise(runtime)(span)))
    ],
    ["as a root", Effect.withSpan(Effect.void, "inside", { root: true })],
    ["in a finalizer", Effect.ensuring(Effect.void, span)]
  ]
  for (const [how, work] of everywhere) {
    it.effect(`carry its four keys: ${how}`, () =>
      Effect.gen(function* () {
        yield* outer(work)
        const { completed } = yield* onlyRun
        const inside = (yield* endedSpans).filter(({ name }) => name === "inside")
        expect(inside.length).toBeGreaterThan(0)
        for (const { attributes } of inside) {
          expect(attributes).toEqual({
            "botanu.run_id": completed.run.runId,
            "botanu.workflow": "Outer",
            "botanu.event_id": "ticket-42",
            "botanu.customer_id": "bigretail"
          })
        }
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("carry three more in full mode, and nothing of the run around it", () =>
    Effect.gen(function* () {
      yield* span.pipe(inner, Effect.zipRight(span), Botanu.workflow("Outer", { ...ids, tenantId: "acme" }))
      const innerRun = only(yield* byWorkflow("Inner"))
      const outerRun = only(yield* byWorkflow("Outer"))
      const [first, second] = (yield* endedSpans).filter(({ name }) => name === "inside")
      expect(first?.attributes).toEqual({
        "botanu.run_id": innerRun.run.runId,
        "botanu.workflow": "Inner",
        "botanu.event_id": "lookup-7",
        "botanu.customer_id": "bigretail",
        "botanu.environment": "staging",
        "botanu.parent_run_id": outerRun.run.runId
      })
      expect(second?.attributes).toMatchObject({ "botanu.workflow": "Outer", "botanu.tenant_id": "acme" })
      const innerSpan = yield* spanOf(innerRun)
      expect(innerSpan.attributes).not.toHaveProperty("botanu.tenant_id")
    }).pipe(Effect.provide([observed, full]))
  )

  it.effect("keep what others annotate, and lose the run after it", () =>
    Effect.gen(function* () {
      yield* outer(span).pipe(Effect.zipRight(span), Effect.annotateSpans("team", "support"))
      const [inside, after] = (yield* endedSpans).filter(({ name }) => name === "inside")
      expect(inside?.attributes).toMatchObject({ team: "support", "botanu.workflow": "Outer" })
      expect(after?.attributes).toEqual({ team: "support" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("of a worker outside of any run that a run wakes up carry nothing of it", () =>
    Effect.gen(function* () {
      const queue = yield* Queue.unbounded<number>()
      const worker = yield* Effect.fork(Effect.zipRight(Queue.take(queue), span))
      yield* outer(Queue.offer(queue, 1))
      yield* Fiber.join(worker)
      expect((yield* endedSpans).find(({ name }) => name === "inside")?.attributes).toEqual({})
    }).pipe(Effect.provide(observed))
  )

  it.effect("of the log name the run", () => {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make(({ annotations }) => {
      lines.push(Object.fromEntries(HashMap.toEntries(annotations)))
    })
    return Effect.gen(function* () {
      const run = yield* outer(
        Effect.zipRight(Effect.annotateLogs(Effect.log("inside"), "team", "support"), RunContext)
      )
      yield* Effect.log("after")
      expect(lines).toEqual([
        {
          team: "support",
          "botanu.run_id": run.runId,
          "botanu.workflow": "Outer",
          "botanu.event_id": "ticket-42",
          "botanu.customer_id": "bigretail"
        },
        {}
      ])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

describe("nested runs", () => {
  it.effect("have the run around them as parent, and are first attempts of their own", () =>
    Effect.gen(function* () {
      yield* outer(
        Effect.zipRight(inner(Effect.void), inner(Effect.flatMap(Effect.fork(inner(Effect.void)), Fiber.join)))
      )
      const parent = only(yield* byWorkflow("Outer")).run
      const [first, third, second] = (yield* byWorkflow("Inner")).map(({ run }) => run)
      expect(first).toMatchObject({ parentRunId: parent.runId, attempt: 1, rootRunId: first?.runId })
      expect(second).toMatchObject({ parentRunId: parent.runId, rootRunId: second?.runId })
      expect(third).toMatchObject({ parentRunId: second?.runId, rootRunId: third?.runId })
      for (const completed of yield* byWorkflow("Inner")) {
        const span = yield* spanOf(completed)
        expect(span.attributes["botanu.parent_run_id"]).toBe(completed.run.parentRunId)
      }
    }).pipe(Effect.provide(observed))
  )

  it.effect("are cancelled with the run around them, for its reason", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(outer(inner(Effect.never)))
      yield* Effect.yieldNow()
      const run = (yield* Botanu.activeRuns).find(({ workflow }) => workflow === "Outer")
      expect(yield* Botanu.cancel(run?.runId ?? "", "operator")).toBe(true)
      yield* Fiber.await(fiber)
      expect(
        (yield* completedRuns).map(({ run, status, cancellationReason }) => [run.workflow, status, cancellationReason])
      ).toEqual([
        ["Inner", "canceled", "operator"],
        ["Outer", "canceled", "operator"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("can be nested deeper than the JavaScript stack", () => {
    const nested = (depth: number): Effect.Effect<number, InvalidRunContext> =>
      depth === 0 ? Effect.succeed(0) : Effect.map(inner(Effect.suspend(() => nested(depth - 1))), (below) => below + 1)
    return Effect.map(nested(3_000), (depth) => expect(depth).toBe(3_000))
  })

  it.effect("can be cancelled without the run around them", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(outer(Effect.as(Effect.exit(inner(Effect.never)), "went on")))
      yield* Effect.yieldNow()
      const run = (yield* Botanu.activeRuns).find(({ workflow }) => workflow === "Inner")
      yield* Botanu.cancel(run?.runId ?? "", "operator")
      expect(yield* Fiber.join(fiber)).toBe("went on")
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["canceled", "success"])
    }).pipe(Effect.provide(observed))
  )
})

describe("a deadline", () => {
  const outerWithin = Botanu.workflow("Outer", { ...ids, deadline: "30 seconds" })
  const innerWithin = (deadline: "10 seconds" | "1 minute") =>
    Botanu.workflow("Inner", { ...ids, eventId: "lookup-7", deadline })

  it.effect("is inherited, and the earlier one counts", () =>
    Effect.gen(function* () {
      const deadlineOf = Effect.map(RunContext, ({ deadline }) => deadline?.epochMillis)
      expect(yield* outerWithin(inner(deadlineOf))).toBe(30_000)
      expect(yield* outerWithin(innerWithin("10 seconds")(deadlineOf))).toBe(10_000)
      expect(yield* outerWithin(innerWithin("1 minute")(deadlineOf))).toBe(30_000)
      expect(yield* outer(innerWithin("1 minute")(deadlineOf))).toBe(60_000)
    })
  )

  for (const [how, work] of [
    ["inherited", inner(Effect.never)],
    ["inherited, and later than its own option", innerWithin("1 minute")(Effect.never)],
    ["inherited by a run in a forked fiber", Effect.flatMap(Effect.fork(inner(Effect.never)), Fiber.join)]
  ] as const) {
    it.effect(`that is ${how} ends both runs as timeout, and the outer one fails with DeadlineExceeded`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(outerWithin(work))
        yield* TestClock.adjust("30 seconds")
        const exit = yield* Fiber.await(fiber)
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        expect(error).toBeInstanceOf(DeadlineExceeded)
        expect((yield* completedRuns).map(({ run, status }) => [run.workflow, status])).toEqual([
          ["Inner", "timeout"],
          ["Outer", "timeout"]
        ])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is enforced on a daemon's run too, after the run that it came from", () =>
    Effect.gen(function* () {
      const daemon = yield* outerWithin(Effect.forkDaemon(inner(Effect.never)))
      yield* TestClock.adjust("30 seconds")
      expect(Exit.isInterrupted(yield* Fiber.await(daemon))).toBe(true)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success", "timeout"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("of an inner run is a failure like any other to the outer one", () =>
    Effect.gen(function* () {
      const caught = innerWithin("10 seconds")(Effect.never).pipe(
        Effect.catchTag("DeadlineExceeded", () => Effect.succeed("late"))
      )
      const fiber = yield* Effect.fork(
        Effect.zip(outerWithin(caught), Effect.either(outerWithin(innerWithin("10 seconds")(Effect.never))))
      )
      yield* TestClock.adjust("10 seconds")
      yield* TestClock.adjust("10 seconds")
      const [late, left] = yield* Fiber.join(fiber)
      expect(late).toBe("late")
      expect(Either.isLeft(left)).toBe(true)
      expect((yield* byWorkflow("Outer")).map(({ status, errorClass }) => [status, errorClass])).toEqual([
        ["success", undefined],
        ["failure", "DeadlineExceeded"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("waits for finalizers, whose outgoing calls say cancelled", () =>
    Effect.gen(function* () {
      const headers = yield* Deferred.make<Propagation.OutgoingHeaders>()
      const finalizer = Effect.zipRight(
        Effect.sleep("5 seconds"),
        Effect.flatMap(Propagation.injectWith({ deadline: true }), (sent) => Deferred.succeed(headers, sent))
      )
      const body = Effect.flatMap(Effect.context<RunContext>(), (context) =>
        Effect.ensuring(Effect.never, Effect.provide(finalizer, context))
      )
      const fiber = yield* Effect.fork(outerWithin(body))
      yield* TestClock.adjust("30 seconds")
      expect(yield* completedRuns).toEqual([])
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.await(fiber)
      expect((yield* Deferred.await(headers))["baggage"]).toContain("botanu.cancelled=true")
      expect((yield* onlyRun).completed).toMatchObject({ status: "timeout", durationMs: 35_000 })
    }).pipe(Effect.provide([observed, full]))
  )

  it.effect("that is infinite is none", () =>
    Effect.map(RunContext.pipe(Botanu.workflow("W", { ...ids, deadline: Number.POSITIVE_INFINITY })), ({ deadline }) =>
      expect(deadline).toBeUndefined()
    )
  )

  const past = makeRun({ deadline: instant(1_000) })
  const neverRuns = (log: Array<string>) => Effect.sync(() => log.push("body ran"))

  it.effect("that was received and is past ends the run at once, as an interruption", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      const log: Array<string> = []
      const exit = yield* Effect.exit(Effect.provide(inner(neverRuns(log)), RunContext.layer(past)))
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(log).toEqual([])
      const { completed, span } = yield* onlyRun
      expect(completed).toMatchObject({ status: "timeout", run: { parentRunId: past.runId, deadline: instant(1_000) } })
      expect(span.events.map(({ name }) => name)).toEqual(["botanu.run.started", "botanu.run.completed"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that was received and is past fails a run that has one of its own", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      const log: Array<string> = []
      const error = yield* Effect.flip(Effect.provide(innerWithin("1 minute")(neverRuns(log)), RunContext.layer(past)))
      expect(error._tag).toBe("DeadlineExceeded")
      expect(log).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that was received is enforced", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.provide(inner(Effect.never), RunContext.layer(past)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      expect((yield* onlyRun).completed.status).toBe("timeout")
    }).pipe(Effect.provide(observed))
  )

  it.effect("aside, a run that was received as cancelled ends at once", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const received = makeRun({ cancelled: true })
      const exit = yield* Effect.exit(Effect.provide(inner(neverRuns(log)), RunContext.layer(received)))
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(log).toEqual([])
      expect((yield* onlyRun).completed).toMatchObject({ status: "canceled", cancellationReason: "received_cancelled" })
    }).pipe(Effect.provide(observed))
  )
})

describe("retry", () => {
  const retried = Botanu.workflow("Customer Support", { ...ids, tenantId: "acme", retry: Schedule.recurs(3) })

  it.effect("makes each of four attempts a run of its own, in one lineage", () =>
    Effect.gen(function* () {
      expect(yield* retried(failBefore(4))).toBe(4)
      const completed = yield* completedRuns
      const runs = completed.map(({ run }) => run)
      const [first] = runs
      expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
      expect(runs.map(({ retryOfRunId }) => retryOfRunId)).toEqual([
        undefined,
        ...runs.slice(0, 3).map(({ runId }) => runId)
      ])
      expect(new Set(runs.map(({ runId }) => runId)).size).toBe(4)
      for (const run of runs) {
        expect(run).toMatchObject({ rootRunId: first?.runId, eventId: "ticket-42", tenantId: "acme" })
        expect(run.parentRunId).toBeUndefined()
      }
      expect(completed.map(({ status, errorClass }) => errorClass ?? status)).toEqual([
        "Broken",
        "Broken",
        "Broken",
        "success"
      ])
      const spans = yield* Effect.forEach(completed, spanOf)
      expect(spans.map(({ links }) => links.map(({ context }) => context.spanId))).toEqual([
        [],
        ...spans.slice(0, 3).map((span) => [span.spanContext().spanId])
      ])
      expect(spans.map(({ attributes }) => attributes["botanu.retry_of_run_id"])).toEqual(
        runs.map(({ retryOfRunId }) => retryOfRunId)
      )
    }).pipe(Effect.provide(observed))
  )

  it.effect("keeps the parent, and a child run in attempt 2 is a first attempt of its own", () =>
    Effect.gen(function* () {
      const body = Effect.gen(function* () {
        const { attempt } = yield* RunContext
        return attempt === 2 ? yield* inner(RunContext) : yield* new Broken({ attempt })
      })
      const child = yield* outer(retried(body))
      const parent = only(yield* byWorkflow("Outer")).run
      const [first, second] = (yield* byWorkflow("Customer Support")).map(({ run }) => run)
      expect([first?.parentRunId, second?.parentRunId]).toEqual([parent.runId, parent.runId])
      expect(child).toMatchObject({ parentRunId: second?.runId, attempt: 1, rootRunId: child.runId })
      expect(child.retryOfRunId).toBeUndefined()
    }).pipe(Effect.provide(observed))
  )

  it.effect("waits as the schedule says", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const body = Effect.zipRight(
        Effect.map(DateTime.now, ({ epochMillis }) => started.push(epochMillis)),
        failBefore(4)
      )
      const fiber = yield* Effect.fork(
        body.pipe(Botanu.workflow("W", { ...ids, retry: Schedule.exponential("1 second") }))
      )
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toBe(4)
      expect(started).toEqual([0, 1000, 3000, 7000])
      expect((yield* completedRuns).map(({ run }) => run.startTime.epochMillis)).toEqual(started)
    }).pipe(Effect.provide(observed))
  )

  it.effect("gives each attempt a fresh deadline, within that of the run around it", () =>
    Effect.gen(function* () {
      const attempts = Effect.never.pipe(
        Botanu.workflow("Inner", { ...ids, deadline: "10 seconds", retry: Schedule.spaced("1 second") })
      )
      const fiber = yield* Effect.fork(attempts.pipe(Botanu.workflow("Outer", { ...ids, deadline: "25 seconds" })))
      yield* TestClock.adjust("25 seconds")
      const exit = yield* Fiber.await(fiber)
      expect(Exit.isFailure(exit)).toBe(true)
      const runs = yield* completedRuns
      expect(runs.map(({ run, status }) => [run.workflow, run.deadline?.epochMillis, status])).toEqual([
        ["Inner", 10_000, "timeout"],
        ["Inner", 21_000, "timeout"],
        ["Inner", 25_000, "timeout"],
        ["Outer", 25_000, "timeout"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("started by a daemon that no span is open for begins a trace, also where the run before is over", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const child = Botanu.workflow(
        Effect.map(Effect.currentSpan, ({ parent }) => parent),
        "Child",
        ids
      )
      const bare = Effect.mapInputContext(child, (context: Context.Context<never>) =>
        Context.omit(Tracer.ParentSpan)(context as Context.Context<Tracer.ParentSpan>)
      )
      const daemon = yield* Botanu.workflow(Effect.forkDaemon(Effect.zipRight(latch.await, bare)), "Parent", ids)
      yield* latch.open
      expect(yield* Fiber.join(daemon)).toEqual(Option.none())
    })
  )

  it.effect("that is tried again is linked with the attempt before", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const failing = Effect.flatMap(Effect.currentSpan, (span) => {
        spans.push(span)
        return Effect.fail("x")
      })
      yield* Effect.exit(Botanu.workflow(failing, "W", { ...ids, retry: { times: 1 } }))
      const [first, second] = spans
      expect(second?.links.map(({ _tag, span }) => [_tag, span.spanId])).toEqual([["SpanLink", first?.spanId]])
    })
  )

  it.effect("that fails while it is cancelled is a failure, and says that it was cancelled and why", () =>
    Effect.gen(function* () {
      const body = Effect.onInterrupt(Effect.never, () => Effect.die("in a finalizer"))
      const fiber = yield* Effect.fork(Botanu.workflow(body, "W", ids))
      yield* Effect.yieldNow()
      const [active] = yield* Botanu.activeRuns
      yield* Botanu.cancel(active?.runId ?? "", "operator")
      yield* Fiber.await(fiber)
      const [completed] = yield* completedRuns
      expect(completed).toMatchObject({ status: "failure", cancellationReason: "operator", run: { cancelled: true } })
    }).pipe(Effect.provide(observed))
  )

  it.effect("started by a daemon knows the span of a run that is over by its ids only", () =>
    Effect.gen(function* () {
      const parentOf = Effect.map(Effect.currentSpan, (span) => Option.getOrThrow(span.parent))
      const child = Botanu.workflow(parentOf, "Child", ids)
      const latch = yield* Effect.makeLatch()
      const body = Effect.gen(function* () {
        const own = yield* Effect.currentSpan
        const during = yield* child
        const daemon = yield* Effect.forkDaemon(Effect.zipRight(latch.await, child))
        return { own, during, daemon }
      })
      const { daemon, during, own } = yield* Botanu.workflow(body, "Parent", ids)
      yield* latch.open
      const after = yield* Fiber.join(daemon)
      expect([during._tag, after._tag]).toEqual(["Span", "ExternalSpan"])
      expect([during.spanId, after.spanId]).toEqual([own.spanId, own.spanId])
    })
  )

  it.effect("takes the options of Effect.retry", () =>
    Effect.gen(function* () {
      const whileEarly = failBefore(9).pipe(
        Botanu.workflow("W", { ...ids, retry: { times: 5, while: (error: Broken) => error.attempt < 3 } }),
        Effect.flip
      )
      expect(yield* whileEarly).toEqual(new Broken({ attempt: 3 }))
      expect(yield* completedRuns).toHaveLength(3)
    }).pipe(Effect.provide(observed))
  )

  const isLast = (error: Broken) => error.attempt >= 2
  it.effect.each([
    ["until", { until: isLast }],
    ["until, by an effect", { until: (error: Broken) => Effect.succeed(isLast(error)) }],
    ["while, by an effect", { while: (error: Broken) => Effect.succeed(!isLast(error)) }],
    ["until, before its last time", { times: 9, until: isLast }],
    ["a schedule, until", { schedule: Schedule.forever, until: isLast }],
    ["times", { times: 1 }]
  ] as const)("takes an option of Effect.retry: %s", ([, retry]) =>
    Effect.gen(function* () {
      const work = failBefore(9).pipe(Botanu.workflow("W", { ...ids, retry }))
      expect(yield* Effect.flip(work)).toEqual(new Broken({ attempt: 2 }))
      expect(yield* completedRuns).toHaveLength(2)
    }).pipe(Effect.provide(observed))
  )

  it.effect("ends in the interruption of a policy that is interrupted, as with Effect.retry", () =>
    Effect.gen(function* () {
      const retry = { while: () => Effect.interrupt }
      const failing = Effect.fail("x")
      const bare = yield* Effect.exit(Effect.retry(failing, retry))
      const exit = yield* Effect.exit(Botanu.workflow(failing, "W", { ...ids, retry }))
      expect([Exit.isInterrupted(bare), Exit.isInterrupted(exit)]).toEqual([true, true])
      expect(yield* completedRuns).toHaveLength(1)
    }).pipe(Effect.provide(observed))
  )

  const notRetried: ReadonlyArray<readonly [what: string, body: Effect.Effect<never, InvalidRunContext>]> = [
    ["interruption", Effect.interrupt],
    ["a defect", Effect.die("x")],
    [
      "InvalidRunContext of a run inside",
      Effect.zipRight(Botanu.workflow(Effect.void, "Inner", { ...ids, eventId: "" }), Effect.never)
    ]
  ]
  for (const [what, body] of notRetried) {
    it.effect(`does not follow ${what}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(retried(body))
        expect(Exit.isFailure(exit)).toBe(true)
        expect(yield* completedRuns).toHaveLength(1)
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("of an option that is wrong fails once, with InvalidRunContext", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.void.pipe(Botanu.workflow("W", { ...ids, customerId: "", retry: Schedule.forever }))
      )
      expect(error).toBeInstanceOf(InvalidRunContext)
    })
  )

  it.effect("in another process goes on with the lineage that came as baggage", () =>
    Effect.gen(function* () {
      const sent: Array<Propagation.OutgoingHeaders> = []
      const send = Effect.map(Propagation.inject, (headers) => {
        sent.push(headers)
      })
      const body = Effect.zipRight(send, failBefore(4))
      yield* outer(
        Effect.exit(
          body.pipe(Botanu.workflow("Customer Support", { ...ids, tenantId: "acme", retry: Schedule.recurs(1) }))
        )
      )
      const before = (yield* byWorkflow("Customer Support")).map(({ run }) => run)
      const retryOf = Option.getOrThrow(yield* Propagation.extract(sent[1] ?? {}))
      const redelivered = yield* RunContext.pipe(
        Botanu.workflow("Customer Support", { ...ids, tenantId: "acme", retryOf, retry: Schedule.recurs(1) })
      )
      expect(redelivered).toMatchObject({
        attempt: 3,
        retryOfRunId: before[1]?.runId,
        rootRunId: before[0]?.runId,
        parentRunId: before[0]?.parentRunId,
        eventId: "ticket-42"
      })
      expect(before[0]?.parentRunId).toBe(only(yield* byWorkflow("Outer")).run.runId)
    }).pipe(Effect.provide([observed, full]))
  )
})

describe("Botanu.fn", () => {
  interface Ticket {
    readonly id: string
    readonly org: string
  }

  it.effect("takes ids from the arguments, in every attempt", () =>
    Effect.gen(function* () {
      const answer = Botanu.fn("Customer Support", {
        eventId: (ticket: Ticket) => ticket.id,
        customerId: (ticket) => ticket.org,
        tenantId: (ticket) => (ticket.org === "acme" ? "tenant" : undefined),
        version: "3",
        retry: Schedule.recurs(2)
      })(function* (ticket, greeting: string) {
        const run = yield* RunContext
        if (run.attempt < 3) return yield* new Broken({ attempt: run.attempt })
        return `${greeting}, ${ticket.org}: ${run.eventId} ${run.customerId} ${run.tenantId} ${run.workflowVersion}`
      })
      expect(yield* answer({ id: "t-1", org: "acme" }, "Dear")).toBe("Dear, acme: t-1 acme tenant 3")
      expect(yield* answer({ id: "t-2", org: "other" }, "Dear")).toBe("Dear, other: t-2 other undefined 3")
      expect((yield* completedRuns).map(({ run }) => [run.eventId, run.attempt])).toEqual([
        ["t-1", 1],
        ["t-1", 2],
        ["t-1", 3],
        ["t-2", 1],
        ["t-2", 2],
        ["t-2", 3]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("takes a body that gives an effect, and a run to retry", () =>
    Effect.gen(function* () {
      const previous = makeRun({ attempt: 4, rootRunId: otherRunId })
      const again = Botanu.fn("Customer Support", {
        eventId: (run: Run) => run.eventId,
        customerId: "bigretail",
        retryOf: (run) => run
      })((_run: Run) => RunContext)
      expect(yield* again(previous)).toMatchObject({ attempt: 5, rootRunId: otherRunId, retryOfRunId: previous.runId })
    })
  )

  it.effect("keeps `this`, the name and the length", () =>
    Effect.gen(function* () {
      class Desk {
        constructor(readonly org: string) {}
        readonly prefix = "desk"
        generated = Botanu.fn("Generated", { eventId: (id: string) => id, customerId: "c" })(function* (
          this: Desk,
          id,
          greeting: string
        ) {
          return `${greeting} ${yield* Effect.succeed(id)} ${this.org}`
        })
        made = Botanu.fn("Made", {
          eventId: function (this: Desk) {
            return `${this.prefix}-1`
          },
          customerId: "c"
        })(function (this: Desk) {
          return Effect.map(RunContext, ({ eventId }) => `${eventId} ${this.org}`)
        })
        streamed = Botanu.fn(
          function (this: Desk) {
            return Stream.make(this.org)
          },
          "Streamed",
          ids
        )
      }
      const desk = new Desk("acme")
      expect(yield* desk.generated("t-1", "Dear")).toBe("Dear t-1 acme")
      expect(yield* desk.made()).toBe("desk-1 acme")
      expect(yield* Stream.runHead(desk.streamed())).toEqual(Option.some("acme"))
      expect([desk.generated.name, desk.generated.length, desk.made.length]).toEqual(["Generated", 2, 0])
    })
  )

  it.effect("pipes what the body gives through what follows it, in the run and with the arguments", () =>
    Effect.gen(function* () {
      const answer = Botanu.fn("W", { ...ids, retry: { times: 1 } })(
        function* (n: number) {
          const { attempt } = yield* RunContext
          return attempt === 1 ? yield* new Broken({ attempt }) : n
        },
        (work, n) => Effect.map(work, (made) => [made, n]),
        (work) =>
          Effect.zip(
            work,
            Effect.map(RunContext, ({ attempt }) => attempt)
          )
      )
      expect(yield* answer(7)).toEqual([[7, 7], 2])
      const handled = Botanu.fn("Handled", ids)(
        () => Effect.fail("no"),
        Effect.catchAll(() => Effect.succeed("yes"))
      )
      expect(yield* handled()).toBe("yes")
      const thrown = Botanu.fn("Thrown", ids)(
        () => Effect.void,
        (): Effect.Effect<void> => {
          throw new RangeError("pipe")
        }
      )
      expect(Exit.isFailure(yield* Effect.exit(thrown()))).toBe(true)
      expect((yield* completedRuns).map(({ errorClass, run, status }) => [run.workflow, status, errorClass])).toEqual([
        ["W", "failure", "Broken"],
        ["W", "success", undefined],
        ["Handled", "success", undefined],
        ["Thrown", "failure", "RangeError"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("makes a run of a stream, with the body first or last", () =>
    Effect.gen(function* () {
      const last = Botanu.fn("Last", { eventId: (id: string) => id, customerId: "c" })((id) => Stream.make(id, id))
      const first = Botanu.fn((id: string) => Stream.make(id), "First", { eventId: (id) => id, customerId: "c" })
      const piped = Botanu.fn("Piped", ids)(
        (n: number) => Effect.succeed(n),
        (effect, n) => Stream.repeatEffect(effect).pipe(Stream.take(n))
      )
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(last("t-1")))).toEqual(["t-1", "t-1"])
      const twice = first("t-2")
      yield* Stream.runDrain(twice)
      yield* Stream.runDrain(twice)
      expect(yield* Stream.runCount(piped(3))).toBe(3)
      yield* Stream.runHead(last("t-3"))
      const wrong = yield* Effect.flip(Stream.runDrain(first("")))
      expect([wrong._tag, wrong.field]).toEqual(["InvalidRunContext", "eventId"])
      expect(
        (yield* completedRuns).map(({ cancellationReason, run, status }) => [
          run.workflow,
          run.eventId,
          status,
          cancellationReason
        ])
      ).toEqual([
        ["Last", "t-1", "success", undefined],
        ["First", "t-2", "success", undefined],
        ["First", "t-2", "success", undefined],
        ["Piped", "ticket-42", "success", undefined],
        ["Last", "t-3", "canceled", "consumer_stopped"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is a run each time that its effect is executed, and calls the body anew for each attempt", () =>
    Effect.gen(function* () {
      let calls = 0
      const body = () => {
        calls += 1
        const call = calls
        return call % 2 === 1 ? Effect.fail(call) : Effect.succeed(call)
      }
      const answer = Botanu.fn("W", { ...ids, retry: { times: 1 } })(body)()
      expect([yield* answer, yield* answer]).toEqual([2, 4])
      expect(yield* completedRuns).toHaveLength(4)
    }).pipe(Effect.provide(observed))
  )

  it.effect("dies where the body gives no work, and names what it gave", () =>
    Effect.gen(function* () {
      const none = Botanu.fn("W", ids)((() => undefined) as never as () => Effect.Effect<void>)
      const exit = yield* Effect.exit(none())
      expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toBe(
        "TypeError: the body: expected it to give an effect, a stream or a generator, got undefined"
      )
    })
  )

  describe("shows in the stack of an error", () => {
    const place = (line: string) => line.match(/Workflow\.test\.ts:(\d+):/)?.[1]
    const lineOf = (error: Error) => Number((error.stack ?? "").split("\n")[1]?.match(/:(\d+):\d+\)?$/)?.[1])
    const framesOf = (cause: Cause.Cause<unknown>, name: string) =>
      Cause.pretty(cause)
        .split("\n")
        .filter((line) => line.includes(`at ${name} (`))
        .map((line) => Number(place(line)))

    it.effect("where the function was made, and where it was called", () =>
      Effect.gen(function* () {
        const madeAt = lineOf(new Error()) + 1
        const answer = Botanu.fn(
          "Answer",
          ids
        )(function* () {
          return yield* Effect.fail(new Error("no"))
        })
        const calledAt = lineOf(new Error()) + 1
        const exit = yield* Effect.exit(answer())
        const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
        expect(framesOf(cause, "botanu.run/Answer")).toEqual([madeAt, calledAt])
        const { span } = yield* onlyRun
        const frames = String(span.attributes["code.stacktrace"]).split("\n")
        expect(frames.map((line) => Number(place(line)))).toEqual([madeAt, calledAt])
      }).pipe(Effect.provide(observed))
    )

    it.effect("where the workflow was called", () =>
      Effect.gen(function* () {
        const calledAt = lineOf(new Error()) + 1
        const exit = yield* Effect.exit(Botanu.workflow(Effect.fail(new Error("no")), "W", ids))
        expect(framesOf(Exit.isFailure(exit) ? exit.cause : Cause.empty, "botanu.run/W")).toEqual([calledAt])
        const { span } = yield* onlyRun
        expect(place(String(span.attributes["code.stacktrace"]))).toBe(String(calledAt))
      }).pipe(Effect.provide(observed))
    )
  })

  it.effect("dies where an id cannot be had from the arguments", () =>
    Effect.gen(function* () {
      const broken = Botanu.fn("W", {
        eventId: (): string => {
          throw new RangeError("no id")
        },
        customerId: "c"
      })(() => Effect.void)
      const exit = yield* Effect.exit(broken())
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
    })
  )
})

it.effect("a run without an exporter or a tracer of note is a run all the same", () =>
  Effect.gen(function* () {
    expect(yield* outer(inner(Effect.succeed(1))).pipe(Effect.withTracerEnabled(false))).toBe(1)
    expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success", "success"])
  }).pipe(Effect.provide(RunExporter.layerMemory))
)

it.effect("a tracer that throws is logged, and harms neither the program nor the record", () => {
  const lines: Array<string> = []
  const tracer = brokenTracer({
    attribute: (key) => (key === "botanu.run.duration_ms" ? tracerDown() : undefined),
    event: (name) => (name.startsWith("botanu.") ? tracerDown() : undefined),
    end: tracerDown
  })
  return Effect.gen(function* () {
    expect(yield* outer(Effect.as(Outcome.emit("partial"), 1))).toBe(1)
    expect((yield* completedRuns).map(({ outcome, status }) => [status, outcome?.status])).toEqual([
      ["success", "partial"]
    ])
    expect(yield* Botanu.activeRuns).toEqual([])
    expect(lines).toEqual([
      "the outcome was not recorded on the span: Error: tracer down",
      [
        "recording the start of a run on its span failed: Error: tracer down",
        "recording the end of a run on its span failed: Error: tracer down",
        "ending the span of a run failed: Error: tracer down"
      ].join("; ")
    ])
  }).pipe(Effect.withTracer(tracer), Effect.provide([RunExporter.layerMemory, logging(lines)]))
})
