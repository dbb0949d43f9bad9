/**
 * The run of a stream: opened at the first pull, completed when the stream ends or its consumer stops.
 */
import {
  Cause,
  type Chunk,
  Context,
  Effect,
  Either,
  ExecutionStrategy,
  Exit,
  FiberRef,
  Option,
  RuntimeFlags,
  Scope,
  Stream
} from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { Timer } from "../fiber/Timer.js"
import { wrappedServices, yieldAfter } from "../fiber/TracerWrapper.js"
import { fromOptions } from "../run/NewRun.js"
import { propagationModeFor, withSettings } from "../run/Settings.js"
import { type AttemptError, type AttemptOptions, type Previous, refusal } from "./Attempt.js"
import { complete } from "./Completion.js"
import { currentRun, withRun } from "./CurrentRun.js"
import { requestInterruptionReason } from "./Interruption.js"
import { type OpenRun, open } from "./OpenRun.js"
import { annotated, isRunAnnotation } from "./RunAnnotations.js"
import { attempted } from "./Trouble.js"

/** The stream as one run, from its first pull to its end. `begin` gives its options and the run before, anew for each run. */
export const streamRun = <A, E, R>(
  body: Stream.Stream<A, E, R>,
  begin: () => Either.Either<readonly [AttemptOptions<void>, Previous | undefined], AttemptError>
): Stream.Stream<A, E | AttemptError, R> => Stream.fromPull(Effect.uninterruptible(opened(body, begin)))

type Pull<A, E, R> = Effect.Effect<Chunk.Chunk<A>, Option.Option<E>, R>

const opened = <A, E, R>(
  body: Stream.Stream<A, E, R>,
  begin: () => Either.Either<readonly [AttemptOptions<void>, Previous | undefined], AttemptError>
): Effect.Effect<Pull<A, E | AttemptError, R>, never, R | Scope.Scope> =>
  Effect.withFiberRuntime((fiber) =>
    withSettings(fiber, (settings) => {
      const begun = begin()
      if (Either.isLeft(begun)) return Effect.succeed(Effect.fail(Option.some(begun.left)))
      const [options, previous] = begun.right
      const run = fromOptions(fiber, options, currentRun(fiber.currentContext), previous?.run, settings)
      if (Either.isLeft(run)) return Effect.succeed(Effect.fail(Option.some(run.left)))
      return Effect.gen(function* () {
        const own = yield* Scope.make(ExecutionStrategy.sequential)
        const opened = open(fiber, run.right, options, previous)
        const streamed = new StreamRun<A, E, R>(fiber, opened, own, options)
        yield* Effect.addFinalizer((exit) => streamed.abandon(exit))
        return yield* streamed.start(body)
      })
    })
  )

class StreamRun<A, E, R> {
  private readonly timer: Timer | undefined
  private hasEnded = false

  constructor(
    starter: AnyFiber,
    private readonly opened: OpenRun,
    /** What the stream holds. It is released in the run, before the run is completed. */
    private readonly held: Scope.CloseableScope,
    private readonly options: AttemptOptions<void>
  ) {
    const { deadline } = opened.scope.run
    this.timer = deadline && new Timer(starter, deadline.epochMillis, () => opened.scope.reachDeadline())
  }

  /** The pulls of the stream, each in the run. */
  start(body: Stream.Stream<A, E, R>): Effect.Effect<Pull<A, E | AttemptError, R>, never, R> {
    const started = Effect.mapInputContext(Stream.toPull(body), (context: Context.Context<R>) =>
      Context.add(context, Scope.Scope, this.held)
    )
    return Effect.map(
      this.inside(started, false, (exit) => exit),
      (pull) => this.pull(pull)
    )
  }

  private pull(pull: Pull<A, E, R>): Pull<A, E | AttemptError, R> {
    return Effect.withFiberRuntime((fiber, { runtimeFlags }) =>
      Effect.uninterruptibleMask((restore): Pull<A, E | AttemptError, R> => {
        if (this.hasEnded) return Effect.fail(Option.none())
        const refused = refusal(fiber, this.opened)
        const work: Pull<A, E | AttemptError, R> =
          refused === undefined ? restore(pull) : Effect.mapError(refused, Option.some)
        return this.inside(work, RuntimeFlags.interruptible(runtimeFlags), (exit, isInterrupted) => {
          // A consumer that interrupts a pull stops: the finalizer ends the run.
          if (this.hasEnded || Exit.isSuccess(exit) || (isInterrupted && Cause.isInterruptedOnly(exit.cause)))
            return exit
          const cause = Cause.flipCauseOption(exit.cause)
          return this.end(Option.isNone(cause) ? Exit.void : Exit.failCause(cause.value))
        })
      })
    )
  }

  /** Ends the run where the stream itself did not end. */
  abandon(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.withFiberRuntime((fiber) => {
      if (this.hasEnded) return Effect.void
      const { scope, trouble } = this.opened
      const reason = requestInterruptionReason(fiber.currentContext) ?? "consumer_stopped"
      const at =
        attempted(trouble, "reading the clock at the end of a stream", () => nowOf(fiber)) ?? scope.run.startTime
      if (scope.stopped === undefined) scope.cancellation = { reason, at }
      return Effect.catchAllCause(this.end(Exit.interrupt(fiber.id()), exit), (cause) => {
        const defects = Cause.keepDefects(cause)
        return Option.isNone(defects) ? Effect.void : Effect.failCause(defects.value)
      })
    })
  }

  /** Releases what the stream holds and completes the run, once. */
  private end(
    exit: Exit.Exit<void, E | AttemptError>,
    released: Exit.Exit<unknown, unknown> = exit
  ): Effect.Effect<never, Option.Option<E | AttemptError>> {
    this.hasEnded = true
    this.timer?.stop()
    const closed = this.inside(Scope.close(this.held, released), false, (closing) => Effect.succeed(closing))
    return Effect.flatMap(closed, (closing) =>
      Effect.withFiberRuntime((fiber) => {
        const completed = complete(fiber, this.opened, followedBy(exit, closing), this.options)
        return Effect.zipRight(Effect.mapError(completed, Option.some), Effect.fail(Option.none()))
      })
    )
  }

  /** Work on the run, in whatever fiber it is done. */
  private inside<B, E1, R1, C, E2>(
    work: Effect.Effect<B, E1, R1>,
    isInterruptible: boolean,
    onExit: (exit: Exit.Exit<B, E1>, isInterrupted: boolean) => Effect.Effect<C, E2>
  ): Effect.Effect<C, E2, R1> {
    return Effect.withFiberRuntime((fiber) => {
      const { business, scope, span } = this.opened
      const region = new FiberRegion(fiber)
      const outer = scope.work
      scope.work = { fiber, region, isInterruptible }
      const worked = inRegion<B, E1, R1, C, E2>(fiber, work, {
        region,
        context: withRun(fiber.currentContext, scope, span),
        services: wrappedServices(fiber),
        ...annotated(fiber, scope.run, propagationModeFor(fiber), business),
        isOwnAnnotation: isRunAnnotation,
        endsChildren: () => false,
        onExit: (exit) => {
          scope.work = outer
          const interrupted = region.without(fiber.getFiberRef(FiberRef.interruptedCause))
          return onExit(exit, !Cause.isEmpty(interrupted) && scope.stoppedBy === undefined)
        }
      })
      return yieldAfter(fiber, worked)
    })
  }
}

/** An exit, and after it what went wrong while the stream let go of what it held. */
const followedBy = <E>(exit: Exit.Exit<void, E>, closing: Exit.Exit<void>): Exit.Exit<void, E> => {
  if (Exit.isSuccess(closing)) return exit
  return Exit.failCause(Exit.isSuccess(exit) ? closing.cause : Cause.sequential(exit.cause, closing.cause))
}
