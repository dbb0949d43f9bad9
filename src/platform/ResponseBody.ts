/**
 * The body of a response that is a stream is sent after the app has answered, by the fiber that serves the request. Here it
 * stays with the run all the same: what is done in the stream is done in the run, and the run ends with it.
 */
import { HttpBody, HttpServerResponse } from "@effect/platform"
import { DefaultServices, Deferred, Effect, Exit, type Fiber, FiberRef, Scope, Stream } from "effect"
import * as ChildFiber from "../fiber/ChildFiber.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { currentScope } from "../lifecycle/RunScope.js"
import { type DeadlineExceeded, deadlineExceeded } from "../run/Deadline.js"
import type { RouteRegion } from "./RouteRegion.js"

type Response = HttpServerResponse.HttpServerResponse

/**
 * The app, with the stream of its response run as the app itself is: with its context, its annotations and its tracer, and up
 * to the deadline of the run that it has joined.
 */
export const carriedOn = <E, R>(app: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R> =>
  Effect.flatMap(app, (response) =>
    response.body._tag === "Stream"
      ? Effect.withFiberRuntime((fiber) =>
          Effect.succeed(
            withStream(response, (stream) => {
              const provided = Stream.provideSomeContext(stream, fiber.currentContext)
              const cut = deadlineOf(fiber)
              const bounded = cut === undefined ? provided : Stream.interruptWhen(provided, cut)
              return Stream.unwrapScoped(Effect.as(inherit(fiber), bounded))
            })
          )
        )
      : Effect.succeed(response)
  )

type Sent = Stream.Stream<Uint8Array, unknown>

const withStream = (response: Response, change: (stream: Sent) => Sent): Response => {
  const { body } = response
  return body._tag === "Stream"
    ? HttpServerResponse.setBody(response, HttpBody.stream(change(body.stream), body.contentType, body.contentLength))
    : response
}

/** Fails when the deadline comes of a run that was joined; whoever owns a run sees to its deadline himself. */
const deadlineOf = (fiber: AnyFiber): Effect.Effect<never, DeadlineExceeded> | undefined => {
  const scope = currentScope(fiber.currentContext)
  if (scope === undefined || scope.isOwned || scope.run.deadline === undefined) return undefined
  const { deadline } = scope.run
  return Effect.suspend(() =>
    Effect.zipRight(
      Effect.sleep(Math.max(0, deadline.epochMillis - nowOf(fiber).epochMillis)),
      Effect.fail(deadlineExceeded(scope.run, deadline))
    )
  )
}

const inherit = (fiber: AnyFiber): Effect.Effect<void, never, Scope.Scope> => {
  const inheritRef = <A>(ref: FiberRef.FiberRef<A>) => Effect.locallyScoped(ref, fiber.getFiberRef(ref))
  return inheritRef(FiberRef.currentTracerSpanAnnotations).pipe(
    Effect.zipRight(inheritRef(FiberRef.currentLogAnnotations)),
    Effect.zipRight(inheritRef(DefaultServices.currentServices))
  )
}

/**
 * The app in a fiber of its own, which `inRun` may make a run. Its response is there as soon as the app has answered, and the
 * fiber goes on until a stream in it is sent, or is given up: so do a run, and what the app forked. Where the run ends before, so
 * does the stream.
 */
export const untilSent = <E, R, E2, R2>(
  app: Effect.Effect<Response, E, R>,
  region: RouteRegion,
  inRun: (app: Effect.Effect<Response, E, R>) => Effect.Effect<Response, E2, R2>
): Effect.Effect<Response, E2, R2> =>
  Effect.withFiberRuntime((caller, { runtimeFlags }) => {
    const answered = Deferred.unsafeMake<Response, E2>(caller.id())
    const sent = Deferred.unsafeMake<unknown, unknown>(caller.id())
    const ended = Effect.suspend(() => run.await)

    const keptOpen = (response: Response) =>
      Effect.withFiberRuntime<Response, E, R>((fiber) => {
        const cut = Effect.flatMap(ended, (exit) => (Exit.isFailure(exit) ? exit : Effect.never))
        const open = withStream(response, (stream) =>
          Stream.ensuringWith(Stream.interruptWhen(stream, cut), (exit) =>
            Effect.sync(() => Deferred.unsafeDone(sent, exit))
          )
        )
        const close = (exit: Exit.Exit<unknown, unknown>) => {
          Deferred.unsafeDone(sent, Exit.isInterrupted(exit) ? Exit.interrupt(caller.id()) : Exit.void)
          return ended
        }
        Deferred.unsafeDone(answered, ChildFiber.inherit(fiber, Effect.as(whenRequestEnds(close), open)))
        return Effect.as(Deferred.await(sent), response) as Effect.Effect<Response, E>
      })

    const work = Effect.flatMap(app, (response) =>
      response.body._tag === "Stream" ? keptOpen(response) : Effect.succeed(response)
    )
    let run: Fiber.RuntimeFiber<Response, E2>
    // An interruption finds no run, or one that it reaches.
    return Effect.uninterruptible(
      Effect.suspend(() => {
        // What `inRun` requires is in the context of its caller.
        run = region.start(inRun(work) as Effect.Effect<Response, E2>, caller, runtimeFlags)
        if (run.unsafePoll() !== null) return ChildFiber.result(run)
        run.addObserver((exit) => Deferred.unsafeDone(answered, ChildFiber.inherit(run, exit)))
        return region.await(run, Deferred.await(answered))
      })
    )
  })

const whenRequestEnds = (
  finalizer: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>
): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(Scope.Scope), (scope) =>
    scope._tag === "Some" ? Scope.addFinalizerExit(scope.value, finalizer) : Effect.void
  )
