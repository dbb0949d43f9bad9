/**
 * Routes that are marked `uninterruptible` are worked on to their end, whoever goes away.
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpLayerRouter,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema } from "effect"
import { Botanu, BotanuConfig, Propagation, RunContext } from "../../src/index.js"
import * as RunHttpServer from "../../src/platform/RunHttpServer.js"
import { completedRuns, observed } from "../observed.js"
import { ids, leanHeader } from "../runs.js"
import { middleware, type NodeServer, type Options, request, serving } from "./servers.js"

/** By its type without `orElse`, for routers that know the errors of middleware. */
const generic = (options: Options) => RunHttpServer.middleware(options as RunHttpServer.Options)

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("group")
    .add(HttpApiEndpoint.post("pay", "/pay").addSuccess(Schema.String))
    .add(HttpApiEndpoint.post("search", "/search").addSuccess(Schema.String))
) {}

interface Routes {
  /** Marked `uninterruptible`. */
  readonly pay: Effect.Effect<string>
  readonly search: Effect.Effect<string>
}

const text = (handler: Effect.Effect<string>) => Effect.map(handler, (text) => HttpServerResponse.text(text))
const uninterruptible = { uninterruptible: true }

const routers: Record<string, (routes: Routes, options: Options) => Layer.Layer<never, never, NodeServer>> = {
  HttpRouter: ({ pay, search }, options) =>
    HttpRouter.empty.pipe(
      HttpRouter.post("/pay", text(pay), uninterruptible),
      HttpRouter.post("/search", text(search)),
      Effect.orDie,
      middleware(options),
      HttpServer.serve()
    ),
  "a mounted HttpRouter": ({ pay, search }, options) =>
    HttpRouter.empty.pipe(
      HttpRouter.mountApp(
        "/",
        HttpRouter.empty.pipe(
          HttpRouter.post("/pay", text(pay), uninterruptible),
          HttpRouter.post("/search", text(search))
        ),
        { includePrefix: true }
      ),
      Effect.orDie,
      middleware(options),
      HttpServer.serve()
    ),
  HttpLayerRouter: ({ pay, search }, options) =>
    HttpLayerRouter.serve(
      HttpLayerRouter.use((router) =>
        Effect.all([
          router.add("POST", "/pay", text(pay), uninterruptible),
          router.add("POST", "/search", text(search))
        ])
      ).pipe(Layer.provide(HttpLayerRouter.middleware(generic(options), { global: true }))),
      { disableLogger: true, disableListenLog: true }
    ),
  "HttpLayerRouter, by route": ({ pay, search }, options) =>
    HttpLayerRouter.serve(
      HttpLayerRouter.use((router) =>
        Effect.all([
          router.add("POST", "/pay", text(pay), uninterruptible),
          router.add("POST", "/search", text(search))
        ])
      ).pipe(Layer.provide(HttpLayerRouter.middleware(generic(options)).layer)),
      { disableLogger: true, disableListenLog: true }
    ),
  HttpApi: ({ pay, search }, options) =>
    HttpApiBuilder.serve().pipe(
      Layer.provide(HttpApiBuilder.middleware(middleware(options))),
      Layer.provide(HttpApiBuilder.api(Api)),
      Layer.provide(
        HttpApiBuilder.group(Api, "group", (handlers) =>
          handlers.handle("pay", () => pay, uninterruptible).handle("search", () => search)
        )
      )
    )
}

const asRun = () => ({ workflow: "Request", ...ids })

const edges: Record<string, Options> = {
  "that is trusted": { inbound: "trusted" },
  "that is not trusted": { inbound: "untrusted" },
  "that a predicate trusts": { inbound: () => Effect.succeed(true) },
  "as a run of its own": { inbound: "untrusted", orElse: asRun }
}

describe("a handler with an edge of its own", () => {
  for (const [which, options] of Object.entries(edges)) {
    it.scopedLive(`is in the region of its route, for a request ${which}`, () =>
      Effect.gen(function* () {
        const handler = middleware(options)(
          text(Effect.checkInterruptible((isInterruptible) => Effect.succeed(`${isInterruptible}`)))
        )
        const url = yield* serving(
          HttpRouter.empty.pipe(
            HttpRouter.post("/pay", handler, uninterruptible),
            HttpRouter.post("/search", handler),
            HttpServer.serve()
          )
        )
        const answers = yield* Effect.forEach(["/pay", "/search"], (path) =>
          request(`${url}${path}`, { method: "POST", headers: { baggage: leanHeader } })
        )
        expect(answers.map(({ text }) => text)).toEqual(["false", "true"])
      })
    )
  }
})

describe("a request whose client went away while it was worked on to its end", () => {
  for (const [which, options] of Object.entries(edges)) {
    it.scopedLive(`is interrupted after that: ${which}`, () =>
      Effect.gen(function* () {
        const [started, charged, stopped] = yield* Effect.all([
          Deferred.make<void>(),
          Deferred.make<void>(),
          Deferred.make<void>()
        ])
        const pay = Effect.as(Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(charged)), "paid")
        const app = HttpRouter.empty.pipe(
          HttpRouter.post("/pay", text(pay), uninterruptible),
          Effect.orDie,
          middleware(options),
          Effect.tap(() =>
            Effect.onInterrupt(Effect.interruptible(Effect.never), () => Deferred.succeed(stopped, undefined))
          )
        )
        const url = yield* serving(HttpServer.serve(app))
        const client = yield* Effect.fork(request(`${url}/pay`, { method: "POST", headers: { baggage: leanHeader } }))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(client)
        yield* Effect.sleep("30 millis")
        yield* Deferred.succeed(charged, undefined)
        yield* Deferred.await(stopped)
      })
    )
  }
})

describe.each(Object.entries(routers))("an uninterruptible route of %s", (_, served) => {
  for (const [which, options] of Object.entries(edges)) {
    it.scopedLive(`goes on to its end when the client of a request ${which} goes away`, () =>
      Effect.gen(function* () {
        const [started, charged, shipped, stopped] = yield* Effect.all([
          Deferred.make<void>(),
          Deferred.make<void>(),
          Deferred.make<string | undefined>(),
          Deferred.make<void>()
        ])
        const pay = Effect.gen(function* () {
          yield* Deferred.succeed(started, undefined)
          yield* Deferred.await(charged)
          const run = yield* Effect.serviceOption(RunContext)
          const sent = Option.isSome(run) ? yield* Effect.provideService(Propagation.inject, RunContext, run.value) : {}
          yield* Deferred.succeed(shipped, sent["baggage"])
          return "paid"
        })
        const search = Effect.onInterrupt(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never), () =>
          Deferred.succeed(stopped, undefined)
        )
        const url = yield* serving(served({ pay, search }, options))
        const client = yield* Effect.fork(request(`${url}/pay`, { method: "POST", headers: { baggage: leanHeader } }))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(client)
        // The server learns of it in its own time.
        yield* Effect.sleep("30 millis")
        yield* Deferred.succeed(charged, undefined)
        expect((yield* Deferred.await(shipped)) ?? "").not.toContain("botanu.cancelled")
      }).pipe(Effect.provide(BotanuConfig.layerOf({ environment: "production", propagationMode: "full" })))
    )

    it.scopedLive(`that is not marked is interrupted when the client of a request ${which} goes away`, () =>
      Effect.gen(function* () {
        const [started, stopped] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const search = Effect.onInterrupt(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never), () =>
          Deferred.succeed(stopped, undefined)
        )
        const url = yield* serving(served({ pay: Effect.never, search }, options))
        const client = yield* Effect.fork(
          request(`${url}/search`, { method: "POST", headers: { baggage: leanHeader } })
        )
        yield* Deferred.await(started)
        yield* Fiber.interrupt(client)
        yield* Deferred.await(stopped)
      })
    )
  }

  const deadlines: Record<string, readonly [options: Options, headers: Record<string, string>]> = {
    "that came in": [{ inbound: "trusted" }, { baggage: `${leanHeader},botanu.deadline=` }],
    "of its own": [{ inbound: "untrusted", orElse: () => ({ ...asRun(), deadline: "300 millis" }) }, {}]
  }
  for (const [whose, [options, headers]] of Object.entries(deadlines)) {
    it.scopedLive(`goes on to its end past a deadline ${whose}; the answer is 504`, () =>
      Effect.gen(function* () {
        let shipped = false
        const pay = Effect.delay(
          Effect.sync(() => {
            shipped = true
            return "paid"
          }),
          "600 millis"
        )
        const url = yield* serving(served({ pay, search: pay }, options))
        const baggage = headers["baggage"] && `${headers["baggage"]}${Date.now() + 300}`
        const answer = yield* request(`${url}/pay`, { method: "POST", headers: baggage ? { baggage } : {} })
        expect([shipped, answer.status]).toEqual([true, 504])
      })
    )
  }

  it.scopedLive("as a run of its own is a success, also when its client goes away", () =>
    Effect.gen(function* () {
      const [started, charged] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const pay = Effect.as(Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(charged)), "paid")
      const url = yield* serving(served({ pay, search: pay }, { inbound: "untrusted", orElse: asRun }))
      const client = yield* Effect.fork(request(`${url}/pay`, { method: "POST" }))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(client)
      yield* Effect.sleep("30 millis")
      yield* Deferred.succeed(charged, undefined)
      while (yield* Botanu.activeRuns.pipe(Effect.map((runs) => runs.length > 0))) yield* Effect.sleep("5 millis")
      expect((yield* completedRuns).map(({ status }) => status)).toEqual(["success"])
    }).pipe(Effect.provide(observed))
  )
})
