/**
 * What a run may cost, as its caller and its record see it.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, Cause, Data, Deferred, Effect, Exit, FastCheck, Fiber, Schema, Stream, TestClock } from "effect"
import { format } from "../../src/cost/Usd.js"
import {
  Botanu,
  type Budget,
  BudgetExceeded,
  DeadlineExceeded,
  InvalidRunContext,
  Llm,
  RunContext,
  Usage
} from "../../src/index.js"
import { completedRuns, endedSpans, logging, observed, onlyRun } from "../observed.js"
import { ids } from "../runs.js"
import { costOf, perToken, quill, spend, unpriced, usd } from "../usages.js"

class Broken extends Data.TaggedError("Broken") {}

/** One dollar, for each attempt by itself, without its children. */
const dollar: Budget = { usd: 1, children: false, retries: false }

const within = (budget: Partial<Budget> = {}) =>
  Botanu.workflow("Customer Support", { ...ids, budget: { ...dollar, ...budget } })

const child = Botanu.workflow("Child", ids)

/** How each run ended, in the order in which they did, and what it is known to have cost. */
const endings = Effect.map(completedRuns, (runs) =>
  runs.map((completed) => [
    completed.run.workflow,
    completed.errorClass ?? completed.cancellationReason ?? completed.status,
    costOf(completed)
  ])
)

const overBudget = <A, E, R>(run: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(run), (exit) => {
    const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
    if (failure?._tag === "Some" && failure.value instanceof BudgetExceeded) return failure.value
    throw new Error(`expected BudgetExceeded, got ${String(exit)}`)
  })

describe("a run that passes its budget", () => {
  it.effect("is interrupted, and fails with what it spent", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const body = Effect.gen(function* () {
        yield* spend("0.6")
        log.push("one")
        yield* spend("0.6")
        log.push("two")
      })
      const error = yield* overBudget(within()(body))
      const { completed, span } = yield* onlyRun
      expect(log).toEqual(["one"])
      expect(error).toMatchObject({ runId: completed.run.runId, workflow: "Customer Support", unpricedCalls: 0 })
      expect([format(error.budgetUsd), format(error.spentUsd)]).toEqual(["1", "1.2"])
      expect(error.message).toBe(`run ${completed.run.runId} of workflow "Customer Support" spent 1.2 USD of 1`)
      expect(completed).toMatchObject({
        status: "failure",
        errorClass: "BudgetExceeded",
        outcome: { status: "failure", errorType: "BudgetExceeded" }
      })
      expect(completed.run.cancelled).toBe(false)
      expect([span.status.code, span.attributes["botanu.run.cost_usd"]]).toEqual([2, 1.2])
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  const notPassed: ReadonlyArray<readonly [what: string, budget: Budget["usd"], amounts: ReadonlyArray<string>]> = [
    ["it spends less", 1, ["0.3", "0.6999999999999999999"]],
    ["it spends all of it", "0.3", ["0.1", "0.1", "0.1"]],
    ["it spends nothing of nothing", 0, ["0", "0"]],
    ["it calls nothing", 0n, []]
  ]
  for (const [what, budget, amounts] of notPassed) {
    it.effect(`does not where ${what}`, () =>
      Effect.gen(function* () {
        expect(yield* within({ usd: budget })(Effect.as(Effect.forEach(amounts, spend), "done"))).toBe("done")
        expect((yield* onlyRun).completed.status).toBe("success")
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("does so by the last digit", () =>
    Effect.gen(function* () {
      const { spentUsd } = yield* overBudget(within({ usd: "0.3" })(Effect.forEach(["0.1", "0.2", "1e-30"], spend)))
      expect(format(spentUsd)).toBe("0.300000000000000000000000000001")
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails also where it was its last call that passed it", () =>
    Effect.gen(function* () {
      const error = yield* overBudget(within()(Effect.as(spend(2), "done")))
      expect(format(error.spentUsd)).toBe("2")
      expect(yield* endings).toEqual([["Customer Support", "BudgetExceeded", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("stops all of its fibers, and waits for their finalizers", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const lasting = (name: string) =>
        Effect.ensuring(
          Effect.never,
          Effect.map(Effect.sleep("1 second"), () => log.push(name))
        )
      const body = Effect.gen(function* () {
        yield* Effect.fork(lasting("forked"))
        yield* Effect.all([lasting("parallel"), Effect.zipRight(Effect.yieldNow(), spend(2))], { concurrency: 2 })
      })
      const fiber = yield* Effect.fork(overBudget(within()(body)))
      yield* TestClock.adjust("999 millis")
      expect([log, yield* completedRuns]).toEqual([[], []])
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      expect(log.sort()).toEqual(["forked", "parallel"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("spent also what its finalizers record, and what calls under way are known to have consumed", () =>
    Effect.gen(function* () {
      const call = Llm.track(Effect.zipRight(Usage.report({ outputTokens: 3 }), Effect.never), quill)
      const passing = Effect.ensuring(Effect.zipRight(Effect.yieldNow(), spend(2)), Effect.orDie(spend("0.5")))
      const error = yield* overBudget(within()(Effect.all([call, passing], { concurrency: 2 })))
      expect(format(error.spentUsd)).toBe("5.5")
      expect(yield* endings).toEqual([["Customer Support", "BudgetExceeded", "5.5"]])
    }).pipe(Effect.provide([observed, perToken("1")]))
  )

  it.effect("begins no other call in the fibers that consume streams", () =>
    Effect.gen(function* () {
      const begun: Array<number> = []
      const ask = (n: number) =>
        Llm.track(
          Effect.sync(() => begun.push(n)),
          { ...quill, usage: () => ({ outputTokens: 1 }) }
        )
      const asked = Stream.rechunk(Stream.range(1, 1_000), 1).pipe(Stream.mapEffect(ask))
      const recorded = Stream.rechunk(Stream.range(1, 1_000), 1).pipe(
        Stream.tap((n) => Effect.sync(() => begun.push(n))),
        Stream.mapEffect(() => spend("0.3"))
      )
      for (const answers of [asked, recorded]) yield* overBudget(within()(Stream.runDrain(answers)))
      expect(begun).toEqual([1, 2, 3, 4, 1, 2, 3, 4])
    }).pipe(Effect.provide([observed, perToken("0.3")]))
  )

  it.effect("goes on to its end where it is uninterruptible, and fails then", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const body = Effect.uninterruptible(
        Effect.forEach([1, 2, 3], (n) =>
          Effect.zipRight(
            spend(n),
            Effect.sync(() => log.push(`${n}`))
          )
        )
      )
      const error = yield* overBudget(within()(body))
      expect(log).toEqual(["1", "2", "3"])
      expect(format(error.spentUsd)).toBe("6")
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails also where its caller is uninterruptible, so that it succeeded", () =>
    Effect.gen(function* () {
      yield* overBudget(Effect.uninterruptible(within()(Effect.as(spend(2), "done"))))
      expect(yield* endings).toEqual([["Customer Support", "BudgetExceeded", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("fails with its own failure where it has one all the same", () =>
    Effect.gen(function* () {
      const body = Effect.uninterruptible(Effect.zipRight(spend(2), new Broken()))
      expect(yield* Effect.flip(within()(body))).toBeInstanceOf(Broken)
      const dying = Effect.ensuring(Effect.zipRight(spend(2), Effect.never), Effect.die(new RangeError("full")))
      yield* Effect.exit(within()(dying))
      expect(yield* endings).toEqual([
        ["Customer Support", "Broken", "2"],
        ["Customer Support", "RangeError", "2"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is passed by many fibers at once, none of which begins another call", () =>
    Effect.gen(function* () {
      const fibers = 50
      const spending = Effect.forever(Effect.zipRight(Effect.yieldNow(), spend("0.1")))
      const error = yield* overBudget(
        within({ usd: 20 })(
          Effect.all(
            Array.from({ length: fibers }, () => spending),
            { concurrency: "unbounded" }
          )
        )
      )
      const { completed } = yield* onlyRun
      expect(costOf(completed)).toBe(format(error.spentUsd))
      // The call that passed it, and those that were under way then.
      expect(completed.totals.calls).toBeGreaterThan(200)
      expect(completed.totals.calls).toBeLessThanOrEqual(200 + fibers)
    }).pipe(Effect.provide(observed))
  )

  it.effect.prop(
    "is the one that spent more than that, whatever it spends",
    [
      FastCheck.array(FastCheck.integer({ min: 0, max: 50 }), { maxLength: 30 }),
      FastCheck.integer({ min: 0, max: 300 }),
      FastCheck.integer({ min: 1, max: 5 })
    ],
    ([cents, limit, concurrency]) =>
      Effect.gen(function* () {
        const body = Effect.forEach(cents, (cent) => Effect.zipRight(Effect.yieldNow(), spend(`${cent}e-2`)), {
          concurrency
        })
        const exit = yield* Effect.exit(within({ usd: `${limit}e-2` })(body))
        const { completed } = yield* onlyRun
        const isOver = cents.reduce((sum, cent) => sum + cent, 0) > limit
        expect(Exit.isFailure(exit)).toBe(isOver)
        expect(completed.status).toBe(isOver ? "failure" : "success")
        expect(BigDecimal.greaterThan(completed.totals.usd, usd(`${limit}e-2`))).toBe(isOver)
        // Nothing that one fiber does after it passed is on record.
        if (concurrency === 1 && isOver) {
          const before = completed.usages.slice(0, -1).map(({ cost }) => cost.usd)
          expect(BigDecimal.greaterThan(BigDecimal.sumAll(before), usd(`${limit}e-2`))).toBe(false)
        }
      }).pipe(Effect.provide(observed))
  )
})

describe("calls without a price", () => {
  it.effect("do not pass a budget, however many", () =>
    Effect.gen(function* () {
      yield* within({ usd: 0 })(Effect.forEach([unpriced, unpriced], Usage.record))
      expect(yield* endings).toEqual([["Customer Support", "success", "0"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("are named where others passed it", () =>
    Effect.gen(function* () {
      const error = yield* overBudget(
        within()(Effect.all([Usage.record(unpriced), Usage.record(unpriced), spend("1.5")]))
      )
      expect(error.unpricedCalls).toBe(2)
      expect(error.message).toMatch(/ spent 1\.5 USD of 1, and what 2 unpriced calls cost$/)
    }).pipe(Effect.provide(observed))
  )
})

describe("children", () => {
  const spendIn = (amount: number) => child(Effect.zipRight(spend(amount), Effect.yieldNow()))

  it.effect("do not count where that is said, and are not stopped", () =>
    Effect.gen(function* () {
      yield* within({ children: false })(spendIn(5))
      expect(yield* endings).toEqual([
        ["Child", "success", "5"],
        ["Customer Support", "success", "0"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("count where that is said; the cost stays theirs, and they are canceled for it", () =>
    Effect.gen(function* () {
      const error = yield* overBudget(
        within({ children: true })(Effect.all([spend("0.5"), spendIn(5)], { discard: true }))
      )
      expect(error.workflow).toBe("Customer Support")
      expect(format(error.spentUsd)).toBe("5.5")
      expect(yield* endings).toEqual([
        ["Child", "budget_exceeded", "5"],
        ["Customer Support", "BudgetExceeded", "0.5"]
      ])
      const [completed] = yield* completedRuns
      expect(completed).toMatchObject({ status: "canceled", run: { cancelled: true } })
    }).pipe(Effect.provide(observed))
  )

  it.effect("count at any depth, and beside each other", () =>
    Effect.gen(function* () {
      const deep = child(child(child(spend("0.4"))))
      yield* overBudget(within({ children: true })(Effect.all([deep, deep, deep], { concurrency: 3 })))
      const [last] = (yield* completedRuns).slice(-1)
      expect(last?.errorClass).toBe("BudgetExceeded")
      expect(last?.totals.calls).toBe(0)
    }).pipe(Effect.provide(observed))
  )

  it.effect("fail with the budget that they have themselves, which their parent may survive", () =>
    Effect.gen(function* () {
      const inner = Botanu.workflow(spend(2), "Child", { ...ids, budget: dollar })
      const body = Effect.catchTag(inner, "BudgetExceeded", ({ workflow }) => Effect.succeed(workflow))
      expect(yield* within({ usd: 10, children: true })(body)).toBe("Child")
      expect(yield* endings).toEqual([
        ["Child", "BudgetExceeded", "2"],
        ["Customer Support", "success", "0"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that pass their own budget and their parent's end both", () =>
    Effect.gen(function* () {
      const inner = Botanu.workflow(spend(2), "Child", { ...ids, budget: dollar })
      const error = yield* overBudget(within({ children: true })(Effect.catchAll(inner, () => Effect.never)))
      expect(error.workflow).toBe("Customer Support")
      expect(yield* endings).toEqual([
        ["Child", "BudgetExceeded", "2"],
        ["Customer Support", "BudgetExceeded", "0"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that outlive it count no more, and are not stopped for it", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const daemon = child(Effect.zipRight(Effect.zipRight(Deferred.await(go), spend(5)), Effect.interrupt))
      const fiber = yield* within({ children: true })(Effect.forkDaemon(daemon))
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.await(fiber)
      expect(yield* endings).toEqual([
        ["Customer Support", "success", "0"],
        ["Child", "interrupted", "5"]
      ])
      expect(lines).toEqual([])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })
})

describe("retries", () => {
  const retried = (retries: boolean, further: Partial<Budget> = {}) =>
    Botanu.workflow("Customer Support", { ...ids, budget: { ...dollar, retries, ...further }, retry: { times: 3 } })

  const attempts = Effect.map(completedRuns, (runs) =>
    runs.map((completed) => [completed.run.attempt, completed.errorClass ?? completed.status, costOf(completed)])
  )
  const spendAndBreak = Effect.zipRight(spend("0.4"), new Broken())

  it.effect("have all of the budget each, where it is not shared", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(retried(false)(spendAndBreak))).toBeInstanceOf(Broken)
      expect(yield* attempts).toEqual([
        [1, "Broken", "0.4"],
        [2, "Broken", "0.4"],
        [3, "Broken", "0.4"],
        [4, "Broken", "0.4"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("follow a budget that was passed, where it is not shared", () =>
    Effect.gen(function* () {
      let amount = 3
      const body = Effect.suspend(() => spend(amount--))
      yield* retried(false)(body)
      expect(yield* attempts).toEqual([
        [1, "BudgetExceeded", "3"],
        [2, "BudgetExceeded", "2"],
        [3, "success", "1"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("share the budget where that is said; none follows when it is passed", () =>
    Effect.gen(function* () {
      const error = yield* overBudget(retried(true)(spendAndBreak))
      expect(format(error.spentUsd)).toBe("1.2")
      expect(yield* attempts).toEqual([
        [1, "Broken", "0.4"],
        [2, "Broken", "0.4"],
        [3, "BudgetExceeded", "0.4"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("share it within one call of the workflow only", () =>
    Effect.gen(function* () {
      const run = retried(true)(Effect.zipRight(spend("0.7"), Effect.void))
      yield* Effect.all([run, run, run], { concurrency: 3 })
      expect(yield* attempts).toEqual(Array(3).fill([1, "success", "0.7"]))
    }).pipe(Effect.provide(observed))
  )

  it.effect("begin none of the work where an attempt passed the shared budget and failed otherwise", () =>
    Effect.gen(function* () {
      let begun = 0
      const body = Effect.uninterruptible(
        Effect.zipRight(
          Effect.sync(() => begun++),
          Effect.zipRight(spend(2), new Broken())
        )
      )
      yield* overBudget(retried(true)(body))
      expect(begun).toBe(1)
      expect(yield* attempts).toEqual([
        [1, "Broken", "2"],
        [2, "BudgetExceeded", "0"]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("follow the passed budget of a run inside of it, as any failure", () =>
    Effect.gen(function* () {
      const inner = Botanu.workflow(spend(2), "Child", { ...ids, budget: { ...dollar, retries: true } })
      expect(yield* Effect.flip(retried(true)(inner))).toBeInstanceOf(BudgetExceeded)
      expect((yield* endings).filter(([workflow]) => workflow === "Child")).toHaveLength(4)
    }).pipe(Effect.provide(observed))
  )

  it.effect("meet BudgetExceeded in their predicate", () =>
    Effect.gen(function* () {
      const met: Array<string> = []
      const run = Botanu.workflow(spend(2), "W", {
        ...ids,
        budget: dollar,
        retry: {
          while: ({ _tag }) => {
            met.push(_tag)
            return false
          }
        }
      })
      yield* overBudget(run)
      expect(met).toEqual(["BudgetExceeded"])
    }).pipe(Effect.provide(observed))
  )
})

describe("a warning", () => {
  const warnings = (run: Effect.Effect<unknown, unknown>) =>
    Effect.suspend(() => {
      const lines: Array<string> = []
      return Effect.as(Effect.provide(Effect.exit(run), logging(lines)), lines)
    })

  it.effect("comes once, when the share is spent", () =>
    Effect.gen(function* () {
      const lines = yield* warnings(within({ warnAt: 0.5 })(Effect.forEach(["0.49", "0.01", "0.2", "0.3"], spend)))
      const { runId } = (yield* onlyRun).completed.run
      expect(lines).toEqual([`run ${runId} of workflow "Customer Support" spent 0.5 USD of its budget of 1`])
    }).pipe(Effect.provide(observed))
  )

  const quiet: ReadonlyArray<readonly [what: string, budget: Partial<Budget>]> = [
    ["before the share is spent", { warnAt: 0.91 }],
    ["where none was asked for", {}]
  ]
  for (const [what, budget] of quiet) {
    it.effect(`does not come ${what}`, () =>
      Effect.map(warnings(within(budget)(spend("0.9"))), (lines) => expect(lines).toEqual([]))
    )
  }

  it.effect("comes beside the failure where one call passes both", () =>
    Effect.map(warnings(within({ warnAt: 1 })(spend(2))), (lines) => {
      expect(lines).toHaveLength(1)
      expect(lines[0]).toContain("spent 2 USD of its budget of 1")
    })
  )

  it.effect("comes for what children spend, where they count", () =>
    Effect.map(warnings(within({ warnAt: 0.5, children: true })(child(spend("0.6")))), (lines) =>
      expect(lines).toHaveLength(1)
    )
  )

  const retries: ReadonlyArray<readonly [retries: boolean, warnings: number]> = [
    [true, 1],
    [false, 2]
  ]
  for (const [shared, count] of retries) {
    it.effect(
      `comes ${shared ? "once in all attempts that share the budget" : "once in each attempt that does not share it"}`,
      () => {
        const body = Effect.zipRight(spend("0.45"), new Broken())
        const run = Botanu.workflow(body, "W", {
          ...ids,
          budget: { ...dollar, retries: shared, warnAt: shared ? 0.5 : 0.4 },
          retry: { times: 1 }
        })
        return Effect.map(warnings(run), (lines) => expect(lines).toHaveLength(count))
      }
    )
  }
})

describe("whatever comes first ends the run", () => {
  const cancelAll = Effect.flatMap(Botanu.activeRuns, (runs) =>
    Effect.forEach(runs, ({ runId }) => Botanu.cancel(runId, "operator"))
  )
  const spendAtTheEnd = Effect.ensuring(Effect.never, Effect.orDie(spend(2)))

  it.effect("a cancellation before the budget is passed, by what its finalizers spend", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(within()(spendAtTheEnd))
      yield* Effect.yieldNow()
      yield* cancelAll
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      expect(yield* endings).toEqual([["Customer Support", "operator", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("an interruption before the budget is passed", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(within()(spendAtTheEnd))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      expect(yield* endings).toEqual([["Customer Support", "interrupted", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("a deadline before the budget is passed", () =>
    Effect.gen(function* () {
      const run = Botanu.workflow(spendAtTheEnd, "W", { ...ids, deadline: "1 second", budget: dollar })
      const fiber = yield* Effect.fork(Effect.flip(run))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBeInstanceOf(DeadlineExceeded)
      expect(yield* endings).toEqual([["W", "timeout", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("the budget before a deadline that comes while its finalizers last", () =>
    Effect.gen(function* () {
      const body = Effect.ensuring(Effect.zipRight(spend(2), Effect.never), Effect.sleep("1 minute"))
      const run = Botanu.workflow(body, "W", { ...ids, deadline: "1 second", budget: dollar })
      const fiber = yield* Effect.fork(overBudget(run))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      expect(yield* endings).toEqual([["W", "BudgetExceeded", "2"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("the budget before a cancellation that comes while its finalizers last", () =>
    Effect.gen(function* () {
      const body = Effect.ensuring(Effect.zipRight(spend(2), Effect.never), Effect.sleep("1 minute"))
      const fiber = yield* Effect.fork(overBudget(within()(body)))
      yield* Effect.yieldNow()
      yield* cancelAll
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      const { completed } = yield* onlyRun
      expect(completed).toMatchObject({
        status: "failure",
        errorClass: "BudgetExceeded",
        cancellationReason: "operator"
      })
    }).pipe(Effect.provide(observed))
  )

  it.effect("the budget before an interruption of its caller, who stays interrupted", () =>
    Effect.gen(function* () {
      const body = Effect.ensuring(Effect.zipRight(spend(2), Effect.never), Effect.sleep("1 minute"))
      const fiber = yield* Effect.fork(Effect.zipRight(Effect.exit(within()(body)), Effect.succeed("alive")))
      yield* Effect.yieldNow()
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("1 minute")
      expect(Exit.isInterrupted(yield* Fiber.await(fiber))).toBe(true)
      expect(yield* endings).toEqual([["Customer Support", "BudgetExceeded", "2"]])
    }).pipe(Effect.provide(observed))
  )
})

describe("a budget that is not as it should be is refused, with an error that names", () => {
  const amount = "expected a decimal amount of US dollars, zero or more"
  const share = "expected a share above 0 and at most 1"
  const refused: ReadonlyArray<readonly [field: string, budget: object, problem: string]> = [
    ["budget.usd", { usd: -1 }, `${amount}, got -1`],
    ["budget.usd", { usd: "ten" }, `${amount}, got "ten"`],
    ["budget.usd", { usd: Number.NaN }, `${amount}, got NaN`],
    ["budget.usd", { usd: undefined }, `${amount}, got undefined`],
    ["budget.children", { children: undefined }, "expected true or false, got undefined"],
    ["budget.children", { children: "yes" }, 'expected true or false, got "yes"'],
    ["budget.retries", { retries: undefined }, "expected true or false, got undefined"],
    ["budget.warnAt", { warnAt: 0 }, `${share}, got 0`],
    ["budget.warnAt", { warnAt: 1.01 }, `${share}, got 1.01`],
    ["budget.warnAt", { warnAt: -0.5 }, `${share}, got -0.5`],
    ["budget.warnAt", { warnAt: Number.NaN }, `${share}, got NaN`],
    ["budget.warnAt", { warnAt: 80 }, `${share}, got 80`]
  ]
  for (const [field, budget, problem] of refused) {
    it.effect(`${field}: ${problem}`, () =>
      Effect.gen(function* () {
        let started = false
        const body = Effect.sync(() => {
          started = true
        })
        const error = yield* Effect.flip(within(budget as Partial<Budget>)(body))
        expect(error).toBeInstanceOf(InvalidRunContext)
        expect(error).toMatchObject({ field, problem })
        expect([started, yield* completedRuns, yield* endedSpans]).toEqual([false, [], []])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("and is not tried again", () =>
    Effect.gen(function* () {
      const run = Botanu.workflow(Effect.void, "W", { ...ids, budget: { ...dollar, usd: -1 }, retry: { times: 1_000 } })
      expect(yield* Effect.flip(run)).toBeInstanceOf(InvalidRunContext)
    })
  )
})

it.effect("a budget of Botanu.fn bounds each call by itself", () =>
  Effect.gen(function* () {
    const answer = Botanu.fn("Answer", {
      eventId: (ticket: string) => ticket,
      customerId: "bigretail",
      budget: dollar
    })(function* (ticket, amount: number) {
      yield* spend(amount)
      const { eventId } = yield* RunContext
      return `${eventId} ${ticket}`
    })
    expect(yield* answer("t-1", 1)).toBe("t-1 t-1")
    expect(yield* Effect.flip(answer("t-2", 2))).toBeInstanceOf(BudgetExceeded)
    expect(yield* answer("t-3", 1)).toBe("t-3 t-3")
  })
)

it.effect("BudgetExceeded is JSON and back", () =>
  Effect.gen(function* () {
    const error = yield* overBudget(within({ usd: "0.1" })(spend("0.123456789012345678901")))
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(BudgetExceeded)(error)))
    const back = Schema.decodeUnknownSync(BudgetExceeded)(json)
    expect(back).toBeInstanceOf(BudgetExceeded)
    expect(back.message).toBe(error.message)
  })
)
