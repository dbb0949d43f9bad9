import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Deferred, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"
import { Botanu, Llm, Propagation } from "../src/index.js"
import { completedRuns, endedSpans, observed, onlyRun } from "./observed.js"
import { ids } from "./runs.js"
import { spend } from "./usages.js"

const inRun = <A, E, R>(stream: Stream.Stream<A, E, R>) => Botanu.workflow(stream, "Support", ids)

/** The status and the reason of each run, and how many are still active. */
const ends = Effect.gen(function* () {
  const active = yield* Botanu.activeRuns
  const completed = yield* completedRuns
  return [...completed.map(({ cancellationReason, status }) => [status, cancellationReason]), active.length]
})

const stopped = [["canceled", "consumer_stopped"], 0]

const call = Effect.succeed({ input: 3 }).pipe(
  Llm.track({ provider: "openai", model: "m", usage: ({ input }: { input: number }) => ({ inputTokens: input }) })
)

describe("a stream that is a run", () => {
  it.effect("gives what it gives, and is a success at its end", () =>
    Effect.gen(function* () {
      const stream = inRun(Stream.range(1, 100, 7))
      expect(yield* ends).toEqual([0])
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(stream))).toEqual(
        Array.from({ length: 100 }, (_, i) => i + 1)
      )
      expect(yield* ends).toEqual([["success", undefined], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is active from the first pull on, and a run of its own each time that it is run", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const stream = inRun(
        Stream.fromEffect(Effect.map(Botanu.activeRuns, (runs) => seen.push(...runs.map((r) => r.runId))))
      )
      yield* Stream.runDrain(stream)
      yield* Stream.runDrain(stream)
      expect((yield* completedRuns).map(({ run }) => run.runId)).toEqual(seen)
      expect(new Set(seen).size).toBe(2)
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the usage of its calls on its record, and their spans below its span; not those of its consumer", () =>
    Effect.gen(function* () {
      const source = Stream.mapEffect(Stream.make(1, 2), () => call)
      yield* inRun(source).pipe(Stream.runForEach(() => Effect.withSpan(Effect.void, "consumer")))
      const { completed, span } = yield* onlyRun
      expect(completed.totals.inputTokens).toBe(6)
      const spans = yield* endedSpans
      const parents = (name: string) => spans.filter((s) => s.name === name).map((s) => s.parentSpanContext?.spanId)
      const own = span.spanContext().spanId
      expect(parents("chat m")).toEqual([own, own])
      expect(parents("consumer")).toEqual([undefined, undefined])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails as it fails", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Stream.runDrain(inRun(Stream.concat(Stream.make(1), Stream.fail("broken")))))
      expect(exit).toEqual(Exit.fail("broken"))
      const defect = yield* Effect.exit(Stream.runDrain(inRun(Stream.die("a defect"))))
      expect(defect).toEqual(Exit.die("a defect"))
      expect(yield* ends).toEqual([["failure", undefined], ["failure", undefined], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("refuses options that are not valid, in the stream", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Stream.runDrain(Botanu.workflow(Stream.make(1), "", ids)))
      expect(error._tag).toBe("InvalidRunContext")
      expect(yield* ends).toEqual([0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails at its deadline with DeadlineExceeded, in a pull and between pulls", () =>
    Effect.gen(function* () {
      const bounded = <A>(stream: Stream.Stream<A>) =>
        Botanu.workflow(stream, "Support", { ...ids, deadline: "1 second" })
      const inPull = yield* Effect.fork(Effect.flip(Stream.runDrain(bounded(Stream.never))))
      yield* TestClock.adjust("2 seconds")
      expect((yield* Fiber.join(inPull))._tag).toBe("DeadlineExceeded")
      const slow = Stream.runForEach(bounded(Stream.make(1, 2)), () => Effect.sleep("2 seconds"))
      const between = yield* Effect.fork(Effect.flip(slow))
      yield* TestClock.adjust("4 seconds")
      expect((yield* Fiber.join(between))._tag).toBe("DeadlineExceeded")
      expect(yield* ends).toEqual([["timeout", undefined], ["timeout", undefined], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is stopped by Botanu.cancel between two pulls", () =>
    Effect.gen(function* () {
      const cancelled = Effect.gen(function* () {
        const pull = yield* Stream.toPull(inRun(Stream.rechunk(Stream.make(1, 2, 3), 1)))
        expect(Chunk.toReadonlyArray(yield* pull)).toEqual([1])
        const [run] = yield* Botanu.activeRuns
        expect(yield* Botanu.cancel(run?.runId ?? "", "closed")).toBe(true)
        expect(Exit.isInterrupted(yield* Effect.exit(pull))).toBe(true)
      })
      yield* Effect.scoped(cancelled)
      expect(yield* ends).toEqual([["canceled", "closed"], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("says why it was cancelled, also where its consumer stops then", () =>
    Effect.gen(function* () {
      const cancelled = Effect.gen(function* () {
        yield* yield* Stream.toPull(inRun(Stream.rechunk(Stream.make(1, 2), 1)))
        const [run] = yield* Botanu.activeRuns
        yield* Botanu.cancel(run?.runId ?? "", "closed")
      })
      yield* Effect.scoped(cancelled)
      expect(yield* ends).toEqual([["canceled", "closed"], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that interrupts itself is not stopped by its consumer", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Stream.runDrain(inRun(Stream.fromEffect(Effect.interrupt))))
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(yield* ends).toEqual([["canceled", "interrupted"], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails where its options are refused", () =>
    Effect.gen(function* () {
      const refused = Botanu.workflow(Stream.make(1), "Support", { ...ids, eventId: "" })
      expect(yield* Effect.flip(Stream.runDrain(refused))).toMatchObject({
        _tag: "InvalidRunContext",
        field: "eventId"
      })
      expect(yield* ends).toEqual([0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails where its budget is refused", () =>
    Effect.gen(function* () {
      const refused = Botanu.workflow(Stream.make(1), "Support", {
        ...ids,
        budget: { usd: -1, children: false, retries: false }
      })
      expect(yield* Effect.flip(Stream.runDrain(refused))).toMatchObject({ _tag: "InvalidRunContext" })
      expect(yield* ends).toEqual([0])
    }).pipe(Effect.provide(observed))
  )

  const dying = <E>(stream: Stream.Stream<number, E>) => Stream.ensuring(stream, Effect.die("in a finalizer"))
  it.effect.each([
    ["it has come to its end", dying(Stream.make(1)), 9],
    ["it has failed", dying(Stream.concat(Stream.make(1), Stream.fail("broken"))), 9],
    ["its consumer has stopped", dying(Stream.make(1, 2)), 1]
  ] as const)("says of its finalizer's death what Stream.toPull does, after %s", ([, stream, count]) =>
    Effect.gen(function* () {
      const bare: Stream.Stream<number, unknown> = stream
      const taken = (stream: Stream.Stream<number, unknown>) => Effect.exit(Stream.runDrain(Stream.take(stream, count)))
      const partsOf = (exit: Exit.Exit<void, unknown>) =>
        Exit.isFailure(exit) ? [[...Cause.defects(exit.cause)], [...Cause.failures(exit.cause)]] : []
      expect(partsOf(yield* taken(inRun(bare)))).toEqual(partsOf(yield* taken(Stream.fromPull(Stream.toPull(bare)))))
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("leaves at work what a pull forks, as it is alone", () =>
    Effect.gen(function* () {
      const done = (stream: (source: Stream.Stream<number>) => Stream.Stream<number, unknown>) =>
        Effect.gen(function* () {
          const log: Array<number> = []
          const forking = Stream.tap(Stream.rechunk(Stream.make(1, 2), 1), (n) =>
            Effect.fork(
              Effect.delay(
                Effect.sync(() => log.push(n)),
                "1 second"
              )
            )
          )
          const slow = Stream.runForEach(stream(forking), () => Effect.sleep("3 seconds"))
          const consumer = yield* Effect.fork(slow)
          yield* TestClock.adjust("6 seconds")
          yield* Fiber.join(consumer)
          return log
        })
      const bare = yield* done((source) => source)
      expect(yield* done(inRun)).toEqual(bare)
      expect(bare).toEqual([1, 2])
    }).pipe(Effect.provide(observed))
  )

  it.effect(
    "is not sent as cancelled by its finalizers where it has come to its end, whatever becomes of its consumer",
    () =>
      Effect.gen(function* () {
        const latch = yield* Effect.makeLatch()
        const sent: Array<string | undefined> = []
        const send = Effect.map(Propagation.injectWith({ deadline: true, mode: "full" }), ({ baggage }) => {
          sent.push(baggage)
        })
        const source = Stream.ensuring(Stream.make(1), Effect.zipRight(latch.await, send))
        const consumer = yield* Effect.fork(Stream.runDrain(inRun(source)))
        yield* Effect.yieldNow()
        yield* Fiber.interruptFork(consumer)
        yield* Effect.yieldNow()
        yield* latch.open
        yield* Fiber.await(consumer)
        expect(sent.map((baggage = "") => baggage.includes("cancelled"))).toEqual([false])
        expect(yield* ends).toEqual([["success", undefined], 0])
      }).pipe(Effect.provide(observed))
  )

  it.effect("has ended for good when it has ended", () =>
    Effect.gen(function* () {
      let ends = 0
      const source = Stream.ensuring(
        Stream.make(1),
        Effect.sync(() => ends++)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const pull = yield* Stream.toPull(inRun(source))
          yield* pull
          for (let again = 0; again < 3; again++) expect(yield* Effect.flip(pull)).toEqual(Option.none())
        })
      )
      expect(ends).toBe(1)
      expect((yield* onlyRun).completed.status).toBe("success")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is stopped by Botanu.cancel, and its consumer goes on", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const source = Stream.concat(Stream.execute(Deferred.succeed(started, undefined)), Stream.never)
      const consumer = yield* Effect.fork(Effect.as(Effect.exit(Stream.runDrain(inRun(source))), "goes on"))
      yield* Deferred.await(started)
      const [run] = yield* Botanu.activeRuns
      yield* Botanu.cancel(run?.runId ?? "", "closed")
      expect(yield* Fiber.join(consumer)).toBe("goes on")
      expect(yield* ends).toEqual([["canceled", "closed"], 0])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails with BudgetExceeded when its cost passes the budget", () =>
    Effect.gen(function* () {
      const source = Stream.mapEffect(Stream.range(1, 10), () => spend(2))
      const bounded = Botanu.workflow(source, "Support", {
        ...ids,
        budget: { usd: 3, children: false, retries: false }
      })
      const error = yield* Effect.flip(Stream.runDrain(bounded))
      expect(error._tag).toBe("BudgetExceeded")
      const [completed] = yield* completedRuns
      expect([completed?.status, completed?.usages.length]).toEqual(["failure", 2])
    }).pipe(Effect.provide(observed))
  )

  const numbers = Stream.iterate(1, (n) => n + 1).pipe(Stream.rechunk(1))

  for (const [name, consume] of [
    ["takes a part", (s) => Stream.runDrain(Stream.take(s, 3))],
    ["takes the first", (s) => Stream.runHead(s)],
    ["fails", (s) => Effect.exit(Stream.runForEach(s, () => Effect.fail("consumer")))],
    ["has a defect", (s) => Effect.exit(Stream.runForEach(s, () => Effect.die("consumer")))],
    ["zips it with a shorter one", (s) => Stream.runDrain(Stream.zip(s, Stream.make(1, 2)))],
    [
      "merges it and halts with the other",
      (s) => Stream.runDrain(Stream.merge(Stream.drain(s), Stream.make(1), { haltStrategy: "right" }))
    ],
    ["buffers and takes a part", (s) => Stream.runDrain(Stream.take(Stream.buffer(s, { capacity: 2 }), 3))],
    [
      "cancels a web stream",
      (s) =>
        Effect.promise(async () => {
          const reader = Stream.toReadableStream(s).getReader()
          await reader.read()
          await reader.cancel()
        })
    ]
  ] satisfies ReadonlyArray<[string, (s: Stream.Stream<number, unknown>) => Effect.Effect<unknown, unknown>]>) {
    it.effect(`is canceled once when its consumer ${name}, after its finalizers`, () =>
      Effect.gen(function* () {
        const atRelease: Array<number> = []
        const source = Stream.ensuring(
          numbers,
          Effect.map(Botanu.activeRuns, (runs) => atRelease.push(runs.length))
        )
        // The web stream runs in a runtime of its own.
        const context = yield* Effect.context<never>()
        const refs = yield* Effect.getFiberRefs
        const local = Stream.unwrap(Effect.as(Effect.setFiberRefs(refs), Stream.provideContext(inRun(source), context)))
        yield* consume(name === "cancels a web stream" ? local : inRun(source))
        expect(yield* ends).toEqual(stopped)
        expect(atRelease).toEqual([1])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is canceled when its consumer stops, and not when it began, nor when its finalizers are done", () =>
    Effect.gen(function* () {
      const source = Stream.ensuring(Stream.make(1, 2), Effect.sleep("2 seconds"))
      const slow = Stream.runForEach(inRun(source), () => Effect.delay(Effect.fail("consumer"), "3 seconds"))
      const consumer = yield* Effect.fork(Effect.flip(slow))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(consumer)
      const { durationMs, run } = (yield* onlyRun).completed
      expect([run.startTime, run.cancelledAt].map((at) => at?.epochMillis)).toEqual([0, 3000])
      expect(durationMs).toBe(5000)
    }).pipe(Effect.provide(observed))
  )

  it.effect("is canceled once when its consumer is interrupted in a pull", () =>
    Effect.gen(function* () {
      const consumer = yield* Effect.fork(Stream.runDrain(inRun(Stream.never)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(consumer)
      expect(yield* ends).toEqual(stopped)
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails with the defect of its finalizer", () =>
    Effect.gen(function* () {
      const source = Stream.ensuring(Stream.make(1), Effect.die("finalizer"))
      expect(Exit.isFailure(yield* Effect.exit(Stream.runDrain(inRun(source))))).toBe(true)
      expect(yield* ends).toEqual([["failure", undefined], 0])
    }).pipe(Effect.provide(observed))
  )
})
