import { HttpLayerRouter } from "@effect/platform"
import { Rpc, RpcClient, RpcGroup, RpcServer } from "@effect/rpc"
import { describe, expect, it, layer } from "@effect/vitest"
import {
  Array as Arr,
  Cause,
  Context,
  DateTime,
  Effect,
  type Exit,
  FastCheck,
  Fiber,
  Layer,
  Option,
  Schema,
  Stream
} from "effect"
import { Withheld } from "../../src/fiber/TracerWrapper.js"
import {
  Botanu,
  Budget,
  DeadlineExceeded,
  InvalidRunContext,
  type Run,
  RunCancelled,
  RunContext,
  Usage
} from "../../src/index.js"
import { RunHttpClient, RunHttpServer } from "../../src/platform/index.js"
import { RunRpc } from "../../src/rpc/index.js"
import { ids, leanHeader, leanKeys, makeRun, otherRunId, runId } from "../runs.js"
import { Clients, connect } from "./clients.js"
import { edges, full, group, type Seen, server, until } from "./desk.js"
import { overHttp, overTcp, transports } from "./transports.js"

const spoofedLean = leanHeader.replace("bigretail", "spoofed")
const spoofed = `${spoofedLean},botanu.deadline=1000,botanu.cancelled=true,other=spoofed`

const inRun = (run: Run) => Effect.provide([RunContext.layer(run), full])
const withBaggage = (baggage: string) => RpcClient.withHeaders({ baggage })
const all = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), (chunk) => [...chunk])

let calls = 0
/** Of one call, so that what became of it can be found. */
const fresh = Effect.sync(() => `call-${++calls}`)

describe.each(Object.entries(transports))("RunRpc over %s", (_, serve) => {
  const clientsOf = (edge: Parameters<typeof serve>[0]) => Clients.connect(serve(edge))
  const options = { excludeTestServices: true, timeout: "1 minute" } as const

  layer(clientsOf("trusted"), options)("to a server that trusts", (it) => {
    const isJoined = (seen: Seen) => {
      expect(seen).toMatchObject({ run: runId, parent: runId, annotations: leanKeys })
      expect(seen.sent["baggage"]).toContain(leanHeader)
    }

    it.effect("is worked on in the run of the call, and in its trace", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const [once, twice] = [yield* fresh, yield* fresh]
        const caller = yield* Effect.gen(function* () {
          isJoined(yield* telling.See({ key: once }))
          const seen = yield* all(telling.SeeTwice({ key: twice }))
          expect(seen).toHaveLength(2)
          seen.forEach(isJoined)
          return yield* Effect.currentSpan
        }).pipe(Effect.withSpan("caller"), inRun(makeRun()))
        for (const key of [once, twice]) {
          const spans = yield* telling.Spans({ key })
          expect(spans.map(({ name }) => name)).toEqual(["work", expect.stringMatching(/^RpcServer\.See/)])
          for (const span of spans) {
            expect(span.attributes).toMatchObject(leanKeys)
            expect(span.traceId).toBe(caller.traceId)
            expect(JSON.stringify(span.attributes)).not.toContain("botanu.run_id=")
          }
        }
        expect(yield* telling.Ended({ key: once, workflow: "Child" })).toMatchObject({
          parent: runId,
          status: "success"
        })
      })
    )

    it.effect("hands on the baggage of others, and of the run what the caller is in", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const seen = yield* telling.See({ key }).pipe(withBaggage(`other=1;p,${spoofedLean}`), inRun(makeRun()))
        expect(seen.run).toBe(runId)
        expect(seen.sent["baggage"]).toContain("other=1;p")
        expect(JSON.stringify(seen)).not.toContain("spoofed")
        const outside = yield* telling.See({ key }).pipe(withBaggage(`other=1,${leanHeader}`))
        expect(outside).toMatchObject({ run: null, received: "other=1" })
      })
    )

    it.effect("is told nothing by a client that withholds", () =>
      Effect.gen(function* () {
        const { withholding } = yield* Clients
        const key = yield* fresh
        const call = withholding.See({ key })
        expect(yield* inRun(makeRun())(call)).toMatchObject({ run: null, received: null })
        const mixed = yield* call.pipe(withBaggage(`${leanHeader},other=1,%62otanu.run_id=x`), inRun(makeRun()))
        expect(mixed).toMatchObject({ run: null, received: "other=1" })
      })
    )

    it.effect("interrupts the handler at the deadline, and tells the client so", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const [once, counting] = [yield* fresh, yield* fresh]
        const deadline = DateTime.add(yield* DateTime.now, { millis: 500 })
        const received: Array<number> = []
        const count = Stream.runForEach(telling.CountAndHang({ key: counting }), (n) =>
          Effect.sync(() => received.push(n))
        )
        const errors = yield* Effect.all([Effect.flip(telling.Hang({ key: once })), Effect.flip(count)], {
          concurrency: "unbounded"
        }).pipe(inRun(makeRun({ deadline })))
        for (const error of errors) {
          expect(error).toBeInstanceOf(DeadlineExceeded)
          expect(error).toMatchObject({ runId, workflow: "Customer Support", deadline })
        }
        expect(received).toEqual([1])
        for (const key of [once, counting]) {
          expect(yield* telling.Ended({ key, workflow: "Work" })).toMatchObject({ parent: runId, status: "timeout" })
        }
      })
    )

    const refused = [
      ["past its deadline", "botanu.deadline=1000", DeadlineExceeded],
      ["ages past its deadline", "botanu.deadline=-8640000000000000", DeadlineExceeded],
      ["cancelled", "botanu.cancelled=True", RunCancelled]
    ] as const
    for (const [state, member, failure] of refused) {
      it.effect(`does not begin where the run is ${state}`, () =>
        Effect.gen(function* () {
          const { raw } = yield* Clients
          const key = yield* fresh
          const errors = yield* Effect.all([
            Effect.flip(raw.See({ key })),
            Effect.flip(all(raw.SeeTwice({ key })))
          ]).pipe(withBaggage(`${leanHeader},${member}`))
          for (const error of errors) {
            expect(error).toBeInstanceOf(failure)
            expect(error).toMatchObject({ runId, workflow: "Customer Support" })
          }
          expect(yield* raw.HasStarted({ key })).toBe(false)
        })
      )
    }

    it.effect("is told when the caller's run is being stopped", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const error = yield* Effect.flip(telling.See({ key })).pipe(inRun(makeRun({ cancelled: true })))
        expect(error).toBeInstanceOf(RunCancelled)
      })
    )

    const isClientGone = { status: "canceled", reason: "client_disconnected", parent: runId }

    it.effect("ends runs whose client interrupts its call", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const [once, counting] = [yield* fresh, yield* fresh]
        const both = [telling.Hang({ key: once }), all(telling.CountAndHang({ key: counting }))] as const
        const call = yield* Effect.all(both, { concurrency: "unbounded" }).pipe(inRun(makeRun()), Effect.fork)
        for (const key of [once, counting]) yield* telling.Started({ key })
        const exit: Exit.Exit<unknown, unknown> = yield* Fiber.interrupt(call)
        expect(exit._tag === "Failure" && Cause.isInterruptedOnly(exit.cause)).toBe(true)
        for (const key of [once, counting]) {
          expect(yield* telling.Ended({ key, workflow: "Work" })).toMatchObject(isClientGone)
        }
      })
    )

    it.effect("ends runs whose client has enough of a stream", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const some = telling.CountAndHang({ key }).pipe(
          Stream.tap(() => telling.Started({ key })),
          Stream.take(1)
        )
        expect(yield* all(some).pipe(inRun(makeRun()))).toEqual([1])
        expect(yield* telling.Ended({ key, workflow: "Work" })).toMatchObject(isClientGone)
      })
    )

    const hostile = FastCheck.oneof(
      FastCheck.string({ unit: "binary", maxLength: 200 }),
      FastCheck.array(FastCheck.stringMatching(/^[ -~]{0,20}=[ -~]{0,20}$/), { maxLength: 300 }).map((all) =>
        all.join()
      ),
      FastCheck.constantFrom(
        `${leanHeader},${"x=y,".repeat(10_000)}`,
        "x".repeat(100_000),
        `${leanHeader.replace("bigretail", "%zz%e9%0d%0a%00")},__proto__=1,constructor=2`,
        `${leanHeader},botanu.deadline=nan,botanu.attempt=-1,botanu.parent_run_id=%00`,
        "botanu.run_id=1;botanu.workflow"
      )
    )
    it.effect.prop(
      "answers whatever the baggage of a call says",
      [hostile],
      ([baggage]) =>
        Effect.gen(function* () {
          const { raw, telling } = yield* Clients
          const key = yield* fresh
          const seen = yield* raw.See({ key }).pipe(withBaggage(baggage))
          expect(Object.getPrototypeOf(seen.sent)).toBe(Object.prototype)
          expect((yield* telling.See({ key }).pipe(withBaggage(baggage), inRun(makeRun()))).run).toBe(runId)
        }),
      { fastCheck: { numRuns: 60 } }
    )
  })

  layer(clientsOf("untrusted"), options)("to a server that does not trust", (it) => {
    it.effect("ignores the run, and everything that it would do", () =>
      Effect.gen(function* () {
        const { raw } = yield* Clients
        const [once, twice] = [yield* fresh, yield* fresh]
        const nothing = { run: null, parent: null, sent: {}, annotations: {} }
        const caller = yield* Effect.gen(function* () {
          expect(yield* raw.See({ key: once })).toMatchObject(nothing)
          expect(yield* all(raw.SeeTwice({ key: twice }))).toMatchObject([nothing, nothing])
          return yield* Effect.currentSpan
        }).pipe(withBaggage(spoofed), Effect.withSpan("caller"))
        for (const key of [once, twice]) {
          const spans = yield* raw.Spans({ key })
          expect(spans.map(({ name }) => name)).toEqual(["work", expect.stringMatching(/^RpcServer\.See/)])
          expect(JSON.stringify(spans)).not.toContain("spoofed")
          const [work, around] = spans
          expect(work?.traceId).not.toBe(caller.traceId)
          expect(around?.parentId).toBeNull()
          expect(around?.links.map(({ traceId }) => traceId)).toEqual([caller.traceId])
        }
      })
    )

    it.effect("ends runs whose client interrupts its call", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const call = yield* telling.Hang({ key }).pipe(inRun(makeRun()), Effect.fork)
        yield* telling.Started({ key })
        yield* Fiber.interrupt(call)
        const ended = yield* telling.Ended({ key, workflow: "Work" })
        expect(ended).toMatchObject({ status: "canceled", reason: "client_disconnected", parent: null })
      })
    )
  })

  layer(clientsOf("orElse"), options)("to a server that asks a predicate, and makes a run of other calls", (it) => {
    it.effect("works on a call in the run that is believed, else in one of its own", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const [own, joined] = [yield* fresh, yield* fresh]
        const call = (key: string) => inRun(makeRun())(telling.See({ key }))
        const believed = yield* call(joined).pipe(RpcClient.withHeaders({ authorization: "Bearer internal" }))
        expect(believed).toMatchObject({ run: runId, parent: runId })
        const other = yield* call(own)
        const ended = yield* telling.Ended({ key: own, workflow: "See" })
        expect(ended).toMatchObject({ runId: other.run, parent: null, status: "success" })
        expect(other.parent).toBe(other.run)
        expect(other.annotations).toMatchObject({ "botanu.workflow": "See", "botanu.customer_id": "walk-in" })
        const spans = yield* telling.Spans({ key: own })
        expect(spans.map(({ name }) => name)).toEqual(["work", "botanu.run/See", "RpcServer.See"])
        for (const { attributes } of spans) {
          expect(attributes).toMatchObject({ "botanu.run_id": other.run, "botanu.event_id": own })
        }
      })
    )

    it.effect("keeps the run of a call open until its stream has ended", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const seen = yield* all(telling.SeeTwice({ key }))
        const ended = yield* telling.Ended({ key, workflow: "SeeTwice" })
        expect(ended.status).toBe("success")
        expect(seen.map(({ run }) => run)).toEqual([ended.runId, ended.runId])
      })
    )

    it.effect("ends the run of a call whose client interrupts it", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const key = yield* fresh
        const call = yield* Effect.fork(all(telling.CountAndHang({ key })))
        yield* telling.Started({ key })
        yield* Fiber.interrupt(call)
        const ended = yield* telling.Ended({ key, workflow: "CountAndHang" })
        expect(ended).toMatchObject({ status: "canceled", reason: "client_disconnected" })
      })
    )

    it.effect("tells the client where a call makes no run", () =>
      Effect.gen(function* () {
        const { telling } = yield* Clients
        const error = yield* Effect.flip(telling.See({ key: "" }))
        expect(error).toBeInstanceOf(InvalidRunContext)
        expect(Schema.is(RunRpc.Failure)(error)).toBe(true)
        expect(error).toMatchObject({ field: "eventId" })
        expect(yield* telling.HasStarted({ key: "" })).toBe(false)
      })
    )
  })
})

const telling = RunRpc.layerClient({ outbound: "propagate" })

describe("RunRpc", () => {
  const Own = RpcGroup.make(
    Rpc.make("Which", { success: Schema.String }),
    Rpc.make("Late", { error: DeadlineExceeded })
  ).middleware(RunRpc.MiddlewareOrElse)
  const late = Effect.never.pipe(
    Botanu.workflow("Late", { ...ids, deadline: "10 millis" }),
    Effect.catchTag("InvalidRunContext", Effect.die)
  )
  const own = RpcServer.layer(Own).pipe(
    Layer.provide(Own.toLayer({ Which: () => Effect.map(RunContext, ({ runId }) => runId), Late: () => late })),
    Layer.provide(
      RunRpc.layerServer({ inbound: "trusted", orElse: ({ rpc }) => ({ ...ids, workflow: `Calls of ${rpc._tag}` }) })
    )
  )

  it.scopedLive("fails a call whose customer has spent a budget with BudgetExceeded, which the client can catch", () =>
    Effect.gen(function* () {
      const Dear = RpcGroup.make(
        Rpc.make("Spend", { success: Schema.String }),
        Rpc.make("SpendInside", { success: Schema.String, stream: true })
      ).middleware(RunRpc.MiddlewareOrElse)
      const spend = Usage.record({ kind: "compute", provider: "fleet", operation: "render", usd: "0.60" })
      const done = Effect.as(Effect.orDie(spend), "done")
      const inside = { ...ids, customerId: "dear-inside" }
      const serving = RpcServer.layer(Dear).pipe(
        Layer.provide(
          Dear.toLayer({
            Spend: () => done,
            SpendInside: () =>
              Stream.catchTag(
                Botanu.workflow(Stream.fromEffect(done), "Inside", inside),
                "InvalidRunContext",
                Stream.die
              )
          })
        ),
        Layer.provide(
          RunRpc.layerServer({
            inbound: "untrusted",
            orElse: ({ rpc }) => ({ ...ids, customerId: `dear-${rpc._tag}`, workflow: "Call" })
          })
        )
      )
      const client = yield* connect(Dear, (yield* overTcp(serving)).protocol, telling)
      const streamed = Effect.map(Stream.runCollect(client.SpendInside()), (chunk) => [...chunk].join())
      for (const [call, customer] of [
        [client.Spend(), "dear-Spend"],
        [streamed, "dear-inside"]
      ] as const) {
        expect([yield* call, yield* call]).toEqual(["done", "done"])
        const caught = yield* Budget.catchExceeded(call, ({ period }) => Effect.succeed(period?.id))
        expect(caught).toBe(customer)
      }
    }).pipe(Effect.provide(Budget.layer({ scope: "customer", usd: 1, per: "1 day" })))
  )

  it.scopedLive("provides the run to handlers where every call has one", () =>
    Effect.gen(function* () {
      const client = yield* connect(Own, (yield* overTcp(own)).protocol, telling)
      expect(yield* client.Which().pipe(inRun(makeRun()))).toBe(runId)
      expect(yield* client.Which()).not.toBe(runId)
    })
  )

  it.scopedLive("leaves a call alone that orElse declines", () =>
    Effect.gen(function* () {
      const edge = RunRpc.layerServer({
        inbound: "trusted",
        orElse: ({ payload, rpc }) =>
          (payload as { readonly key: string }).key === "health" ? undefined : { ...ids, workflow: rpc._tag }
      })
      const { protocol } = yield* overTcp(server(edge))
      const client = yield* connect(group, protocol, telling)
      expect(yield* client.See({ key: "health" })).toMatchObject({ run: null, parent: null })
      expect((yield* client.See({ key: "other" })).run).not.toBeNull()
      expect((yield* client.See({ key: "health" }).pipe(inRun(makeRun()))).run).toBe(runId)
    })
  )

  const refusals = [
    ["no time left", { deadline: 0 }, DeadlineExceeded],
    ["no event", { eventId: "" }, InvalidRunContext]
  ] as const
  for (const [what, options, failure] of refusals) {
    it.scopedLive(`does not begin a call that has ${what}; its span shows the run, if there is one`, () =>
      Effect.gen(function* () {
        const edge = RunRpc.layerServer({
          inbound: "trusted",
          orElse: ({ rpc }) => ({ ...ids, workflow: rpc._tag, ...options })
        })
        const { protocol, records } = yield* overTcp(server(edge))
        const client = yield* connect(group, protocol, telling)
        expect(yield* Effect.flip(client.See({ key: "refused" }))).toBeInstanceOf(failure)
        const span = yield* until(
          records.spans,
          Arr.findFirst(({ name }) => name === "RpcServer.See")
        )
        const [ended] = yield* records.runs
        const keys = ended && {
          ...leanKeys,
          "botanu.run_id": ended.run.runId,
          "botanu.workflow": "See",
          "botanu.environment": ended.run.environment
        }
        const shown = Object.entries(span.attributes).filter(([key]) => key.startsWith("botanu."))
        expect(Object.fromEntries(shown)).toEqual(keys ?? {})
        expect(ended?.status).toBe(failure === DeadlineExceeded ? "timeout" : undefined)
        expect(yield* records.started).toEqual([])
      })
    )
  }

  it.scopedLive("leaves a deadline of the handler's own to the errors of its procedure", () =>
    Effect.gen(function* () {
      const client = yield* connect(Own, (yield* overTcp(own)).protocol, telling)
      const error = yield* Effect.flip(client.Late()).pipe(inRun(makeRun()))
      expect(error).toMatchObject({ _tag: "DeadlineExceeded", workflow: "Late" })
    })
  )

  it.scopedLive("tells of the run in which a call is made, not of one in which the client was", () =>
    Effect.gen(function* () {
      const { protocol } = yield* overTcp(server(edges.trusted))
      const client = yield* connect(group, protocol, telling).pipe(inRun(makeRun()))
      expect(yield* client.See({ key: "outside" })).toMatchObject({ run: null, received: null })
      const other = makeRun({ runId: otherRunId, rootRunId: otherRunId })
      expect((yield* client.See({ key: "inside" }).pipe(inRun(other))).run).toBe(otherRunId)
    })
  )

  it.scopedLive("does not tell where that is withheld", () =>
    Effect.gen(function* () {
      const client = yield* connect(group, (yield* overTcp(server(edges.trusted))).protocol, telling)
      const call = client.See({ key: "withheld" }).pipe(withBaggage("other=1"))
      const seen = yield* call.pipe(Effect.provideService(Withheld, true), inRun(makeRun()))
      expect(seen).toMatchObject({ run: null, received: "other=1" })
    })
  )

  it.scopedLive("takes headers that are no text for none", () =>
    Effect.gen(function* () {
      const { protocol, records } = yield* overTcp(server(edges.trusted))
      const { send } = Context.get(yield* Layer.build(protocol), RpcClient.Protocol)
      const values: ReadonlyArray<unknown> = [5, null, true, { run: leanHeader }, [[leanHeader]]]
      for (const [index, value] of values.entries()) {
        const headers: ReadonlyArray<[string, string]> = [["baggage", value as string]]
        yield* send({ _tag: "Request", id: String(index), tag: "See", payload: { key: `call-${index}` }, headers })
      }
      const runs = yield* until(records.runs, (runs) =>
        Option.liftPredicate(runs, ({ length }) => length === values.length)
      )
      expect(runs.map(({ run }) => run.parentRunId)).toEqual(values.map(() => undefined))
    })
  )

  it.scopedLive("and RunHttpClient tell of one run on one call, or of none", () =>
    Effect.gen(function* () {
      const both = yield* overHttp(server(edges.trusted), {
        transformClient: (origin) => RunHttpClient.propagateTo([origin])
      })
      const told = yield* connect(group, both.protocol, telling)
      expect(yield* told.See({ key: "told" }).pipe(inRun(makeRun()))).toMatchObject({ run: runId, parent: runId })
      const around = yield* until(
        both.records.spans,
        Arr.findFirst(({ name }) => name === "http.server POST")
      )
      expect(around.attributes).toMatchObject({ "http.request.header.baggage": "<redacted>" })
      const neither = yield* overHttp(server(edges.trusted), { transformClient: () => RunHttpClient.propagateTo([]) })
      const untold = yield* connect(group, neither.protocol, RunRpc.layerClient({ outbound: "omit" }))
      expect(yield* untold.See({ key: "untold" }).pipe(inRun(makeRun()))).toMatchObject({ run: null, received: null })
    })
  )

  const ways = [
    ["the HTTP server", "untrusted", edges.trusted],
    ["the RPC server", "trusted", edges.untrusted]
  ] as const
  for (const [whose, inbound, edge] of ways) {
    it.scopedLive(`trusts no call over HTTP that ${whose} does not trust`, () =>
      Effect.gen(function* () {
        const http = HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound }), { global: true })
        const { protocol } = yield* overHttp(server(edge), {
          edge: http,
          transformClient: (origin) => RunHttpClient.propagateTo([origin])
        })
        const client = yield* connect(group, protocol, telling)
        const seen = yield* client.See({ key: inbound }).pipe(inRun(makeRun()))
        expect(seen).toMatchObject({ run: null, parent: null, annotations: {}, sent: {} })
      })
    )
  }
})
