/**
 * The body of a response that is a stream is sent after the app has answered, by the fiber that serves the request. Here it
 * stays with the run all the same: what is done in the stream is done in the run, and the run ends with it.
 */
import { HttpBody, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import {
  Cause,
  type Chunk,
  DefaultServices,
  Deferred,
  Effect,
  Exit,
  type Fiber,
  FiberRef,
  Option,
  RuntimeFlags,
  Scope,
  Stream
} from "effect"
import * as ChildFiber from "../fiber/ChildFiber.js"
import { type AnyFiber, clockOf, nowOf } from "../fiber/CurrentFiber.js"
import { sleepUntil } from "../fiber/Timer.js"
import type { BodyReader, RequestEdge } from "../lifecycle/Interruption.js"
import { currentScope } from "../lifecycle/RunScope.js"
import { type DeadlineExceeded, deadlineExceeded } from "../run/Deadline.js"
import { awaiting, start } from "./RouteRegion.js"

type Response = HttpServerResponse.HttpServerResponse

/**
 * The app, with the stream of its response run as the app itself is: with its context, its annotations and its tracer, and up
 * to the deadline of the run that it has joined. `sent` follows where the response has a stream.
 */
export const carriedOn = <E, R>(
  app: Effect.Effect<Response, E, R>,
  sent: (response: Response, fiber: AnyFiber) => Effect.Effect<Response, E, R> = Effect.succeed
): Effect.Effect<Response, E, R> =>
  Effect.flatMap(app, (response) =>
    response.body._tag === "Stream"
      ? Effect.withFiberRuntime((fiber) =>
          sent(
            withStream(response, (stream) => inFiberRefsOf(fiber, stream)),
            fiber
          )
        )
      : Effect.succeed(response)
  )

const inFiberRefsOf = (fiber: AnyFiber, stream: Sent): Sent => {
  const provided = Stream.provideSomeContext(stream, fiber.currentContext)
  const cut = deadlineOf(fiber)
  const bounded = cut === undefined ? provided : Stream.interruptWhen(provided, cut)
  return Stream.unwrapScoped(Effect.as(inherit(fiber), bounded))
}

type Sent = Stream.Stream<Uint8Array, unknown>

/** `carriedOn` where the request is no run of its own. Runs in the stream end as `client_disconnected` when its reader leaves. */
export const carriedOnFor = <E, R>(
  app: Effect.Effect<Response, E, R>,
  { edge, request }: BodyOptions
): Effect.Effect<Response, E, R> =>
  carriedOn(app, (response) =>
    Effect.succeed(
      isWithoutBody(request, response)
        ? withoutBody(response)
        : withStream(response, (stream) => new Reader(edge).follow(stream))
    )
  )

const withStream = (response: Response, change: (stream: Sent) => Sent): Response => {
  const { body } = response
  return body._tag === "Stream"
    ? HttpServerResponse.setBody(response, HttpBody.stream(change(body.stream), body.contentType, body.contentLength))
    : response
}

/** Fails when the deadline comes of a run that was joined; the owner of a run enforces its deadline. */
const deadlineOf = (fiber: AnyFiber): Effect.Effect<never, DeadlineExceeded> | undefined => {
  const scope = currentScope(fiber.currentContext)
  if (scope === undefined || scope.isOwned || scope.run.deadline === undefined) return undefined
  const { deadline } = scope.run
  return Effect.suspend(() =>
    Effect.zipRight(
      sleepUntil(clockOf(fiber), deadline.epochMillis),
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

/** How long a body that is handed to a web framework may go unread until its reader is taken for gone. */
export const unreadLimit = "5 minutes"

/**
 * The app in a fiber of its own, which `inRun` may make a run; it is called there. The response is there as soon as the app has
 * answered, and the fiber goes on until a stream in it is sent, or is given up: so do a run, and what the app forked. Where the run
 * ends before, so does the stream. The answer to a HEAD request has no body to wait for.
 */
export const untilSent = <E, R, E2, R2>(
  app: Effect.Effect<Response, E, R>,
  { edge, request }: BodyOptions,
  inRun: (app: Effect.Effect<Response, E, R>) => Effect.Effect<Response, E2, R2>
): Effect.Effect<Response, E2, R2> =>
  Effect.withFiberRuntime((caller, { runtimeFlags }) => {
    const answer = new Answer<Response, E2>()
    const ended = Effect.suspend(() => run.await)

    const isHead = request.method === "HEAD"

    const keptOpen = (response: Response, fiber: AnyFiber): Effect.Effect<Response, E> => {
      if (isWithoutBody(request, response)) return Effect.succeed(withoutBody(response))
      const reading = new Reading(caller, edge)
      const cut = Effect.flatMap(ended, (exit) => (Exit.isFailure(exit) ? exit : Effect.never))
      const open = withStream(response, (stream) => reading.follow(Stream.interruptWhen(stream, cut)))
      const close = (exit: Exit.Exit<unknown, unknown>) => {
        reading.end(Exit.isInterrupted(exit) ? Exit.interrupt(caller.id()) : Exit.void)
        return ended
      }
      answer.give(ChildFiber.inherit(fiber, Effect.as(whenRequestEnds(close), open), caller))
      return Effect.as(reading.ended as Effect.Effect<unknown, never>, response)
    }

    let run: Fiber.RuntimeFiber<Response, E2>
    const started = () => {
      // What `inRun` requires is in the context of its caller.
      const inFiber = () => inRun(carriedOn(app, isHead ? undefined : keptOpen)) as Effect.Effect<Response, E2>
      run = start(inFiber, caller, runtimeFlags)
      if (run.unsafePoll() !== null) return ChildFiber.result(run, caller)
      run.addObserver((exit) => answer.give(ChildFiber.inherit(run, exit, caller)))
      return awaiting(run, answer.given)
    }
    // An interruption finds no run, or one that it reaches. The platform serves requests in an uninterruptible region.
    return RuntimeFlags.interruptible(runtimeFlags) ? Effect.uninterruptible(Effect.suspend(started)) : started()
  })

interface BodyOptions {
  readonly edge: RequestEdge
  readonly request: HttpServerRequest.HttpServerRequest
}

/**
 * Whether a web handler can give this response only without its body: the Fetch Standard has null body statuses. The stream would be
 * begun, and nobody would read it.
 */
const isWithoutBody = ({ source }: BodyOptions["request"], { status }: Response): boolean =>
  nullBodyStatuses.has(status) && typeof Request !== "undefined" && source instanceof Request

const withoutBody = (response: Response): Response => HttpServerResponse.setBody(response, HttpBody.empty)

const nullBodyStatuses: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])

/** What one fiber gives to another, which may ask for it again. A `Deferred` for any number of fibers takes several times as long. */
class Answer<A, E> {
  private answer: Effect.Effect<A, E> | undefined
  private resume: ((answer: Effect.Effect<A, E>) => void) | undefined

  /** The first that is given counts. */
  give(answer: Effect.Effect<A, E>): void {
    if (this.answer !== undefined) return
    this.answer = answer
    this.resume?.(answer)
  }

  readonly given = Effect.async<A, E>((resume) => {
    if (this.answer === undefined) this.resume = resume
    else resume(this.answer)
  })
}

/** Who reads the body of a response: a server, or a web framework. */
class Reader implements BodyReader {
  private hasEnded = false
  private hasLeft = false
  /** The fiber that sends the body. */
  private sender: AnyFiber | undefined = undefined

  constructor(protected readonly edge: RequestEdge) {
    edge.reader = this
  }

  get stopReason(): string | undefined {
    return this.hasLeft || this.isInterrupted ? "client_disconnected" : undefined
  }

  /** The body, of which it is known why it is stopped. */
  follow(stream: Sent): Sent {
    // Finalizers run from the last one to the first: so the runs in the stream find why it is stopped.
    const opened = Effect.zipLeft(
      Stream.toPull(stream),
      Effect.addFinalizer((exit) => Effect.sync(() => this.close(exit)))
    )
    return Stream.fromPull(Effect.map(opened, (pull) => this.noted(pull))) as Sent
  }

  protected noted(pull: Pull): Pull {
    return Effect.withFiberRuntime((fiber) => {
      this.sender = fiber
      return Effect.tapErrorCause(pull, () => {
        this.hasEnded = true
        return Effect.void
      })
    })
  }

  private close(exit: Exit.Exit<unknown, unknown>): void {
    this.hasLeft ||= this.isStopped(exit)
    this.sender = undefined
  }

  /**
   * Whether the reader has left. Effect's web stream is interrupted then, or dies of the next part, for which a body that is closed
   * has no place.
   */
  protected isStopped(exit: Exit.Exit<unknown, unknown>): boolean {
    return Exit.isFailure(exit) && (Exit.isInterrupted(exit) || !this.hasEnded) && this.isHandedOver
  }

  /** What is done in a pull is interrupted before anything is closed. */
  private get isInterrupted(): boolean {
    const { sender } = this
    return sender !== undefined && !Cause.isEmpty(sender.getFiberRef(FiberRef.interruptedCause)) && this.isHandedOver
  }

  /** Whether the fiber that serves the request is over: the body is read by a web framework, and no client interrupts anything. */
  protected get isHandedOver(): boolean {
    let { edge } = this
    while (edge.outer !== undefined) edge = edge.outer
    return edge.fiber.unsafePoll() !== null
  }

  protected leave(): void {
    this.hasLeft = true
  }
}

type Pull = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<unknown>, unknown>

/** How far the body of a response has been read. */
class Reading extends Reader {
  private readonly done: Deferred.Deferred<unknown, unknown>
  /** Since when a reader has something to take; none while it waits for more. */
  private unreadSince: number | undefined = 0

  constructor(
    private readonly server: AnyFiber,
    edge: RequestEdge
  ) {
    super(edge)
    this.done = Deferred.unsafeMake(server.id())
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    Deferred.unsafeDone(this.done, exit)
  }

  /** The body, which says when it is read, and how that ends. */
  override follow(stream: Sent): Sent {
    return Stream.ensuringWith(super.follow(stream), (exit) =>
      Effect.sync(() => (this.isStopped(exit) ? this.stop() : this.end(exit)))
    )
  }

  protected override noted(pull: Pull): Pull {
    return Effect.withFiberRuntime((fiber) => {
      this.unreadSince = undefined
      return Effect.tap(super.noted(pull), () => {
        this.unreadSince = nowOf(fiber).epochMillis
      })
    })
  }

  private stop(): void {
    this.leave()
    this.end(Exit.interrupt(this.server.id()))
  }

  /** Until the body is sent. A reader that went away without a word is noticed by what it leaves unread. */
  get ended(): Effect.Effect<unknown, unknown> {
    return Effect.withFiberRuntime((fiber) => {
      const checkedAt = nowOf(fiber).epochMillis
      return Effect.flatMap(
        Effect.timeoutOption(Deferred.await(this.done), unreadLimit),
        Option.match({
          onSome: () => Effect.void,
          onNone: () => {
            if (this.isHandedOver && this.unreadSince !== undefined && this.unreadSince <= checkedAt) this.stop()
            return this.ended
          }
        })
      )
    })
  }
}

const whenRequestEnds = (
  finalizer: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>
): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(Scope.Scope), (scope) =>
    scope._tag === "Some" ? Scope.addFinalizerExit(scope.value, finalizer) : Effect.void
  )
