import { Context, type Duration, Effect, type Either, flow, Schedule, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  Botanu,
  type BudgetExceeded,
  type DeadlineExceeded,
  Delivery,
  type InvalidRunContext,
  Outcome,
  Propagation,
  type Run,
  RunContext
} from "../src/index.js"

class Broken {
  readonly _tag = "Broken"
}
class Other {
  readonly _tag = "Other"
}
class Database extends Context.Tag("Database")<Database, { readonly query: Effect.Effect<number, Broken> }>() {}

declare const work: Effect.Effect<number, Broken, Database | RunContext>
const ids = { eventId: "e", customerId: "c" }

describe("outside of a workflow", () => {
  it("RunContext is a requirement that nobody meets", () => {
    const program = Effect.gen(function* () {
      return yield* RunContext
    })
    expectTypeOf(program).toEqualTypeOf<Effect.Effect<Run, never, RunContext>>()
    // @ts-expect-error RunContext is missing
    Effect.runPromise(program)
    Effect.runPromise(program.pipe(Botanu.workflow("W", ids)))
  })

  it("an outcome cannot be emitted", () => {
    // @ts-expect-error RunContext is missing
    Effect.runPromise(Outcome.emit("success"))
    // @ts-expect-error RunContext is missing
    Effect.runPromise(Outcome.emit("success", { valueAmount: 1 }))
    // @ts-expect-error RunContext is missing
    Effect.runPromise(Propagation.inject)
    Effect.runPromise(Outcome.emit("success").pipe(Botanu.workflow("W", ids)))
    Effect.runPromise(Outcome.emit("success").pipe(Effect.provide(RunContext.layer({} as Run))))
  })
})

describe("an outcome", () => {
  it("can be invalid only where it has details", () => {
    expectTypeOf(Outcome.emit("success")).toEqualTypeOf<Effect.Effect<void, never, RunContext>>()
    expectTypeOf(Outcome.emit("success", {})).toEqualTypeOf<Effect.Effect<void, Outcome.InvalidOutcome, RunContext>>()
    expectTypeOf(Botanu.emitOutcome).toEqualTypeOf(Outcome.emit)
  })

  it("has one of five statuses, and details of their types", () => {
    Outcome.emit(Outcome.RunStatus.PARTIAL)
    // @ts-expect-error no such status
    Outcome.emit("cancelled")
    // @ts-expect-error a number
    Outcome.emit("success", { valueAmount: "1" })
    // @ts-expect-error no such detail
    Outcome.emit("success", { value: 1 })
    // @ts-expect-error text, number or boolean
    Outcome.emit("success", { metadata: { nested: {} } })
  })
})

describe("a workflow", () => {
  it("provides RunContext and leaves other requirements", () => {
    expectTypeOf(work.pipe(Botanu.workflow("W", ids))).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database>
    >()
    expectTypeOf(Botanu.workflow(work, "W", ids)).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database>
    >()
  })

  it("fails with DeadlineExceeded only where it has a deadline", () => {
    type Expected = Effect.Effect<number, Broken | InvalidRunContext | DeadlineExceeded, Database>
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, deadline: "30 seconds" }))).toEqualTypeOf<Expected>()
    expectTypeOf(Botanu.workflow(work, "W", { ...ids, deadline: 30_000 })).toEqualTypeOf<Expected>()
    const perhaps = undefined as Duration.DurationInput | undefined
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, deadline: perhaps }))).toEqualTypeOf<Expected>()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, deadline: undefined }))).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database>
    >()
  })

  it("needs an event and a customer", () => {
    // @ts-expect-error customerId is missing
    Botanu.workflow("W", { eventId: "e" })
    // @ts-expect-error eventId is missing
    Botanu.workflow(work, "W", { customerId: "c" })
    // @ts-expect-error text
    Botanu.workflow("W", { eventId: 42, customerId: "c" })
  })

  it("adds what its retry requires, and takes the errors that it can fail with", () => {
    class Budget extends Context.Tag("Budget")<Budget, number>() {}
    const hasBudget = Effect.map(Budget, (budget) => budget > 0)
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, retry: { while: () => hasBudget } }))).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database | Budget>
    >()
    expectTypeOf(work.pipe(Botanu.workflow("W", { ...ids, retry: Schedule.recurs(2) }))).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database>
    >()
    work.pipe(Botanu.workflow("W", { ...ids, retry: { while: (error: Broken) => error._tag === "Broken" } }))
    Botanu.workflow(work, "W", { ...ids, retry: { while: (error) => error._tag === "Broken" } })
    // @ts-expect-error the predicate takes another error
    work.pipe(Botanu.workflow("W", { ...ids, retry: { while: (error: Other) => error._tag === "Other" } }))
    // @ts-expect-error with a deadline the predicate meets DeadlineExceeded too
    Botanu.workflow("W", { ...ids, deadline: 1, retry: { while: (error: Broken) => error._tag === "Broken" } })
    Botanu.workflow(work, "W", { ...ids, deadline: 1, retry: { while: (error) => error._tag === "DeadlineExceeded" } })
  })

  it("makes an outcome of its result", () => {
    work.pipe(
      Botanu.workflow("W", { ...ids, outcome: (result: number) => ({ status: "success", valueAmount: result }) })
    )
    Botanu.workflow(work, "W", { ...ids, outcome: (result) => ({ status: "partial", valueAmount: result * 2 }) })
    // @ts-expect-error the result is a number
    work.pipe(Botanu.workflow("W", { ...ids, outcome: (result: string) => ({ status: "success", reason: result }) }))
  })

  it("in a pipe infers the result and the errors of the effect before it", () => {
    const outcome = work.pipe(
      Botanu.workflow("W", {
        ...ids,
        outcome: (result) => {
          expectTypeOf(result).toEqualTypeOf<number>()
          return { status: "success", valueAmount: result }
        }
      })
    )
    expectTypeOf(outcome).toEqualTypeOf<Effect.Effect<number, Broken | InvalidRunContext, Database>>()
    const retried = work.pipe(
      Botanu.workflow("W", {
        ...ids,
        deadline: "1 second",
        retry: {
          times: 2,
          while: (error) => {
            expectTypeOf(error).toEqualTypeOf<Broken | DeadlineExceeded>()
            return error._tag === "Broken"
          },
          until: (error) => Effect.succeed(error._tag === "DeadlineExceeded")
        },
        outcome: (result) => (result > 1 ? { status: "success", valueAmount: result } : { status: "failure" })
      })
    )
    expectTypeOf(retried).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext | DeadlineExceeded, Database>
    >()
    work.pipe(Delivery.workflow("W", { ...ids, keep: () => Effect.void, retry: { while: (e) => e._tag === "Broken" } }))
  })

  it("may be made before its effect, and used for several", () => {
    const retrying = Botanu.workflow("W", { ...ids, retry: Schedule.recurs(2) })
    expectTypeOf(retrying(work)).toEqualTypeOf<Effect.Effect<number, Broken | InvalidRunContext, Database>>()
    expectTypeOf(retrying(Effect.fail("no"))).toEqualTypeOf<Effect.Effect<never, string | InvalidRunContext>>()
    const counted = Botanu.workflow("W", {
      ...ids,
      outcome: (result: number) => ({ status: "success", valueAmount: result })
    })
    expectTypeOf(counted(work)).toEqualTypeOf<Effect.Effect<number, Broken | InvalidRunContext, Database>>()
    // @ts-expect-error the result is to be a number
    counted(Effect.succeed("text"))
    const mapped = flow((n: number) => Effect.succeed(n), Botanu.workflow("W", ids))
    expectTypeOf(mapped).toEqualTypeOf<(n: number) => Effect.Effect<number, InvalidRunContext>>()
  })

  it("takes options that are a variable", () => {
    const options: Botanu.WorkflowOptions = { ...ids, retry: { times: 1 }, outcome: () => ({ status: "success" }) }
    type Expected = Effect.Effect<number, Broken | InvalidRunContext | DeadlineExceeded | BudgetExceeded, Database>
    expectTypeOf(work.pipe(Botanu.workflow("W", options))).toEqualTypeOf<Expected>()
    expectTypeOf(Botanu.workflow(work, "W", options)).toEqualTypeOf<Expected>()
    const unbounded: Botanu.WorkflowOptions<number, Broken, never, undefined, undefined> = {
      ...ids,
      outcome: (result) => ({ status: "success", valueAmount: result })
    }
    expectTypeOf(work.pipe(Botanu.workflow("W", unbounded))).toEqualTypeOf<
      Effect.Effect<number, Broken | InvalidRunContext, Database>
    >()
    const ofTokens: Botanu.StreamOptions = { ...ids, outcome: () => ({ status: "partial" }) }
    Botanu.workflow(Stream.make(1), "W", ofTokens)
    const ofTickets: Botanu.FunctionOptions<[id: string]> = { ...ids, eventId: (id) => id }
    expectTypeOf(Botanu.fn("W", ofTickets)((_id: string) => work)).toEqualTypeOf<(id: string) => Expected>()
  })

  it("refuses an outcome with a property that outcomes do not have", () => {
    const wrong = {
      misspelt: () => ({ status: "success", valueAmout: 1 }) as const,
      nested: () => ({ status: "success", details: { valueAmount: 1 } }) as const
    }
    // @ts-expect-error valueAmout
    work.pipe(Botanu.workflow("W", { ...ids, outcome: (result) => ({ status: "success", valueAmout: result }) }))
    // @ts-expect-error details
    work.pipe(Botanu.workflow("W", { ...ids, outcome: () => ({ status: "success", details: { valueAmount: 1 } }) }))
    // @ts-expect-error x in one of two branches
    Botanu.workflow(work, "W", { ...ids, outcome: (n) => (n ? { status: "success" } : { status: "partial", x: 1 }) })
    // @ts-expect-error valueAmout
    Botanu.workflow(work, "W", { ...ids, outcome: (result) => ({ status: "success", valueAmout: result }) })
    // @ts-expect-error valueAmout
    Botanu.workflow(work, "W", { ...ids, outcome: wrong.misspelt })
    // @ts-expect-error details
    Botanu.workflow(work, "W", { ...ids, outcome: wrong.nested })
    // @ts-expect-error valueAmout
    Botanu.workflow(Stream.make(1), "W", { ...ids, outcome: () => ({ status: "success", valueAmout: 1 }) })
    // @ts-expect-error valueAmout
    Botanu.fn("W", { ...ids, outcome: () => ({ status: "success", valueAmout: 1 }) })(() => work)
    // @ts-expect-error valueAmout
    Botanu.fn(() => work, "W", { ...ids, outcome: (result) => ({ status: "success", valueAmout: result }) })
    // @ts-expect-error details
    const typed: Botanu.OutcomeOfResult = { status: "success", details: { valueAmount: 1 } }
    // @ts-expect-error no such status
    Botanu.workflow(work, "W", { ...ids, outcome: () => ({ status: "fine" }) })
    return typed
  })
})

describe("Botanu.fn", () => {
  interface Ticket {
    readonly id: string
    readonly org: string
  }

  it("infers its arguments from the ids, and from the body", () => {
    const answer = Botanu.fn("W", {
      eventId: (ticket: Ticket) => ticket.id,
      customerId: (ticket) => ticket.org,
      deadline: "1 second"
    })(function* (ticket, greeting: string) {
      expectTypeOf(ticket).toEqualTypeOf<Ticket>()
      const { query } = yield* Database
      yield* RunContext
      yield* Outcome.emit("success", { reason: greeting })
      return yield* query
    })
    expectTypeOf(answer).toEqualTypeOf<
      (
        ticket: Ticket,
        greeting: string
      ) => Effect.Effect<number, Broken | Outcome.InvalidOutcome | InvalidRunContext | DeadlineExceeded, Database>
    >()
    // @ts-expect-error no ticket
    answer("t-1", "Dear")
  })

  it("takes a body that gives an effect, and ids that are the same in all calls", () => {
    const count = Botanu.fn("W", ids)((times: number) => Effect.as(RunContext, times))
    expectTypeOf(count).toEqualTypeOf<(times: number) => Effect.Effect<number, InvalidRunContext>>()
  })

  it("takes a body that yields nothing", () => {
    const constant = Botanu.fn("W", { eventId: (id: string) => id, customerId: "c" })(function* (id) {
      return id.length
    })
    expectTypeOf(constant).toEqualTypeOf<(id: string) => Effect.Effect<number, InvalidRunContext>>()
  })

  it("takes a stream", () => {
    const tokens = Botanu.fn("W", { eventId: (ticket: Ticket) => ticket.id, customerId: "c", deadline: 1 })((ticket) =>
      Stream.mapEffect(Stream.make(ticket.org), (org) => Effect.as(Effect.zipRight(RunContext, Database), org))
    )
    expectTypeOf(tokens).toEqualTypeOf<
      (ticket: Ticket) => Stream.Stream<string, InvalidRunContext | DeadlineExceeded, Database>
    >()
    const first = Botanu.fn((ticket: Ticket) => Stream.make(ticket), "W", { eventId: (t) => t.id, customerId: "c" })
    expectTypeOf(first).toEqualTypeOf<(ticket: Ticket) => Stream.Stream<Ticket, InvalidRunContext>>()
    // @ts-expect-error a stream is not retried
    Botanu.fn("W", { ...ids, retry: { times: 1 } })(() => Stream.make(1))
    // @ts-expect-error a stream is not retried
    Botanu.fn(() => Stream.make(1), "W", { ...ids, retry: { times: 1 } })
  })

  it("pipes what the body gives, with its arguments, inside of the run", () => {
    const answer = Botanu.fn("W", { eventId: (ticket: Ticket) => ticket.id, customerId: "c" })(
      function* (ticket, times: number) {
        yield* Database
        return ticket.org.length * times
      },
      (count, ticket, times) => {
        expectTypeOf(count).toEqualTypeOf<Effect.Effect<number, never, Database>>()
        expectTypeOf(ticket).toEqualTypeOf<Ticket>()
        expectTypeOf(times).toEqualTypeOf<number>()
        return Effect.zipRight(RunContext, count)
      },
      Effect.map(String),
      (text) => Effect.zipRight(new Broken() as never as Effect.Effect<void, Broken>, text)
    )
    expectTypeOf(answer).toEqualTypeOf<
      (ticket: Ticket, times: number) => Effect.Effect<string, Broken | InvalidRunContext, Database>
    >()
    const streamed = Botanu.fn("W", ids)(
      (times: number) => Effect.succeed(times),
      (effect) => Stream.fromEffect(effect)
    )
    expectTypeOf(streamed).toEqualTypeOf<(times: number) => Stream.Stream<number, InvalidRunContext>>()
    // @ts-expect-error no effect
    Botanu.fn("W", ids)(() => work, String)
  })

  it("with the body first infers the result and the errors for its options", () => {
    const answer = Botanu.fn(
      function* (ticket: Ticket) {
        yield* RunContext
        const { query } = yield* Database
        return (yield* query) + ticket.org.length
      },
      "W",
      {
        eventId: (ticket) => ticket.id,
        customerId: (ticket) => ticket.org,
        deadline: "1 second",
        outcome: (result) => {
          expectTypeOf(result).toEqualTypeOf<number>()
          return { status: "success", valueAmount: result }
        },
        retry: {
          while: (error) => {
            expectTypeOf(error).toEqualTypeOf<Broken | DeadlineExceeded>()
            return error._tag === "Broken"
          }
        }
      }
    )
    expectTypeOf(answer).toEqualTypeOf<
      (ticket: Ticket) => Effect.Effect<number, Broken | InvalidRunContext | DeadlineExceeded, Database>
    >()
  })

  it("takes options with types for the result and the errors before the body", () => {
    Botanu.fn("W", {
      ...ids,
      outcome: (result: number) => ({ status: "success", valueAmount: result }),
      retry: { while: (error: Broken) => error._tag === "Broken" }
    })(() => work)
    // @ts-expect-error the result is a number
    Botanu.fn("W", { ...ids, outcome: (result: string) => ({ status: "success", reason: result }) })(() => work)
    // @ts-expect-error the predicate takes another error
    Botanu.fn("W", { ...ids, retry: { while: (error: Other) => error._tag === "Other" } })(() => work)
  })

  it("keeps type parameters and `this` of a body", () => {
    const same = Botanu.fn(
      "W",
      ids
    )(function* <N extends number>(n: N) {
      yield* RunContext
      return n
    })
    expectTypeOf(same(3 as const)).toEqualTypeOf<Effect.Effect<3, InvalidRunContext>>()
    class Desk {
      readonly name = "desk"
      readonly answer = Botanu.fn(
        "W",
        ids
      )(function* (this: Desk, ticket: Ticket) {
        yield* RunContext
        return `${this.name} ${ticket.id}`
      })
    }
    expectTypeOf(new Desk().answer).toEqualTypeOf<(ticket: Ticket) => Effect.Effect<string, InvalidRunContext>>()
  })

  it("refuses a body that takes other arguments than its ids", () => {
    // @ts-expect-error a number is no ticket
    Botanu.fn("W", { eventId: (ticket: Ticket) => ticket.id, customerId: "c" })((ticket: number) =>
      Effect.succeed(ticket)
    )
  })
})

it("a decoded run is a Run, with a typed refusal", () => {
  expectTypeOf(RunContext.make({ workflow: "W", ...ids })).toEqualTypeOf<Effect.Effect<Run, InvalidRunContext>>()
  expectTypeOf(Outcome.make("success")).toEqualTypeOf<Either.Either<Outcome.Outcome, Outcome.InvalidOutcome>>()
})

describe("a stream", () => {
  class Tokens extends Context.Tag("Tokens")<Tokens, string>() {}
  const tokens = Stream.concat(
    Stream.mapEffect(Stream.make(1), () => Effect.zipRight(RunContext, Tokens)),
    Stream.fail(new Broken())
  )

  it("stays a stream, and fails as a run does", () => {
    const piped = tokens.pipe(Botanu.workflow("W", ids))
    expectTypeOf(piped).toEqualTypeOf<Stream.Stream<string, Broken | InvalidRunContext, Tokens>>()
    const bounded = Botanu.workflow(tokens, "W", { ...ids, deadline: "1 second" })
    expectTypeOf(bounded).toEqualTypeOf<Stream.Stream<string, Broken | InvalidRunContext | DeadlineExceeded, Tokens>>()
  })

  it("takes no retry", () => {
    // @ts-expect-error a stream is not retried
    Botanu.workflow(tokens, "W", { ...ids, retry: { times: 1 } })
    // @ts-expect-error a stream is not retried
    tokens.pipe(Botanu.workflow("W", { ...ids, retry: { times: 1 } }))
  })
})
