/**
 * Apps as web handlers, as frameworks outside of Effect call them: the body of a response is read by someone else, or by nobody.
 */
import { HttpApp, HttpMiddleware, HttpServerResponse } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Stream, TestClock } from "effect"
import { Botanu, Outcome } from "../../src/index.js"
import { unreadLimit } from "../../src/platform/ResponseBody.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { completedRuns, observed } from "../observed.js"
import { ids, leanHeader } from "../runs.js"

const endless = Stream.forever(Stream.make("part"))

/** A web handler whose every request is a run. */
const handlerOf = (stream: Stream.Stream<string, unknown>, status = 200) =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const app = RunHttpServer.middleware({ inbound: "untrusted", orElse: () => ({ workflow: "Request", ...ids }) })(
      Effect.sync(() => HttpServerResponse.stream(Stream.encodeText(stream), { status }))
    )
    const handler = HttpApp.toWebHandlerRuntime(runtime)(Effect.orDie(app))
    return (method = "GET") => Effect.promise(() => handler(new Request("http://localhost/", { method })))
  })

const settled = Effect.repeatN(Effect.yieldNow(), 200)

const statuses = Effect.map(completedRuns, (runs) =>
  runs.map(({ cancellationReason, status }) => [status, cancellationReason])
)

const active = Effect.zipRight(
  settled,
  Effect.map(Botanu.activeRuns, (runs) => runs.length)
)

describe("a streamed response of a web handler", () => {
  it.effect("to HEAD ends its run, as no body is sent", () =>
    Effect.gen(function* () {
      const handle = yield* handlerOf(endless)
      for (let count = 0; count < 20; count += 1) expect((yield* handle("HEAD")).status).toBe(200)
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual(Array.from({ length: 20 }, () => ["success", undefined]))
    }).pipe(Effect.provide(observed))
  )

  it.effect("is part of its run until it is read", () =>
    Effect.gen(function* () {
      const more = yield* Deferred.make<void>()
      const handle = yield* handlerOf(
        Stream.concat(Stream.make("one "), Stream.as(Stream.fromEffect(Deferred.await(more)), "two"))
      )
      const response = yield* handle()
      const text = yield* Effect.fork(Effect.promise(() => response.text()))
      // A long wait for more is no sign of a reader that has gone.
      for (let count = 0; count < 3; count += 1) yield* Effect.zipRight(settled, TestClock.adjust(unreadLimit))
      expect(yield* active).toBe(1)
      yield* Deferred.succeed(more, undefined)
      expect(yield* text).toBe("one two")
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual([["success", undefined]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("whose reader cancels is a client that went away", () =>
    Effect.gen(function* () {
      const handle = yield* handlerOf(endless)
      const response = yield* handle()
      const reader = response.body?.getReader()
      yield* Effect.promise(async () => reader?.read())
      yield* Effect.promise(async () => reader?.cancel("enough"))
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual([["canceled", "client_disconnected"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("whose reader cancels ends the runs in it for that reason, and those before their parent", () =>
    Effect.gen(function* () {
      const finalized = Effect.zipRight(settled, Effect.orDie(Outcome.emit("partial", { reason: "cleaned up" })))
      const handle = yield* handlerOf(endless.pipe(Stream.ensuring(finalized), Botanu.workflow("Child", ids)))
      const reader = (yield* handle()).body?.getReader()
      yield* Effect.promise(async () => reader?.read())
      yield* Effect.promise(async () => reader?.cancel("enough"))
      expect(yield* active).toBe(0)
      const runs = yield* completedRuns
      expect(runs.map(({ run }) => run.workflow)).toEqual(["Child", "Request"])
      expect(runs.map(({ cancellationReason }) => cancellationReason)).toEqual([
        "client_disconnected",
        "client_disconnected"
      ])
      expect(runs[0]?.outcome?.reason).toBe("cleaned up")
    }).pipe(Effect.provide(observed))
  )

  for (const [request, options] of [
    ["trusted", { inbound: "trusted" }],
    ["untrusted", { inbound: "untrusted" }]
  ] as const) {
    it.effect(
      `whose reader cancels gives its reason to the runs in it where the request is ${request} and no run of its own`,
      () =>
        Effect.gen(function* () {
          const runtime = yield* Effect.runtime<never>()
          const hanging = Effect.never.pipe(Botanu.workflow("Effect", ids))
          const body = Stream.make("part").pipe(
            Stream.concat(Stream.fromEffect(hanging)),
            Botanu.workflow("Stream", ids),
            Stream.encodeText
          )
          const app = RunHttpServer.middleware(options)(Effect.sync(() => HttpServerResponse.stream(body)))
          const handler = HttpApp.toWebHandlerRuntime(runtime)(app)
          const sent = new Request("http://localhost/", { headers: { baggage: leanHeader } })
          const reader = (yield* Effect.promise(() => handler(sent))).body?.getReader()
          yield* Effect.promise(async () => reader?.read())
          yield* settled
          yield* Effect.promise(async () => reader?.cancel("enough"))
          expect(yield* active).toBe(0)
          const runs = yield* completedRuns
          expect(runs.map(({ cancellationReason, run }) => [run.workflow, cancellationReason])).toEqual([
            ["Effect", "client_disconnected"],
            ["Stream", "client_disconnected"]
          ])
        }).pipe(Effect.provide(observed))
    )
  }

  it.effect("whose reader leaves while a part comes is a client that went away", () =>
    Effect.gen(function* () {
      const handle = yield* handlerOf(Stream.rechunk(Stream.make("one", "two", "three"), 1))
      const leave = new AbortController()
      let parts = 0
      const sink = new WritableStream({
        write: () => {
          parts += 1
          if (parts === 2) leave.abort()
        }
      })
      const response = yield* handle()
      // The next part goes into a body that is closed: Effect's stream then dies of the reader.
      yield* Effect.promise(async () => response.body?.pipeTo(sink, { signal: leave.signal }).catch(() => {}))
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual([["canceled", "client_disconnected"]])
    }).pipe(Effect.provide(observed))
  )

  it.effect("that fails by itself is a failure, also where nobody reads on", () =>
    Effect.gen(function* () {
      const handle = yield* handlerOf(Stream.concat(Stream.make("part"), Stream.die("broken")))
      const reader = (yield* handle()).body?.getReader()
      yield* Effect.promise(async () => reader?.read())
      yield* settled
      yield* Effect.promise(async () => reader?.cancel("enough").catch(() => {}))
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual([["failure", undefined]])
    }).pipe(Effect.provide(observed))
  )

  for (const status of [204, 205, 304]) {
    it.effect(`with status ${status} has no body, and ends its run`, () =>
      Effect.gen(function* () {
        const handle = yield* handlerOf(Botanu.workflow(endless, "Child", ids), status)
        // The platform alone answers 500, because no web response with this status has a body.
        const response = yield* handle()
        expect([response.status, response.body]).toEqual([status, null])
        expect(yield* active).toBe(0)
        expect(yield* statuses).toEqual([["success", undefined]])
      }).pipe(Effect.provide(observed))
    )
  }

  for (const inbound of ["trusted", "untrusted"] as const) {
    it.effect(`with a null body status has no body where the request is ${inbound} and no run of its own`, () =>
      Effect.gen(function* () {
        const runtime = yield* Effect.runtime<never>()
        const body = Stream.encodeText(Botanu.workflow(endless, "Child", ids))
        const app = Effect.sync(() => HttpServerResponse.stream(body, { status: 204 }))
        const handler = HttpApp.toWebHandlerRuntime(runtime)(RunHttpServer.middleware({ inbound })(app))
        const sent = new Request("http://localhost/", { headers: { baggage: leanHeader } })
        const response = yield* Effect.promise(() => handler(sent))
        expect([response.status, response.body]).toEqual([204, null])
        expect(yield* active).toBe(0)
        expect(yield* statuses).toEqual([])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("that nobody reads does not stay an active run", () =>
    Effect.gen(function* () {
      const handle = yield* handlerOf(endless)
      for (let count = 0; count < 20; count += 1) yield* handle()
      expect(yield* active).toBe(20)
      yield* TestClock.adjust(unreadLimit)
      yield* settled
      yield* TestClock.adjust(unreadLimit)
      expect(yield* active).toBe(0)
      expect(yield* statuses).toEqual(Array.from({ length: 20 }, () => ["canceled", "client_disconnected"]))
    }).pipe(Effect.provide(observed))
  )

  it.effect("says what was streamed, whatever the parts", () =>
    Effect.gen(function* () {
      const [parts] = FastCheck.sample(FastCheck.array(FastCheck.string({ unit: "binary" }), { minLength: 40 }), 1)
      const handle = yield* handlerOf(Stream.fromIterable(parts ?? []))
      expect(yield* Effect.promise(async () => (await handle().pipe(Effect.runPromise)).text())).toBe(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(parts?.join("")))
      )
      expect(yield* active).toBe(0)
    }).pipe(Effect.provide(observed))
  )
})

describe("an app with cors applied after the run middleware", () => {
  const origin = "https://app.example"
  const runHeaders = ["x-botanu-run-id", "x-botanu-workflow"]

  const asked = (method: string, limits: { readonly deadline?: "1 second" } = {}) =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<never>()
      const app = (limits.deadline === undefined ? HttpServerResponse.text("hello") : Effect.never).pipe(
        RunHttpServer.middleware({
          inbound: "untrusted",
          orElse: () => ({ workflow: "Request", ...ids, ...limits })
        }),
        Effect.orDie,
        HttpMiddleware.cors({ allowedOrigins: [origin], exposedHeaders: runHeaders })
      )
      const headers = { origin, "access-control-request-method": "GET" }
      const handler = HttpApp.toWebHandlerRuntime(runtime)(app)
      const response = handler(new Request("http://localhost/", { method, headers }))
      yield* Effect.zipRight(settled, TestClock.adjust("1 second"))
      return yield* Effect.promise(() => response)
    })

  it.effect("answers preflight requests itself, and these are no runs", () =>
    Effect.gen(function* () {
      const { headers, status } = yield* asked("OPTIONS")
      expect(status).toBe(204)
      expect(headers.get("access-control-allow-origin")).toBe(origin)
      for (const name of runHeaders) expect(headers.has(name)).toBe(false)
      expect(yield* completedRuns).toEqual([])
    }).pipe(Effect.provide(observed))
  )

  it.effect.each([
    [200, {}],
    [504, { deadline: "1 second" }]
  ] as const)("has its headers on a response with status %i, and shows those of the run", ([expected, limits]) =>
    Effect.gen(function* () {
      const { headers, status } = yield* asked("GET", limits)
      expect(status).toBe(expected)
      expect(headers.get("access-control-allow-origin")).toBe(origin)
      expect(headers.get("access-control-expose-headers")?.split(",")).toEqual(runHeaders)
      for (const name of runHeaders) expect(headers.has(name)).toBe(true)
    }).pipe(Effect.provide(observed))
  )
})
