import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger, Option, TestClock } from "effect"
import { Botanu, BotanuConfig, Delivery, Propagation, type Run, RunContext } from "../src/index.js"
import { completedRuns, endedSpans, observed } from "./observed.js"
import { ids, instant, makeRun, otherRunId, runId } from "./runs.js"

interface Message {
  readonly headers?: Propagation.IncomingHeaders | undefined
  lastAttempt?: Propagation.IncomingHeaders | undefined
}

const headersOf = (run: Run) =>
  Effect.provide(Propagation.injectWith({ mode: "full", deadline: true }), RunContext.layer(run))

const deliver = <A, E>(message: Message, work: Effect.Effect<A, E, RunContext>) =>
  work.pipe(
    Delivery.workflow("Ship Order", {
      ...ids,
      sender: message.headers,
      lastAttempt: message.lastAttempt,
      keep: (headers) =>
        Effect.sync(() => {
          message.lastAttempt = JSON.parse(JSON.stringify(headers))
        })
    })
  )

const lineage = ({ attempt, parentRunId, retryOfRunId, rootRunId }: Run) => ({
  attempt,
  parentRunId,
  retryOfRunId,
  rootRunId
})

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => {
    lines.push(String(message))
  })
  return Effect.map(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), (value) => ({ lines, value }))
}

describe("Delivery.workflow", () => {
  it.effect("is a chain of attempts below the run that sent the message, also in lean mode", () =>
    Effect.gen(function* () {
      const message: Message = { headers: yield* headersOf(makeRun({ deadline: instant(0), cancelled: true })) }
      const { lines, value: runs } = yield* logged(Effect.forEach([1, 2, 3], () => deliver(message, RunContext)))
      const [first, second] = runs.map(({ runId }) => runId)
      const same = { parentRunId: runId, rootRunId: first }
      expect(runs.map(lineage)).toEqual([
        { attempt: 1, retryOfRunId: undefined, ...same },
        { attempt: 2, retryOfRunId: first, ...same },
        { attempt: 3, retryOfRunId: second, ...same }
      ])
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success", "success", "success"])
      const spans = (yield* endedSpans).map((span) => span.spanContext().spanId)
      expect((yield* endedSpans).map(({ links }) => links.map(({ context }) => context.spanId))).toEqual([
        [],
        [spans[0]],
        [spans[1]]
      ])
      expect(lines).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect("keeps the headers of an attempt before its work begins", () =>
    Effect.gen(function* () {
      const message: Message = {}
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        deliver(message, Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
      )
      yield* Deferred.await(begun)
      const kept = Option.getOrThrow(yield* Propagation.extract(message.lastAttempt))
      expect((yield* Botanu.activeRuns).map(({ runId }) => runId)).toEqual([kept.runId])
      yield* Fiber.interrupt(fiber)
      const next = yield* deliver(message, RunContext)
      expect(lineage(next)).toEqual({
        attempt: 2,
        parentRunId: undefined,
        retryOfRunId: kept.runId,
        rootRunId: kept.runId
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("has attempts of its own within one delivery", () =>
    Effect.gen(function* () {
      const message: Message = {}
      const work = Effect.flatMap(RunContext, (run) => (run.attempt < 3 ? Effect.fail("busy") : Effect.succeed(run)))
      const third = yield* work.pipe(
        Delivery.workflow("Ship Order", {
          ...ids,
          retry: { times: 2 },
          keep: (headers) =>
            Effect.sync(() => {
              message.lastAttempt = headers
            })
        })
      )
      expect(third.attempt).toBe(3)
      expect((yield* deliver(message, RunContext)).retryOfRunId).toBe(third.runId)
    }).pipe(Effect.provide(observed))
  )

  it.effect("keeps all of an attempt where the process propagates in lean mode", () =>
    Effect.gen(function* () {
      const message: Message = {}
      const [first, second] = yield* Effect.forEach([1, 2], () => deliver(message, RunContext))
      const kept = Option.getOrThrow(yield* Propagation.extract(message.lastAttempt))
      expect(lineage(kept)).toEqual({
        attempt: 2,
        parentRunId: undefined,
        retryOfRunId: first?.runId,
        rootRunId: first?.runId
      })
      expect([kept.runId, kept.environment]).toEqual([second?.runId, "staging"])
    }).pipe(
      Effect.provide(BotanuConfig.layerOf({ environment: "staging", propagationMode: "lean" })),
      Effect.provide(observed)
    )
  )

  const first = makeRun({ runId: otherRunId, rootRunId: otherRunId, workflow: "Ship Order" })
  const others: ReadonlyArray<readonly [string, unknown]> = [
    ["nothing", undefined],
    ["null", null],
    ["text", "botanu.run_id=7"],
    ["garbage", { baggage: "botanu.run_id=7,%%%" }],
    ["a list", [1, null, { baggage: 7 }]],
    ["another event", makeRun({ ...first, eventId: "ticket-43" })],
    ["another workflow", makeRun({ ...first, workflow: "Draft Reply" })]
  ]
  for (const [which, given] of others) {
    it.effect(`does the work as a first attempt where the last one is given as ${which}`, () =>
      Effect.gen(function* () {
        const lastAttempt = which.startsWith("another") ? yield* headersOf(given as Run) : given
        const { value } = yield* logged(deliver({ lastAttempt } as Message, RunContext))
        expect(lineage(value)).toEqual({
          attempt: 1,
          parentRunId: undefined,
          retryOfRunId: undefined,
          rootRunId: value.runId
        })
      }).pipe(Effect.provide(observed))
    )
  }

  for (const [how, failing] of [
    ["fails", Effect.fail("queue gone")],
    ["dies", Effect.die("queue gone")]
  ] as const) {
    it.effect(`does the work where keeping the headers ${how}, and logs that`, () =>
      Effect.gen(function* () {
        const { lines, value } = yield* logged(
          Effect.succeed(1).pipe(Delivery.workflow("Ship Order", { ...ids, keep: () => failing }))
        )
        expect(value).toBe(1)
        expect(lines).toHaveLength(1)
        expect(lines[0]).toContain("the next attempt at this message will not know of this one")
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("is stopped while the headers are kept, and does not begin then", () =>
    Effect.gen(function* () {
      let begun = false
      const work = Effect.sync(() => {
        begun = true
      })
      const fiber = yield* Effect.fork(
        work.pipe(
          Delivery.workflow("Ship Order", { ...ids, deadline: "1 second", keep: () => Effect.never }),
          Effect.exit
        )
      )
      yield* TestClock.adjust("1 second")
      const exit = yield* Fiber.join(fiber)
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("passed its deadline")
      expect(begun).toBe(false)
    }).pipe(Effect.provide(observed))
  )
})

describe("a run that came in lean mode and is tried again", () => {
  const lean = Effect.flatMap(
    Effect.provide(Propagation.injectWith({ mode: "lean" }), RunContext.layer(makeRun({ attempt: 7 }))),
    (headers) => Effect.map(Propagation.extract(headers), Option.getOrThrow)
  )
  const again = (retryOf: Run) => RunContext.pipe(Botanu.workflow("Customer Support", { ...ids, retryOf }))

  it.effect("has lost the number of its attempt, and that is logged once", () =>
    Effect.gen(function* () {
      const { lines, value } = yield* logged(
        Effect.gen(function* () {
          const run = yield* again(yield* lean)
          yield* TestClock.adjust("1 hour")
          yield* again(yield* lean)
          return run
        })
      )
      expect(value.attempt).toBe(2)
      expect(lines).toHaveLength(1)
      expect(lines[0]).toBe(
        `retryOf: run ${runId} came in lean mode, so its attempt number, its root and its parent are not known; the next one is ` +
          'counted as attempt 2. Send it with Propagation.injectWith({ mode: "full" })'
      )
    }).pipe(Effect.provide(observed))
  )

  it.effect("is not what one is that came in full, or was made here", () =>
    Effect.gen(function* () {
      const full = Option.getOrThrow(yield* Propagation.extract(yield* headersOf(makeRun({ attempt: 7 }))))
      const { lines, value } = yield* logged(Effect.all([again(full), again(makeRun())]))
      expect(value.map(({ attempt }) => attempt)).toEqual([8, 2])
      expect(lines).toEqual([])
    }).pipe(Effect.provide([observed, BotanuConfig.layerOf({ environment: "test", propagationMode: "lean" })]))
  )
})
