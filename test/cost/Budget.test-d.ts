import { Effect } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  Botanu,
  type Budget,
  type BudgetExceeded,
  type DeadlineExceeded,
  type InvalidRunContext
} from "../../src/index.js"

class Broken {
  readonly _tag = "Broken"
}

declare const work: Effect.Effect<number, Broken>
const ids = { eventId: "e", customerId: "c" }
const budget = { usd: "1.50", children: true, retries: false } satisfies Budget

describe("a workflow fails with BudgetExceeded only where it has a budget", () => {
  type Without = Effect.Effect<number, Broken | InvalidRunContext>
  type Within = Effect.Effect<number, Broken | InvalidRunContext | BudgetExceeded>
  type WithinBoth = Effect.Effect<number, Broken | InvalidRunContext | BudgetExceeded | DeadlineExceeded>
  const perhaps = undefined as Budget | undefined

  it("data-first", () => {
    expectTypeOf(Botanu.workflow(work, "W", ids)).toEqualTypeOf<Without>()
    expectTypeOf(Botanu.workflow(work, "W", { ...ids, budget: undefined })).toEqualTypeOf<Without>()
    expectTypeOf(Botanu.workflow(work, "W", { ...ids, budget })).toEqualTypeOf<Within>()
    expectTypeOf(
      Botanu.workflow(work, "W", { ...ids, budget: { usd: 1, children: false, retries: true, warnAt: 0.8 } })
    ).toEqualTypeOf<Within>()
    expectTypeOf(Botanu.workflow(work, "W", { ...ids, budget: perhaps })).toEqualTypeOf<Within>()
    expectTypeOf(Botanu.workflow(work, "W", { ...ids, budget, deadline: "1 second" })).toEqualTypeOf<WithinBoth>()
  })

  it("data-last", () => {
    expectTypeOf(work.pipe(Botanu.workflow("W", ids))).toEqualTypeOf<Without>()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, budget: undefined }))).toEqualTypeOf<Without>()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, budget }))).toEqualTypeOf<Within>()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, budget: perhaps }))).toEqualTypeOf<Within>()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, budget, deadline: 1 }))).toEqualTypeOf<WithinBoth>()
  })

  it("as a function", () => {
    const options = { ...ids, eventId: (id: string) => id }
    const body = (_: string) => work
    expectTypeOf(Botanu.fn("W", options)(body)).toEqualTypeOf<(id: string) => Without>()
    expectTypeOf(Botanu.fn("W", { ...options, budget })(body)).toEqualTypeOf<(id: string) => Within>()
    expectTypeOf(Botanu.fn("W", { ...options, budget, deadline: 1 })(body)).toEqualTypeOf<(id: string) => WithinBoth>()
    expectTypeOf(
      Botanu.fn("W", { ...options, budget })(function* (_) {
        return yield* work
      })
    ).toEqualTypeOf<(id: string) => Within>()
  })

  it("retries meet it", () => {
    Botanu.workflow(work, "W", { ...ids, budget, retry: { while: (error) => error._tag === "BudgetExceeded" } })
    Botanu.workflow(work, "W", {
      ...ids,
      budget,
      deadline: 1,
      retry: { until: (error) => error._tag === "DeadlineExceeded" }
    })
    // @ts-expect-error without a budget there is no such error
    Botanu.workflow(work, "W", { ...ids, retry: { while: (error) => error._tag === "BudgetExceeded" } })
    // @ts-expect-error with a budget the predicate meets BudgetExceeded too
    Botanu.workflow("W", { ...ids, budget, retry: { while: (error: Broken) => error._tag === "Broken" } })
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, budget, retry: { times: 2 } }))).toEqualTypeOf<Within>()
  })

  it("and can be caught by its tag", () => {
    const caught = Botanu.workflow(work, "W", { ...ids, budget }).pipe(
      Effect.catchTag("BudgetExceeded", (error) => {
        expectTypeOf(error).toEqualTypeOf<BudgetExceeded>()
        return Effect.succeed(0)
      })
    )
    expectTypeOf(caught).toEqualTypeOf<Without>()
  })
})

it("a budget says whose cost counts", () => {
  // @ts-expect-error children is missing
  Botanu.workflow("W", { ...ids, budget: { usd: 1, retries: true } })
  // @ts-expect-error retries is missing
  Botanu.workflow("W", { ...ids, budget: { usd: 1, children: true } })
  // @ts-expect-error usd is missing
  Botanu.workflow("W", { ...ids, budget: { children: true, retries: true } })
  // @ts-expect-error a share
  Botanu.workflow("W", { ...ids, budget: { ...budget, warnAt: "80%" } })
})
