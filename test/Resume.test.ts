import { describe, expect, it } from "@effect/vitest"
import {
  Clock,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  HashMap,
  HashSet,
  Logger,
  Option,
  Schedule,
  TestClock,
  type Tracer
} from "effect"
import { currentTracerWrappers } from "../src/fiber/TracerWrapper.js"
import {
  Botanu,
  BotanuConfig,
  DeadlineExceeded,
  Outcome,
  Propagation,
  type Run,
  RunCancelled,
  RunContext
} from "../src/index.js"
import { completedRuns, endedSpans, eventsOf, observed, onlyRun } from "./observed.js"
import { ids, instant, leanHeader, leanKeys, makeRun, otherRunId, runId, thirdRunId } from "./runs.js"

const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })

const senderTraceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const senderSpanId = "00f067aa0ba902b7"

/** A run that came in, with what came beside it. */
const received = (more = "") =>
  Effect.map(
    Propagation.extract({ baggage: `${leanHeader}${more}`, traceparent: `00-${senderTraceId}-${senderSpanId}-01` }),
    Option.getOrThrow
  )

const child = Botanu.workflow("Child", ids)

const enforce = { deadline: "enforce" } as const
const call = Propagation.injectWith({ deadline: true })

/** What log lines carry, one after the other. */
const logAnnotations = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make(({ annotations }) => {
      lines.push(Object.fromEntries(HashMap.toEntries(annotations)))
    })
    return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), lines)
  })

const parentIdOf = (span: Tracer.Span) => Option.getOrUndefined(span.parent)?.spanId

describe("a resumed run", () => {
  it.effect("is there for the work, and gone after it", () =>
    Effect.gen(function* () {
      const run = makeRun()
      expect(yield* RunContext.pipe(Botanu.resume(run))).toBe(run)
      expect(yield* Botanu.resume(RunContext, run)).toBe(run)
      expect(yield* Effect.serviceOption(RunContext)).toEqual(Option.none())
      yield* Effect.fail("broken").pipe(Botanu.resume(run), Effect.flip)
      yield* Effect.die("broken").pipe(Botanu.resume(run), Effect.exit)
      expect(yield* Effect.serviceOption(RunContext)).toEqual(Option.none())
    })
  )

  it.effect("leaves fibers that its work forked to the caller, also where it has a deadline", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const run = makeRun({ deadline: instant(5_000) })
      const fiber = yield* Botanu.resume(Effect.fork(Effect.as(latch.await, "done")), run, enforce)
      yield* Effect.zipRight(Effect.yieldNow(), latch.open)
      expect(yield* Fiber.join(fiber)).toBe("done")
    })
  )

  it.effect("ends fibers that its work forked at its deadline, before the caller goes on", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const child = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("child")))
      const work = Effect.zipRight(Effect.fork(child), Effect.never)
      const resumed = Effect.exit(Botanu.resume(work, makeRun({ deadline: instant(5_000) }), enforce))
      yield* Effect.fork(
        Effect.zipRight(
          resumed,
          Effect.zipRight(
            Effect.sync(() => log.push("caller")),
            Effect.never
          )
        )
      )
      yield* TestClock.adjust("5 seconds")
      expect(log).toEqual(["child", "caller"])
    })
  )

  it.effect.each([[undefined], [instant(5_000)]])(
    "is sent as cancelled by finalizers of its work, with deadline %s",
    ([deadline]) =>
      Effect.gen(function* () {
        const sent: Array<Record<string, string>> = []
        const work = Effect.onInterrupt(Effect.never, () => Effect.map(call, (headers) => sent.push({ ...headers })))
        const run = makeRun(deadline === undefined ? {} : { deadline })
        const fiber = yield* Effect.fork(Botanu.resume(work, run, enforce))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        expect(sent.map(({ baggage = "" }) => baggage.includes("botanu.cancelled=true"))).toEqual([true])
      }).pipe(Effect.provide(full))
  )

  it.effect("gives the result, the failure or the defect of the work", () =>
    Effect.gen(function* () {
      const run = makeRun({ deadline: instant(1_000) })
      for (const of of [makeRun(), run]) {
        expect(yield* Effect.succeed(1).pipe(Botanu.resume(of))).toBe(1)
        expect(yield* Effect.fail("broken").pipe(Botanu.resume(of), Effect.exit)).toEqual(Exit.fail("broken"))
        expect(yield* Effect.die("broken").pipe(Botanu.resume(of), Effect.exit)).toEqual(Exit.die("broken"))
        expect(Exit.isInterrupted(yield* Effect.interrupt.pipe(Botanu.resume(of), Effect.exit))).toBe(true)
      }
    })
  )

  it.effect("is on every span and log line made in the work, and on no other", () =>
    Effect.gen(function* () {
      const lines = yield* logAnnotations(
        Effect.gen(function* () {
          yield* Effect.zipRight(Effect.log("in"), Effect.fork(Effect.log("forked"))).pipe(
            Effect.flatMap(Fiber.join),
            Effect.withSpan("in"),
            Botanu.resume(makeRun()),
            Effect.withSpan("edge")
          )
          yield* Effect.log("out").pipe(Effect.withSpan("out"))
        }).pipe(Effect.annotateLogs("user", "log"), Effect.annotateSpans("user", "span"))
      )
      expect(lines).toEqual([{ user: "log", ...leanKeys }, { user: "log", ...leanKeys }, { user: "log" }])
      expect((yield* endedSpans).map(({ attributes, name }) => [name, attributes])).toEqual([
        ["in", { user: "span", ...leanKeys }],
        ["edge", { user: "span" }],
        ["out", { user: "span" }]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is there with three keys more in full mode", () =>
    Effect.gen(function* () {
      const run = makeRun({ tenantId: "acme", parentRunId: otherRunId })
      yield* Effect.void.pipe(Effect.withSpan("in"), Botanu.resume(run))
      expect((yield* endedSpans)[0]?.attributes).toEqual({
        ...leanKeys,
        "botanu.environment": "production",
        "botanu.tenant_id": "acme",
        "botanu.parent_run_id": otherRunId
      })
    }).pipe(Effect.provide([observed, full]))
  )

  it.effect("is neither started nor completed; a workflow in it is its child, with its deadline", () =>
    Effect.gen(function* () {
      const run = makeRun({ deadline: instant(60_000), attempt: 3, rootRunId: thirdRunId })
      const { active, inner } = yield* Effect.zipWith(Botanu.activeRuns, RunContext.pipe(child), (active, inner) => ({
        active,
        inner
      })).pipe(Botanu.resume(run, enforce))
      expect(active).toEqual([])
      const { completed } = yield* onlyRun
      expect(completed.run).toEqual(inner)
      expect(inner).toMatchObject({
        workflow: "Child",
        parentRunId: runId,
        rootRunId: inner.runId,
        attempt: 1,
        deadline: instant(60_000)
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("replaces the run around it, and gives way to it again", () =>
    Effect.gen(function* () {
      const outer = makeRun({ tenantId: "acme" })
      const inner = makeRun({ runId: otherRunId, rootRunId: otherRunId, workflow: "Billing" })
      const look = Effect.zipRight(Effect.log("look"), RunContext)
      const seen: Array<Run> = []
      const see = Effect.map(look, (run) => seen.push(run))
      const lines = yield* logAnnotations(
        see.pipe(Effect.zipRight(Botanu.resume(see, inner)), Effect.zipRight(see), Botanu.resume(outer))
      )
      expect(seen).toEqual([outer, inner, outer])
      const [first, second, third] = lines
      expect(first).toMatchObject({ ...leanKeys, "botanu.tenant_id": "acme" })
      expect(second).toEqual({
        ...leanKeys,
        "botanu.run_id": otherRunId,
        "botanu.workflow": "Billing",
        "botanu.environment": "production"
      })
      expect(third).toEqual(first)
    }).pipe(Effect.provide(full))
  )

  it.effect("within a run that is active here has that one's cancellation, and not its deadline", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<Run>()
      const inner = Effect.zipRight(
        Effect.flatMap(RunContext, (run) => Deferred.succeed(started, run)),
        Effect.never
      )
      const fiber = yield* Effect.fork(
        Effect.flatMap(RunContext, ({ runId }) =>
          Effect.zipRight(
            Effect.forkDaemon(Effect.flatMap(Deferred.await(started), () => Botanu.cancel(runId, "operator"))),
            inner.pipe(child, Botanu.resume(makeRun({ deadline: instant(60_000) }), enforce))
          )
        ).pipe(Botanu.workflow("Outer", { ...ids, deadline: "1 second" }))
      )
      yield* Fiber.await(fiber)
      expect((yield* Deferred.await(started)).deadline).toEqual(instant(60_000))
      expect((yield* completedRuns).map(({ cancellationReason, run }) => [run.workflow, cancellationReason])).toEqual([
        ["Child", "operator"],
        ["Outer", "operator"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("sends the foreign baggage on that came with it, from runs inside too", () =>
    Effect.gen(function* () {
      const run = yield* received(",tenant=x%20y;ttl=1")
      const sent = yield* Effect.zip(Propagation.inject, Propagation.inject.pipe(child)).pipe(Botanu.resume(run))
      for (const { baggage } of sent) expect(baggage?.endsWith(",tenant=x%20y;ttl=1")).toBe(true)
      expect(sent[0]["baggage"]?.startsWith(`${leanHeader},`)).toBe(true)
      expect(sent[1]["baggage"]).toContain("botanu.workflow=Child")
    })
  )

  it.effect("has the tracer that an integration wants for it", () =>
    Effect.gen(function* () {
      const tracer = yield* Effect.tracer
      const ambient: Tracer.Tracer = { ...tracer }
      const seen = yield* Effect.tracer.pipe(
        Botanu.resume(makeRun()),
        Effect.locally(
          currentTracerWrappers,
          HashSet.make((from: Tracer.Tracer) => (from === tracer ? ambient : from))
        )
      )
      expect(seen).toBe(ambient)
      expect(yield* Effect.tracer).toBe(tracer)
    })
  )

  it.effect("is the right one among many that are worked on at once", () =>
    Effect.gen(function* () {
      const work = (index: number) =>
        Effect.gen(function* () {
          yield* Effect.yieldNow()
          const { eventId } = yield* RunContext
          yield* Effect.sleep(`${index % 7} seconds`)
          const { baggage } = yield* Propagation.inject
          return [eventId, baggage?.includes(`botanu.event_id=event-${index},`)]
        }).pipe(Botanu.resume(makeRun({ eventId: `event-${index}`, ...(index % 2 && { deadline: instant(60_000) }) })))
      const numbers = Array.from({ length: 100 }, (_, index) => index)
      const fiber = yield* Effect.fork(Effect.forEach(numbers, work, { concurrency: "unbounded" }))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(numbers.map((index) => [`event-${index}`, true]))
    })
  )
})

describe("the sender's span", () => {
  it.effect("is the parent of the work where no span is open, and of runs in it", () =>
    Effect.gen(function* () {
      const run = yield* received()
      yield* Effect.void.pipe(Effect.withSpan("in"), Botanu.resume(run))
      yield* Effect.void.pipe(child, Botanu.resume(run))
      for (const span of yield* endedSpans) {
        expect(span.spanContext().traceId).toBe(senderTraceId)
        expect(span.parentSpanContext?.spanId).toBe(senderSpanId)
      }
      expect((yield* endedSpans).map(({ name }) => name)).toEqual(["in", "botanu.run/Child"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is not where one is open", () =>
    Effect.gen(function* () {
      const run = yield* received()
      const [outer, span] = yield* Effect.makeSpan("in").pipe(
        Botanu.resume(run),
        Effect.zipWith(Effect.currentSpan, (span, outer) => [outer, span] as const),
        Effect.withSpan("outer")
      )
      expect(parentIdOf(span)).toBe(outer.spanId)
      expect(span.traceId).not.toBe(senderTraceId)
    })
  )

  it.effect("is not the parent of what comes after the work", () =>
    Effect.gen(function* () {
      yield* Effect.void.pipe(Botanu.resume(yield* received()))
      expect(parentIdOf(yield* Effect.makeSpan("next"))).toBeUndefined()
    })
  )

  it.effect("is linked from the next attempt, also where that has another parent", () =>
    Effect.gen(function* () {
      const retryOf = yield* received()
      const again = Effect.void.pipe(Botanu.workflow("Customer Support", { ...ids, retryOf }))
      yield* again
      yield* Effect.withSpan(again, "outer")
      const spans = (yield* endedSpans).filter(({ name }) => name === "botanu.run/Customer Support")
      expect(spans).toHaveLength(2)
      for (const span of spans) {
        expect(span.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
          [senderTraceId, senderSpanId]
        ])
        expect(span.spanContext().traceId).not.toBe(senderTraceId)
        expect(span.attributes).toMatchObject({ "botanu.attempt": 2, "botanu.retry_of_run_id": runId })
      }
    }).pipe(Effect.provide(observed))
  )

  it.effect("is linked from the first of several attempts only; the others are linked to the one before", () =>
    Effect.gen(function* () {
      const retryOf = yield* received()
      yield* Effect.fail("broken").pipe(
        Botanu.workflow("Customer Support", { ...ids, retryOf, retry: Schedule.recurs(1) }),
        Effect.exit
      )
      const [second, third] = yield* endedSpans
      expect(second?.links.map(({ context }) => context.spanId)).toEqual([senderSpanId])
      expect(third?.links.map(({ context }) => context.spanId)).toEqual([second?.spanContext().spanId])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is linked from nothing where the run before came without one", () =>
    Effect.gen(function* () {
      yield* Effect.void.pipe(Botanu.workflow("Customer Support", { ...ids, retryOf: makeRun() }))
      expect((yield* onlyRun).span.links).toEqual([])
    }).pipe(Effect.provide(observed))
  )
})

describe("an outcome", () => {
  const emit = Outcome.emit("partial", { valueType: "tickets_resolved", valueAmount: 1 })

  it.effect("goes to the span that was current when the run was joined", () =>
    Effect.gen(function* () {
      yield* emit.pipe(Effect.withSpan("in"), Botanu.resume(yield* received()), Effect.withSpan("edge"))
      const [inner, edge] = yield* endedSpans
      expect(edge?.attributes).toMatchObject({
        "botanu.run_id": runId,
        "botanu.outcome.status": "partial",
        "botanu.outcome.value_amount": 1
      })
      expect(edge && eventsOf(edge)).toEqual(["botanu.outcome_emitted"])
      expect(inner?.attributes).toEqual(leanKeys)
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is not lost where no span was open then: it goes to the one that is", () =>
    Effect.gen(function* () {
      yield* emit.pipe(Effect.withSpan("in"), Botanu.resume(yield* received()))
      yield* emit.pipe(Effect.withSpan("in"), Botanu.resume(makeRun()))
      const spans = yield* endedSpans
      expect(spans.map(({ attributes }) => attributes["botanu.outcome.status"])).toEqual(["partial", "partial"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("harms nothing where there is no span at all", () =>
    Effect.gen(function* () {
      yield* emit.pipe(Botanu.resume(yield* received()))
      yield* emit.pipe(Botanu.resume(makeRun()))
    })
  )
})

describe("the deadline of a resumed run, where it is enforced", () => {
  const run = makeRun({ deadline: instant(1_000) })
  const exceeded = new DeadlineExceeded({ runId, workflow: "Customer Support", deadline: instant(1_000) })

  it.effect("interrupts the work; its finalizers are waited for, and say that the run is cancelled", () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<Propagation.OutgoingHeaders>()
      const finalizer = Effect.zipRight(
        Effect.sleep("5 seconds"),
        Effect.flatMap(call, (headers) => Deferred.succeed(sent, headers))
      )
      const fiber = yield* Effect.never.pipe(
        Effect.onExit(() => finalizer),
        Botanu.resume(run, enforce),
        Effect.flip,
        Effect.fork
      )
      yield* TestClock.adjust("5999 millis")
      expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toEqual(exceeded)
      expect((yield* Deferred.await(sent))["baggage"]).toMatch(/,botanu\.deadline=1000,botanu\.cancelled=true$/)
    }).pipe(Effect.provide(full))
  )

  it.effect("says cancelled in finalizers where the clock has not come to it", () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<Propagation.OutgoingHeaders>()
      const fiber = yield* Effect.never.pipe(
        Effect.onInterrupt(() => Effect.flatMap(call, (headers) => Deferred.succeed(sent, headers))),
        Botanu.resume(makeRun()),
        Effect.fork
      )
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect((yield* Deferred.await(sent))["baggage"]).toMatch(/,botanu\.cancelled=true$/)
    }).pipe(Effect.provide(full))
  )

  it.effect("does nothing to work that is done before", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.as(Effect.sleep("999 millis"), 1).pipe(Botanu.resume(run, enforce)))
      yield* TestClock.adjust("999 millis")
      expect(yield* Fiber.join(fiber)).toBe(1)
    })
  )

  it.effect("discards what uninterruptible work gives after it", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        Effect.flip(Effect.uninterruptible(Effect.sleep("2 seconds")).pipe(Botanu.resume(run, enforce)))
      )
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(exceeded)
    })
  )

  for (const now of [1_000, 1_001, 1e12]) {
    it.effect(`that has passed, at ${now}, fails at once, and nothing is done`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(now)
        let done = false
        const work = Effect.sync(() => {
          done = true
        })
        const error = yield* Effect.flip(work.pipe(Botanu.resume(run, enforce)))
        expect(error).toEqual(exceeded)
        expect(error.message).toBe(
          `run ${runId} of workflow "Customer Support" passed its deadline, 1970-01-01T00:00:01.000Z`
        )
        expect(done).toBe(false)
      })
    )
  }

  it.effect("may be as far away as an instant can be", () =>
    Effect.gen(function* () {
      const far = makeRun({ deadline: instant(8.64e15) })
      expect(yield* Effect.yieldNow().pipe(Effect.as(1), Botanu.resume(far, enforce))).toBe(1)
    })
  )

  const body = Effect.never
  const shared: ReadonlyArray<readonly [which: string, work: Effect.Effect<unknown, unknown>]> = [
    ["is inherited by a run inside", body.pipe(child)],
    ["is inherited by a run in that", body.pipe(child, Botanu.workflow("Middle", ids))],
    ["comes before that of a run inside", body.pipe(Botanu.workflow("Child", { ...ids, deadline: "1 minute" }))],
    ["is that of a run inside", body.pipe(Botanu.workflow("Child", { ...ids, deadline: "1 second" }))],
    [
      "comes in the middle of a retry inside",
      body.pipe(Botanu.workflow("Child", { ...ids, deadline: "1 minute", retry: Schedule.spaced("10 millis") }))
    ],
    ["is inherited by a run in a forked fiber", Effect.flatMap(Effect.fork(body.pipe(child)), Fiber.join)],
    ["is inherited by one of several at once", Effect.all([body.pipe(child), body], { concurrency: "unbounded" })],
    ["is that of a run joined inside", body.pipe(Botanu.resume(makeRun({ deadline: instant(1_000) }), enforce))]
  ]
  for (const [which, work] of shared) {
    it.effect(`fails with DeadlineExceeded where it ${which}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(Effect.flip(work.pipe(Botanu.resume(run, enforce))))
        yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(fiber)
        expect(error).toBeInstanceOf(DeadlineExceeded)
        expect(error).toMatchObject({ deadline: instant(1_000) })
        for (const { status } of yield* completedRuns) expect(status).toBe("timeout")
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is not confused with an earlier one of a run inside, nor with a timeout of the user's", () =>
    Effect.gen(function* () {
      const own = body.pipe(Botanu.workflow("Child", { ...ids, deadline: "100 millis" }))
      const timed = Effect.timeout(body, "100 millis")
      const fiber = yield* Effect.fork(
        Effect.all([
          Effect.flip(own.pipe(Botanu.resume(run, enforce))),
          Effect.flip(timed.pipe(Botanu.resume(run, enforce)))
        ])
      )
      yield* TestClock.adjust("200 millis")
      const [ofChild, ofUser] = yield* Fiber.join(fiber)
      expect(ofChild).toMatchObject({ _tag: "DeadlineExceeded", workflow: "Child", deadline: instant(100) })
      expect(ofUser._tag).toBe("TimeoutException")
    }).pipe(Effect.provide(observed))
  )

  it.effect("changes nothing for work that fails before it, or that blocked past it and then ended", () =>
    Effect.gen(function* () {
      const broken = Effect.zipRight(Effect.sleep("500 millis"), Effect.fail("broken"))
      const several = Effect.all([broken, body], { concurrency: "unbounded" })
      const fiber = yield* Effect.fork(Effect.flip(several.pipe(Botanu.resume(run, enforce))))
      yield* TestClock.adjust("500 millis")
      expect(yield* Fiber.join(fiber)).toBe("broken")

      for (const end of [Exit.succeed(1), Exit.fail("broken"), Exit.die("broken")]) {
        const stopped = new StoppedClock()
        const ended = Effect.zipRight(stopped.setTime(2_000), end).pipe(
          Botanu.resume(run, enforce),
          Effect.withClock(stopped)
        )
        expect(yield* Effect.exit(ended)).toEqual(end)
      }
    })
  )
})

/** A clock whose timers have no turn, as while JavaScript blocks. */
class StoppedClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private now = 0
  readonly currentTimeMillis = Effect.sync(() => this.now)
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  setTime(millis: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.now = millis
    })
  }

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.now) * 1_000_000n
  }

  sleep(): Effect.Effect<void> {
    return Effect.never
  }
}

describe("a run that came in cancelled, where that is enforced", () => {
  it.effect("fails with RunCancelled, and nothing is done; its deadline makes no difference", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2_000)
      let done = false
      const work = Effect.sync(() => {
        done = true
      })
      for (const deadline of [{}, { deadline: instant(1_000) }, { deadline: instant(3_000) }]) {
        const error = yield* Effect.flip(work.pipe(Botanu.resume(makeRun({ cancelled: true, ...deadline }), enforce)))
        expect(error).toEqual(new RunCancelled({ runId, workflow: "Customer Support" }))
        expect(error.message).toBe(`run ${runId} of workflow "Customer Support" was cancelled before it came in`)
      }
      expect(done).toBe(false)
    })
  )

  it.effect("as headers say it", () =>
    Effect.gen(function* () {
      const run = yield* received(",botanu.cancelled=TRUE")
      expect((yield* Effect.flip(Effect.void.pipe(Botanu.resume(run, enforce))))._tag).toBe("RunCancelled")
    })
  )
})

describe("a run that came in with a message, which outlives its sender", () => {
  const dead = ",botanu.deadline=1000,botanu.cancelled=true,botanu.tenant_id=acme,tier=gold"

  it.effect("is worked on past its deadline and cancelled, and what came beside it goes on", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2_000)
      const run = yield* received(dead)
      const both = Effect.all([RunContext, Propagation.inject, call])
      for (const resumed of [both.pipe(Botanu.resume(run)), Botanu.resume(both, run)]) {
        const [current, ...sent] = yield* resumed
        expect(current).toEqual(makeRun({ tenantId: "acme", environment: "unknown", startTime: instant(2_000) }))
        for (const headers of sent) {
          expect(headers).toEqual({
            baggage: `${leanHeader},tier=gold,botanu.environment=unknown,botanu.tenant_id=acme`,
            traceparent: `00-${senderTraceId}-${senderSpanId}-01`
          })
        }
      }
    })
  )

  it.effect("hands neither down to the runs inside of it, which end as they end", () =>
    Effect.gen(function* () {
      const run = yield* received(dead)
      const fiber = yield* Effect.fork(Effect.as(Effect.sleep("5 seconds"), "shipped").pipe(child, Botanu.resume(run)))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(fiber)).toBe("shipped")
      const { completed } = yield* onlyRun
      expect(completed).toMatchObject({ status: "success", run: { parentRunId: runId, cancelled: false } })
      expect(completed.run.deadline).toBeUndefined()
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the deadline of its own workflow", () =>
    Effect.gen(function* () {
      const run = yield* received(dead)
      const own = Effect.never.pipe(Botanu.workflow("Child", { ...ids, deadline: "3 seconds" }), Botanu.resume(run))
      const fiber = yield* Effect.fork(Effect.flip(own))
      yield* TestClock.adjust("3 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "DeadlineExceeded", deadline: instant(3_000) })
    })
  )

  it.effect("is the very same where neither came in", () =>
    Effect.gen(function* () {
      const run = yield* received()
      expect(yield* RunContext.pipe(Botanu.resume(run, { deadline: "ignore" }))).toBe(run)
    })
  )

  it.effect("survives a sender that is cancelled while it sends", () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<Propagation.OutgoingHeaders>()
      const compensate = Effect.flatMap(Propagation.inject, (headers) => Deferred.succeed(sent, headers))
      const fiber = yield* Effect.flatMap(Effect.context<RunContext>(), (context) =>
        Effect.onInterrupt(Effect.never, () => Effect.provide(compensate, context))
      ).pipe(Botanu.workflow("Take Payment", { ...ids, deadline: "1 second" }), Effect.fork)
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      const headers = yield* Deferred.await(sent)
      const incoming = yield* Propagation.extract(headers)
      expect(yield* Effect.succeed("refunded").pipe(child, Botanu.resume(incoming))).toBe("refunded")
      expect(headers["baggage"]).not.toMatch(/deadline|cancelled/)
    }).pipe(Effect.provide(full))
  )
})

describe("a run that may have come in", () => {
  it.effect("is resumed where it has", () =>
    Effect.gen(function* () {
      const run = makeRun({ deadline: instant(1_000) })
      const current = Effect.serviceOption(RunContext)
      expect(yield* current.pipe(Botanu.resume(Option.some(run), enforce))).toEqual(Option.some(run))
      expect(yield* Botanu.resume(current, Option.some(run), enforce)).toEqual(Option.some(run))
      expect(yield* Botanu.resume(current, run, enforce)).toEqual(Option.some(run))
      yield* TestClock.setTime(1_000)
      for (const late of [
        current.pipe(Botanu.resume(Option.some(run), enforce)),
        Botanu.resume(current, Option.some(run), enforce)
      ]) {
        expect((yield* Effect.flip(late))._tag).toBe("DeadlineExceeded")
      }
    })
  )

  it.effect("leaves the work as it is where it has not", () =>
    Effect.gen(function* () {
      const current = Effect.serviceOption(RunContext)
      expect(Botanu.resume(current, Option.none())).toBe(current)
      expect(current.pipe(Botanu.resume(Option.none()))).toBe(current)
      const around = makeRun()
      expect(yield* current.pipe(Botanu.resume(Option.none()), Botanu.resume(around))).toEqual(Option.some(around))
    })
  )
})

describe("work on a resumed run", () => {
  class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}
  const bounds: ReadonlyArray<readonly [which: string, run: Run]> = [
    ["without a deadline", makeRun()],
    ["with a deadline", makeRun({ deadline: instant(60_000) })]
  ]

  for (const [which, run] of bounds) {
    it.effect(`keeps the services of its caller, and leaves it what it set in fiber references, ${which}`, () =>
      Effect.gen(function* () {
        const counter = yield* FiberRef.make(0)
        const work = Effect.zipRight(
          FiberRef.update(counter, (count) => count + 1),
          Greeting
        )
        expect(yield* work.pipe(Botanu.resume(run, enforce))).toBe("hello")
        expect(yield* FiberRef.get(counter)).toBe(1)
      }).pipe(Effect.provideService(Greeting, "hello"), Effect.scoped)
    )

    it.effect(`is interrupted with its caller, who waits for its finalizers, ${which}`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const log: Array<string> = []
        const work = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(
          Effect.ensuring(
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => log.push("finalized"))
            )
          )
        )
        const fiber = yield* Effect.fork(work.pipe(Botanu.resume(run, enforce)))
        yield* Deferred.await(begun)
        const exit = yield* Fiber.interrupt(fiber)
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect(log).toEqual(["finalized"])
      })
    )

    it.effect(`may be done over and over by one fiber, ${which}`, () =>
      Effect.gen(function* () {
        yield* Effect.forEach(Array.from({ length: 2_000 }), () => RunContext.pipe(Botanu.resume(run, enforce)), {
          discard: true
        })
        expect(yield* Effect.serviceOption(RunContext)).toEqual(Option.none())
      })
    )
  }

  it.effect("that outlives it still sees the run", () =>
    Effect.gen(function* () {
      const over = yield* Deferred.make<void>()
      const daemon = yield* Effect.forkDaemon(Effect.zipRight(Deferred.await(over), RunContext)).pipe(
        Botanu.resume(makeRun())
      )
      yield* Deferred.succeed(over, undefined)
      expect((yield* Fiber.join(daemon)).runId).toBe(runId)
    })
  )

  it.effect("that is woken up by it, and began outside, sees no run", () =>
    Effect.gen(function* () {
      const signal = yield* Deferred.make<void>()
      const worker = yield* Effect.fork(Effect.zipRight(Deferred.await(signal), Effect.serviceOption(RunContext)))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(signal, undefined).pipe(Botanu.resume(makeRun()))
      expect(yield* Fiber.join(worker)).toEqual(Option.none())
    })
  )
})
