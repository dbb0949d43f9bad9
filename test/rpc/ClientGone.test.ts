import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Effect, Exit, Fiber, Scope } from "effect"
import { RunRpc } from "../../src/rpc/index.js"
import { connect } from "./clients.js"
import { edges, group, server, until } from "./desk.js"
import { overHttp, overTcp, overWebSocket } from "./transports.js"

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
