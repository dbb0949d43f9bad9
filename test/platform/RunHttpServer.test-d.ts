import { type HttpApp, HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Data, Effect, type Layer } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import type { DeadlineExceeded, InvalidRunContext, RunCancelled, RunContext } from "../../src/index.js"
import { RunHttpServer } from "../../src/platform/index.js"

class NotFound extends Data.TaggedError("NotFound")<{ readonly path: string }> {}
class Tokens extends Context.Tag("test/Tokens")<Tokens, ReadonlySet<string>>() {}

declare const app: HttpApp.Default<NotFound | DeadlineExceeded | RunCancelled, Tokens>
declare const inRun: HttpApp.Default<NotFound, RunContext>
const orElse = () => ({ workflow: "W", eventId: "e", customerId: "c" })

describe("RunHttpServer.middleware", () => {
  it("requires a choice of whom to believe", () => {
    // @ts-expect-error: inbound is required
    RunHttpServer.middleware({})
    // @ts-expect-error: inbound is required
    RunHttpServer.middleware({ orElse })
    // @ts-expect-error: a predicate has to be an Effect
    RunHttpServer.middleware({ inbound: () => true })
  })

  it("answers deadlines and cancelled runs, and leaves other errors", () => {
    expectTypeOf(RunHttpServer.middleware({ inbound: "trusted" })(app)).toEqualTypeOf<
      HttpApp.Default<NotFound, Tokens>
    >()
  })

  it("provides the run where there always is one, and only there", () => {
    expectTypeOf(RunHttpServer.middleware({ inbound: "trusted", orElse })(inRun)).toEqualTypeOf<
      HttpApp.Default<NotFound | InvalidRunContext>
    >()
    expectTypeOf(RunHttpServer.middleware({ inbound: "trusted" })(inRun)).toEqualTypeOf<
      HttpApp.Default<NotFound, RunContext>
    >()
  })

  it("provides no run where orElse may decline", () => {
    const mayDecline = (request: HttpServerRequest) => (request.url === "/health" ? undefined : orElse())
    expectTypeOf(RunHttpServer.middleware({ inbound: "trusted", orElse: mayDecline })(inRun)).toEqualTypeOf<
      HttpApp.Default<NotFound | InvalidRunContext, RunContext>
    >()
  })

  it("takes over what a predicate needs, and how it fails", () => {
    const inbound = (request: HttpServerRequest) =>
      Effect.flatMap(Tokens, (tokens) =>
        tokens.has(request.url) ? Effect.succeed(true) : Effect.fail("unknown" as const)
      )
    expectTypeOf(RunHttpServer.middleware({ inbound })(Effect.succeed(HttpServerResponse.empty()))).toEqualTypeOf<
      HttpApp.Default<"unknown", Tokens>
    >()
  })

  it("is middleware of an HttpLayerRouter", () => {
    expectTypeOf(HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound: "untrusted" })).layer).toEqualTypeOf<
      Layer.Layer<never>
    >()
  })

  it("does not retry a request", () => {
    // @ts-expect-error: the request would be served twice
    RunHttpServer.middleware({ inbound: "untrusted", orElse: () => ({ ...orElse(), retry: { times: 2 } }) })
  })
})
