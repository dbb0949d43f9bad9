/**
 * Why a run was interrupted, as the edge knows it at which the work was asked for.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Equal, Fiber, FiberId, Schema, TestClock } from "effect"
import type { AnyFiber } from "../../src/fiber/CurrentFiber.js"
import { Botanu, type Run, RunContext } from "../../src/index.js"
import { CurrentRequestEdge, requestInterruptionReason } from "../../src/lifecycle/Interruption.js"
import { type Arrival, arrival, serve } from "../edge/requests.js"
import { completedRuns, observed } from "../observed.js"
import { ids, instant, makeRun } from "../runs.js"

/** Interrupts whatever is served to a client that has gone away. */
const abort = FiberId.runtime(-499, 0)

const headersOf = (run: Run) => ({ baggage: Schema.encodeSync(RunContext.FromHeader)(run) })
const headers = headersOf(makeRun())

const atEdge = (options?: Partial<Arrival>) =>
  arrival({
    reasonOf: (interruptor) => (Equal.equals(interruptor, abort) ? "client_disconnected" : undefined),
    ...options
  })

const request = atEdge({ orElse: () => ({ workflow: "Request", ...ids }) })
const inner = Botanu.workflow("Inner", ids)

/** Serves `work`, interrupts it when it says that it has begun, and gives how its runs ended. */
const interrupted = (
  work: (begun: Effect.Effect<unknown>) => Effect.Effect<unknown, unknown, RunContext>,
  options: Arrival,
  interruptor: FiberId.FiberId = abort,
  before: Effect.Effect<unknown> = Effect.void
) =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const served = serve(work(Deferred.succeed(begun, undefined)) as Effect.Effect<unknown, unknown>, options)
    const fiber = yield* Effect.fork(served)
    yield* Deferred.await(begun)
    yield* before
    yield* Fiber.interruptAs(fiber, interruptor)
    return yield* endings
  })

const endings = Effect.map(completedRuns, (runs) =>
  runs.map(({ cancellationReason, run, status }) => [run.workflow, status, cancellationReason])
)

const forever = (begun: Effect.Effect<unknown>) => Effect.zipRight(begun, Effect.never)

describe("a run that is interrupted by a fiber that its edge knows", () => {
  const disconnected = ["canceled", "client_disconnected"] as const

  it.effect("ends for the edge's reason", () =>
    Effect.gen(function* () {
      expect(yield* interrupted(forever, request)).toEqual([["Request", ...disconnected]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("does so as a child of the run that came in", () =>
    Effect.gen(function* () {
      const ended = yield* interrupted((begun) => inner(forever(begun)), atEdge({ headers }))
      expect(ended).toEqual([["Inner", ...disconnected]])
      expect((yield* completedRuns)[0]?.run.parentRunId).toBe(makeRun().runId)
    }).pipe(Effect.provide(observed))
  )

  it.effect("does so where there is no other run, and where nobody is believed", () =>
    Effect.gen(function* () {
      for (const isTrusted of [true, false]) {
        yield* interrupted((begun) => inner(forever(begun)), atEdge({ isTrusted }))
      }
      expect(yield* endings).toEqual([
        ["Inner", ...disconnected],
        ["Inner", ...disconnected]
      ])
    }).pipe(Effect.provide(observed))
  )

  const places: ReadonlyArray<
    readonly [where: string, (work: Effect.Effect<never, unknown>) => Effect.Effect<unknown, unknown>]
  > = [
    ["nested in another", (work) => Botanu.workflow(work, "Middle", ids)],
    ["in a forked fiber", (work) => Effect.flatMap(Effect.fork(work), Fiber.join)],
    ["under a timeout of the user's", (work) => Effect.timeout(work, "1 hour")],
    ["in a race", (work) => Effect.race(work, Effect.never)],
    ["in work on another run", (work) => Botanu.resume(work, makeRun({ workflow: "Other" }))],
    ["within a deadline of its own", (work) => Botanu.workflow(work, "Middle", { ...ids, deadline: "1 hour" })]
  ]
  for (const [where, place] of places) {
    it.effect(`does so ${where}, as do those around it`, () =>
      Effect.gen(function* () {
        const ended = yield* interrupted((begun) => place(inner(forever(begun))), request)
        expect(ended.at(0)).toEqual(["Inner", ...disconnected])
        expect(ended.at(-1)).toEqual(["Request", ...disconnected])
        for (const [, ...ending] of ended) expect(ending).toEqual(disconnected)
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("does so with all that run beside it", () =>
    Effect.gen(function* () {
      const ended = yield* interrupted(
        (begun) =>
          Effect.all([inner(Effect.never), inner(Effect.never), inner(forever(begun))], { concurrency: "unbounded" }),
        request
      )
      expect(ended).toEqual([
        ["Inner", ...disconnected],
        ["Inner", ...disconnected],
        ["Inner", ...disconnected],
        ["Request", ...disconnected]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails all the same where its finalizer does", () =>
    Effect.gen(function* () {
      const work = (begun: Effect.Effect<unknown>) =>
        Effect.ensuring(forever(begun), Effect.die(new RangeError("full")))
      expect(yield* interrupted(work, request)).toEqual([["Request", "failure", undefined]])
    }).pipe(Effect.provide(observed))
  )
})

describe("the edge's reason", () => {
  it.effect("is none of an interruption by another fiber", () =>
    Effect.gen(function* () {
      const ended = yield* interrupted((begun) => inner(forever(begun)), request, FiberId.runtime(-1, 0))
      expect(ended).toEqual([
        ["Inner", "canceled", "interrupted"],
        ["Request", "canceled", "interrupted"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is none where only the run was interrupted, not the request", () =>
    Effect.gen(function* () {
      const served = serve(
        Effect.gen(function* () {
          const fiber = yield* Effect.fork(inner(Effect.never))
          yield* Effect.yieldNow()
          yield* Fiber.interruptAs(fiber, abort)
        }),
        atEdge()
      )
      yield* served
      expect(yield* endings).toEqual([["Inner", "canceled", "interrupted"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("gives way to that of a cancellation that came before", () =>
    Effect.gen(function* () {
      const cancelAll = Effect.flatMap(Botanu.activeRuns, (runs) =>
        Effect.forEach(
          runs.filter(({ workflow }) => workflow === "Request"),
          ({ runId }) => Botanu.cancel(runId, "operator")
        )
      )
      const ended = yield* interrupted((begun) => inner(forever(begun)), request, abort, cancelAll)
      expect(ended).toEqual([
        ["Inner", "canceled", "operator"],
        ["Request", "canceled", "operator"]
      ])
    }).pipe(Effect.provide(observed))
  )

  const bounded: ReadonlyArray<readonly [whose: string, options: Arrival]> = [
    ["its own deadline", atEdge({ orElse: () => ({ workflow: "Request", ...ids, deadline: "1 second" }) })],
    ["the deadline that it inherited", atEdge({ headers: headersOf(makeRun({ deadline: instant(1_000) })) })]
  ]
  for (const [whose, options] of bounded) {
    it.effect(`gives way to ${whose}, where that has come`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        // So that the client goes away when the deadline has passed.
        const busy = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.sleep("2 seconds"))
        const fiber = yield* Effect.fork(serve(inner(Effect.uninterruptible(busy)), options))
        yield* Deferred.await(begun)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interruptAsFork(fiber, abort)
        yield* TestClock.adjust("1 second")
        yield* Fiber.await(fiber)
        const statuses = (yield* completedRuns).map(({ status }) => status)
        expect(statuses.length).toBeGreaterThan(0)
        for (const status of statuses) expect(status).toBe("timeout")
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is that of the innermost edge", () =>
    Effect.gen(function* () {
      const outer = atEdge({ reasonOf: () => "outer" })
      const ended = yield* interrupted(
        (begun) => serve(inner(forever(begun)), atEdge({ reasonOf: () => "inner" })),
        outer
      )
      expect(ended).toEqual([["Inner", "canceled", "inner"]])
    }).pipe(Effect.provide(observed))
  )

  it("ends for it also where others that the edge does not know interrupt it too, in any order", () => {
    const ids = [FiberId.runtime(-500, 0), FiberId.runtime(-501, 0)]
    const both = ids.map(Cause.interrupt).reduce((a, b) => Cause.parallel(a, b))
    const fiber = { getFiberRef: () => both } as unknown as AnyFiber
    for (const known of ids) {
      const reasonOf = (id: FiberId.FiberId) => (Equal.equals(id, known) ? "known" : undefined)
      expect(requestInterruptionReason(Context.make(CurrentRequestEdge, { fiber, reasonOf }))).toBe("known")
      const stopping = Context.make(CurrentRequestEdge, {
        fiber,
        reasonOf,
        reader: { stopReason: "shutdown" }
      })
      expect(requestInterruptionReason(stopping)).toBe("shutdown")
    }
  })

  it.effect("is nothing to a daemon that goes on", () =>
    Effect.gen(function* () {
      const goOn = yield* Deferred.make<void>()
      const done = yield* Deferred.make<string>()
      const daemon = inner(
        Effect.zipRight(
          Deferred.await(goOn),
          Effect.flatMap(RunContext, ({ workflow }) => Deferred.succeed(done, workflow))
        )
      )
      yield* interrupted((begun) => Effect.zipRight(Effect.forkDaemon(daemon), forever(begun)), request)
      yield* Deferred.succeed(goOn, undefined)
      expect(yield* Deferred.await(done)).toBe("Inner")
      yield* Effect.yieldNow()
      expect(yield* endings).toEqual([
        ["Request", "canceled", "client_disconnected"],
        ["Inner", "success", undefined]
      ])
    }).pipe(Effect.provide(observed))
  )
})
