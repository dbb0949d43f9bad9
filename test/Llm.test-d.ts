import { Context, Effect, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { Botanu, Data, Llm, type RunContext, Usage } from "../src/index.js"

class Broken {
  readonly _tag = "Broken"
}
class Api extends Context.Tag("Api")<Api, { readonly ask: Effect.Effect<number, Broken> }>() {}

declare const ask: Effect.Effect<number, Broken, Api>
declare const elements: Stream.Stream<number, Broken, Api>

const quill = { provider: "openai", model: "quill-2" }
const ids = { eventId: "e", customerId: "c" }

describe("a tracked call", () => {
  it("needs a run, and is else what it was", () => {
    type Call = Effect.Effect<number, Broken, Api | RunContext>
    expectTypeOf(Llm.track(ask, quill)).toEqualTypeOf<Call>()
    expectTypeOf(ask.pipe(Llm.track(quill))).toEqualTypeOf<Call>()
    // @ts-expect-error RunContext is missing
    Effect.runPromise(Llm.track(Effect.void, quill))
    Effect.runPromise(Llm.track(Effect.void, quill).pipe(Botanu.workflow("W", ids)))
  })

  it("needs no run, where it is an operation on data", () => {
    type Call = Effect.Effect<number, Broken, Api>
    expectTypeOf(Data.trackDatabase(ask, { system: "pg", operation: "SELECT" })).toEqualTypeOf<Call>()
    expectTypeOf(ask.pipe(Data.trackStorage({ system: "s3", operation: "GET" }))).toEqualTypeOf<Call>()
    expectTypeOf(
      ask.pipe(Data.trackMessaging({ system: "sqs", operation: "send", destination: "q" }))
    ).toEqualTypeOf<Call>()
    expectTypeOf(Data.trackDatabase(elements, { system: "pg", operation: "SELECT" })).toEqualTypeOf<
      Stream.Stream<number, Broken, Api>
    >()
    Effect.runPromise(Data.trackDatabase(Usage.report({ rowsReturned: 1 }), { system: "pg", operation: "SELECT" }))
  })

  it("may be a stream", () => {
    type Call = Stream.Stream<number, Broken, Api | RunContext>
    expectTypeOf(Llm.track(elements, quill)).toEqualTypeOf<Call>()
    expectTypeOf(elements.pipe(Llm.track(quill))).toEqualTypeOf<Call>()
  })

  it("provides Usage.CurrentCall, which nobody else does", () => {
    const report = Usage.report({ inputTokens: 1 })
    expectTypeOf(report).toEqualTypeOf<Effect.Effect<void, never, Usage.CurrentCall>>()
    expectTypeOf(Llm.track(report, quill)).toEqualTypeOf<Effect.Effect<void, never, RunContext>>()
    expectTypeOf(Stream.fromEffect(report).pipe(Llm.track(quill))).toEqualTypeOf<
      Stream.Stream<void, never, RunContext>
    >()
    // @ts-expect-error Usage.CurrentCall is missing
    Effect.runPromise(report.pipe(Botanu.workflow("W", ids)))
  })

  it("says of a value of its own what it consumed", () => {
    const usage = (value: number) => ({ outputTokens: value })
    const asked = Effect.zipRight(ask, ask)
    Llm.track(ask, { ...quill, usage: (value) => ({ outputTokens: value * 2 }) })
    Llm.track(elements, { ...quill, usage: (value, soFar) => ({ outputTokens: value + (soFar.outputTokens ?? 0) }) })
    expectTypeOf(Llm.track(asked, { ...quill, usage })).toEqualTypeOf<Effect.Effect<number, Broken, Api | RunContext>>()
    // What is made on the spot is inferred from what it is made of.
    expectTypeOf(Llm.track(Effect.zipRight(ask, ask), { ...quill, usage })).toEqualTypeOf<
      Effect.Effect<number, Broken, Api | RunContext>
    >()
    expectTypeOf(Llm.track(Stream.concat(elements, Stream.never), { ...quill, usage })).toEqualTypeOf<
      Stream.Stream<number, Broken, Api | RunContext>
    >()
    ask.pipe(Llm.track({ ...quill, usage }))
    elements.pipe(Llm.track({ ...quill, usage }))
    ask.pipe(Llm.track({ ...quill, usage: (value: unknown) => ({ images: Number(value) }) }))
    // @ts-expect-error the value is a number
    Llm.track(ask, { ...quill, usage: (value: string) => ({ images: value.length }) })
    // @ts-expect-error an element is a number
    Llm.track(elements, { ...quill, usage: (value: string) => ({ images: value.length }) })
    // @ts-expect-error the value is a number
    ask.pipe(Llm.track({ ...quill, usage: (value: string) => ({ images: value.length }) }))
    // @ts-expect-error an element is a number
    elements.pipe(Llm.track({ ...quill, usage: (value: string) => ({ images: value.length }) }))
    // @ts-expect-error no such quantity
    Llm.track(ask, { ...quill, usage: () => ({ tokens: 1 }) })
  })

  it("says of an error of its own whether it was refused", () => {
    Llm.track(ask, { ...quill, isRefused: (error) => error._tag === "Broken" })
    ask.pipe(Llm.track({ ...quill, isRefused: (error: Broken) => error._tag === "Broken" }))
    // @ts-expect-error the error is another
    Llm.track(ask, { ...quill, isRefused: (error: { readonly status: number }) => error.status > 400 })
    // @ts-expect-error the error is another
    ask.pipe(Llm.track({ ...quill, isRefused: (error: { readonly status: number }) => error.status > 400 }))
  })
})

describe("a call is described", () => {
  it("by its provider and model, or as a tool", () => {
    Llm.track(ask, { ...quill, operation: "embeddings", attempt: 2, clientRequestId: "r-1", isStreaming: false })
    Llm.track(ask, { ...quill, operation: "rerank" })
    Llm.track(ask, { operation: "execute_tool", tool: "search", toolCallId: "call-1" })
    // @ts-expect-error no model
    Llm.track(ask, { provider: "openai" })
    // @ts-expect-error no tool
    Llm.track(ask, { operation: "execute_tool" })
    // @ts-expect-error no system
    Data.trackDatabase(ask, { operation: "SELECT" })
    // @ts-expect-error no destination
    Data.trackMessaging(ask, { system: "sqs", operation: "send" })
    // @ts-expect-error a bucket, not a database
    Data.trackStorage(ask, { system: "s3", operation: "GET", database: "b" })
  })
})

it("a usage is recorded in a run, and may be refused", () => {
  const record = Usage.record({ kind: "llm", provider: "openai", operation: "chat", usd: "0.1" })
  expectTypeOf(record).toEqualTypeOf<Effect.Effect<void, Usage.InvalidUsage, RunContext>>()
  // @ts-expect-error no such kind
  Usage.record({ kind: "gpu", provider: "openai", operation: "chat" })
  // @ts-expect-error no operation
  Usage.record({ kind: "llm", provider: "openai" })
  // @ts-expect-error a number
  Usage.record({ kind: "llm", provider: "openai", operation: "chat", inputTokens: "5" })
})
