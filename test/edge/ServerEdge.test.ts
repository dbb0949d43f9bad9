/**
 * What the servers of all edges share: whom is believed, and in which run a request is worked on.
 */
import { describe, expect, it } from "@effect/vitest"
import { Data, Effect, Exit, Fiber, FiberRef, HashMap, HashSet, Logger, Option, TestClock, type Tracer } from "effect"
import { type Inbound, isDistrusted, isTrusted } from "../../src/edge/Trust.js"
import { currentTracerWrappers, Untrusted } from "../../src/fiber/TracerWrapper.js"
import {
  BotanuConfig,
  DeadlineExceeded,
  InvalidRunContext,
  Propagation,
  type Run,
  RunContext
} from "../../src/index.js"
import { completedRuns, endedSpans, observed, onlyRun } from "../observed.js"
import { ids, instant, leanHeader, runId } from "../runs.js"
import { type Arrival, arrival, serve } from "./requests.js"

const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })

const foreign = "tenant=x%20y;ttl=1"
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const headers = { baggage: `${leanHeader},${foreign}`, traceparent: `00-${traceId}-00f067aa0ba902b7-01` }

const arrive = (options: Partial<Arrival> = {}) => {
  const request = arrival({ headers, ...options })
  return { arrival: request, runs: request.runs }
}

const currentRun = Effect.map(Effect.serviceOption(RunContext), Option.getOrUndefined)

const walkIn = () => ({ workflow: "Walk-in", ...ids, customerId: "unknown" })

/** In a fiber of its own, as a server serves each request, which nobody joins. */
const served = <A, E>(work: Effect.Effect<A, E>, arrival: Arrival) => {
  const request = serve(work as Effect.Effect<unknown, E>, arrival)
  return Effect.map(Effect.flatten(Effect.flatMap(Effect.fork(request), Fiber.await)), (result) => result as A)
}

describe("whether a request is believed", () => {
  class Down extends Data.TaggedError("Down") {}

  it.effect("is the same for all, or what a predicate says of it", () =>
    Effect.gen(function* () {
      const friends: Inbound<string> = (name) => Effect.succeed(name === "friend")
      const believed = (inbound: Inbound<string>, name: string) => isTrusted(inbound, name)
      expect(yield* believed("trusted", "anyone")).toBe(true)
      expect(yield* believed("untrusted", "friend")).toBe(false)
      expect(yield* believed(friends, "friend")).toBe(true)
      expect(yield* believed(friends, "anyone")).toBe(false)
    })
  )

  it.effect("is not known yet to its predicate, for which it is not trusted", () =>
    Effect.gen(function* () {
      const seen: Inbound<string> = () => Effect.withFiberRuntime((fiber) => Effect.succeed(isDistrusted(fiber)))
      expect(yield* isTrusted(seen, "anyone")).toBe(true)
      expect(yield* Effect.withFiberRuntime<boolean>((fiber) => Effect.succeed(isDistrusted(fiber)))).toBe(false)
    })
  )

  it.effect("is not known where the predicate fails", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(isTrusted(() => Effect.fail(new Down()), "anyone"))).toEqual(new Down())
    })
  )
})

describe("a request that is believed", () => {
  it.effect("is worked on in the run that it brings, of which its edge learns first", () =>
    Effect.gen(function* () {
      const { arrival, runs } = arrive()
      const seen = yield* served(
        Effect.map(currentRun, (run) => ({ run, known: runs.length })),
        arrival
      )
      expect(seen.run).toMatchObject({ runId, customerId: "bigretail" })
      expect(seen.known).toBe(1)
      expect(runs).toEqual([seen.run])
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("sends the run and its baggage on, and is a part of its trace", () =>
    Effect.gen(function* () {
      const work = Effect.zip(Propagation.inject, Effect.currentSpan).pipe(Effect.withSpan("in"))
      const [sent, span] = yield* served(
        work as Effect.Effect<[Propagation.OutgoingHeaders, Tracer.Span]>,
        arrive().arrival
      )
      expect(sent["baggage"]).toBe(`${leanHeader},${foreign}`)
      expect(span.traceId).toBe(traceId)
    })
  )

  it.effect("is not another run, also where one could be made of it", () =>
    Effect.gen(function* () {
      let asked = 0
      const orElse = () => {
        asked += 1
        return walkIn()
      }
      yield* served(Effect.void, arrive({ orElse }).arrival)
      expect(asked).toBe(0)
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  for (const region of ["interruptible", "uninterruptible"] as const) {
    it.effect(`is worked on in the region of its edge, if that does not say otherwise (${region})`, () =>
      Effect.gen(function* () {
        const work = Effect.checkInterruptible((is) => Effect.succeed(is ? "interruptible" : "uninterruptible"))
        const fiber = yield* Effect.fork(Effect[region](serve(work, arrive().arrival)))
        expect(yield* Effect.flatten(Fiber.await(fiber))).toBe(region)
      })
    )
  }

  it.effect("ends at the run's deadline", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const work = Effect.ensuring(
        Effect.never,
        Effect.sync(() => log.push("finalized"))
      )
      const baggage = `${leanHeader},botanu.deadline=1000`
      const fiber = yield* Effect.fork(Effect.flip(served(work, arrive({ headers: { baggage } }).arrival)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toEqual(
        new DeadlineExceeded({ runId, workflow: "Customer Support", deadline: instant(1_000) })
      )
      expect(log).toEqual(["finalized"])
    })
  )

  const over: ReadonlyArray<readonly [what: string, more: string, tag: string]> = [
    ["past its deadline", "botanu.deadline=1000", "DeadlineExceeded"],
    ["cancelled", "botanu.cancelled=true", "RunCancelled"],
    ["both", "botanu.deadline=1000,botanu.cancelled=true", "RunCancelled"]
  ]
  for (const [what, more, tag] of over) {
    it.effect(`is not worked on where its run is ${what}; its edge learns of the run`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_000)
        let worked = false
        const work = Effect.sync(() => {
          worked = true
        })
        const { arrival, runs } = arrive({ headers: { baggage: `${leanHeader},${more}` }, orElse: walkIn })
        expect((yield* Effect.flip(served(work, arrival)))._tag).toBe(tag)
        expect(worked).toBe(false)
        expect(runs.map((run) => run.runId)).toEqual([runId])
        expect(yield* completedRuns).toEqual([])
      }).pipe(Effect.provide(observed))
    )
  }

  const runless: ReadonlyArray<readonly [what: string, headers: Propagation.IncomingHeaders, warnings: number]> = [
    ["no baggage", {}, 0],
    ["baggage of others only", { baggage: foreign }, 0],
    ["baggage that is bad", { baggage: leanHeader.replace("bigretail", "") }, 1],
    ["baggage that is junk", { baggage: "%%%,\u0000,__proto__" }, 1]
  ]
  for (const [what, headers, warnings] of runless) {
    it.effect(`is worked on in no run, or as one, where it brings ${what}`, () => {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      return Effect.gen(function* () {
        const { arrival, runs } = arrive({ headers })
        expect(yield* served(currentRun, arrival)).toBeUndefined()
        expect(runs).toEqual([])
        const asRun = arrive({ headers, orElse: walkIn })
        const run = yield* served(currentRun, asRun.arrival)
        expect(run).toMatchObject({ workflow: "Walk-in", customerId: "unknown", attempt: 1 })
        expect(asRun.runs).toEqual([run])
        expect(lines).toHaveLength(warnings)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    })
  }

  it.effect("is believed by what works on it", () =>
    Effect.gen(function* () {
      expect(yield* served(Untrusted, arrive().arrival)).toBe(false)
      expect(yield* served(Untrusted, arrive({ headers: {} }).arrival)).toBe(false)
      expect(yield* Untrusted).toBe(false)
    })
  )

  it.effect("may be of a sender that writes a space as a plus", () =>
    Effect.gen(function* () {
      const sent = { headers: { baggage: leanHeader.replace("%20", "+") } }
      const workflow = Effect.map(currentRun, (run) => run?.workflow)
      expect(yield* served(workflow, arrive({ ...sent, plusAsSpace: false }).arrival)).toBe("Customer+Support")
      expect(yield* served(workflow, arrive(sent).arrival)).toBe("Customer Support")
    })
  )

  it.effect("leaves the run on what its fiber does afterwards, and on no other", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ annotations, message }) =>
      lines.push([String(message), Option.getOrUndefined(HashMap.get(annotations, "botanu.run_id"))])
    )
    return Effect.gen(function* () {
      const request = Effect.zipRight(serve(Effect.log("work"), arrive().arrival), Effect.log("access"))
      yield* Effect.flatMap(Effect.fork(request), Fiber.await)
      yield* Effect.log("server")
      expect(lines).toEqual([
        ["work", runId],
        ["access", runId],
        ["server", undefined]
      ])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

describe("a request that is not believed", () => {
  const untrusted = { isTrusted: false }

  it.effect("is worked on in no run, whatever it brings; nothing of it goes on", () =>
    Effect.gen(function* () {
      const { arrival, runs } = arrive(untrusted)
      const [run, span] = yield* served(Effect.zip(currentRun, Effect.makeSpan("in")), arrival)
      expect(run).toBeUndefined()
      expect(span.traceId).not.toBe(traceId)
      expect(runs).toEqual([])
    })
  )

  it.effect("is neither ended by a deadline that it brings, nor by being cancelled", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      for (const more of ["botanu.deadline=1000", "botanu.cancelled=true"]) {
        const { arrival } = arrive({ ...untrusted, headers: { baggage: `${leanHeader},${more}` } })
        expect(yield* served(Effect.succeed("worked"), arrival)).toBe("worked")
      }
    })
  )

  it.effect("can be a run of its own, in which nothing stands of what was sent", () =>
    Effect.gen(function* () {
      const spoofed = {
        baggage: `${leanHeader},${foreign},botanu.tenant_id=evil,botanu.parent_run_id=${runId},botanu.attempt=7`,
        traceparent: headers.traceparent
      }
      const { arrival, runs } = arrive({ ...untrusted, headers: spoofed, orElse: walkIn })
      const work = Effect.all([Effect.withSpan(RunContext, "in"), Propagation.inject])
      const [run, sent] = yield* served(work as Effect.Effect<[Run, Propagation.OutgoingHeaders]>, arrival)
      const { completed } = yield* onlyRun
      expect(completed.run).toEqual(run)
      expect(runs).toEqual([run])
      expect(run).toMatchObject({ workflow: "Walk-in", customerId: "unknown", attempt: 1, rootRunId: run.runId })
      expect(run.parentRunId).toBeUndefined()
      expect(run.tenantId).toBeUndefined()
      const seen = JSON.stringify([sent, run, (yield* endedSpans).map(({ attributes, links }) => [attributes, links])])
      for (const text of [runId, "bigretail", "evil", "x%20y", "x y", traceId]) expect(seen).not.toContain(text)
      expect((yield* endedSpans).map((span) => span.parentSpanContext?.traceId)).not.toContain(traceId)
    }).pipe(Effect.provide([observed, full]))
  )

  it.effect("logs nothing, however bad its baggage", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => lines.push(message))
    return Effect.gen(function* () {
      yield* served(Effect.void, arrive({ ...untrusted, headers: { baggage: "botanu.run_id=\u001b[31m,,%%" } }).arrival)
      expect(lines).toEqual([])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.effect("is told apart by what works on it, and by what its fiber does afterwards", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const look = Effect.map(Untrusted, (untrusted) => seen.push(untrusted))
      for (const orElse of [undefined, walkIn]) {
        const request = Effect.zipRight(serve(look, arrive({ ...untrusted, orElse }).arrival), look)
        yield* Effect.flatMap(Effect.fork(request), Fiber.await)
      }
      yield* look
      expect(seen).toEqual([true, true, true, true, false])
    })
  )
})

describe("a request as a run of its own", () => {
  const asRun = (options: Partial<ReturnType<NonNullable<Arrival["orElse"]>>>) =>
    arrive({ headers: {}, orElse: () => ({ ...walkIn(), ...options }) })

  it.effect("is one like any other", () =>
    Effect.gen(function* () {
      const outcome = (answer: unknown) => ({ status: "partial" as const, reason: String(answer) })
      const { arrival } = asRun({ tenantId: "acme", version: "3", outcome, spanKind: "consumer" })
      yield* served(Effect.succeed("42 found"), arrival)
      const { completed, span } = yield* onlyRun
      expect(completed).toMatchObject({
        status: "success",
        outcome: { status: "partial", reason: "42 found" },
        run: { workflow: "Walk-in", tenantId: "acme", workflowVersion: "3" }
      })
      expect(span.kind).toBe(4)
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails with its deadline, if it has one", () =>
    Effect.gen(function* () {
      const { arrival } = asRun({ deadline: "1 second" })
      const fiber = yield* Effect.fork(Effect.flip(served(Effect.never, arrival)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "DeadlineExceeded", workflow: "Walk-in" })
      expect((yield* onlyRun).completed.status).toBe("timeout")
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails with InvalidRunContext, and is not worked on, where its options make none", () =>
    Effect.gen(function* () {
      let worked = false
      const work = Effect.sync(() => {
        worked = true
      })
      const { arrival, runs } = asRun({ customerId: "evil\r\nx: y" })
      const error = yield* Effect.flip(served(work, arrival))
      expect(error).toBeInstanceOf(InvalidRunContext)
      expect(error.message).not.toMatch(/[\r\n]/)
      expect(worked).toBe(false)
      expect(runs).toEqual([])
    })
  )

  it.effect("dies where its options cannot be had", () =>
    Effect.gen(function* () {
      const orElse = () => {
        throw new RangeError("no such request")
      }
      const exit = yield* Effect.exit(served(Effect.void, arrive({ headers: {}, orElse }).arrival))
      expect(exit).toEqual(Exit.die(new RangeError("no such request")))
    })
  )
})

describe("the tracer that an integration wants", () => {
  const requests: ReadonlyArray<readonly [which: string, options: Partial<Arrival>]> = [
    ["in a run that came in", {}],
    ["in a run of its own", { headers: {}, orElse: walkIn }],
    ["of someone who is not believed", { isTrusted: false }],
    ["of someone who is not believed, as a run", { isTrusted: false, orElse: walkIn }]
  ]
  for (const [which, options] of requests) {
    it.effect(`is that of the work on a request ${which}`, () =>
      Effect.gen(function* () {
        const tracer = yield* Effect.tracer
        const ambient: Tracer.Tracer = { ...tracer }
        const wrap = FiberRef.set(
          currentTracerWrappers,
          HashSet.make((from: Tracer.Tracer) => (from === tracer ? ambient : from))
        )
        const request = Effect.zipRight(wrap, serve(Effect.tracer, arrive(options).arrival))
        expect(yield* Effect.flatten(Effect.flatMap(Effect.fork(request), Fiber.await))).toBe(ambient)
        expect(yield* Effect.tracer).toBe(tracer)
      })
    )
  }
})
