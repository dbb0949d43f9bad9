/**
 * An `HttpApi` whose handlers are provided with the run of their request.
 */
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpLayerRouter,
  HttpServer,
  HttpServerRequest
} from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Layer, Option, Schema } from "effect"
import { RunContext } from "../../src/index.js"
import { RunHttpApi, RunHttpServer } from "../../src/platform/index.js"
import { completedRuns, observed } from "../observed.js"
import { ids, leanHeader, runId } from "../runs.js"
import { type NodeServer, request, serving } from "./servers.js"

class Desk extends HttpApi.make("desk")
  .add(HttpApiGroup.make("tickets").add(HttpApiEndpoint.get("open", "/open").addSuccess(Schema.String)))
  .middleware(RunHttpApi.Middleware) {}

const handlers = HttpApiBuilder.group(Desk, "tickets", (handlers) =>
  handlers.handle("open", () => Effect.map(RunContext, ({ runId, workflow }) => `${workflow} ${runId}`))
)

class Tokens extends Context.Tag("test/Tokens")<Tokens, ReadonlySet<string>>() {}

const options = {
  inbound: ({ headers }: { readonly headers: Readonly<Record<string, string | undefined>> }) =>
    Effect.map(Tokens, (tokens) => tokens.has(headers["authorization"] ?? "")),
  orElse: ({ headers }: { readonly headers: Readonly<Record<string, string | undefined>> }) => ({
    workflow: "Request",
    ...ids,
    eventId: headers["x-event"] ?? "none"
  })
}

const tokens = Layer.succeed(Tokens, new Set(["internal"]))

const servers: Record<string, Layer.Layer<never, never, NodeServer>> = {
  "HttpApiBuilder.serve": HttpApiBuilder.serve().pipe(
    Layer.provide(Layer.provide(HttpApiBuilder.api(Desk), [handlers, RunHttpApi.layer(options)])),
    Layer.provide(tokens)
  ),
  "HttpLayerRouter.addHttpApi": HttpLayerRouter.serve(
    HttpLayerRouter.addHttpApi(Desk).pipe(
      Layer.provide([handlers, RunHttpApi.layerCurrent]),
      Layer.provide(
        HttpLayerRouter.middleware(
          Effect.map(
            Effect.context<Tokens>(),
            (context) => (app) =>
              Effect.provide(Effect.orDie(RunHttpServer.middleware(options)(app)), context) as never as typeof app
          ),
          { global: true }
        )
      ),
      Layer.provide(HttpServer.layerContext)
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(Layer.provide(tokens)) as Layer.Layer<never, never, NodeServer>
}

describe.each(Object.entries(servers))("RunHttpApi.Middleware under %s", (_, server) => {
  it.scopedLive("provides a handler with the run of its request", () =>
    Effect.gen(function* () {
      const url = `${yield* serving(server)}/open`
      const trusted = yield* request(url, { headers: { authorization: "internal", baggage: leanHeader } })
      expect(JSON.parse(trusted.text)).toBe(`Customer Support ${runId}`)
      expect(trusted.headers["x-botanu-run-id"]).toBe(runId)
      const own = yield* request(url, { headers: { baggage: leanHeader } })
      const [completed] = yield* completedRuns
      expect(completed?.run).toMatchObject({ workflow: "Request", eventId: "none" })
      expect(JSON.parse(own.text)).toBe(`Request ${completed?.run.runId}`)
    }).pipe(Effect.provide(observed))
  )
})

describe("RunHttpApi.Middleware", () => {
  class Tenant extends Context.Tag("test/Tenant")<Tenant, string>() {}

  // What the predicate requires is in the context of the edge. The tenant is in that of the request too.
  const ofEdge = Layer.merge(tokens, Layer.succeed(Tenant, "of the edge"))
  const ofRequest = Effect.provideService(Tenant, "of the request")

  type Seen = Array<readonly [tenant: string, authorization: string, tokens: number]>
  const asking = (seen: Seen) => ({
    inbound: (request: HttpServerRequest.HttpServerRequest) =>
      Effect.gen(function* () {
        const own = Option.getOrThrow(yield* Effect.serviceOption(HttpServerRequest.HttpServerRequest))
        const authorization = request.headers["authorization"] ?? ""
        const tokens = yield* Tokens
        seen.push([yield* Tenant, own.headers["authorization"] ?? "", tokens.size])
        return tokens.has(authorization)
      }),
    orElse: options.orElse
  })

  const asked: Record<string, (seen: Seen) => Layer.Layer<never, never, NodeServer>> = {
    layer: (seen) =>
      HttpApiBuilder.serve(ofRequest).pipe(
        Layer.provide(
          Layer.provide(HttpApiBuilder.api(Desk), [handlers, Layer.provide(RunHttpApi.layer(asking(seen)), ofEdge)])
        )
      ),
    layerCurrent: (seen) =>
      HttpLayerRouter.serve(
        HttpLayerRouter.addHttpApi(Desk).pipe(
          Layer.provide([handlers, RunHttpApi.layerCurrent]),
          Layer.provide(HttpLayerRouter.middleware(RunHttpServer.middleware(asking(seen)), { global: true })),
          Layer.provide(HttpLayerRouter.middleware(ofRequest, { global: true })),
          Layer.provide(HttpServer.layerContext)
        ),
        { disableLogger: true, disableListenLog: true }
      ).pipe(Layer.provide(ofEdge)) as never
  }

  for (const [name, serve] of Object.entries(asked)) {
    it.scopedLive(`${name}: asks the predicate in the context of the edge, and in that of the request`, () =>
      Effect.gen(function* () {
        const seen: Seen = []
        const url = `${yield* serving(serve(seen))}/open`
        const answers: Array<string> = []
        for (const authorization of ["internal", "none"]) {
          const { text } = yield* request(url, { headers: { authorization, baggage: leanHeader } })
          answers.push(text)
        }
        expect(seen).toEqual([
          ["of the request", "internal", 1],
          ["of the request", "none", 1]
        ])
        expect(answers).toEqual([`"Customer Support ${runId}"`, expect.stringMatching(/^"Request /)])
      }).pipe(Effect.provide(observed))
    )
  }

  it.effect("layerCurrent: says what is expected where a request has no run", () =>
    Effect.gen(function* () {
      const provided = yield* RunHttpApi.Middleware
      const cause = yield* Effect.flip(Effect.sandbox(provided as unknown as Effect.Effect<unknown>))
      expect(Cause.pretty(cause)).toContain("the request has no run; expected an edge with orElse outside of it")
    }).pipe(Effect.provide(RunHttpApi.layerCurrent))
  )

  it.scopedLive("answers with InvalidRunContext where orElse makes no run", () =>
    Effect.gen(function* () {
      const url = `${yield* serving(servers["HttpApiBuilder.serve"] as Layer.Layer<never, never, NodeServer>)}/open`
      const answer = yield* request(url, { headers: { "x-event": "" } })
      expect(answer.status).toBe(500)
      expect(JSON.parse(answer.text)).toMatchObject({ _tag: "InvalidRunContext", field: "eventId" })
    })
  )
})
