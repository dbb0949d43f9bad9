/**
 * What all runs of a customer, of a tenant or of a workflow may cost in a period.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  BigDecimal,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Fiber,
  Layer,
  Schedule,
  Schema,
  Stream,
  TestClock
} from "effect"
import { format } from "../../src/cost/Usd.js"
import {
  Botanu,
  Budget,
  BudgetExceeded,
  BudgetStore,
  type BudgetStoreService,
  InvalidBudget,
  Usage
} from "../../src/index.js"
import { completedRuns, logging, observed } from "../observed.js"
import { spend, unpriced } from "../usages.js"

interface Who {
  readonly workflow?: string
  readonly customerId?: string
  readonly tenantId?: string
}

const run = (usd: string, { customerId = "bigretail", tenantId, workflow = "Support" }: Who = {}) =>
  spend(usd).pipe(Botanu.workflow(workflow, { eventId: "ticket-42", customerId, tenantId }), Effect.either)

/** How each of several runs ended, one after another. */
const endings = (...runs: ReadonlyArray<ReturnType<typeof run>>) =>
  Effect.map(Effect.all(runs), (exits) =>
    exits.map((exit) => (exit._tag === "Right" ? "success" : (exit.left as { readonly _tag: string })._tag))
  )

const daily = (scope: "customer" | "tenant" | "workflow", usd: string | number = 1) =>
  Budget.layer({ scope, usd, per: "1 day" })

const exceeded = "BudgetExceeded"

describe("a run that begins when its budget over time is exceeded", () => {
  it.effect("fails with the scope and the period, does not run, and is on record", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 2, 15, 30))
      expect(yield* endings(run("0.6"), run("0.6"))).toEqual(["success", "success"])
      const log: Array<string> = []
      const error = yield* Effect.sync(() => log.push("ran")).pipe(
        Botanu.workflow("Support", { eventId: "ticket-43", customerId: "bigretail" }),
        Effect.flip
      )
      expect(log).toEqual([])
      expect(error).toBeInstanceOf(BudgetExceeded)
      const { budgetUsd, message, period, scope, spentUsd, unpricedCalls } = error as unknown as BudgetExceeded
      expect([scope, period?.scope, period?.id, format(budgetUsd), format(spentUsd), unpricedCalls]).toEqual([
        "customer",
        "customer",
        "bigretail",
        "1",
        "1.2",
        0
      ])
      expect(Duration.format(period?.per ?? 0)).toBe("1d")
      expect(message).toMatch(
        /^run [0-9a-f-]{36} of workflow "Support" did not begin: customer "bigretail" spent 1.2 USD of 1 from 2026-01-02T00:00:00.000Z to 2026-01-03T00:00:00.000Z$/
      )
      const records = yield* completedRuns
      expect(records.map(({ errorClass, status }) => errorClass ?? status)).toEqual(["success", "success", exceeded])
      expect(records[2]?.run.runId).toBe((error as unknown as BudgetExceeded).runId)
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("fails as a stream too, which gives no element", () =>
    Effect.gen(function* () {
      yield* run("2")
      const log: Array<string> = []
      const error = yield* Stream.make("a", "b").pipe(
        Stream.tap((element) => Effect.sync(() => log.push(element))),
        Botanu.workflow("Support", { eventId: "ticket-43", customerId: "bigretail" }),
        Stream.runDrain,
        Effect.flip
      )
      expect(error).toBeInstanceOf(BudgetExceeded)
      expect(log).toEqual([])
      const records = yield* completedRuns
      expect(records.map(({ errorClass, status }) => errorClass ?? status)).toEqual(["success", exceeded])
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("is not retried, for no attempt can mend it", () =>
    Effect.gen(function* () {
      yield* run("2")
      yield* Effect.void.pipe(
        Botanu.workflow("Support", { eventId: "e", customerId: "bigretail", retry: Schedule.recurs(3) }),
        Effect.flip
      )
      expect((yield* completedRuns).length).toBe(2)
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("may begin where exactly the budget was spent", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("1"), run("0.01"), run("0"))).toEqual(["success", "success", exceeded])
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("says how many calls had no price", () =>
    Effect.gen(function* () {
      const body = Effect.zipRight(Usage.record(unpriced), spend("2"))
      yield* body.pipe(Botanu.workflow("Support", { eventId: "e", customerId: "bigretail" }))
      const exit = yield* run("0")
      expect(exit).toMatchObject({ left: { unpricedCalls: 1 } })
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("does not stop runs that are under way", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const first = yield* Effect.fork(
        Effect.zipRight(Deferred.await(gate), spend("1")).pipe(
          Botanu.workflow("Support", { eventId: "e", customerId: "bigretail" })
        )
      )
      yield* Effect.yieldNow()
      yield* run("5")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success", "success"])
    }).pipe(Effect.provide([observed, daily("customer")]))
  )
})

describe("Budget.catchExceeded", () => {
  const ask = (usd: string) => spend(usd).pipe(Botanu.workflow("Support", { eventId: "e", customerId: "bigretail" }))
  const handle = ({ scope }: BudgetExceeded) => Effect.succeed(scope)

  it.effect("handles a budget over time", () =>
    Effect.gen(function* () {
      yield* ask("2")
      expect(yield* Budget.catchExceeded(ask("0"), handle)).toBe("customer")
      expect(yield* ask("0").pipe(Budget.catchExceeded(handle))).toBe("customer")
    }).pipe(Effect.provide([observed, daily("customer")]))
  )
  it.effect("handles the budget of a run", () =>
    Effect.gen(function* () {
      const budget = { usd: 1, children: true, retries: true }
      const work = Botanu.workflow(spend("2"), "Support", { eventId: "e", customerId: "bigretail", budget })
      expect(yield* Budget.catchExceeded(work, handle)).toBe("run")
    }).pipe(Effect.provide(observed))
  )
  it.effect("handles nothing else", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(Budget.catchExceeded(Effect.fail("x"), handle))).toBe("x")
    })
  )
})

describe("whose cost counts together", () => {
  it.effect("that of one customer, in any workflow", () =>
    Effect.gen(function* () {
      const other = { customerId: "acme" }
      expect(yield* endings(run("2"), run("0", { workflow: "Report" }), run("2", other), run("0", other))).toEqual([
        "success",
        exceeded,
        "success",
        exceeded
      ])
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("that of one tenant; a run without one is not bound", () =>
    Effect.gen(function* () {
      const north = { tenantId: "north" }
      expect(
        yield* endings(
          run("2", north),
          run("0", { ...north, customerId: "acme" }),
          run("2"),
          run("2"),
          run("0", { tenantId: "south" })
        )
      ).toEqual(["success", exceeded, "success", "success", "success"])
    }).pipe(Effect.provide([observed, daily("tenant")]))
  )

  it.effect("that of one workflow", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("2"), run("0", { customerId: "acme" }), run("0", { workflow: "Report" }))).toEqual([
        "success",
        exceeded,
        "success"
      ])
    }).pipe(Effect.provide([observed, daily("workflow")]))
  )

  it.effect("that of runs inside of runs, each usage once", () =>
    Effect.gen(function* () {
      const parent = (usd: string) =>
        run(usd).pipe(Botanu.workflow("Parent", { eventId: "e", customerId: "bigretail" }), Effect.either)
      yield* parent("0.5")
      yield* parent("0.5")
      expect((yield* run("0.1"))._tag).toBe("Right")
      expect((yield* run("0"))._tag).toBe("Left")
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("in layers that are merged, of which each holds", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("2"), run("2", { customerId: "acme" }), run("0", { customerId: "third" }))).toEqual([
        "success",
        "success",
        exceeded
      ])
    }).pipe(Effect.provide([observed, daily("customer", 5), daily("workflow", 3)]))
  )

  it.effect("in layers that are merged, whichever of them is the narrower", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("4"), run("0", { workflow: "Refund" }), run("0", { customerId: "acme" }))).toEqual([
        "success",
        exceeded,
        "success"
      ])
    }).pipe(Effect.provide([observed, daily("customer", 3), daily("workflow", 5)]))
  )

  it.effect("in each of several periods", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("1.2"), run("0"))).toEqual(["success", exceeded])
      yield* TestClock.adjust("1 hour")
      expect(yield* endings(run("4"), run("0"))).toEqual(["success", exceeded])
      yield* TestClock.adjust("1 hour")
      expect(yield* endings(run("0"))).toEqual([exceeded])
      yield* TestClock.adjust("1 day")
      expect(yield* endings(run("0"))).toEqual(["success"])
    }).pipe(
      Effect.provide([observed, daily("customer", 5), Budget.layer({ scope: "customer", usd: 1, per: "1 hour" })])
    )
  )

  it.effect("of a customer and of a workflow, each for itself, in the same period", () =>
    Effect.gen(function* () {
      yield* run("0.6")
      yield* run("0.6", { customerId: "smallretail" })
      const customers = ["bigretail", "smallretail", "newretail"].map((customerId) => run("0", { customerId }))
      expect(yield* endings(...customers)).toEqual([exceeded, exceeded, exceeded])
      const others = ["bigretail", "newretail"].map((customerId) => run("0", { customerId, workflow: "Import" }))
      expect(yield* endings(...others)).toEqual(["success", "success"])
    }).pipe(Effect.provide([observed, daily("customer"), daily("workflow")]))
  )

  it.effect("of a workflow and of a customer, where the work has no tenant", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      expect(yield* endings(run("2"), run("0"))).toEqual(["success", exceeded])
      expect(lines).toEqual([])
    }).pipe(Effect.provide([observed, daily("tenant"), daily("customer"), logging(lines)]))
  })

  it.effect("once, whichever layers name the same", () =>
    Effect.gen(function* () {
      expect(yield* endings(run("0.6"), run("0.1"))).toEqual(["success", "success"])
      expect(yield* endings(run("0.4"), run("0"))).toEqual(["success", exceeded])
    }).pipe(Effect.provide([observed, daily("customer"), daily("customer", 3)]))
  )
})

describe("a period", () => {
  it.effect("ends, and the next begins with nothing spent", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 2, 23, 59, 59, 999))
      expect(yield* endings(run("2"), run("0"))).toEqual(["success", exceeded])
      yield* TestClock.adjust("1 millis")
      expect(yield* endings(run("0"))).toEqual(["success"])
    }).pipe(Effect.provide([observed, daily("customer")]))
  )

  it.effect("goes on where the layer is built again", () =>
    Effect.gen(function* () {
      const again = (usd: string) => Effect.orDie(Effect.provide(run(usd), daily("customer")))
      expect(yield* endings(again("2"), again("0"))).toEqual(["success", exceeded])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that is over is forgotten, and no other", () =>
    Effect.gen(function* () {
      const store = yield* BudgetStore
      const period = (start: number) => ({
        scope: "customer" as const,
        id: `customer ${start}`,
        per: Duration.seconds(1),
        start: DateTime.unsafeMake(start),
        end: DateTime.unsafeMake(start + 1000)
      })
      const spending = { usd: BigDecimal.unsafeFromString("1"), unpricedCalls: 0 }
      for (let index = 0; index < 998; index++) yield* store.add(period(index), spending)
      yield* store.add(period(59_000), spending)
      yield* store.add(period(59_001), spending)
      expect(format((yield* store.spent(period(7))).usd)).toBe("1")
      yield* TestClock.adjust("1 minute")
      yield* store.add(period(60_000), spending)
      expect(format((yield* store.spent(period(7))).usd)).toBe("0")
      expect(format((yield* store.spent(period(59_000))).usd)).toBe("0")
      expect(format((yield* store.spent(period(59_001))).usd)).toBe("1")
      expect(format((yield* store.spent(period(60_000))).usd)).toBe("1")
    })
  )

  it("is read back from JSON in the error that names it", () => {
    const start = DateTime.unsafeMake(0)
    const error = Schema.decodeUnknownSync(BudgetExceeded)({
      _tag: "BudgetExceeded",
      runId: "019abc12-def3-7890-abcd-1234567890ab",
      workflow: "Support",
      budgetUsd: "1",
      spentUsd: "1.2",
      unpricedCalls: 0,
      scope: "tenant",
      period: { scope: "tenant", id: "north", per: 1000, start: "1970-01-01T00:00:00Z", end: "1970-01-01T00:00:01Z" }
    })
    expect(error.period).toMatchObject({ id: "north", per: Duration.seconds(1), start })
  })
})

describe("a store that processes share", () => {
  const sharing = (store: BudgetStoreService) => Layer.provide(daily("customer"), Layer.succeed(BudgetStore, store))

  it.effect("takes in each usage, and so does another one for the same budget", () => {
    const added: Array<string> = []
    const storeOf = (name: string): BudgetStoreService => ({
      add: (_, { usd }) => Effect.sync(() => added.push(`${name} ${format(usd)}`)),
      spent: () => Effect.succeed({ usd: BigDecimal.unsafeFromString("0"), unpricedCalls: 0 })
    })
    return Effect.gen(function* () {
      yield* run("0.5")
      expect(added.toSorted()).toEqual(["one 0.5", "other 0.5"])
    }).pipe(Effect.provide([observed, sharing(storeOf("one")), sharing(storeOf("other"))]))
  })

  it.effect("bounds them together", () =>
    Effect.gen(function* () {
      const spent = new Map<string, BigDecimal.BigDecimal>()
      const zero = BigDecimal.unsafeFromString("0")
      const store: BudgetStoreService = {
        add: ({ id }, { usd }) =>
          Effect.delay(
            Effect.sync(() => void spent.set(id, BigDecimal.sum(spent.get(id) ?? zero, usd))),
            "10 millis"
          ),
        spent: ({ id }) => Effect.sync(() => ({ usd: spent.get(id) ?? zero, unpricedCalls: 0 }))
      }
      // The release of a layer waits for what it has not counted yet.
      const one = yield* Effect.fork(Effect.provide(run("2"), sharing(store)))
      yield* TestClock.adjust("10 millis")
      yield* Fiber.join(one)
      expect((yield* Effect.provide(run("0"), sharing(store)))._tag).toBe("Left")
    }).pipe(Effect.provide(observed))
  )

  it.effect("stops no run where it fails, and that is logged", () => {
    const lines: Array<string> = []
    const broken: BudgetStoreService = { add: () => Effect.fail("down"), spent: () => Effect.die("down") }
    return Effect.gen(function* () {
      expect(yield* endings(run("2"), run("2"))).toEqual(["success", "success"])
      expect(new Set(lines)).toEqual(
        new Set([
          `the budget of customer "bigretail" could not be read`,
          `the budget of customer "bigretail" could not be counted`
        ])
      )
    }).pipe(Effect.provide([observed, sharing(broken), logging(lines)]))
  })

  const spending = (usd: string, unpricedCalls = 0) => ({ usd: BigDecimal.unsafeFromString(usd), unpricedCalls })

  const garbage: ReadonlyArray<readonly [string, unknown]> = [
    ["nothing", undefined],
    ["null", null],
    ["an empty record", {}],
    ["an amount as text", { ...spending("0"), usd: "5" }],
    ["an amount as a number", { ...spending("0"), usd: 5 }],
    ["an amount of a billion digits", { ...spending("0"), usd: BigDecimal.make(1n, -1_000_000_000) }],
    ["no calls", { usd: BigDecimal.unsafeFromString("5") }],
    ["calls as text", { ...spending("5"), unpricedCalls: "3" }],
    ["half a call", spending("5", 0.5)],
    ["calls that are no number", spending("5", Number.NaN)]
  ]
  for (const [what, answer] of garbage) {
    it.effect(`stops no run where it answers ${what}, and that is logged`, () => {
      const lines: Array<string> = []
      const store = { add: () => Effect.void, spent: () => Effect.succeed(answer) } as BudgetStoreService
      return Effect.gen(function* () {
        expect(yield* endings(run("2"))).toEqual(["success"])
        expect(lines).toEqual([`the budget of customer "bigretail" could not be read`])
      }).pipe(Effect.provide([observed, sharing(store), logging(lines)]))
    })
  }

  const silences: ReadonlyArray<readonly [string, Effect.Effect<never>]> = [
    ["does not answer", Effect.never],
    ["does not answer and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ]
  for (const [what, silence] of silences) {
    it.effect(`that ${what} is waited for 5 seconds, and then the run begins`, () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        for (const isInterruptible of [true, false]) {
          const fiber = yield* Effect.fork(isInterruptible ? run("0") : Effect.uninterruptible(run("0")))
          yield* TestClock.adjust("4999 millis")
          expect(fiber.unsafePoll()).toBeNull()
          yield* TestClock.adjust("1 millis")
          expect((yield* Fiber.join(fiber))._tag).toBe("Right")
          expect(lines.splice(0)).toEqual([`the budget of customer "bigretail" could not be read`])
        }
      }).pipe(Effect.provide([observed, sharing({ add: () => Effect.void, spent: () => silence }), logging(lines)]))
    })
  }

  it.effect("gives up a run that is interrupted while it is waited for", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(run("0"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["canceled"])
    }).pipe(
      Effect.provide([observed, sharing({ add: () => Effect.void, spent: () => Effect.uninterruptible(Effect.never) })])
    )
  )

  /** A store that takes a second to add. */
  const slow = (): BudgetStoreService => {
    let spent = BigDecimal.unsafeFromString("0")
    return {
      add: (_, { usd }) =>
        Effect.map(Effect.sleep("1 second"), () => {
          spent = BigDecimal.sum(spent, usd)
        }),
      spent: () => Effect.sync(() => ({ usd: spent, unpricedCalls: 0 }))
    }
  }

  it.effect("has taken in what this process spent before it is asked again", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(endings(run("0.6"), run("0.6"), run("0.6")))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(["success", "success", exceeded])
    }).pipe(Effect.provide([observed, sharing(slow())]))
  )

  it.effect("has taken it in also for another layer of the same budget", () => {
    const store = Layer.succeed(BudgetStore, slow())
    const layerOf = (usd: number) => Layer.provide(daily("customer", usd), store)
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(endings(run("0.6"), run("0.6"), run("0.6")))
      yield* TestClock.adjust("10 seconds")
      expect(yield* Fiber.join(fiber)).toEqual(["success", "success", exceeded])
    }).pipe(Effect.provide([observed, layerOf(3), layerOf(1), layerOf(2)]))
  })

  it.effect("is not waited for by the runs of others", () =>
    Effect.gen(function* () {
      yield* run("2")
      expect(yield* endings(run("0", { customerId: "acme" }))).toEqual(["success"])
      yield* TestClock.adjust("1 second")
    }).pipe(Effect.provide([observed, sharing(slow())]))
  )

  it.effect("that does not take in a usage is given up after half a minute, and that is logged", () => {
    const lines: Array<string> = []
    const silent = { add: () => Effect.uninterruptible(Effect.never), spent: () => Effect.succeed(spending("0")) }
    return Effect.gen(function* () {
      yield* run("2").pipe(
        Effect.zipRight(TestClock.adjust("29 seconds")),
        Effect.provide(sharing(silent)),
        Effect.fork
      )
      yield* TestClock.adjust("0 seconds")
      expect(lines).toEqual([])
      yield* Effect.provide(Effect.zipRight(run("2"), TestClock.adjust("30 seconds")), sharing(silent))
      // Nothing is left that the release of the layer could wait for.
      expect(lines.filter((line) => line.includes('customer "bigretail" could not be counted')).length).toBe(2)
    }).pipe(Effect.provide([observed, logging(lines)]))
  })

  it.effect("that does not answer is waited for, and then what is not counted is logged", () => {
    const lines: Array<string> = []
    const silent: BudgetStoreService = {
      add: () => Effect.never,
      spent: () => Effect.succeed({ usd: BigDecimal.unsafeFromString("0"), unpricedCalls: 0 })
    }
    return Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.provide(run("2"), sharing(silent)))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      expect(lines).toEqual(["the budget store did not count 1 usages of a customer in time"])
    }).pipe(Effect.provide([observed, logging(lines)]))
  })
})

describe("a budget over time that is not as it should be", () => {
  const expectedPeriod = "expected a duration from a millisecond to a million days"
  const cases: ReadonlyArray<readonly [budget: object, message: string]> = [
    [{ scope: "team" }, `scope: expected one of customer, tenant, workflow, got "team"`],
    [{ usd: -1 }, "usd: expected a decimal amount of US dollars, zero or more, got -1"],
    [{ per: "soon" }, `per: ${expectedPeriod}, got "soon"`],
    [{ per: 0 }, `per: ${expectedPeriod}, got 0`],
    [{ per: Duration.infinity }, `per: ${expectedPeriod}, got`],
    [{ per: Number.MAX_SAFE_INTEGER }, `per: ${expectedPeriod}, got 9007199254740991`],
    [{ per: "1000001 days" }, `per: ${expectedPeriod}, got "1000001 days"`]
  ]
  for (const [budget, message] of cases) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const options = { scope: "customer", usd: 1, per: "1 day", ...budget } as Parameters<typeof Budget.layer>[0]
        const error = yield* Effect.flip(Effect.scoped(Layer.build(Budget.layer(options))))
        expect(error).toBeInstanceOf(InvalidBudget)
        expect(error.message).toContain(message)
      })
    )
  }
})

it.effect("a budget may be for a million days", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.UTC(2026, 0, 2))
    expect(yield* endings(run("2"), run("0"))).toEqual(["success", exceeded])
    yield* TestClock.adjust("900000 days")
    expect(yield* endings(run("0"))).toEqual([exceeded])
  }).pipe(Effect.provide([observed, Budget.layer({ scope: "customer", usd: 1, per: "1000000 days" })]))
)

it.effect("a budget may be for a millisecond, and no shorter", () =>
  Effect.gen(function* () {
    const layer = (per: string) => Effect.scoped(Layer.build(Budget.layer({ scope: "customer", usd: 1, per } as never)))
    yield* layer("1 millis")
    expect(yield* Effect.flip(layer("999 micros"))).toBeInstanceOf(InvalidBudget)
  })
)
