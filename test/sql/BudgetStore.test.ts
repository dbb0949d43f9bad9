/**
 * Budgets that several processes share.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, Effect, Fiber, FiberId, Layer, Scheduler } from "effect"
import { Botanu, Budget, BudgetPeriod, BudgetStore, Usage } from "../../src/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { logging } from "../observed.js"
import { spend, unpriced, usd } from "../usages.js"
import { clientOf, inNewDatabase, rows, useServer } from "./database.js"

const server = useServer()
const withDatabase = inNewDatabase(server)

/** What a process of its own would have: its own client, store and budget. */
const process_ = (url: string) =>
  Budget.layer({ scope: "customer", usd: 1, per: "1 day" }).pipe(
    Layer.provide(LedgerSql.budgetStore()),
    Layer.provide(clientOf(url))
  )

const run = (amount: string, customerId: string) =>
  spend(amount).pipe(
    Botanu.workflow("Support", { eventId: "ticket-42", customerId }),
    Effect.as("ran"),
    Budget.catchExceeded(({ spentUsd }) => Effect.succeed(`refused at ${BigDecimal.format(spentUsd)}`))
  )

const period = (id: string) =>
  new BudgetPeriod({
    scope: "customer",
    id,
    per: Duration.days(1),
    start: DateTime.unsafeMake("2026-11-26T00:00:00Z"),
    end: DateTime.unsafeMake("2026-11-27T00:00:00Z")
  })

/** Interrupts the first fiber that works on it after so many of its steps. */
const interruptingAt = (step: number): Scheduler.Scheduler => {
  const own = new Scheduler.MixedScheduler(2048)
  let steps = 0
  let first: unknown
  return {
    scheduleTask: (task, priority) => own.scheduleTask(task, priority),
    shouldYield: (fiber) => {
      first ??= fiber
      if (fiber !== first) return false
      steps += 1
      if (steps !== step) return false
      fiber.unsafeInterruptAsFork(FiberId.none)
      return 0
    }
  }
}

describe("a budget in a database", () => {
  it("holds for all processes together, and for each customer apart", () =>
    withDatabase((url) =>
      Effect.gen(function* () {
        const hostile = "x'); DELETE FROM botanu.budgets; --"
        const [one, other] = [process_(url), process_(url)]
        expect(yield* Effect.provide(run("0.6", hostile), one)).toBe("ran")
        expect(yield* Effect.provide(run("0.6", hostile), other)).toBe("ran")
        expect(yield* Effect.provide(run("0.6", hostile), one)).toBe("refused at 1.2")
        expect(yield* Effect.provide(run("0.6", hostile), other)).toBe("refused at 1.2")
        expect(yield* Effect.provide(run("0.6", "bigretail"), one)).toBe("ran")
      })
    ))

  it("counts exactly what several processes add at once", () =>
    withDatabase((url) =>
      Effect.gen(function* () {
        yield* LedgerSql.migrate()
        const adds = Effect.gen(function* () {
          const store = yield* BudgetStore
          yield* Effect.forEach(
            Array.from({ length: 200 }, (_, index) => period(`customer-${index % 3}`)),
            (period) => store.add(period, { usd: usd("0.000000000000000001"), unpricedCalls: 1 }),
            { concurrency: 50, discard: true }
          )
        })
        const store = LedgerSql.budgetStore({ migrate: false }).pipe(Layer.provide(clientOf(url)))
        yield* Effect.all(
          Array.from({ length: 4 }, () => Effect.provide(adds, store)),
          { concurrency: "unbounded" }
        )
        const spent = yield* Effect.flatMap(BudgetStore, (store) => store.spent(period("customer-0"))).pipe(
          Effect.provide(store)
        )
        expect(spent.unpricedCalls).toBe(4 * 67)
        expect(BigDecimal.equals(spent.usd, usd("0.000000000000000268"))).toBe(true)
        expect(yield* rows("SELECT sum(unpriced_calls)::int AS calls FROM botanu.budgets")).toEqual([{ calls: 800 }])
      })
    ))

  it("knows nothing of a period that is not there, and forgets those that are over", () =>
    withDatabase((url) =>
      Effect.gen(function* () {
        const store = LedgerSql.budgetStore().pipe(Layer.provide(clientOf(url)))
        yield* Effect.gen(function* () {
          const { add, spent } = yield* BudgetStore
          expect((yield* spent(period("bigretail"))).unpricedCalls).toBe(0)
          yield* add(period("bigretail"), { usd: usd("1"), unpricedCalls: 2 })
          expect((yield* spent(period("bigretail"))).unpricedCalls).toBe(2)
          yield* LedgerSql.prune({ before: DateTime.unsafeMake("2026-11-28T00:00:00Z") })
          expect((yield* spent(period("bigretail"))).unpricedCalls).toBe(0)
        }).pipe(Effect.provide(store))
      })
    ))

  it("counts on after whatever is interrupted at whatever step", () =>
    withDatabase((url) =>
      Effect.gen(function* () {
        const { add, spent } = yield* BudgetStore
        const one = { usd: usd("1"), unpricedCalls: 0 }
        for (let step = 1; step <= 40; step += 1) {
          const own = period(`customer-${step}`)
          for (const work of [add(own, one), spent(own)]) {
            const fiber = yield* Effect.fork(Effect.withScheduler(work, interruptingAt(step)))
            yield* Fiber.await(fiber)
            // It fails where nobody writes what waits.
            const answer = yield* Effect.either(Effect.zipRight(Effect.fork(add(own, one)), spent(own)))
            expect(answer).toMatchObject({ _tag: "Right" })
          }
        }
      }).pipe(Effect.provide(LedgerSql.budgetStore().pipe(Layer.provide(clientOf(url)))))
    ))

  it("lets runs begin where the database is gone, and says so", async () => {
    const url = await server().newDatabase()
    const program = Effect.gen(function* () {
      yield* Effect.promise(() => server().stop())
      return yield* Effect.ensuring(
        Effect.zipRight(
          Botanu.workflow(Usage.record(unpriced), "Support", { eventId: "1", customerId: "c" }),
          run("2", "c")
        ),
        Effect.promise(() => server().resume())
      )
    })
    const lines: Array<string> = []
    const logged = program.pipe(Effect.provide(process_(url)), Effect.provide(logging(lines)))
    expect(await Effect.runPromise(logged)).toBe("ran")
    expect(lines.join("\n")).toContain("could not be read")
  })
})
