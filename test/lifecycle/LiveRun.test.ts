import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Runtime, TestClock } from "effect"
import { Botanu, BotanuConfig, Outcome, Propagation, type Run, RunContext } from "../../src/index.js"
import { completedRuns, endedSpans, observed, onlyRun } from "../observed.js"
import { ids } from "../runs.js"
import { costOf, spend } from "../usages.js"

/** Runs an effect in a promise, in the test's runtime, which knows of no run. */
const promised = Effect.map(
  Effect.runtime<never>(),
  (runtime) =>
    <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.promise(() => Runtime.runPromiseExit(runtime)(effect))
)

const workflow = Botanu.workflow("W", ids)

describe("a run that is joined where it is alive", () => {
  it.effect("has usages, outcome and business context on its record, and its own trace", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const work = Effect.all([
        spend("0.5"),
        Botanu.annotate({ team: "desk" }),
        Outcome.emit("partial"),
        Effect.withSpan(Effect.void, "inside"),
        RunContext.pipe(Botanu.workflow("child", ids))
      ])
      const body = Effect.flatMap(RunContext, (run) => inPromise(Botanu.resume(work, run)))
      const exit = yield* workflow(Effect.zipRight(Botanu.annotate({ region: "eu" }), body))
      const [child, completed] = yield* completedRuns
      expect([completed && costOf(completed), completed?.outcome?.status, completed?.annotations]).toEqual([
        "0.5",
        "partial",
        { region: "eu", team: "desk" }
      ])
      expect(child?.run.parentRunId).toBe(completed?.run.runId)
      expect(Exit.isSuccess(exit)).toBe(true)
      const spans = yield* endedSpans
      expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
      const inside = spans.find(({ name }) => name === "inside")
      expect(inside?.attributes).toMatchObject({ "botanu.run_id": completed?.run.runId, "botanu.region": "eu" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("puts only the keys of the run on spans where it has no business context", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const work = Effect.withSpan(Effect.void, "inside")
      yield* workflow(Effect.flatMap(RunContext, (run) => inPromise(Botanu.resume(work, run))))
      const inside = (yield* endedSpans).find(({ name }) => name === "inside")
      expect(Object.keys(inside?.attributes ?? {}).sort()).toEqual([
        "botanu.customer_id",
        "botanu.event_id",
        "botanu.run_id",
        "botanu.workflow"
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is found by what activeRuns gives, and by a layer", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const body = Effect.gen(function* () {
        const [listed] = yield* Botanu.activeRuns
        const run = Option.getOrThrow(Option.fromNullable(listed))
        yield* inPromise(Botanu.resume(spend("1"), run))
        yield* inPromise(Botanu.resume(spend("1"), Option.some(run)).pipe(Effect.provide(RunContext.layer(run))))
        yield* inPromise(Effect.provide(spend("1"), RunContext.layer(run)))
      })
      yield* workflow(body)
      expect(costOf((yield* onlyRun).completed)).toBe("3")
    }).pipe(Effect.provide(observed))
  )

  it.effect("ends the work when it is cancelled, and the caller of the work goes on", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const ended = yield* Deferred.make<string>()
      const started = yield* Deferred.make<Run>()
      const body = Effect.flatMap(RunContext, (run) => {
        const joined = Botanu.resume(Effect.zipRight(Deferred.succeed(started, run), Effect.never), run)
        const caller = Effect.flatMap(Effect.exit(joined), (exit) => Deferred.succeed(ended, exit._tag))
        return Effect.zipRight(Effect.forkDaemon(inPromise(caller)), Effect.never)
      })
      const fiber = yield* Effect.fork(workflow(body))
      const { runId } = yield* Deferred.await(started)
      expect(yield* Botanu.cancel(runId, "operator")).toBe(true)
      expect(yield* Deferred.await(ended)).toBe("Failure")
      yield* Fiber.await(fiber)
      expect((yield* onlyRun).completed).toMatchObject({ status: "canceled", cancellationReason: "operator" })
    }).pipe(Effect.provide(observed))
  )

  it.effect("ends what the work forked when it is cancelled, before the caller of the work goes on", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const forked = yield* Deferred.make<Run>()
      const stopped = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<boolean>()
      const body = Effect.flatMap(RunContext, (run) => {
        const child = Deferred.succeed(forked, run).pipe(
          Effect.zipRight(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        )
        const joined = Botanu.resume(Effect.zipRight(Effect.fork(child), Effect.never), run)
        const isStopped = Effect.zipRight(Effect.exit(joined), Deferred.isDone(stopped))
        const caller = Effect.flatMap(isStopped, (is) => Deferred.succeed(ended, is))
        // The fiber goes on, so it is not its end that stops the child.
        return Effect.zipRight(Effect.forkDaemon(inPromise(Effect.zipRight(caller, Effect.never))), Effect.never)
      })
      const fiber = yield* Effect.fork(workflow(body))
      const { runId } = yield* Deferred.await(forked)
      yield* Botanu.cancel(runId, "operator")
      expect(yield* Deferred.await(ended)).toBe(true)
      yield* Fiber.await(fiber)
    })
  )

  const stops: ReadonlyArray<
    readonly [what: string, stop: (run: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>]
  > = [
    ["its deadline comes", () => TestClock.adjust("5 seconds")],
    ["its caller is interrupted", Fiber.interrupt]
  ]
  for (const [what, stop] of stops) {
    it.effect(`ends the work when ${what}, which the fiber of the run interrupts`, () =>
      Effect.gen(function* () {
        const inPromise = yield* promised
        const ended = yield* Deferred.make<Cause.Cause<never>>()
        const body = Effect.flatMap(RunContext, (run) => {
          const caller = Effect.flip(Effect.sandbox(Botanu.resume(Effect.never, run))).pipe(
            Effect.flatMap((cause) => Deferred.succeed(ended, cause))
          )
          return Effect.zipRight(Effect.forkDaemon(inPromise(caller)), Effect.never)
        })
        const fiber = yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "5 seconds" }))
        yield* TestClock.adjust("1 second")
        yield* stop(fiber)
        expect(Array.from(Cause.interruptors(yield* Deferred.await(ended)))).toEqual([fiber.id()])
      })
    )
  }

  it.effect("fails the work with DeadlineExceeded when its deadline comes, where that is asked for", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const ended = yield* Deferred.make<Exit.Exit<never, { readonly _tag: string }>>()
      const body = Effect.flatMap(RunContext, (run) => {
        const caller = Effect.exit(Botanu.resume(Effect.never, run, { deadline: "enforce" })).pipe(
          Effect.flatMap((exit) => Deferred.succeed(ended, exit))
        )
        return Effect.zipRight(Effect.forkDaemon(inPromise(caller)), Effect.never)
      })
      yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "5 seconds" }))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Effect.flip(Effect.flatten(Deferred.await(ended)))).toMatchObject({ _tag: "DeadlineExceeded" })
    })
  )

  it.effect("interrupts the work when it is cancelled, also where its deadline is a failure", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const ended = yield* Deferred.make<Exit.Exit<never, unknown>>()
      const started = yield* Deferred.make<Run>()
      const body = Effect.flatMap(RunContext, (run) => {
        const joined = Effect.zipRight(Deferred.succeed(started, run), Effect.never)
        const caller = Effect.exit(Botanu.resume(joined, run, { deadline: "enforce" })).pipe(
          Effect.flatMap((exit) => Deferred.succeed(ended, exit))
        )
        return Effect.zipRight(Effect.forkDaemon(inPromise(caller)), Effect.never)
      })
      yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "5 seconds" }))
      const { runId } = yield* Deferred.await(started)
      yield* Botanu.cancel(runId, "operator")
      expect(Exit.isInterrupted(yield* Deferred.await(ended))).toBe(true)
    })
  )

  it.effect("leaves a failure of the work as it is, at its deadline too", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const ended = yield* Deferred.make<Exit.Exit<never, unknown>>()
      const body = Effect.flatMap(RunContext, (run) => {
        const failing = Effect.onInterrupt(Effect.never, () => Effect.die("in a finalizer"))
        const caller = Effect.exit(Botanu.resume(failing, run, { deadline: "enforce" })).pipe(
          Effect.flatMap((exit) => Deferred.succeed(ended, exit))
        )
        return Effect.zipRight(Effect.forkDaemon(inPromise(caller)), Effect.never)
      })
      yield* Effect.fork(Botanu.workflow(body, "W", { ...ids, deadline: "5 seconds" }))
      yield* TestClock.adjust("5 seconds")
      const exit = yield* Deferred.await(ended)
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
    })
  )

  it.effect("leaves the work to itself when it is done", () =>
    Effect.gen(function* () {
      const latch = yield* Effect.makeLatch()
      const body = Effect.flatMap(RunContext, (run) => Effect.forkDaemon(Botanu.resume(Effect.as(latch.await, 1), run)))
      const caller = yield* workflow(Effect.tap(body, () => Effect.yieldNow()))
      yield* latch.open
      expect(yield* Fiber.join(caller)).toBe(1)
    })
  )

  it.effect("counts against its budget, which ends the run and the work", () =>
    Effect.gen(function* () {
      const inPromise = yield* promised
      const log: Array<string> = []
      const work = Effect.gen(function* () {
        yield* spend("0.6")
        yield* spend("0.6")
        log.push("not reached")
      })
      const body = Effect.flatMap(RunContext, (run) => inPromise(Botanu.resume(work, run)))
      const budget = { usd: 1, children: false, retries: false }
      const error = yield* Effect.flip(Botanu.workflow(body, "W", { ...ids, budget }))
      expect([error._tag, log]).toEqual(["BudgetExceeded", []])
      expect(costOf((yield* onlyRun).completed)).toBe("1.2")
    }).pipe(Effect.provide(observed))
  )

  it.effect("goes on when the caller of the work is interrupted", () =>
    Effect.gen(function* () {
      const body = Effect.flatMap(RunContext, (run) =>
        Effect.gen(function* () {
          let isInterrupted = false
          const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (isInterrupted = true)))
          const caller = yield* Effect.forkDaemon(Botanu.resume(work, run))
          yield* TestClock.adjust(0)
          yield* Fiber.interrupt(caller)
          return isInterrupted
        })
      )
      expect(yield* workflow(body)).toBe(true)
      expect((yield* onlyRun).completed.status).toBe("success")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is joined as one of elsewhere when it is over", () =>
    Effect.gen(function* () {
      const run = yield* workflow(RunContext)
      yield* Botanu.resume(Effect.zipRight(spend("1"), Outcome.emit("partial")), run)
      const { completed } = yield* onlyRun
      expect([costOf(completed), completed.outcome?.status]).toEqual(["0", "success"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is not joined alive by a message that it sent", () =>
    Effect.gen(function* () {
      const body = Effect.gen(function* () {
        const incoming = yield* Effect.flatMap(Propagation.inject, Propagation.extract)
        yield* Botanu.resume(Outcome.emit("partial"), Option.getOrThrow(incoming))
      })
      yield* workflow(body)
      expect((yield* onlyRun).completed.outcome?.status).toBe("success")
    }).pipe(
      Effect.provide(BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })),
      Effect.provide(observed)
    )
  )
})
