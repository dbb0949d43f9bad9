import { Context, Effect, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { Botanu, RunContext, Usage } from "../src/index.js"

class Database extends Context.Tag("Database")<Database, { readonly name: string }>() {}

describe("detached work", () => {
  it("keeps its type", () => {
    expectTypeOf(Botanu.detached(Effect.flatMap(Database, () => Effect.fail("broken")))).toEqualTypeOf<
      Effect.Effect<never, string, Database>
    >()
    expectTypeOf(Effect.succeed(1).pipe(Botanu.detached)).toEqualTypeOf<Effect.Effect<number>>()
  })

  it("cannot require a run", () => {
    // @ts-expect-error there is none
    Botanu.detached(RunContext)
    // @ts-expect-error there is none
    Effect.zipRight(Database, RunContext).pipe(Botanu.detached)
  })

  it("cannot be a part of a call", () => {
    // @ts-expect-error there is none
    Botanu.detached(Usage.report({ inputTokens: 1 }))
  })
})

describe("a step", () => {
  it("requires a run", () => {
    expectTypeOf(Effect.fail("broken").pipe(Botanu.step("a"))).toEqualTypeOf<Effect.Effect<never, string, RunContext>>()
    expectTypeOf(Botanu.step(Database, "a")).toEqualTypeOf<
      Effect.Effect<{ readonly name: string }, never, Database | RunContext>
    >()
    expectTypeOf(Stream.make(1).pipe(Botanu.step("a"))).toEqualTypeOf<Stream.Stream<number, never, RunContext>>()
    // @ts-expect-error a step of no run
    Effect.runPromise(Effect.void.pipe(Botanu.step("a")))
  })
})
