/**
 * Clients of the server in `desk.ts`: those that tell of runs and those that do not, and one that sends whatever it is told to.
 */
import { type Rpc, RpcClient, type RpcGroup, RpcMiddleware } from "@effect/rpc"
import { Context, Effect, Layer } from "effect"
import { RunRpc } from "../../src/rpc/index.js"
import { group } from "./desk.js"

const raw = RpcMiddleware.layerClient(RunRpc.Middleware, ({ request }) => Effect.succeed(request))

/** A client that is there for as long as the scope is open. */
export const connect = <Rpcs extends Rpc.Any, E>(
  group: RpcGroup.RpcGroup<Rpcs>,
  protocol: Layer.Layer<RpcClient.Protocol, E>,
  edge: Layer.Layer<Rpc.MiddlewareClient<Rpcs>>
) =>
  Effect.flatMap(Layer.build(Layer.merge(edge, protocol)), (context) => Effect.provide(RpcClient.make(group), context))

const client = <E>(edge: Layer.Layer<RpcMiddleware.ForClient<RunRpc.Middleware>, E>) =>
  Effect.provide(RpcClient.make(group), edge)

const make = Effect.all({
  telling: client(RunRpc.layerClient({ outbound: "propagate" })),
  withholding: client(RunRpc.layerClient({ outbound: "omit" })),
  raw: client(raw)
})

/** Several clients on one connection, for which a protocol has no place: each sees all responses, and knows its own. */
const shared = Layer.scoped(
  RpcClient.Protocol,
  Effect.gen(function* () {
    const protocol = yield* RpcClient.Protocol
    const receivers: Array<Parameters<typeof protocol.run>[0]> = []
    yield* Effect.forkScoped(
      protocol.run((message) => Effect.forEach(receivers, (receive) => receive(message), { discard: true }))
    )
    return RpcClient.Protocol.of({
      ...protocol,
      run: (receive) =>
        Effect.zipRight(
          Effect.sync(() => receivers.push(receive)),
          Effect.never
        )
    })
  })
)

/** Clients of one server. */
export class Clients extends Context.Tag("test/Clients")<Clients, Effect.Effect.Success<typeof make>>() {
  static readonly connect = <E, E2, R>(protocol: Effect.Effect<Layer.Layer<RpcClient.Protocol, E>, E2, R>) =>
    Layer.scoped(Clients, make).pipe(Layer.provide(shared), Layer.provide(Layer.unwrapScoped(protocol)))
}
