import { HttpLayerRouter } from "@effect/platform"
import { RpcClient } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Context, Effect, Function, Layer, Option, SubscriptionRef } from "effect"
import { RunContext } from "../../src/index.js"
import { RunHttpServer } from "../../src/platform/index.js"
import { RunRpc } from "../../src/rpc/index.js"
import { makeRun, runId } from "../runs.js"
import { connect } from "./clients.js"
import { edges, group, type Records, server, until } from "./desk.js"
import { type AroundProtocol, overHttp, overTcp, overWebSocket } from "./transports.js"

interface Options {
  readonly disableTracing?: boolean
  readonly isInternal?: boolean
}

/** The spans that a server had for a call, once all have ended because the server has. */
const spansOf = ({ spans }: Records["Type"]) =>
  Effect.map(SubscriptionRef.get(spans), (spans) => spans.filter(({ name }) => name === "RpcServer.See"))

/** A call, the span in which it was made, and those it has on a server, which leaves them to the middleware unless told not to. */
const calling = (
  edge: Layer.Layer<RunRpc.Middleware>,
  { disableTracing = false, isInternal = false }: Options = {},
  around: AroundProtocol = RunRpc.withLinkedTraces
) => callingOver(overTcp(server(edge, { disableTracing }), around), isInternal)

const callingOver = (starting: ReturnType<typeof overTcp>, isInternal = false) =>
  Effect.gen(function* () {
    const { protocol, records } = yield* starting
    const client = yield* connect(group, protocol, RunRpc.layerClient({ outbound: "propagate" }))
    const { caller, seen } = yield* Effect.all({ seen: client.See({ key: "call" }), caller: Effect.currentSpan }).pipe(
      RpcClient.withHeaders({ authorization: isInternal ? "Bearer internal" : "none" }),
      Effect.withSpan("caller"),
      Effect.provide(RunContext.layer(makeRun()))
    )
    return { seen, caller, records, chain: yield* client.Spans({ key: "call" }) }
  }).pipe(
    Effect.scoped,
    Effect.flatMap((called) => Effect.map(spansOf(called.records), (spans) => ({ ...called, spans })))
  )

describe("RunRpc.withLinkedTraces", () => {
  it.live("makes the sender's span a link of the only span, where nobody is trusted", () =>
    Effect.gen(function* () {
      const { caller, seen, spans } = yield* calling(edges.untrusted)
      expect(seen.run).toBeNull()
      expect(spans).toMatchObject([{ parentId: null, links: [{ traceId: caller.traceId }] }])
      expect(spans[0]?.attributes).toHaveProperty("requestId")
    })
  )

  it.live("leaves the only span to the middleware where the server opens none", () =>
    Effect.gen(function* () {
      const believed = yield* calling(edges.orElse, { disableTracing: true, isInternal: true })
      expect(believed.seen.run).toBe(runId)
      expect(believed.spans).toMatchObject([{ traceId: believed.caller.traceId, links: [] }])
      expect(believed.spans[0]?.parentId).not.toBeNull()
      expect(believed.spans[0]?.attributes).toMatchObject({ "botanu.run_id": runId })
      const other = yield* calling(edges.orElse, { disableTracing: true })
      expect(other.spans).toMatchObject([{ parentId: null, links: [{ traceId: other.caller.traceId }] }])
      expect(other.spans[0]?.attributes).toMatchObject({ "botanu.run_id": other.seen.run })
    })
  )

  it.live("goes on in the sender's trace where the server opened a span for a trusted call", () =>
    Effect.gen(function* () {
      const { caller, chain, seen } = yield* calling(edges.trusted)
      expect(seen.run).toBe(runId)
      expect(chain.map(({ name, traceId }) => [name, traceId])).toEqual([
        ["work", caller.traceId],
        ["RpcServer.See", caller.traceId]
      ])
    })
  )

  it.live("asks a predicate outside of the sender's trace", () =>
    Effect.gen(function* () {
      const inbound = () => Effect.succeed(true).pipe(Effect.withSpan("predicate"))
      const { caller, records } = yield* calling(RunRpc.layerServer({ inbound }), {}, Function.identity)
      const spans = yield* SubscriptionRef.get(records.spans)
      const traces = new Map(spans.map(({ name, traceId }) => [name, traceId]))
      expect(traces.get("work")).toBe(caller.traceId)
      expect(traces.has("predicate")).toBe(true)
      expect(traces.get("predicate")).not.toBe(caller.traceId)
    })
  )

  it.live("starts a trace of its own where the sender of a WebSocket's messages named one when it opened it", () =>
    Effect.gen(function* () {
      const trace = "0af7651916cd43dd8448eb211c80319c"
      const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` }
      const around = RunRpc.withLinkedTraces
      const { caller, chain } = yield* callingOver(overWebSocket(server(edges.untrusted), { around, headers }))
      expect(chain).toMatchObject([{ name: "work" }, { parentId: null, links: [{ traceId: caller.traceId }] }])
      expect([trace, caller.traceId]).not.toContain(chain[0]?.traceId)
    })
  )

  /** A request as others may send it, and the innermost span for it. */
  const innermostOf = (trace: object, starting: ReturnType<typeof overTcp>) =>
    Effect.gen(function* () {
      const { protocol, records } = yield* starting
      const { send } = Context.get(yield* Layer.build(protocol), RpcClient.Protocol)
      yield* send({ _tag: "Request", id: "1", tag: "See", payload: { key: "call" }, headers: [], ...trace })
      yield* until(records.spans, Arr.last)
      return records
    }).pipe(Effect.scoped, Effect.flatMap(spansOf), Effect.map(Arr.head), Effect.map(Option.getOrUndefined))

  const ids = [
    ["are no ids", { traceId: "spoofed", spanId: "spoofed" }],
    ["are not text", { traceId: ["a".repeat(32)], spanId: { spoofed: "b" } }],
    ["are not there", {}]
  ] as const
  for (const [what, trace] of ids) {
    it.live(`links nothing where the ids of a sender's span ${what}`, () =>
      Effect.gen(function* () {
        const servers = [
          overTcp(server(edges.untrusted)),
          overTcp(server(edges.untrusted), RunRpc.withLinkedTraces),
          overTcp(server(edges.untrusted, { disableTracing: true }), RunRpc.withLinkedTraces),
          overTcp(server(edges.trusted, { disableTracing: true }), RunRpc.withLinkedTraces)
        ]
        for (const starting of servers) {
          const innermost = yield* innermostOf(trace, starting)
          expect(innermost).toMatchObject({ parentId: null, links: [] })
          expect(JSON.stringify(innermost)).not.toContain("spoofed")
        }
      })
    )
  }
})

describe("RunHttpServer.withLinkedTraces around RPC", () => {
  it.live("makes the sender's span a link of the only root", () =>
    Effect.gen(function* () {
      const edge = HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound: "untrusted" }), { global: true })
      const { caller, records } = yield* callingOver(overHttp(server(edges.untrusted), { edge }))
      const spans = yield* SubscriptionRef.get(records.spans)
      const ofServer = spans.filter(({ name }) => name === "RpcServer.See" || name === "work")
      const root = spans.find(({ spanId }) => spanId === ofServer[1]?.parentId)
      expect(root).toMatchObject({ name: "http.server POST", parentId: null, links: [{ traceId: caller.traceId }] })
      expect(ofServer.map(({ name, traceId }) => [name, traceId])).toEqual([
        ["work", root?.traceId],
        ["RpcServer.See", root?.traceId]
      ])
    })
  )
})
