import { Rpc, type RpcClient, type RpcClientError, RpcGroup, type RpcMiddleware } from "@effect/rpc"
import { Context, Effect, type Layer, Schema, type Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import { type DeadlineExceeded, type InvalidRunContext, type RunCancelled, RunContext } from "../../src/index.js"
import { RunRpc } from "../../src/rpc/index.js"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
class Tokens extends Context.Tag("test/Tokens")<Tokens, ReadonlySet<string>>() {}

const procedures = RpcGroup.make(
  Rpc.make("One", { success: Schema.String, error: NotFound }),
  Rpc.make("Many", { success: Schema.Number, error: NotFound, stream: true })
)
const group = procedures.middleware(RunRpc.Middleware)
const groupOrElse = procedures.middleware(RunRpc.MiddlewareOrElse)

const orElse = () => ({ workflow: "W", eventId: "e", customerId: "c" })

describe("RunRpc.layerServer", () => {
  it("requires a choice of whom to believe", () => {
    // @ts-expect-error: inbound is required
    RunRpc.layerServer({})
    // @ts-expect-error: inbound is required
    RunRpc.layerServer({ orElse })
    // @ts-expect-error: a predicate has to be an Effect
    RunRpc.layerServer({ inbound: () => true })
    // @ts-expect-error: an error has no place in the errors of the procedures
    RunRpc.layerServer({ inbound: () => Effect.fail("unknown") })
  })

  it("is the side of the middleware that has a run for every call only with orElse", () => {
    expectTypeOf(RunRpc.layerServer({ inbound: "untrusted" })).toEqualTypeOf<Layer.Layer<RunRpc.Middleware>>()
    expectTypeOf(RunRpc.layerServer({ inbound: "trusted", orElse })).toEqualTypeOf<
      Layer.Layer<RunRpc.Middleware | RunRpc.MiddlewareOrElse>
    >()
  })

  it("has a run for every call only where orElse declines none", () => {
    const mayDecline = ({ rpc }: RunRpc.Request) => (rpc._tag === "Health" ? undefined : orElse())
    expectTypeOf(RunRpc.layerServer({ inbound: "trusted", orElse: mayDecline })).toEqualTypeOf<
      Layer.Layer<RunRpc.Middleware>
    >()
  })

  it("takes over what a predicate needs", () => {
    const inbound = ({ headers }: RunRpc.Request) =>
      Effect.map(Tokens, (tokens) => tokens.has(headers["authorization"] ?? ""))
    expectTypeOf(RunRpc.layerServer({ inbound })).toEqualTypeOf<Layer.Layer<RunRpc.Middleware, never, Tokens>>()
    expectTypeOf(RunRpc.layerServer({ inbound, orElse })).toEqualTypeOf<
      Layer.Layer<RunRpc.Middleware | RunRpc.MiddlewareOrElse, never, Tokens>
    >()
  })

  it("does not retry a call", () => {
    // @ts-expect-error: the call would be worked on twice
    RunRpc.layerServer({ inbound: "untrusted", orElse: () => ({ ...orElse(), retry: { times: 2 } }) })
  })
})

describe("RunRpc.layerClient", () => {
  it("requires a choice of whether to tell", () => {
    // @ts-expect-error: outbound is required
    RunRpc.layerClient({})
    // @ts-expect-error: one of two
    RunRpc.layerClient({ outbound: "everyone" })
    expectTypeOf(RunRpc.layerClient({ outbound: "propagate" })).toEqualTypeOf<
      Layer.Layer<RpcMiddleware.ForClient<RunRpc.Middleware> | RpcMiddleware.ForClient<RunRpc.MiddlewareOrElse>>
    >()
  })
})

describe("the middleware", () => {
  type Expected = NotFound | DeadlineExceeded | RunCancelled | InvalidRunContext | RpcClientError.RpcClientError

  it("adds its failures to those that the client sees", () => {
    const client = {} as RpcClient.FromGroup<typeof group, RpcClientError.RpcClientError>
    expectTypeOf(client.One()).toEqualTypeOf<Effect.Effect<string, Expected>>()
    expectTypeOf(client.Many()).toEqualTypeOf<Stream.Stream<number, Expected>>()
    const clientOrElse = {} as RpcClient.FromGroup<typeof groupOrElse, RpcClientError.RpcClientError>
    expectTypeOf(clientOrElse.One()).toEqualTypeOf<Effect.Effect<string, Expected>>()
    expectTypeOf(clientOrElse.Many()).toEqualTypeOf<Stream.Stream<number, Expected>>()
  })

  it("provides the run to handlers where there always is one, and only there", () => {
    const handlers = {
      One: () => Effect.map(RunContext, ({ runId }) => runId),
      Many: () => ({}) as Stream.Stream<number>
    }
    expectTypeOf(group.toLayer(handlers)).toEqualTypeOf<
      Layer.Layer<Rpc.Handler<"One"> | Rpc.Handler<"Many">, never, RunContext>
    >()
    expectTypeOf(groupOrElse.toLayer(handlers)).toEqualTypeOf<Layer.Layer<Rpc.Handler<"One"> | Rpc.Handler<"Many">>>()
  })
})
