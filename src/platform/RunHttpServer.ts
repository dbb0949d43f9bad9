/**
 * The edge of an HTTP server: requests are worked on in the run that they bring, if they are believed.
 */
import { Headers, HttpApp, HttpServerError, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Context, Effect, Equal, type FiberId, FiberRef, Option } from "effect"
import { percentEncode, type ReadOptions } from "../BaggageHeader.js"
import { unsafePropagationMode } from "../BotanuConfig.js"
import { DeadlineExceeded } from "../Deadline.js"
import { type RequestRun, serve } from "../Edge.js"
import type { AnyFiber } from "../FiberClock.js"
import type { InvalidRunContext } from "../NewRun.js"
import { redactBaggage } from "../RedactedBaggage.js"
import { RunCancelled } from "../Resume.js"
import type { Run } from "../Run.js"
import { stamp } from "../RunAnnotations.js"
import type { RunContext } from "../RunContext.js"
import { type Inbound, isTrusted } from "../Trust.js"
import { Header } from "../Wire.js"
import * as ResponseBody from "./ResponseBody.js"
import { inServerSpan, outsideSendersTrace } from "./ServerSpan.js"

export type { RequestRun } from "../Edge.js"
export type { Inbound } from "../Trust.js"
export { withLinkedTraces } from "./ServerSpan.js"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** Whom a server believes. */
export interface Options<E = never, R = never> extends ReadOptions {
  /**
   * Whose runs are believed: everyone's who can send a request (`"trusted"`), nobody's (`"untrusted"`), or of those whose
   * request a predicate says so. There is no default: a run brings customer ids, a deadline and baggage with it.
   */
  readonly inbound: Inbound<Request, E, R>
}

/** Whom a server believes, and how a request that brings no run is one itself. */
export interface OptionsOrElse<E = never, R = never> extends Options<E, R> {
  readonly orElse: (request: Request) => RequestRun<Response>
}

/**
 * Middleware for an app, however that is served: `HttpRouter`, `HttpLayerRouter`, `HttpApi`, or a bare `HttpApp`. It goes
 * around the app itself: the middleware argument of `HttpServer.serve` comes too late for it.
 *
 * A request that is believed is worked on in the run that it brings, under that run's deadline, and in its trace. Where the run
 * comes in cancelled or past its deadline, the app does not run. Of one that is not believed the run is ignored, and nothing of
 * it goes out again; the sender's span becomes a link. A request without a run is what `orElse` makes of it.
 *
 * Responses carry `x-botanu-run-id` and `x-botanu-workflow`, percent-encoded. A deadline that passes answers 504, a run that
 * came in cancelled 499, both without a body. A client that goes away interrupts the app: a run there is `canceled`, for the
 * reason `client_disconnected`. A response whose body is a stream is part of the run until it is sent.
 *
 * With `orElse`, fails with `InvalidRunContext` where that gives options that make no run.
 */
export const middleware: {
  <E0 = never, R0 = never>(
    options: OptionsOrElse<E0, R0>
  ): <E, R>(
    app: HttpApp.Default<E, R>
  ) => HttpApp.Default<Answered<E> | E0 | InvalidRunContext, Exclude<R, RunContext> | R0>
  <E0 = never, R0 = never>(
    options: Options<E0, R0>
  ): <E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<Answered<E> | E0, R | R0>
} =
  <E0, R0>(options: Options<E0, R0> & Partial<OptionsOrElse<E0, R0>>) =>
  <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<Answered<E> | E0 | InvalidRunContext, R | R0> =>
    Effect.withFiberRuntime((fiber) => {
      const request = Context.unsafeGet(
        fiber.currentContext as Context.Context<Request>,
        HttpServerRequest.HttpServerRequest
      )
      if (request.headers[Header.baggage] !== undefined) redactBaggage(fiber.currentSpan)
      return Effect.flatMap(isBelieved(request, options.inbound), (trusted) =>
        inServerSpan(served(app, request, trusted, options), request, trusted, fiber)
      )
    })

// The platform restores interruption for routes only, and a predicate may take its time.
const isBelieved = <E, R>(request: Request, inbound: Inbound<Request, E, R>): Effect.Effect<boolean, E, R> => {
  const trusted = isTrusted(inbound, request)
  return typeof inbound === "function" ? Effect.interruptible(outsideSendersTrace(trusted, request)) : trusted
}

/** What is left of an error: these two are answered. */
export type Answered<E> = Exclude<E, DeadlineExceeded | RunCancelled>

const served = <E, R>(
  app: HttpApp.Default<E, R>,
  request: Request,
  trusted: boolean,
  { orElse, plusAsSpace }: Options<unknown, unknown> & Partial<OptionsOrElse<unknown, unknown>>
): HttpApp.Default<Answered<E> | InvalidRunContext, R> =>
  Effect.withFiberRuntime((fiber) => {
    let run: Run | undefined
    const appended = new AppendedHandlers(fiber)
    const work = serve(ResponseBody.carriedOn(appended.seenIn(app)), {
      headers: request.headers,
      isTrusted: trusted,
      plusAsSpace,
      reasonOf,
      orElse: orElse && (() => orElse(request)),
      onRun: (of) => {
        run = of
        const span = fiber.currentSpan
        if (span?._tag === "Span") stamp(span, of, unsafePropagationMode(fiber))
      },
      lasting: ResponseBody.untilSent
    })
    const identified = (response: Response) =>
      run === undefined ? response : HttpServerResponse.setHeaders(response, headersOf(run))
    // The platform restores interruption for routes only.
    return Effect.matchCauseEffect(Effect.interruptible(work), {
      onSuccess: (response) => Effect.succeed(identified(response)),
      onFailure: (cause) =>
        Effect.zipRight(
          Effect.zipRight(
            appended.keep,
            HttpApp.appendPreResponseHandler((_, response) => Effect.succeed(identified(response)))
          ),
          answerOf(cause)
        )
    })
  })

/**
 * What an app appends to responses, such as the headers of CORS. It holds for the answer to a failure too, which else would not
 * know of it: the app may have run in another fiber than the one that answers.
 */
class AppendedHandlers {
  private handlers = Option.none<HttpApp.PreResponseHandler>()

  constructor(private readonly answering: AnyFiber) {}

  seenIn<E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, R> {
    return Effect.withFiberRuntime((fiber) =>
      fiber === this.answering
        ? app
        : Effect.onError(app, () =>
            Effect.sync(() => {
              this.handlers = fiber.getFiberRef(HttpApp.currentPreResponseHandlers)
            })
          )
    )
  }

  readonly keep: Effect.Effect<void> = Effect.suspend(() =>
    Option.isNone(this.handlers) ? Effect.void : FiberRef.set(HttpApp.currentPreResponseHandlers, this.handlers)
  )
}

const reasonOf = (interruptor: FiberId.FiberId): string | undefined =>
  Equal.equals(interruptor, HttpServerError.clientAbortFiberId) ? "client_disconnected" : undefined

const headersOf = (run: Run): Headers.Headers =>
  Headers.unsafeFromRecord({ [Header.runId]: run.runId, [Header.workflow]: percentEncode(run.workflow) })

const gatewayTimeout = HttpServerResponse.empty({ status: 504 })
const clientClosedRequest = HttpServerResponse.empty({ status: 499 })

const answerOf = <E>(cause: Cause.Cause<E>): Effect.Effect<Response, Answered<E>> => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  if (error instanceof DeadlineExceeded) return Effect.succeed(gatewayTimeout)
  if (error instanceof RunCancelled) return Effect.succeed(clientClosedRequest)
  return Effect.failCause(cause as Cause.Cause<Answered<E>>)
}
