/**
 * The span of a request on the server, and who may be its parent. The platform opens one before any middleware is asked, and
 * makes the sender's span its parent, trusted or not.
 */
import {
  Headers,
  type HttpApp,
  HttpMiddleware,
  HttpServerError,
  HttpServerRequest,
  HttpTraceContext
} from "@effect/platform"
import { Context, Effect, Layer, Option, type Predicate, Tracer } from "effect"
import * as TraceParent from "../baggage/TraceParent.js"
import { hasValidIds, spanPlacement, withServerSpan } from "../edge/ServerSpan.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { Header } from "../wire/Wire.js"

type Request = HttpServerRequest.HttpServerRequest

/** The predicates that `withLinkedTraces` made, and what the user had said before. */
const saidBefore = new WeakMap<Predicate.Predicate<Request>, Predicate.Predicate<Request>>()

/**
 * For the layer that serves an app: leaves the span of a request with trace headers to the middleware of this module, which
 * makes the sender's span its parent where the request is trusted, and a link of it where it is not.
 *
 * Without this, the span that the platform opens for a request that is not trusted has the sender's as its parent; what the
 * middleware then opens, with a link, is a second one, under which the app works.
 *
 * @example
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * export const server = RunHttpServer.withLinkedTraces(HttpServer.serve(HttpServerResponse.text("hello")))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const withLinkedTraces = <A, E, R>(server: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.locallyWith(server, HttpMiddleware.currentTracerDisabledWhen, (isDisabled) => {
    const isLeft = (request: Request) => isDisabled(request) || namesSender(request)
    saidBefore.set(isLeft, isDisabled)
    return isLeft
  }).pipe(Layer.locallyWith(Headers.currentRedactedNames, (names) => [...names, Header.baggage]))

/** Whether the platform left the span of a request to this module, or may not have opened it as it did. */
export const isSpanLeft = (request: Request, isTrusted: boolean, fiber: AnyFiber): boolean => {
  if (!namesSender(request)) return false
  const isDisabled = fiber.getFiberRef(HttpMiddleware.currentTracerDisabledWhen)
  const before = saidBefore.get(isDisabled)
  return !(before ?? isDisabled)(request) && (before !== undefined || !isTrusted)
}

/** The app in a span of its request. */
export const inServerSpan = <E, R>(
  app: HttpApp.Default<E, R>,
  request: Request,
  isTrusted: boolean,
  fiber: AnyFiber
): HttpApp.Default<E, R> => {
  const sender = Option.getOrUndefined(senderOf(request))
  const name = Context.get(fiber.currentContext, HttpMiddleware.SpanNameGenerator)(request)
  return withServerSpan(name, spanPlacement(sender, isTrusted), (span) => {
    for (const [key, value] of Object.entries(attributesOf(request))) span.attribute(key, value)
    return Effect.onExit(app, (exit) =>
      Effect.sync(() => span.attribute("http.response.status_code", HttpServerError.exitResponse(exit).status))
    )
  })
}

/** Work before it is known whether the sender is trusted: outside of the trace that the sender names. */
export const outsideRemoteTrace = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  request: Request
): Effect.Effect<A, E, R> =>
  namesSender(request)
    ? Effect.mapInputContext(effect, (context: Context.Context<R>) => Context.omit(Tracer.ParentSpan)(context) as never)
    : effect

/** Whether a request has trace headers. The platform makes a parent of the ids in them, whatever text these are. */
const namesSender = ({ headers }: Request): boolean =>
  headers[Header.traceparent] !== undefined || headers["b3"] !== undefined || headers["x-b3-traceid"] !== undefined

/** The span that the trace headers of a request name, where its ids are valid. */
const senderOf = ({ headers }: Request): Option.Option<Tracer.ExternalSpan> => {
  const traceparent = headers[Header.traceparent]
  const sender = traceparent === undefined ? undefined : TraceParent.toSpan([traceparent])
  return sender === undefined ? Option.filter(HttpTraceContext.fromHeaders(headers), hasValidIds) : Option.some(sender)
}

/** OpenTelemetry's semantic conventions for HTTP server spans. */
const attributesOf = (request: Request): Record<string, string> => {
  const attributes: Record<string, string> = { "http.request.method": request.method }
  const url = Option.getOrUndefined(HttpServerRequest.toURL(request))
  if (url !== undefined) {
    attributes["url.path"] = url.pathname
    attributes["url.scheme"] = url.protocol.slice(0, -1)
    if (url.search.length > 1) attributes["url.query"] = url.search.slice(1)
  }
  const userAgent = request.headers["user-agent"]
  if (userAgent !== undefined) attributes["user_agent.original"] = userAgent
  if (request.remoteAddress._tag === "Some") attributes["client.address"] = request.remoteAddress.value
  return attributes
}
