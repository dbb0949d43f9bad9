import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, GlobalValue, Layer, Schedule, TestClock } from "effect"
import { Botanu, type CompletedRun, RunExporter, RunId } from "../../src/index.js"
import { completedRuns } from "../observed.js"
import { ids } from "../runs.js"

it.effect("many runs are listed in the order in which they began, and each can be cancelled alone", () =>
  Effect.gen(function* () {
    const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
      Effect.fork(Effect.exit(Botanu.workflow(Effect.never, name, ids)))
    )
    yield* Effect.yieldNow()
    const names = Effect.map(Botanu.activeRuns, (runs) => runs.map(({ workflow }) => workflow))
    expect(yield* names).toEqual(["a", "b", "c"])
    const [, b] = yield* Botanu.activeRuns
    expect(yield* Botanu.cancel(b?.runId ?? "", "operator")).toBe(true)
    yield* Effect.forEach(fibers.slice(1, 2), Fiber.await)
    expect(yield* names).toEqual(["a", "c"])
    yield* Fiber.interruptAll(fibers)
    expect(yield* names).toEqual([])
  })
)

it.effect("a run that ends does not take another of the same id off the list", () =>
  Effect.gen(function* () {
    const seeded = <A, E>(effect: Effect.Effect<A, E>) => Effect.provide(effect, RunId.layerSeeded(1))
    const waiting = yield* Effect.fork(seeded(Botanu.workflow(Effect.never, "waiting", ids)))
    yield* Effect.yieldNow()
    const ending = yield* Effect.fork(seeded(Botanu.workflow(Effect.never, "ending", ids)))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(waiting)
    expect((yield* Botanu.activeRuns).map(({ workflow }) => workflow)).toEqual(["ending"])
    yield* Fiber.interrupt(ending)
    expect(yield* Botanu.activeRuns).toEqual([])
  })
)

const namesOfActive = Effect.map(Botanu.activeRuns, (runs) => runs.map(({ workflow }) => workflow))

const recorded = Effect.map(completedRuns, (runs) =>
  runs.map(({ cancellationReason, run, status }: CompletedRun) => [
    run.workflow,
    run.attempt,
    status,
    cancellationReason
  ])
)

describe("a run that starts", () => {
  /** Cancels a run of this name as soon as it is listed. */
  const cancelWhenListed = (name: string) =>
    Effect.gen(function* () {
      for (;;) {
        const run = (yield* Botanu.activeRuns).find(({ workflow }) => workflow === name)
        if (run !== undefined) return yield* Botanu.cancel(run.runId, "operator")
        yield* Effect.yieldNow()
      }
    })

  const nested = (depth: number): Effect.Effect<unknown, unknown> =>
    depth === 0
      ? Botanu.workflow(Effect.never, "innermost", ids)
      : Botanu.workflow(
          Effect.suspend(() => nested(depth - 1)),
          `depth ${depth}`,
          ids
        )

  it.effect("is cancelled, at any depth", () =>
    Effect.gen(function* () {
      for (const depth of [0, 1, 62, 63, 64, 65, 127, 128]) {
        const memory = yield* RunExporter.Memory
        yield* memory.clear
        const canceller = yield* Effect.fork(cancelWhenListed("innermost"))
        yield* Effect.yieldNow()
        const fiber = yield* Effect.fork(nested(depth))
        expect(yield* Fiber.join(canceller)).toBe(true)
        expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
        expect((yield* recorded)[0]).toEqual(["innermost", 1, "canceled", "operator"])
      }
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("is cancelled, however often its fiber yields", () =>
    Effect.gen(function* () {
      // With fewer, no fiber of Effect gets anywhere.
      for (let ops = 10; ops < 70; ops++) {
        const canceller = yield* Effect.fork(cancelWhenListed("innermost"))
        const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(nested(1), ops))
        expect(yield* Fiber.join(canceller)).toBe(true)
        yield* Fiber.await(fiber)
        expect(yield* Botanu.activeRuns).toEqual([])
      }
      expect((yield* recorded).filter(([name]) => name === "innermost")).toEqual(
        Array(60).fill(["innermost", 1, "canceled", "operator"])
      )
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("does not run its body when it is cancelled before", () => {
    let hasRun = false
    const cancelAtStart = RunExporter.layer({
      export: () => Effect.void,
      started: ({ runId }) => Botanu.cancel(runId, "too late")
    })
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Botanu.workflow(
          Effect.sync(() => (hasRun = true)),
          "W",
          ids
        )
      )
      expect([Exit.isInterrupted(exit), hasRun]).toEqual([true, false])
      expect(yield* recorded).toEqual([["W", 1, "canceled", "too late"]])
    }).pipe(Effect.provide(Layer.merge(cancelAtStart, RunExporter.layerMemory)))
  })
})

describe("a workflow that waits for its next attempt", () => {
  const failing = (attempts: Array<string>, retry: Botanu.WorkflowOptions["retry"]) =>
    Botanu.workflow(
      Effect.suspend(() => {
        attempts.push("ran")
        return Effect.fail("x")
      }),
      "W",
      { ...ids, retry: retry as Schedule.Schedule<unknown> }
    )

  const policies: ReadonlyArray<readonly [name: string, policy: Botanu.WorkflowOptions["retry"]]> = [
    ["a schedule", Schedule.spaced("1 hour")],
    ["options", { schedule: Schedule.spaced("1 hour"), times: 3, while: () => true }],
    ["a schedule of an effect", Schedule.spaced("1 hour").pipe(Schedule.tapOutput(() => Effect.yieldNow()))]
  ]
  for (const [name, policy] of policies) {
    for (const region of ["interruptible", "uninterruptible"] as const) {
      it.effect(`of ${name} is listed and can be cancelled: its next attempt is canceled (${region})`, () =>
        Effect.gen(function* () {
          const attempts: Array<string> = []
          const fiber = yield* Effect.fork(Effect[region](Effect.exit(failing(attempts, policy))))
          yield* TestClock.adjust("30 minutes")
          expect(yield* namesOfActive).toEqual(["W"])
          const [waiting] = yield* Botanu.activeRuns
          expect(yield* Botanu.cancel(waiting?.runId ?? "", "operator")).toBe(true)
          expect(yield* Botanu.cancel(waiting?.runId ?? "", "second")).toBe(true)
          expect(Exit.isInterrupted(yield* Fiber.join(fiber))).toBe(true)
          expect(yield* recorded).toEqual([
            ["W", 1, "failure", undefined],
            ["W", 2, "canceled", "operator"]
          ])
          const [first, second] = yield* completedRuns
          expect(second?.run).toMatchObject({ retryOfRunId: first?.run.runId, rootRunId: first?.run.runId })
          expect(waiting?.runId).toBe(first?.run.runId)
          expect(attempts).toEqual(["ran"])
          expect(yield* Botanu.activeRuns).toEqual([])
          expect(yield* Botanu.cancel(waiting?.runId ?? "", "third")).toBe(false)
        }).pipe(Effect.provide(RunExporter.layerMemory))
      )
    }
  }

  const undecided: ReadonlyArray<readonly [name: string, policy: Botanu.WorkflowOptions["retry"]]> = [
    ["a predicate", { times: 3, while: () => Effect.never }],
    ["a schedule", Schedule.recurs(3).pipe(Schedule.tapOutput(() => Effect.never))]
  ]
  for (const [name, policy] of undecided) {
    it.effect(`can be cancelled while ${name} decides whether there is one, and its caller goes on`, () =>
      Effect.gen(function* () {
        const attempts: Array<string> = []
        const fiber = yield* Effect.fork(Effect.zip(Effect.exit(failing(attempts, policy)), Effect.yieldNow()))
        yield* TestClock.adjust("1 minute")
        const [waiting] = yield* Botanu.activeRuns
        expect(yield* Botanu.cancel(waiting?.runId ?? "", "operator")).toBe(true)
        yield* TestClock.adjust("1 minute")
        expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
        const [exit] = yield* Fiber.join(fiber)
        expect(Exit.isInterrupted(exit)).toBe(true)
        expect(yield* recorded).toEqual([
          ["W", 1, "failure", undefined],
          ["W", 2, "canceled", "operator"]
        ])
        expect(attempts).toEqual(["ran"])
        expect(yield* Botanu.activeRuns).toEqual([])
      }).pipe(Effect.provide(RunExporter.layerMemory))
    )
  }

  it.effect("does not begin to wait where it was cancelled before, also in an uninterruptible region", () =>
    Effect.gen(function* () {
      const decided = yield* Effect.makeLatch()
      const policy = { schedule: Schedule.spaced("1 hour"), while: () => Effect.as(decided.await, true) }
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.exit(failing([], policy))))
      yield* TestClock.adjust(0)
      const [deciding] = yield* Botanu.activeRuns
      yield* Botanu.cancel(deciding?.runId ?? "", "operator")
      yield* decided.open
      yield* TestClock.adjust("1 minute")
      expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
      expect(yield* recorded).toEqual([
        ["W", 1, "failure", undefined],
        ["W", 2, "canceled", "operator"]
      ])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("keeps a defect of its policy, also where it was cancelled meanwhile", () =>
    Effect.gen(function* () {
      const decided = yield* Effect.makeLatch()
      const policy = { while: () => Effect.zipRight(decided.await, Effect.die("in the policy")) }
      const fiber = yield* Effect.fork(Effect.uninterruptible(Effect.exit(failing([], policy))))
      yield* TestClock.adjust(0)
      const [deciding] = yield* Botanu.activeRuns
      yield* Botanu.cancel(deciding?.runId ?? "", "operator")
      yield* decided.open
      expect(yield* Fiber.join(fiber)).toEqual(Exit.die("in the policy"))
    })
  )

  it.effect("gives its policy the clock of the program", () =>
    Effect.gen(function* () {
      const times: Array<unknown> = []
      const look = Effect.zipWith(Effect.currentSpan, Effect.clock, ({ status }, clock) => {
        times.push(status.startTime, clock.unsafeCurrentTimeMillis())
        return false
      })
      const policy = { while: () => Effect.orDie(Effect.withSpan(look, "deciding")) }
      yield* TestClock.adjust("2 millis")
      yield* Effect.exit(failing([], policy))
      expect(times).toEqual([2_000_000n, 2])
    })
  )

  it.effect("can be joined by its last run, which is over", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(failing([], Schedule.spaced("1 hour")))
      yield* TestClock.adjust("30 minutes")
      const [waiting] = yield* Botanu.activeRuns
      expect(waiting && (yield* Botanu.resume(Effect.succeed(1), waiting))).toBe(1)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("is over when what its schedule forked has ended, if it is cancelled", () =>
    Effect.gen(function* () {
      const release = yield* Deferred.make<void>()
      const over = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const forked = Effect.onInterrupt(Effect.never, () => Deferred.await(release))
      const policy = Schedule.tapOutput(Schedule.spaced("1 hour"), () => Effect.fork(forked))
      yield* Effect.fork(Effect.flatMap(Effect.exit(failing([], policy)), (exit) => Deferred.succeed(over, exit)))
      yield* TestClock.adjust("30 minutes")
      const [waiting] = yield* Botanu.activeRuns
      yield* Botanu.cancel(waiting?.runId ?? "", "operator")
      yield* TestClock.adjust("1 minute")
      const wasOver = yield* Deferred.isDone(over)
      yield* Deferred.succeed(release, undefined)
      expect(wasOver).toBe(false)
      expect(Exit.isInterrupted(yield* Deferred.await(over))).toBe(true)
    })
  )

  it.effect("leaves what its schedule forked at work, if it is not cancelled", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const forked = Effect.onInterrupt(
        Effect.delay(
          Effect.sync(() => ended.push("done")),
          "3 hours"
        ),
        () => Effect.sync(() => ended.push("interrupted"))
      )
      const policy = Schedule.tapOutput(Schedule.spaced("1 hour").pipe(Schedule.intersect(Schedule.recurs(1))), () =>
        Effect.fork(forked)
      )
      yield* Effect.fork(Effect.zipRight(Effect.exit(failing([], policy)), Effect.never))
      yield* TestClock.adjust("2 hours")
      expect(ended).toEqual([])
      yield* TestClock.adjust("3 hours")
      expect(ended).toEqual(["done", "done"])
    })
  )

  it.effect("goes on where nobody cancels it, and is listed no more when it is over", () =>
    Effect.gen(function* () {
      const attempts: Array<string> = []
      const fiber = yield* Effect.fork(
        Effect.exit(failing(attempts, { schedule: Schedule.spaced("1 hour"), times: 2 }))
      )
      yield* TestClock.adjust("2 hours")
      expect(yield* Fiber.join(fiber)).toEqual(Exit.fail("x"))
      expect(attempts).toHaveLength(3)
      expect(yield* Botanu.activeRuns).toEqual([])
    })
  )

  it.effect("is over when its caller is interrupted, without a further attempt", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(failing([], Schedule.spaced("1 hour")))
      yield* TestClock.adjust("30 minutes")
      yield* Fiber.interrupt(fiber)
      expect(yield* Botanu.activeRuns).toEqual([])
      expect(yield* recorded).toEqual([["W", 1, "failure", undefined]])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )

  it.effect("is over at once when a sibling of its caller fails", () =>
    Effect.gen(function* () {
      const sibling = Effect.delay(Effect.fail("sibling"), "10 millis")
      const fiber = yield* Effect.fork(
        Effect.exit(Effect.all([failing([], Schedule.spaced("1 hour")), sibling], { concurrency: 2 }))
      )
      yield* TestClock.adjust("10 millis")
      const exit = yield* Fiber.join(fiber)
      expect(Exit.isFailure(exit) && Array.from(Cause.failures(exit.cause))).toEqual(["sibling"])
    })
  )
})

describe("awaitIdle", () => {
  it.effect("leaves nothing behind, at its limit too", () =>
    Effect.gen(function* () {
      const { onEnd } = GlobalValue.globalValue("botanu/ActiveRuns", () => ({ onEnd: new Set() }))
      const before = onEnd.size
      const run = yield* Effect.fork(Botanu.workflow(Effect.never, "W", ids))
      yield* Effect.yieldNow()
      const idle = yield* Effect.fork(Botanu.awaitIdle("1 second"))
      yield* TestClock.adjust(0)
      expect(onEnd.size).toBe(before + 1)
      yield* TestClock.adjust("1 second")
      expect([yield* Fiber.join(idle), onEnd.size]).toEqual([false, before])
      yield* Fiber.interrupt(run)
    })
  )

  it.effect("gives true at once where no run is active", () =>
    Effect.map(Botanu.awaitIdle(0), (isIdle) => expect(isIdle).toBe(true))
  )

  it.effect("waits for runs and for workflows that wait for their next attempt", () =>
    Effect.gen(function* () {
      yield* Effect.fork(Botanu.workflow(Effect.sleep("1 second"), "sleeping", ids))
      let attempts = 0
      const failsOnce = Effect.suspend(() => (attempts++ === 0 ? Effect.fail("x") : Effect.sleep("1 second")))
      yield* Effect.fork(Botanu.workflow(failsOnce, "retried", { ...ids, retry: Schedule.spaced("5 seconds") }))
      yield* Effect.yieldNow()
      const idle = yield* Effect.fork(Botanu.awaitIdle("1 minute"))
      yield* TestClock.adjust("5999 millis")
      expect((yield* Fiber.poll(idle))._tag).toBe("None")
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(idle)).toBe(true)
    })
  )

  it.effect("gives false at its limit, also in a finalizer", () =>
    Effect.gen(function* () {
      const run = yield* Effect.fork(Botanu.workflow(Effect.never, "W", ids))
      yield* Effect.yieldNow()
      const idle = yield* Effect.fork(Effect.uninterruptible(Botanu.awaitIdle("3 seconds")))
      yield* TestClock.adjust("2999 millis")
      expect((yield* Fiber.poll(idle))._tag).toBe("None")
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(idle)).toBe(false)
      yield* Fiber.interrupt(run)
      expect(yield* Botanu.awaitIdle(0)).toBe(true)
    })
  )
})
