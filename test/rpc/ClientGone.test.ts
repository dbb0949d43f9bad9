import { RpcServer } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Context, Effect, Exit, Fiber, Layer, Option, Scope, SubscriptionRef } from "effect"
import { RunRpc } from "../../src/rpc/index.js"
import { connect } from "./clients.js"
import { edges, group, server, until } from "./desk.js"
import { type AroundProtocol, overHttp, overTcp, overWebSocket } from "./transports.js"

const serving = server(edges.trusted)
const kinds = { HTTP: overHttp(serving), WebSocket: overWebSocket(serving), TCP: overTcp(serving) }

const closeable = Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))

/** A client that waits for a server, each with a scope of its own, and the only run there once it has ended. */
const waiting = (starting: (typeof kinds)["HTTP"]) =>
  Effect.gen(function* () {
    const ofServer = yield* closeable
    const { protocol, records } = yield* Scope.extend(starting, ofServer)
    const ofClient = yield* closeable
    const client = yield* Scope.extend(
      connect(group, protocol, RunRpc.layerClient({ outbound: "propagate" })),
      ofClient
    )
    const call = yield* Effect.fork(client.Hang({ key: "waiting" }))
    yield* until(records.started, Arr.head)
    return { ended: until(records.runs, Arr.head), call, ofClient, ofServer }
  })

describe.each(Object.entries(kinds))("RunRpc over %s", (_, starting) => {
  it.scopedLive("a client that goes away is the reason why its run ends", () =>
    Effect.gen(function* () {
      const { ended, ofClient } = yield* waiting(starting)
      yield* Scope.close(ofClient, Exit.void)
      expect(yield* ended).toMatchObject({ status: "canceled", cancellationReason: "client_disconnected" })
    })
  )

  it.scopedLive("a server that ends is not taken for a client that goes away", () =>
    Effect.gen(function* () {
      const { call, ended, ofClient, ofServer } = yield* waiting(starting)
      yield* Effect.fork(Scope.close(ofServer, Exit.void))
      expect(yield* ended).toMatchObject({ status: "canceled", cancellationReason: "interrupted" })
      yield* Fiber.await(call)
      yield* Scope.close(ofClient, Exit.void)
    })
  )
})

/** Notes the scopes of the connections that messages come in by. */
const noting =
  (scopes: Set<Scope.Scope>): AroundProtocol =>
  (layer) =>
    Layer.map(layer, (context) => {
      const protocol = Context.get(context, RpcServer.Protocol)
      return Context.add(context, RpcServer.Protocol, {
        ...protocol,
        run: (receive) =>
          protocol.run((clientId, message) =>
            Effect.contextWithEffect((context: Context.Context<never>) => {
              scopes.add(Option.getOrThrow(Context.getOption(context, Scope.Scope)))
              return receive(clientId, message)
            })
          )
      })
    })

/** How many finalizers an open scope has. Effect has no public question for that. */
const finalizersOf = (scope: Scope.Scope): number =>
  (scope as Scope.Scope & { readonly state: { readonly finalizers: ReadonlyMap<unknown, unknown> } }).state.finalizers
    .size

it.scopedLive(
  "interrupted calls leave nothing behind in the scope of their connection",
  () =>
    Effect.gen(function* () {
      const scopes = new Set<Scope.Scope>()
      const { protocol, records } = yield* overTcp(serving, noting(scopes))
      const client = yield* connect(group, protocol, RunRpc.layerClient({ outbound: "propagate" }))
      const interrupt = (calls: number) =>
        Effect.gen(function* () {
          const before = (yield* SubscriptionRef.get(records.runs)).length
          const reached = <A>(known: ReadonlyArray<A>) =>
            Option.liftPredicate(known, () => known.length === before + calls)
          const fibers = yield* Effect.forEach(Arr.range(1, calls), (call) =>
            Effect.fork(client.Hang({ key: `${before + call}` }))
          )
          yield* until(records.started, reached)
          yield* Fiber.interruptAll(fibers)
          const runs = yield* until(records.runs, reached)
          expect(new Set(runs.map(({ cancellationReason }) => cancellationReason))).toEqual(
            new Set(["client_disconnected"])
          )
        })

      yield* client.HasStarted({ key: "none" })
      const counts = () => Array.from(scopes, finalizersOf)
      const atFirst = counts()
      expect(atFirst).toHaveLength(1)
      yield* interrupt(100)
      expect(counts()).toEqual(atFirst)
      yield* interrupt(900)
      expect(counts()).toEqual(atFirst)
    }),
  30_000
)
