import { Context, type Duration, Effect, type Either, Schedule, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import {
  Botanu,
  type DeadlineExceeded,
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
