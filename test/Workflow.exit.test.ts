import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Data,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  type Layer,
  Option,
  Stream,
  TestClock
} from "effect"
import { Botanu, type CompletedRun, DeadlineExceeded, Outcome, RunContext } from "../src/index.js"
import { completedRuns, endedSpans, eventsOf, observed, onlyRun, spanOf } from "./observed.js"
import { ids } from "./runs.js"

class Broken extends Data.TaggedError("Broken")<{ readonly what: string }> {}

const run = Botanu.workflow("Customer Support", ids)
const runWithin = Botanu.workflow("Customer Support", { ...ids, deadline: "30 seconds" })

type Observed = Layer.Layer.Success<typeof observed>

interface Expected {
  readonly status: CompletedRun["status"]
  readonly errorClass?: string
  readonly reason?: string
}

/** The only run ended so, said so once on its span, and is not active any more. */
const expectCompleted = (expected: Expected) =>
  Effect.gen(function* () {
    const { completed, span } = yield* onlyRun
    expect(completed.status).toBe(expected.status)
    expect(completed.errorClass).toBe(expected.errorClass)
    expect(completed.cancellationReason).toBe(
      expected.status === "canceled" ? (expected.reason ?? "interrupted") : undefined
    )
    expect(completed.outcome?.reason).toBe(completed.cancellationReason)
    expect(completed.run.cancelled).toBe(expected.status === "canceled")
    expect(completed.outcome?.status).toBe(expected.status)
    expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.run.completed"])
    expect(span.events[1]?.attributes).toEqual({
      run_id: completed.run.runId,
      workflow: "Customer Support",
      status: expected.status,
      duration_ms: completed.durationMs,
      ...(expected.errorClass !== undefined && { error_class: expected.errorClass })
    })
    expect(span.attributes["botanu.outcome.status"]).toBe(expected.status)
    expect(span.attributes["botanu.run.duration_ms"]).toBe(completed.durationMs)
    expect(span.attributes["botanu.run.cancelled"]).toBe(expected.status === "canceled" ? true : undefined)
    expect(span.ended).toBe(true)
    expect(yield* Botanu.activeRuns).toEqual([])
    return completed
  })

/** What happens to a run, and how it ends; `work` is to end when the run is over. */
const scenario = <A, E>(name: string, expected: Expected, work: Effect.Effect<A, E, Observed>) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      yield* Effect.exit(work)
      yield* expectCompleted(expected)
    }).pipe(Effect.provide(observed))
  )

/** Forks the run, lets it come to a stop, does something to it, and awaits its exit. */
const meanwhile = <A, E, R, B, E2, R2>(
  work: Effect.Effect<A, E, R>,
  act: (fiber: Fiber.RuntimeFiber<A, E>) => Effect.Effect<B, E2, R2>
) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(work)
    yield* Effect.yieldNow()
    yield* act(fiber)
    return yield* Fiber.await(fiber)
  })

const cancelTheActive = (reason: string) =>
  Effect.flatMap(Botanu.activeRuns, (runs) => Effect.forEach(runs, ({ runId }) => Botanu.cancel(runId, reason)))

const parallelFailure = Effect.all([Effect.never, Effect.zipRight(Effect.yieldNow(), new Broken({ what: "one" }))], {
  concurrency: 2
})

describe("every exit of a run has its status", () => {
  scenario("success", { status: "success" }, run(Effect.succeed(1)))

  scenario(
    "a success that was waited for",
    { status: "success" },
    run(Effect.zipRight(Effect.yieldNow(), Effect.succeed(1)))
  )

  scenario("a typed failure", { status: "failure", errorClass: "Broken" }, run(new Broken({ what: "it" })))

  scenario(
    "an Error that was not tagged",
    { status: "failure", errorClass: "TypeError" },
    run(Effect.fail(new TypeError("x")))
  )

  scenario("a failure that is no object", { status: "failure", errorClass: "string" }, run(Effect.fail("no")))

  scenario("a defect", { status: "failure", errorClass: "RangeError" }, run(Effect.die(new RangeError("x"))))

  scenario("an exception", { status: "failure", errorClass: "SyntaxError" }, run(Effect.sync(() => JSON.parse("{"))))

  scenario(
    "its own deadline",
    { status: "timeout" },
    meanwhile(runWithin(Effect.never), () => TestClock.adjust("30 seconds"))
  )

  scenario(
    "a deadline that passes at the same instant inside of it",
    { status: "timeout" },
    meanwhile(runWithin(Effect.sleep("30 seconds")), () => TestClock.adjust("30 seconds"))
  )

  scenario(
    "a user's own timeout is a failure, not the deadline",
    { status: "failure", errorClass: "TimeoutException" },
    meanwhile(runWithin(Effect.timeout(Effect.never, "1 second")), () => TestClock.adjust("1 second"))
  )

  scenario("interruption from outside", { status: "canceled" }, meanwhile(run(Effect.never), Fiber.interrupt))

  scenario(
    "Botanu.cancel, with its reason",
    { status: "canceled", reason: "customer closed the ticket" },
    meanwhile(run(Effect.never), () => cancelTheActive("customer closed the ticket"))
  )

  scenario(
    "Botanu.cancel before the deadline, with finalizers that last beyond it",
    { status: "canceled", reason: "operator" },
    meanwhile(runWithin(Effect.ensuring(Effect.never, Effect.sleep("1 minute"))), () =>
      Effect.zipRight(cancelTheActive("operator"), TestClock.adjust("1 minute"))
    )
  )

  scenario(
    "interruption before the deadline, with finalizers that last beyond it",
    { status: "canceled" },
    meanwhile(runWithin(Effect.ensuring(Effect.never, Effect.sleep("1 minute"))), (fiber) =>
      Effect.zipRight(Fiber.interruptFork(fiber), TestClock.adjust("1 minute"))
    )
  )

  scenario("self interruption", { status: "canceled" }, run(Effect.interrupt))

  scenario(
    "interruption of a child fiber that is joined",
    { status: "canceled" },
    run(
      Effect.flatMap(Effect.fork(Effect.never), (child) => Effect.zipRight(Fiber.interrupt(child), Fiber.join(child)))
    )
  )

  scenario("parallel children of which one fails", { status: "failure", errorClass: "Broken" }, run(parallelFailure))

  scenario(
    "a body that is uninterruptible, past its deadline",
    { status: "timeout" },
    meanwhile(runWithin(Effect.uninterruptible(Effect.sleep("1 minute"))), () => TestClock.adjust("1 minute"))
  )

  scenario(
    "a body that is uninterruptible, interrupted",
    { status: "canceled" },
    meanwhile(run(Effect.uninterruptible(Effect.sleep("1 minute"))), (fiber) =>
      Effect.zipRight(Fiber.interruptFork(fiber), TestClock.adjust("1 minute"))
    )
  )

  scenario(
    "interruption during a finalizer",
    { status: "canceled" },
    Effect.gen(function* () {
      const inFinalizer = yield* Deferred.make<void>()
      const mayEnd = yield* Deferred.make<void>()
      const finalizer = Effect.zipRight(Deferred.succeed(inFinalizer, undefined), Deferred.await(mayEnd))
      const fiber = yield* Effect.fork(
        run(Effect.ensuring(Effect.never.pipe(Effect.raceFirst(Effect.void)), finalizer))
      )
      yield* Deferred.await(inFinalizer)
      yield* Fiber.interruptFork(fiber)
      yield* Effect.yieldNow()
      expect(yield* completedRuns).toEqual([])
      yield* Deferred.succeed(mayEnd, undefined)
      return yield* Fiber.await(fiber)
    })
  )

  scenario(
    "a defect in a finalizer of an interrupted run",
    { status: "failure", errorClass: "RangeError" },
    meanwhile(run(Effect.ensuring(Effect.never, Effect.die(new RangeError("x")))), Fiber.interrupt)
  )

  scenario(
    "inside of a Stream",
    { status: "success" },
    Stream.runDrain(Stream.mapEffect(Stream.make(1), () => run(Effect.void), { concurrency: 2 }))
  )

  scenario(
    "a Stream that ends before its run",
    { status: "canceled" },
    Stream.runDrain(
      Stream.mergeWithTag({ run: run(Effect.never), end: Stream.make(1) }, { concurrency: 2 }).pipe(Stream.take(1))
    )
  )

  scenario(
    "a Stream consumed in the run",
    { status: "failure", errorClass: "Broken" },
    run(Stream.runDrain(Stream.concat(Stream.make(1, 2), Stream.fail(new Broken({ what: "3" })))))
  )

  scenario(
    "the loser of a race",
    { status: "canceled" },
    Effect.raceFirst(run(Effect.never), Effect.zipRight(Effect.yieldNow(), Effect.void))
  )
})

describe("the exit that the caller sees", () => {
  it.effect("is that of the body", () =>
    Effect.gen(function* () {
      expect(yield* Effect.exit(run(Effect.succeed(1)))).toEqual(Exit.succeed(1))
      expect(yield* Effect.exit(run(new Broken({ what: "it" })))).toEqual(Exit.fail(new Broken({ what: "it" })))
      const defect = yield* Effect.exit(run(Effect.die("x")))
      expect(Exit.isFailure(defect) && Chunk.toReadonlyArray(Cause.defects(defect.cause))).toEqual(["x"])
    })
  )

  it.effect("is DeadlineExceeded when the deadline comes, with the run's id", () =>
    Effect.gen(function* () {
      const exit = yield* meanwhile(runWithin(Effect.never), () => TestClock.adjust("30 seconds"))
      const { completed } = yield* onlyRun
      const failure = Exit.isFailure(exit) ? Option.getOrThrow(Cause.failureOption(exit.cause)) : undefined
      expect(failure).toBeInstanceOf(DeadlineExceeded)
      expect(failure).toMatchObject({ runId: completed.run.runId, workflow: "Customer Support" })
      expect(String(failure)).toContain(`run ${completed.run.runId} of workflow "Customer Support" passed its deadline`)
    }).pipe(Effect.provide(observed))
  )

  it.effect("is an interruption that leaves the caller alive, when the run is cancelled", () =>
    Effect.gen(function* () {
      const heartbeat = yield* Effect.fork(Effect.never)
      const caller = yield* Effect.fork(Effect.exit(run(Effect.never)).pipe(Effect.zip(Effect.succeed("alive"))))
      yield* Effect.yieldNow()
      yield* cancelTheActive("operator")
      const [exit, word] = yield* Fiber.join(caller)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(word).toBe("alive")
      expect(Option.isNone(yield* Fiber.poll(heartbeat))).toBe(true)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["canceled"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("waits for the finalizers of an interrupted run, and sees who interrupted", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const body = Effect.onExit(Effect.never, (exit) =>
        Effect.sync(() => {
          const interruptors = Exit.isFailure(exit) ? [...Cause.interruptors(exit.cause)] : []
          log.push(...interruptors.map((id) => FiberId.threadName(id)))
        })
      )
      const fiber = yield* Effect.fork(run(body))
      yield* Effect.yieldNow()
      yield* Fiber.interruptAs(fiber, FiberId.runtime(-42, 0))
      expect(log).toEqual([FiberId.threadName(FiberId.runtime(-42, 0))])
    })
  )

  it.effect("keeps a defect of a finalizer beside the interruption", () =>
    Effect.gen(function* () {
      const exit = yield* meanwhile(run(Effect.ensuring(Effect.never, Effect.die("finalizer"))), Fiber.interrupt)
      expect(Exit.isFailure(exit) && Chunk.toReadonlyArray(Cause.defects(exit.cause))).toEqual(["finalizer"])
      expect(Exit.isInterrupted(exit)).toBe(true)
    })
  )

  it.effect("comes with the fiber references that the body changed, as without a workflow", () =>
    Effect.gen(function* () {
      const ref = yield* FiberRef.make(0)
      yield* run(Effect.zipRight(Effect.yieldNow(), FiberRef.set(ref, 1)))
      expect(yield* FiberRef.get(ref)).toBe(1)
      yield* run(FiberRef.set(ref, 2))
      expect(yield* FiberRef.get(ref)).toBe(2)
      yield* Effect.void.pipe(Effect.withSpan("after"))
      expect((yield* endedSpans).find(({ name }) => name === "after")?.attributes).toEqual({})
    }).pipe(Effect.scoped, Effect.provide(observed))
  )
})

describe("a run and its fibers", () => {
  it.effect("ends the fibers that were forked in it, before it completes", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const child = Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push("child")))
      yield* run(Effect.zipRight(Effect.fork(child), Effect.yieldNow())).pipe(
        Effect.ensuring(Effect.sync(() => ended.push("run")))
      )
      expect(ended).toEqual(["child", "run"])
    })
  )

  it.effect("is still what a daemon sees that outlives it; an outcome then comes too late", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const daemon = Effect.gen(function* () {
        yield* Deferred.await(go)
        yield* Outcome.emit("failure").pipe(Effect.withSpan("late"))
        return yield* RunContext
      })
      const fiber = yield* run(Effect.forkDaemon(daemon))
      const { completed, span } = yield* onlyRun
      yield* Deferred.succeed(go, undefined)
      expect(yield* Fiber.join(fiber)).toBe(completed.run)
      expect(completed.outcome?.status).toBe("success")
      expect((yield* onlyRun).completed.outcome?.status).toBe("success")
      expect(eventsOf(span)).toEqual(["botanu.run.started", "botanu.run.completed"])
      const late = (yield* endedSpans).find(({ name }) => name === "late")
      expect(late?.attributes["botanu.run_id"]).toBe(completed.run.runId)
    }).pipe(Effect.provide(observed))
  )

  it.effect("completes once when it is cancelled, interrupted and past its deadline at the same time", () =>
    Effect.gen(function* () {
      yield* meanwhile(runWithin(Effect.ensuring(Effect.never, Effect.yieldNow())), (fiber) =>
        Effect.all([
          cancelTheActive("first"),
          cancelTheActive("second"),
          Fiber.interruptFork(fiber),
          TestClock.adjust("1 hour")
        ])
      )
      const completed = yield* expectCompleted({ status: "canceled", reason: "first" })
      expect(yield* spanOf(completed)).toBeDefined()
    }).pipe(Effect.provide(observed))
  )
})
