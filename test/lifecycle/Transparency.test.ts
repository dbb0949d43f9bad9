/**
 * A workflow changes nothing else: the same programs bare and as runs, and what the outside sees of both.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Data,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  FiberRef,
  HashMap,
  Logger,
  LogLevel,
  Option,
  Request,
  RequestResolver,
  Scope,
  TestClock,
  TReentrantLock
} from "effect"
import { Botanu, RunContext } from "../../src/index.js"
import { completedRuns, observed } from "../observed.js"
import { ids, instant, makeRun } from "../runs.js"

class Broken extends Data.TaggedError("Broken")<{ readonly what: string }> {}

type Wrap = <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, unknown>

const bare: Wrap = (work) => work
const asRun: Wrap = Botanu.workflow("W", ids)
const underDeadline: Wrap = (work) =>
  Botanu.workflow(
    // The inner run inherits the deadline, and has no timeout of its own.
    Botanu.workflow(work, "Inner", ids),
    "Outer",
    { ...ids, deadline: "1 hour" }
  )
const resumed: Wrap = (work) => Botanu.resume(work, makeRun({ deadline: instant(3_600_000) }), { deadline: "enforce" })
const joinedAlive: Wrap = (work) =>
  Botanu.workflow(
    Effect.flatMap(RunContext, (run) => Botanu.resume(work, run)),
    "Live",
    ids
  )

const ways: ReadonlyArray<readonly [name: string, wrap: Wrap]> = [
  ["as a run", asRun],
  ["as a run with an inherited deadline", underDeadline],
  ["resumed under a deadline", resumed],
  ["joined where it is alive", joinedAlive]
]

/** What `program` gives is the same bare and in every kind of run, and is as `expected` says. */
const same = <A>(name: string, program: (wrap: Wrap) => Effect.Effect<A, unknown>, expected: NoInfer<A>) => {
  for (const [way, wrap] of [["bare", bare] as const, ...ways]) {
    it.effect(`${name}: ${way}`, () => Effect.map(program(wrap), (seen) => expect(seen).toEqual(expected)))
  }
}

/** Whether a fiber has ended without the clock going on, and how. */
const endedAtOnce = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<string> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow()
    return Option.match(yield* Fiber.poll(fiber), {
      onNone: () => "still running",
      onSome: Exit.match({
        onSuccess: () => "success",
        onFailure: (cause) =>
          Option.match(Cause.failureOption(cause), {
            onNone: () => (Cause.isInterruptedOnly(cause) ? "interrupted" : "died"),
            onSome: (error) => (error instanceof Broken ? `failed: ${error.what}` : String(error))
          })
      })
    })
  })

const started = <A, E>(work: Effect.Effect<A, E>) => Effect.tap(Effect.fork(work), () => Effect.yieldNow())

const failing = Effect.zipRight(Effect.yieldNow(), new Broken({ what: "sibling" }))

describe("a sibling that fails interrupts a run", () => {
  const siblings: ReadonlyArray<readonly [string, (wrap: Wrap) => Effect.Effect<unknown, unknown>]> = [
    [
      "forEach",
      (wrap) => Effect.forEach([wrap(Effect.never), wrap(failing)], (work) => work, { concurrency: 2, discard: true })
    ],
    ["all", (wrap) => Effect.all([wrap(Effect.never), failing], { concurrency: "unbounded" })],
    ["zip", (wrap) => Effect.zip(wrap(Effect.never), failing, { concurrent: true })],
    ["all inside of one run", (wrap) => wrap(Effect.all([wrap(Effect.never), wrap(failing)], { concurrency: 2 }))],
    [
      "nested forEach",
      (wrap) =>
        Effect.forEach([Effect.all([wrap(Effect.never)], { concurrency: 2 }), wrap(failing)], (work) => work, {
          concurrency: 2
        })
    ],
    [
      "validate",
      (wrap) => Effect.all([wrap(Effect.raceFirst(Effect.never, Effect.yieldNow())), failing], { concurrency: 2 })
    ]
  ]
  for (const [name, program] of siblings) {
    same(name, (wrap) => Effect.flatMap(started(program(wrap)), endedAtOnce), "failed: sibling")
  }

  it.live("at once, and each run has its status", () =>
    Effect.gen(function* () {
      const inner = (name: string) => Botanu.workflow(name, ids)
      const work = Effect.forEach(
        [
          inner("Slow")(Effect.never),
          inner("Failing")(Effect.zipRight(Effect.sleep("10 millis"), new Broken({ what: "it" })))
        ],
        (run) => run,
        { concurrency: 2 }
      )
      const [duration, exit] = yield* Effect.timed(
        Effect.exit(work.pipe(Botanu.workflow("Outer", { ...ids, deadline: "2 seconds" })))
      )
      expect(Exit.isFailure(exit) && Option.getOrNull(Cause.failureOption(exit.cause))).toEqual(
        new Broken({ what: "it" })
      )
      expect(Duration.toMillis(duration)).toBeLessThan(1000)
      const statuses = (yield* completedRuns).map(({ run, status }) => [run.workflow, status])
      expect(Object.fromEntries(statuses)).toEqual({ Slow: "canceled", Failing: "failure", Outer: "failure" })
    }).pipe(Effect.provide(observed))
  )
})

describe("an interruption reaches a body that leaves an uninterruptible region", () => {
  const restoring = (wrap: Wrap) => Effect.uninterruptibleMask((restore) => wrap(restore(Effect.never)))
  const interrupted = <A, E>(work: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const fiber = yield* started(work)
      yield* Fiber.interruptFork(fiber)
      return yield* endedAtOnce(fiber)
    })

  same("from the caller", (wrap) => interrupted(restoring(wrap)), "interrupted")
  same("in a nested run", (wrap) => interrupted(restoring((work) => wrap(wrap(work)))), "interrupted")
  same(
    "that has a fiber which it waits for",
    (wrap) =>
      interrupted(
        Effect.uninterruptibleMask((restore) =>
          wrap(Effect.flatMap(Effect.fork(restore(Effect.never)), (child) => Fiber.await(child)))
        )
      ),
    "interrupted"
  )
  same("from a race", (wrap) => Effect.raceFirst(restoring(wrap), Effect.as(Effect.yieldNow(), "won")), "won")
  same(
    "from a timeout",
    (wrap) =>
      Effect.gen(function* () {
        const fiber = yield* started(
          Effect.timeoutTo(restoring(wrap), { duration: 5, onSuccess: () => 0, onTimeout: () => 1 })
        )
        yield* TestClock.adjust(5)
        return yield* Fiber.join(fiber)
      }),
    1
  )

  it.effect("from the run's own deadline", () =>
    Effect.gen(function* () {
      const work = Effect.uninterruptibleMask((restore) =>
        Botanu.workflow(restore(Effect.never), "W", { ...ids, deadline: "1 second" })
      )
      const fiber = yield* started(work)
      yield* TestClock.adjust("1 second")
      expect(yield* endedAtOnce(fiber)).toContain("passed its deadline")
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["timeout"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("from Botanu.cancel", () =>
    Effect.gen(function* () {
      const caller = yield* started(Effect.exit(restoring(asRun)))
      for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "operator")
      expect(Exit.isInterrupted(yield* Fiber.join(caller))).toBe(true)
      expect((yield* completedRuns).map(({ cancellationReason }) => cancellationReason)).toEqual(["operator"])
    }).pipe(Effect.provide(observed))
  )
})

describe("fiber references that the body changes", () => {
  const counting = (join: (parent: number, child: number) => number) =>
    FiberRef.unsafeMake(0, { fork: (value) => value + 100, join })

  const bodies: ReadonlyArray<readonly [string, Effect.Effect<unknown, Broken>]> = [
    ["success", Effect.void],
    ["success after a wait", Effect.yieldNow()],
    ["failure", new Broken({ what: "it" })],
    ["a defect", Effect.die("x")],
    ["an interruption of itself", Effect.interrupt]
  ]
  for (const [how, end] of bodies) {
    same(
      `hold after ${how}`,
      (wrap) =>
        Effect.gen(function* () {
          const ref = FiberRef.unsafeMake<ReadonlyArray<string>>(["first"])
          yield* FiberRef.set(ref, ["second"])
          yield* Effect.exit(
            wrap(
              Effect.zipRight(
                FiberRef.update(ref, (all) => [...all, "third"]),
                end
              )
            )
          )
          return yield* FiberRef.get(ref)
        }),
      ["second", "third"]
    )
    same(
      `are neither forked nor joined: ${how}`,
      (wrap) =>
        Effect.gen(function* () {
          const ref = counting((parent, child) => parent + child)
          yield* FiberRef.set(ref, 1)
          const inside = yield* FiberRef.make(0)
          yield* Effect.exit(
            wrap(
              Effect.zipRight(
                Effect.flatMap(
                  FiberRef.getAndUpdate(ref, (n) => n + 1),
                  (n) => FiberRef.set(inside, n)
                ),
                end
              )
            )
          )
          return [yield* FiberRef.get(inside), yield* FiberRef.get(ref)]
        }).pipe(Effect.scoped),
      [1, 2]
    )
    same(
      `stay deleted after ${how}`,
      (wrap) =>
        Effect.gen(function* () {
          const ref = FiberRef.unsafeMake("initial")
          yield* FiberRef.set(ref, "set")
          yield* Effect.exit(wrap(Effect.zipRight(FiberRef.delete(ref), end)))
          return yield* FiberRef.get(ref)
        }),
      "initial"
    )
    same(
      `hold after ${how}, where they are annotations`,
      (wrap) =>
        Effect.gen(function* () {
          const set = (key: string) => HashMap.set<string, unknown>(key, "body")
          const change = Effect.zipRight(
            FiberRef.update(FiberRef.currentLogAnnotations, (all) => HashMap.remove(set("log")(all), "gone")),
            FiberRef.update(FiberRef.currentTracerSpanAnnotations, set("span"))
          )
          yield* FiberRef.set(
            FiberRef.currentLogAnnotations,
            HashMap.make<[[string, unknown], [string, unknown]]>(["gone", 1], ["kept", 2])
          )
          yield* Effect.exit(wrap(Effect.zipRight(change, end)))
          return [
            HashMap.toEntries(yield* FiberRef.get(FiberRef.currentLogAnnotations)).sort(),
            HashMap.toEntries(yield* FiberRef.get(FiberRef.currentTracerSpanAnnotations))
          ]
        }),
      [
        [
          ["kept", 2],
          ["log", "body"]
        ],
        [["span", "body"]]
      ]
    )
  }

  same(
    "hold when the body is interrupted by its caller",
    (wrap) =>
      Effect.gen(function* () {
        const ref = FiberRef.unsafeMake(0)
        const work = Effect.onExit(wrap(Effect.zipRight(FiberRef.set(ref, 1), Effect.never)), () =>
          Effect.flatMap(FiberRef.get(ref), (n) => Deferred.succeed(seen, n))
        )
        const seen = yield* Deferred.make<number>()
        const fiber = yield* started(work)
        yield* Fiber.interrupt(fiber)
        return yield* Deferred.await(seen)
      }),
    1
  )

  it.effect("hold after a deadline and a cancellation", () =>
    Effect.gen(function* () {
      const ref = FiberRef.unsafeMake(0)
      const body = Effect.zipRight(
        FiberRef.update(ref, (n) => n + 1),
        Effect.never
      )
      const fiber = yield* started(
        Effect.gen(function* () {
          yield* Effect.exit(Botanu.workflow(body, "W", { ...ids, deadline: "1 second" }))
          yield* Effect.exit(Botanu.workflow(body, "W", ids))
          return yield* FiberRef.get(ref)
        })
      )
      yield* TestClock.adjust("1 second")
      for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "operator")
      expect(yield* Fiber.join(fiber)).toBe(2)
    })
  )
})

describe("a finalizer that the body adds to an outer scope", () => {
  same(
    "has the fibers that it forks end with the fiber that closes the scope",
    (wrap) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const child = Effect.onInterrupt(Effect.interruptible(Effect.never), () =>
          Effect.sync(() => seen.push("ended"))
        )
        const outer = yield* Scope.make()
        yield* wrap(
          Scope.addFinalizer(outer, Effect.zipRight(Effect.fork(child), Effect.yieldNow())).pipe(
            Effect.zipRight(Effect.addFinalizer(() => Effect.zipRight(Effect.fork(child), Effect.yieldNow()))),
            Effect.provideService(Scope.Scope, outer)
          )
        )
        const closing = yield* Effect.fork(Scope.close(outer, Exit.void))
        yield* Fiber.await(closing)
        return seen
      }),
    ["ended", "ended"]
  )
})

describe("what else a workflow leaves as it is", () => {
  const messages = (wrap: Wrap) => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => {
      lines.push(String(message))
    })
    return Effect.ignore(wrap(new Broken({ what: "handled" }))).pipe(
      Logger.withMinimumLogLevel(LogLevel.All),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Effect.map(() => lines)
    )
  }
  same("a failure that the caller handles is not logged", messages, [])

  same(
    "the fiber: a lock that it holds is its own in the body",
    (wrap) =>
      Effect.gen(function* () {
        const lock = yield* TReentrantLock.make
        return yield* TReentrantLock.withLock(lock)(wrap(TReentrantLock.withLock(lock)(Effect.succeed("entered"))))
      }),
    "entered"
  )

  same(
    "a typed failure beside an interruption by the caller stays in the cause",
    (wrap) =>
      Effect.gen(function* () {
        const inBody = yield* Deferred.make<void>()
        const mayFail = yield* Deferred.make<void>()
        const body = Effect.uninterruptible(
          Effect.zipRight(
            Deferred.succeed(inBody, undefined),
            Effect.zipRight(Deferred.await(mayFail), new Broken({ what: "late" }))
          )
        )
        const fiber = yield* Effect.fork(wrap(body))
        yield* Deferred.await(inBody)
        yield* Fiber.interruptFork(fiber)
        yield* Effect.yieldNow()
        yield* Deferred.succeed(mayFail, undefined)
        const exit = yield* Fiber.await(fiber)
        return Exit.isFailure(exit) && [Cause.isFailure(exit.cause), Cause.isInterrupted(exit.cause)]
      }),
    [true, true]
  )

  class Numbered extends Request.TaggedClass("Numbered")<string, never, { readonly id: number }> {}

  const batches = (program: (get: (id: number) => Effect.Effect<string>) => Effect.Effect<unknown, unknown>) =>
    Effect.suspend(() => {
      const seen: Array<ReadonlyArray<number>> = []
      const resolver = RequestResolver.makeBatched((requests: ReadonlyArray<Numbered>) => {
        seen.push(requests.map(({ id }) => id))
        return Effect.forEach(requests, (request) => Request.succeed(request, `number ${request.id}`), {
          discard: true
        })
      })
      return Effect.map(
        program((id) => Effect.request(new Numbered({ id }), resolver)),
        (result) => ({ result, seen })
      )
    })

  same(
    "requests are batched within it",
    (wrap) => batches((get) => wrap(Effect.forEach([1, 2, 3], get, { batching: true, concurrency: "unbounded" }))),
    { result: ["number 1", "number 2", "number 3"], seen: [[1, 2, 3]] }
  )

  for (const [way, wrap] of ways) {
    it.effect(`requests of several runs are answered, each by itself: ${way}`, () =>
      Effect.gen(function* () {
        const { result, seen } = yield* batches((get) =>
          Effect.forEach([1, 2], (id) => wrap(get(id)), { batching: true, concurrency: "unbounded" })
        )
        expect(result).toEqual(["number 1", "number 2"])
        expect(seen).toEqual([[1], [2]])
        expect(yield* Botanu.activeRuns).toEqual([])
      })
    )
  }

  it.effect("many runs in a row let other fibers work, as often as the bare effects do", () =>
    Effect.gen(function* () {
      const turnsDuring = (work: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function* () {
          let turns = 0
          const other = yield* Effect.fork(
            Effect.forever(
              Effect.zipRight(
                Effect.sync(() => turns++),
                Effect.yieldNow()
              )
            )
          )
          yield* Effect.repeatN(work, 4999)
          yield* Fiber.interrupt(other)
          return turns
        })
      const runs = yield* turnsDuring(asRun(Effect.void))
      const spans = yield* turnsDuring(Effect.withSpan(Effect.void, "span"))
      expect(spans).toBeGreaterThan(10)
      expect(runs).toBeGreaterThanOrEqual(spans)
    })
  )
})
