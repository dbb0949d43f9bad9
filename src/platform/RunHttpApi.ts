/**
 * The edge of an `HttpApi`: a middleware tag by which handlers are provided with the run of their request.
 */
import { HttpApiBuilder, HttpApiMiddleware, type HttpApp } from "@effect/platform"
import { Context, Effect, Layer } from "effect"
import { RunContext } from "../RunContext.js"
import { InvalidRunContext } from "../run/NewRun.js"
import { middleware, type OptionsOrElse } from "./RunHttpServer.js"

/**
 * Middleware of an `HttpApi`, or of a group or an endpoint in one: handlers are provided with `RunContext`. An `HttpApi` that has it
 * declares `InvalidRunContext`, with which a request fails where `orElse` gives options that make no run.
 *
 * @since 0.2.0
 * @category middleware
 * @example
 * ```ts
 * import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "@effect/platform"
 * import { RunHttpApi } from "botanu-effect/platform"
 * import { Schema } from "effect"
 *
 * export class Desk extends HttpApi.make("desk")
 *   .add(HttpApiGroup.make("tickets").add(HttpApiEndpoint.get("open", "/open").addSuccess(Schema.String)))
 *   .middleware(RunHttpApi.Middleware) {}
 * ```
 */
export class Middleware extends HttpApiMiddleware.Tag<Middleware>()("botanu/RunHttpApi/Middleware", {
  failure: InvalidRunContext,
  provides: RunContext
}) {}

/**
 * The edge for an `HttpApi` that `HttpApiBuilder.serve` or `HttpApiBuilder.toWebHandler` serves: all that
 * `RunHttpServer.middleware` does, and the run for handlers. `orElse` is required, so that every request has one. Middleware of a
 * router is that of every `HttpApi` that shares the router.
 *
 * @since 0.2.0
 * @category layers
 * @example
 * ```ts
 * import { RunHttpApi } from "botanu-effect/platform"
 *
 * export const edge = RunHttpApi.layer({
 *   inbound: "untrusted",
 *   orElse: ({ url }) => ({ workflow: "Request", eventId: url, customerId: "unknown" })
 * })
 * ```
 */
export const layer = <R = never>(options: OptionsOrElse<never, R>): Layer.Layer<Middleware, never, R> =>
  Layer.merge(
    layerCurrent,
    HttpApiBuilder.middleware(
      Effect.map(
        Effect.context<R>(),
        (context: Context.Context<R>) => (app: HttpApp.Default) =>
          // `InvalidRunContext` is an error of the `HttpApi`, by the tag.
          Effect.mapInputContext(middleware(options)(app) as HttpApp.Default<never, R>, (outer) =>
            Context.merge(context, outer)
          )
      )
    )
  )

/**
 * The run for handlers alone, where the edge is another: an `HttpApi` that `HttpLayerRouter.addHttpApi` adds to a router with
 * `HttpLayerRouter.middleware(RunHttpServer.middleware(options), { global: true })`. A request without a run is a defect.
 *
 * @since 0.2.0
 * @category layers
 * @example
 * ```ts
 * import { HttpLayerRouter } from "@effect/platform"
 * import { RunHttpApi, RunHttpServer } from "botanu-effect/platform"
 * import { Layer } from "effect"
 *
 * const orElse = () => ({ workflow: "Request", eventId: "none", customerId: "unknown" })
 *
 * export const edge = Layer.merge(
 *   HttpLayerRouter.middleware(RunHttpServer.middleware({ inbound: "untrusted", orElse }), { global: true }),
 *   RunHttpApi.layerCurrent
 * )
 * ```
 */
export const layerCurrent: Layer.Layer<Middleware> = Layer.succeed(
  Middleware,
  Effect.flatMap(Effect.serviceOption(RunContext), (run) =>
    run._tag === "Some"
      ? Effect.succeed(run.value)
      : Effect.dieMessage(
          "RunHttpApi.Middleware: the request has no run; expected an edge with orElse outside of it, such as RunHttpApi.layer"
        )
  )
)
