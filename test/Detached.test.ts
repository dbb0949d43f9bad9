import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, HashMap, Logger, Option, Queue, Stream } from "effect"
import { Botanu, Llm, Propagation, RunContext, Usage } from "../src/index.js"
import { CurrentRequestEdge } from "../src/lifecycle/Interruption.js"
import { completedRuns, endedSpans, observed } from "./observed.js"
import { ids, leanHeader, makeRun } from "./runs.js"

const inRun = Botanu.workflow("Support", { ...ids, deadline: "1 minute" })

describe("detached work", () => {
  it.effect("sees no run, and has one again after it", () =>
    Effect.gen(function* () {
      const run = Effect.serviceOption(RunContext)
      const [before, detached, after] = yield* Effect.all([run, Botanu.detached(run), run]).pipe(inRun)
      expect(detached).toEqual(Option.none())
      expect(before).toEqual(after)
      expect(Option.isSome(after)).toBe(true)
      expect(yield* run.pipe(Botanu.detached, Botanu.resume(makeRun()))).toEqual(Option.none())
    })
  )

  it.effect("is on spans of its own trace and on log lines without anything of the run", () => {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make(({ annotations }) => {
      lines.push(Object.fromEntries(HashMap.toEntries(annotations)))
    })
    return Effect.gen(function* () {
      const work = Effect.log("worker").pipe(Effect.withSpan("worker"), Botanu.detached)
      yield* Botanu.annotate({ team: "support" }).pipe(
        Effect.zipRight(work.pipe(Botanu.step("retrieval"))),
        inRun,
        Effect.annotateLogs("user", "log"),
        Effect.annotateSpans("user", "span")
      )
      const [worker, , run] = yield* endedSpans
      expect(worker?.attributes).toEqual({ user: "span" })
      expect(worker?.parentSpanContext).toBeUndefined()
      expect(worker?.spanContext().traceId).not.toBe(run?.spanContext().traceId)
      expect(lines).toEqual([{ user: "log" }])
    }).pipe(Effect.provide([observed, Logger.replace(Logger.defaultLogger, logger)]))
  })

  it.effect("has runs of its own, without parent, deadline, step and annotations, and without what came in", () =>
    Effect.gen(function* () {
      const own = Usage.record({ kind: "other", provider: "p", operation: "o" }).pipe(
        Effect.zipRight(Propagation.injectWith({ mode: "full" })),
        Botanu.workflow("Ship", ids)
      )
      const incoming = yield* Propagation.extract({ baggage: `${leanHeader},tier=gold,botanu.region=eu` })
      const sent = yield* Effect.zipRight(Botanu.annotate({ team: "support" }), Botanu.detached(own)).pipe(
        Botanu.step("retrieval"),
        inRun,
        Botanu.resume(incoming)
      )
      const [ship] = yield* completedRuns
      expect(ship?.run).toMatchObject({ workflow: "Ship", attempt: 1 })
      expect(ship?.run.parentRunId).toBeUndefined()
      expect(ship?.run.deadline).toBeUndefined()
      expect(ship?.annotations).toBeUndefined()
      expect(ship?.usages.map(({ usage }) => usage.step)).toEqual([undefined])
      for (const part of ["tier", "botanu.region", "botanu.step", "botanu.parent_run_id"]) {
        expect(sent["baggage"]).not.toContain(part)
      }
    }).pipe(Effect.provide(observed))
  )

  it.effect("has nothing of a run, a call or a request in its context", () =>
    Effect.gen(function* () {
      const keys = Effect.map(Effect.context<never>(), ({ unsafeMap }) =>
        [...unsafeMap.keys()].filter((key) => key.startsWith("botanu/"))
      )
      const fiber = Option.getOrThrow(Fiber.getCurrentFiber())
      const [inside, detached] = yield* Effect.all([keys, Botanu.detached(keys)]).pipe(
        Llm.track({ provider: "openai", model: "m" }),
        Botanu.step("retrieval"),
        inRun,
        Effect.provideService(CurrentRequestEdge, { fiber, reasonOf: () => undefined })
      )
      expect(inside).toHaveLength(5)
      expect(detached).toEqual([])
    })
  )

  it.effect("lives on in a daemon that the first run starts, and each job is a run of its own", () =>
    Effect.gen(function* () {
      const jobs = yield* Queue.unbounded<Deferred.Deferred<string | undefined>>()
      const worker = Queue.take(jobs).pipe(
        Effect.flatMap((done) =>
          Effect.flatMap(RunContext, ({ parentRunId }) => Deferred.succeed(done, parentRunId)).pipe(
            Botanu.workflow("Ship", ids)
          )
        ),
        Effect.forever,
        Botanu.detached,
        Effect.forkDaemon
      )
      const daemon = yield* worker.pipe(inRun)
      const parents = yield* Effect.forEach([1, 2], () =>
        Effect.gen(function* () {
          const done = yield* Deferred.make<string | undefined>()
          yield* Queue.offer(jobs, done)
          return yield* Deferred.await(done)
        }).pipe(inRun)
      )
      yield* Fiber.interrupt(daemon)
      expect(parents).toEqual([undefined, undefined])
    })
  )

  it.effect("gives its usage to no call and no run that it was started in", () =>
    Effect.gen(function* () {
      const inner = Usage.record({ kind: "other", provider: "p", operation: "o" }).pipe(
        Botanu.workflow("Ship", ids),
        Botanu.detached
      )
      yield* inner.pipe(Llm.track({ provider: "openai", model: "m" }), inRun)
      const [ship, support] = yield* completedRuns
      expect(ship?.usages).toHaveLength(1)
      expect(support?.usages.map(({ usage }) => usage.kind)).toEqual(["llm"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("gives its result, its failure and its interruption as it would", () =>
    Effect.gen(function* () {
      expect(yield* Botanu.detached(Effect.succeed(1))).toBe(1)
      expect(yield* Effect.flip(Botanu.detached(Effect.fail("broken")).pipe(Effect.asVoid))).toBe("broken")
      const fiber = yield* Effect.fork(Botanu.detached(Effect.never))
      yield* Effect.yieldNow()
      expect((yield* Fiber.interrupt(fiber))._tag).toBe("Failure")
      yield* Stream.runDrain(Stream.fromEffect(Botanu.detached(Effect.void)))
    })
  )
})
