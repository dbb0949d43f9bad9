import { Context, Effect, type Option } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { Botanu, type DeadlineExceeded, Propagation, type Run, type RunCancelled, RunContext } from "../src/index.js"

class Broken {
  readonly _tag = "Broken"
}
class Database extends Context.Tag("Database")<Database, { readonly query: Effect.Effect<number, Broken> }>() {}

declare const work: Effect.Effect<number, Broken, Database | RunContext>
declare const run: Run
declare const perhaps: Option.Option<Run>

type Resumed<R> = Effect.Effect<number, Broken, R>
type Enforced<R> = Effect.Effect<number, Broken | DeadlineExceeded | RunCancelled, R>
const enforce = { deadline: "enforce" } as const
declare const either: "ignore" | "enforce"

describe("a resumed run", () => {
  it("meets the requirement of RunContext, and has no deadline", () => {
    expectTypeOf(work.pipe(Botanu.resume(run))).toEqualTypeOf<Resumed<Database>>()
    expectTypeOf(Botanu.resume(work, run)).toEqualTypeOf<Resumed<Database>>()
    expectTypeOf(RunContext.pipe(Botanu.resume(run))).toEqualTypeOf<Effect.Effect<Run>>()
    expectTypeOf(work.pipe(Botanu.resume(run, { deadline: "ignore" }))).toEqualTypeOf<Resumed<Database>>()
  })

  it("can be over or cancelled where that is enforced", () => {
    expectTypeOf(work.pipe(Botanu.resume(run, { deadline: "enforce" }))).toEqualTypeOf<Enforced<Database>>()
    expectTypeOf(Botanu.resume(work, run, { deadline: "enforce" })).toEqualTypeOf<Enforced<Database>>()
    expectTypeOf(work.pipe(Botanu.resume(run, { deadline: either }))).toEqualTypeOf<Enforced<Database>>()
    expectTypeOf(work.pipe(Botanu.resume(perhaps, enforce))).toEqualTypeOf<Enforced<Database | RunContext>>()
    expectTypeOf(Botanu.resume(work, perhaps, enforce)).toEqualTypeOf<Enforced<Database | RunContext>>()
    // @ts-expect-error no such word
    Botanu.resume(work, run, { deadline: "enforced" })
  })

  it("that may not be there does not meet it", () => {
    expectTypeOf(work.pipe(Botanu.resume(perhaps))).toEqualTypeOf<Resumed<Database | RunContext>>()
    expectTypeOf(Botanu.resume(work, perhaps)).toEqualTypeOf<Resumed<Database | RunContext>>()
    // @ts-expect-error RunContext is missing
    Effect.runPromise(RunContext.pipe(Botanu.resume(perhaps)))
    Effect.runPromise(RunContext.pipe(Botanu.workflow("W", { eventId: "e", customerId: "c" }), Botanu.resume(perhaps)))
  })

  it("is a run, and no headers", () => {
    // @ts-expect-error headers are extracted first
    Botanu.resume({ baggage: "" })
    // @ts-expect-error that is an effect
    Botanu.resume(Propagation.extract({}))
  })
})

describe("headers", () => {
  it("go out of a run, for any carrier, and come in from any", () => {
    expectTypeOf(Propagation.injectWith({ maxBytes: 1024 })).toEqualTypeOf<
      Effect.Effect<Propagation.OutgoingHeaders, never, RunContext>
    >()
    expectTypeOf(Propagation.extract).returns.toEqualTypeOf<Effect.Effect<Option.Option<Run>>>()
    Propagation.extract({ baggage: Buffer.from(""), "x-death": [{ count: 1 }], ttl: 7 })
    Propagation.extract(new Map<string, Uint8Array>())
    Propagation.extract([["baggage", "a=1"]])
    // Clients say that a message may have none.
    Propagation.extract({} as Record<string, Buffer | string | (Buffer | string)[] | undefined> | undefined)
    // @ts-expect-error the value alone is no carrier
    Propagation.extract("botanu.run_id=1")
    // @ts-expect-error bytes
    Propagation.injectWith({ maxBytes: "1 KB" })
  })
})
