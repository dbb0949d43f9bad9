/**
 * The promises of the design that the core keeps, one by one, on the public API alone.
 */
import { describe, expect, it } from "@effect/vitest"
import { Data, Effect, Exit, Fiber, Option, Schedule, Schema, TestClock } from "effect"
import {
  Botanu,
  BotanuConfig,
  type CompletedRun,
  Outcome,
  Propagation,
  RunContext,
  RunExporter,
  RunId
} from "../src/index.js"
import { ids } from "./runs.js"

class Broken extends Data.TaggedError("Broken") {}

const run = Botanu.workflow("Customer Support", ids)

const completedRuns = Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)
const statusOf = ({ status }: CompletedRun) => status
const outcomeOf = ({ outcome }: CompletedRun) => outcome?.status

const full = BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })

const promise = (name: string, kept: Effect.Effect<void, unknown, RunExporter.Memory>) =>
  it.effect(name, () => Effect.provide(kept, [RunExporter.layerMemory, full]))

describe("promises", () => {
  promise(
    "an emitted outcome is never replaced by an automatic one",
    Effect.gen(function* () {
      for (const status of ["failure", "partial", "timeout", "canceled"] as const) yield* run(Outcome.emit(status))
      expect((yield* completedRuns).map(outcomeOf)).toEqual(["failure", "partial", "timeout", "canceled"])
      expect((yield* completedRuns).map(statusOf)).toEqual(["success", "success", "success", "success"])
    })
  )

  promise(
    "an emitted outcome says its own status of a run that fails, unless it says success",
    Effect.gen(function* () {
      for (const status of ["partial", "timeout", "canceled", "success"] as const) {
        yield* Effect.exit(run(Effect.zipRight(Outcome.emit(status), new Broken())))
      }
      expect((yield* completedRuns).map(outcomeOf)).toEqual(["partial", "timeout", "canceled", "failure"])
    })
  )

  promise(
    "the outcome lands on the run, from any depth, from any child fiber",
    Effect.gen(function* () {
      const deep = Outcome.emit("partial").pipe(
        Effect.withSpan("3"),
        Effect.fork,
        Effect.flatMap(Fiber.join),
        Effect.withSpan("2")
      )
      yield* run(Effect.withSpan(deep, "1"))
      expect((yield* completedRuns).map(outcomeOf)).toEqual(["partial"])
    })
  )

  promise(
    "every exit of an Effect has its own status, and every started run completes exactly once",
    Effect.gen(function* () {
      const timed = Effect.never.pipe(Botanu.workflow("Customer Support", { ...ids, deadline: "1 second" }))
      for (const work of [run(Effect.void), run(new Broken()), run(Effect.die("x")), run(Effect.interrupt)])
        yield* Effect.exit(work)
      const fiber = yield* Effect.fork(timed)
      yield* TestClock.adjust("1 second")
      yield* Fiber.await(fiber)
      const runs = yield* completedRuns
      expect(runs.map(statusOf)).toEqual(["success", "failure", "failure", "canceled", "timeout"])
      expect(new Set(runs.map(({ run }) => run.runId)).size).toBe(5)
      expect(yield* Botanu.activeRuns).toEqual([])
    })
  )

  promise(
    "cancelling interrupts the run's fiber and the reason is on the record",
    Effect.gen(function* () {
      let interrupted = false
      const body = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      const fiber = yield* Effect.fork(run(body))
      yield* Effect.yieldNow()
      const [active] = yield* Botanu.activeRuns
      expect(yield* Botanu.cancel(active?.runId ?? "", "customer closed the ticket")).toBe(true)
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      expect(interrupted).toBe(true)
      const [completed] = yield* completedRuns
      expect(completed).toMatchObject({
        status: "canceled",
        cancellationReason: "customer closed the ticket",
        run: { cancelled: true }
      })
    })
  )

  promise(
    "a deadline is enforced, inherited by children and by the next service, and only a real instant is one",
    Effect.gen(function* () {
      const nextService = (headers: Propagation.OutgoingHeaders) =>
        Effect.flatMap(Propagation.extract(headers), (incoming) =>
          Effect.provide(
            Botanu.workflow(Effect.never, "Next Service", ids),
            RunContext.layer(Option.getOrThrow(incoming))
          )
        )
      const work = Botanu.workflow(
        Effect.flatMap(Propagation.injectWith({ deadline: true }), nextService),
        "Child",
        ids
      )
      const fiber = yield* Effect.fork(Botanu.workflow(work, "Parent", { ...ids, deadline: "30 seconds" }))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.await(fiber)
      expect(
        (yield* completedRuns).map(({ run, status }) => [run.workflow, status, run.deadline?.epochMillis])
      ).toEqual([
        ["Next Service", "timeout", 30_000],
        ["Child", "timeout", 30_000],
        ["Parent", "timeout", 30_000]
      ])
      for (const unreal of ["nan", "inf", "1e3", " 5", "8640000000000001"]) {
        const header = `botanu.run_id=${yield* RunId.make},botanu.workflow=w,botanu.event_id=e,botanu.customer_id=c,botanu.deadline=${encodeURIComponent(unreal)}`
        const refused = yield* Effect.flip(Schema.decode(RunContext.FromHeader)(header))
        expect(refused.message).toContain("botanu.deadline: expected whole milliseconds since the epoch")
      }
    })
  )

  promise(
    "each attempt is its own run with attempt, retry_of_run_id, one root_run_id, one event_id",
    Effect.gen(function* () {
      yield* Effect.exit(
        Effect.fail("x").pipe(Botanu.workflow("Customer Support", { ...ids, retry: Schedule.recurs(2) }))
      )
      const runs = (yield* completedRuns).map(({ run }) => run)
      const [first, second, third] = runs
      expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      expect([second?.retryOfRunId, third?.retryOfRunId]).toEqual([first?.runId, second?.runId])
      expect(new Set(runs.map(({ rootRunId }) => rootRunId))).toEqual(new Set([first?.runId]))
      expect(new Set(runs.map(({ eventId }) => eventId))).toEqual(new Set(["ticket-42"]))
    })
  )

  promise(
    "ids increase strictly in a process, also when the clock steps back",
    Effect.gen(function* () {
      const made: Array<string> = []
      for (const time of [1_000_000, 1_000_000, 999_999, 995_000, 990_000, 1_000_001]) {
        yield* TestClock.setTime(time)
        made.push(yield* RunId.make, yield* RunId.make)
      }
      expect([...made].sort()).toEqual(made)
      expect(new Set(made).size).toBe(made.length)
    }).pipe(Effect.provide(RunId.layerSeeded(1)))
  )

  promise(
    "an empty event_id or customer_id is refused with an error that names the field",
    Effect.gen(function* () {
      const withoutEvent = yield* Effect.flip(Botanu.workflow(Effect.void, "W", { eventId: "", customerId: "c" }))
      const withoutCustomer = yield* Effect.flip(Botanu.workflow(Effect.void, "W", { eventId: "e", customerId: "" }))
      expect([withoutEvent.field, withoutCustomer.field]).toEqual(["eventId", "customerId"])
      expect(yield* completedRuns).toEqual([])
    })
  )
})
