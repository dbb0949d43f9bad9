/**
 * The edge of an HTTP server: trusted requests are worked on in the run that they bring.
 */
import { HttpApp, HttpServerError, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Context, Effect, Equal, type FiberId, Option, type Tracer } from "effect"
import { percentEncode, type ReadOptions } from "../baggage/BaggageHeader.js"
import {
  distrusting,
  inNoReceivedRun,
  inOwnRun,
  inReceivedRun,
  isBehindEdge,
  leaveRun,
  letGo,
  type RequestRun,
  receive
} from "../edge/ServerEdge.js"
import { redactBaggage, stampServerSpan } from "../edge/ServerSpan.js"
import { type Inbound, isDistrusted, isTrusted } from "../edge/Trust.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { yieldBefore } from "../fiber/TracerWrapper.js"
import { type BodyReader, currentEdge, type RequestEdge } from "../lifecycle/Interruption.js"
import { RunCancelled } from "../lifecycle/JoinedRun.js"
import type { RunScope } from "../lifecycle/RunScope.js"
import type { RunContext } from "../RunContext.js"
import { DeadlineExceeded } from "../run/Deadline.js"
import type { InvalidRunContext } from "../run/NewRun.js"
import type { Run } from "../run/Run.js"
import { Header } from "../wire/Wire.js"
import * as ResponseBody from "./ResponseBody.js"
import { holdInMarkedRoutes, servesMarkedRoute } from "./RouteRegion.js"
import { inServerSpan, isSpanLeft, outsideRemoteTrace } from "./ServerSpan.js"
import { withAnswer } from "./SpentBudget.js"

export type { RequestRun } from "../edge/ServerEdge.js"
export type { Inbound } from "../edge/Trust.js"
export { withLinkedTraces } from "./ServerSpan.js"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/**
 * Which requests a server trusts.
 *
 * @example
 * ```ts
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * const options: RunHttpServer.Options = { inbound: "untrusted" }
 * export const edge = RunHttpServer.middleware(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> extends ReadOptions {
  /**
   * Which requests are trusted to bring a run: all (`"trusted"`), none (`"untrusted"`), or those for which a predicate gives
   * `true`. There is no default: a run brings customer ids, a deadline and baggage with it.
   */
  readonly inbound: Inbound<Request, E, R>
}

/**
 * Which requests a server trusts, and how a request without a run becomes one itself.
 *
 * @example
 * ```ts
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * const options: RunHttpServer.OptionsOrElse = {
 *   inbound: "untrusted",
 *   orElse: (request) => ({ workflow: request.method, eventId: request.url, customerId: "unknown" })
 * }
 * export const edge = RunHttpServer.middleware(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface OptionsOrElse<E = never, R = never> extends Options<E, R> {
  /** The run of a request that brings none. */
  readonly orElse: (request: Request) => RequestRun<Response>
}

/**
 * The same, where some requests are no run: health checks, preflights, paths that lead nowhere.
 *
 * @example
 * ```ts
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * const options: RunHttpServer.OptionsMaybeOrElse = {
 *   inbound: "untrusted",
 *   orElse: (request) => ({ workflow: request.method, eventId: request.url, customerId: "unknown" })
 * }
 * export const edge = RunHttpServer.middleware(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface OptionsMaybeOrElse<E = never, R = never> extends Options<E, R> {
  /** The run that a request is; `undefined` for one that is none. */
  readonly orElse: (request: Request) => RequestRun<Response> | undefined
}

/**
 * Middleware for an app, however that is served: `HttpRouter`, `HttpLayerRouter`, `HttpApi`, or a bare `HttpApp`. It goes
 * on the app itself: the middleware argument of `HttpServer.serve` comes too late for it.
 *
 * A trusted request is worked on in the run that it brings, under that run's deadline, and in its trace. Where the run
 * comes in cancelled or past its deadline, the app does not run. The run of an untrusted request is ignored, and nothing of
 * it goes out again; the sender's span becomes a link. A request without a run is what `orElse` makes of it: a run,
 * or none where it gives `undefined`.
 *
 * Responses carry `x-botanu-run-id` and `x-botanu-workflow`, percent-encoded. A deadline that passes answers 504, a run that
 * came in cancelled 499, both without a body. A budget of `Budget.layer` that was spent before answers 429 with `retry-after`, unless
 * the app or code outside of this middleware handles `BudgetExceeded`. A client that goes away interrupts the app: a run there is
 * `canceled`, for the reason `client_disconnected`. A response whose body is a stream is part of the run until it is sent.
 *
 * With `orElse`, fails with `InvalidRunContext` where that gives options that make no run.
 *
 * @example
 * ```ts
 * import { HttpRouter, HttpServerResponse } from "@effect/platform"
 * import { RunHttpServer } from "botanu-effect/platform"
 *
 * export const app = HttpRouter.empty.pipe(
 *   HttpRouter.get("/", HttpServerResponse.text("hello")),
 *   RunHttpServer.middleware({ inbound: "untrusted" })
 * )
 * ```
 *
 * @since 0.1.0
 * @category middleware
 */
export const middleware: {
  <E0 = never, R0 = never>(
    options: OptionsOrElse<E0, R0>
  ): <E, R>(
    app: HttpApp.Default<E, R>
  ) => HttpApp.Default<Answered<E> | E0 | InvalidRunContext, Exclude<R, RunContext> | R0>
  <E0 = never, R0 = never>(
    options: OptionsMaybeOrElse<E0, R0>
  ): <E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<Answered<E> | E0 | InvalidRunContext, R | R0>
  <E0 = never, R0 = never>(
    options: Options<E0, R0>
  ): <E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<Answered<E> | E0, R | R0>
} =
  <E0, R0>(options: Options<E0, R0> & Partial<OptionsMaybeOrElse<E0, R0>>) =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<Answered<E> | E0 | InvalidRunContext, R | R0> =>
    Effect.withFiberRuntime((fiber) => {
      const request = Context.unsafeGet(
        fiber.currentContext as Context.Context<Request>,
        HttpServerRequest.HttpServerRequest
      )
      if (request.headers[Header.baggage] !== undefined) redactBaggage(fiber.currentSpan)
      const { inbound } = options
      // An edge further out has opened a span already. That is the right one, unless only this edge distrusts the request.
      const isInSpan = isBehindEdge(fiber)
      const wasDistrusted = isDistrusted(fiber)
      const answered = (isTrusted: boolean) => {
        if (isInSpan && (isTrusted || wasDistrusted)) return answerFor(fiber, app, request, isTrusted, options)
        const inSpan = (): HttpApp.Default<Answered<E> | InvalidRunContext, R> =>
          isSpanLeft(request, isTrusted, fiber)
            ? inServerSpan(
                Effect.withFiberRuntime((fiber) => answerFor(fiber, app, request, isTrusted, options)),
                request,
                isTrusted,
                fiber
              )
            : answerFor(fiber, app, request, isTrusted, options)
        return isTrusted ? inSpan() : distrusting(fiber, inSpan)
      }
      return typeof inbound === "function"
        ? Effect.flatMap(outsideRemoteTrace(isTrusted(inbound, request), request), answered)
        : answered(inbound === "trusted" && !wasDistrusted)
    })

/**
 * What is left of an error: these two are answered.
 *
 * @example
 * ```ts
 * import type { DeadlineExceeded } from "botanu-effect"
 * import type { RunHttpServer } from "botanu-effect/platform"
 *
 * const isAnswered: [RunHttpServer.Answered<DeadlineExceeded>] extends [never] ? true : false = true
 * console.log(isAnswered)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Answered<E> = Exclude<E, DeadlineExceeded | RunCancelled>

/** The answer to a request. To be called by the fiber that serves it, where the answer comes next. */
const answerFor = <E, R>(
  fiber: AnyFiber,
  app: HttpApp.Default<E, R>,
  request: Request,
  isTrusted: boolean,
  options: AnyOptions
): HttpApp.Default<Answered<E> | InvalidRunContext, R> => {
  const exchange = new Exchange<E>(fiber)
  return Effect.matchCauseEffect(serve(app, request, isTrusted, options, exchange), exchange)
}

type AnyOptions = Options<unknown, unknown> & Partial<OptionsMaybeOrElse<unknown, unknown>>

type Served<E, R> = HttpApp.Default<E | DeadlineExceeded | RunCancelled | InvalidRunContext, R>

/** The app in the run that the request brings, in one of its own, or in none. */
const serve = <E, R>(
  app: HttpApp.Default<E, R>,
  request: Request,
  isTrusted: boolean,
  options: AnyOptions,
  exchange: Exchange<E>
): Served<E, R> => {
  const { fiber } = exchange
  const { report, run } = receive(fiber, ofSender(request), isTrusted, options)
  const served = (): Served<E, R> => {
    if (Option.isNone(run)) return serveWithoutRun(app, request, isTrusted, options, exchange)
    const work = ResponseBody.carriedOnFor(app, { edge: exchange, request })
    return yieldBefore(fiber, inReceivedRun(work, run.value, exchange, !servesMarkedRoute(fiber)))
  }
  return report === undefined ? served() : Effect.zipRight(report, Effect.suspend(served))
}

/** The headers that name a run and its sender. Their names are in lower case here, so nothing has to look through the others. */
const ofSender = ({ headers }: Request) => ({
  [Header.baggage]: headers[Header.baggage],
  [Header.traceparent]: headers[Header.traceparent]
})

const serveWithoutRun = <E, R>(
  app: HttpApp.Default<E, R>,
  request: Request,
  isTrusted: boolean,
  { orElse }: AnyOptions,
  exchange: Exchange<E>
): Served<E, R> => {
  const { fiber, serverSpan } = exchange
  if (orElse === undefined) {
    const work = ResponseBody.carriedOnFor(app, { edge: exchange, request })
    const served = inNoReceivedRun(servesMarkedRoute(fiber) ? work : Effect.interruptible(work), isTrusted, exchange)
    return isTrusted ? served : yieldBefore(fiber, served)
  }
  const asRun = (work: HttpApp.Default<E, R>): Served<E, R> => {
    const own = orElse(request)
    if (own === undefined) return work
    return inOwnRun(work, own, (run) => {
      exchange.own = run
      stampServerSpan(fiber, serverSpan, run)
    })
  }
  return inNoReceivedRun(ResponseBody.untilSent(app, { edge: exchange, request }, asRun), isTrusted, exchange)
}

/**
 * A request and its answer. An instance of a class, and no object literal: V8 may come to allocate those in its old generation,
 * where one keeps alive all that it leads to, until the next full collection: here whatever was made for the request.
 */
class Exchange<E> implements RequestEdge {
  readonly reasonOf = reasonOf
  reader: BodyReader | undefined = undefined
  /** The run that the request itself is. */
  own: Run | undefined = undefined
  received: Run | undefined = undefined
  joined: RunScope | undefined = undefined
  isDistrusted = false
  readonly serverSpan: Tracer.AnySpan | undefined
  readonly outer: RequestEdge | undefined
  private readonly endHold: () => void

  constructor(readonly fiber: AnyFiber) {
    this.serverSpan = fiber.currentSpan
    this.outer = currentEdge(fiber.currentContext)
    this.endHold = holdInMarkedRoutes(fiber)
  }

  readonly onSuccess = (response: Response): Effect.Effect<Response> => {
    const identified = this.identified(response)
    const left = this.end()
    return left === undefined ? Effect.succeed(identified) : Effect.as(left, identified)
  }

  readonly onFailure = (
    cause: Cause.Cause<E | DeadlineExceeded | RunCancelled | InvalidRunContext>
  ): Effect.Effect<Response, Answered<E> | InvalidRunContext> => {
    const identify = HttpApp.appendPreResponseHandler((_, response) => Effect.succeed(this.identified(response)))
    return Effect.zipRight(Effect.zipRight(this.end() ?? Effect.void, identify), answerOf(cause))
  }

  /** Only now is it known that no edge further in distrusts the request: if one does, the run is left. */
  private end(): Effect.Effect<void> | undefined {
    this.endHold()
    letGo(this)
    if (this.received === undefined) return undefined
    if (this.isDistrusted) return leaveRun(this.fiber, this)
    stampServerSpan(this.fiber, this.serverSpan, this.received)
    return undefined
  }

  private identified(response: Response): Response {
    const run = this.own ?? (this.isDistrusted ? undefined : this.received)
    return run === undefined ? response : naming(run, response)
  }
}

const reasonOf = (interruptor: FiberId.FiberId): string | undefined =>
  Equal.equals(interruptor, HttpServerError.clientAbortFiberId) ? "client_disconnected" : undefined

// One after the other: `setHeaders` copies all headers three times.
const naming = (run: Run, response: Response): Response =>
  HttpServerResponse.setHeader(
    HttpServerResponse.setHeader(response, Header.runId, run.runId),
    Header.workflow,
    percentEncode(run.workflow)
  )

const gatewayTimeout = HttpServerResponse.empty({ status: 504 })
const clientClosedRequest = HttpServerResponse.empty({ status: 499 })

const answerOf = <E>(cause: Cause.Cause<E>): Effect.Effect<Response, Answered<E>> => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  if (error instanceof DeadlineExceeded) return Effect.succeed(gatewayTimeout)
  if (error instanceof RunCancelled) return Effect.succeed(clientClosedRequest)
  return Effect.failCause(withAnswer(cause as Cause.Cause<Answered<E>>))
}
