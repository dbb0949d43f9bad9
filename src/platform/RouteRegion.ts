/**
 * In which region an app works. The platform serves every request uninterruptibly, and its routers make the handler of a route
 * interruptible unless the route is marked; a bare app nobody makes interruptible. From outside of a router, both look alike.
 */
import { HttpRouter } from "@effect/platform"
import { Cause, Context, Effect, type Fiber, FiberRef, HashSet, RuntimeFlags } from "effect"
import * as ChildFiber from "../fiber/ChildFiber.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"

/** Whether what has this context serves a route that is marked `uninterruptible`. */
const isInUninterruptibleRoute = (context: Context.Context<never>): boolean =>
  Context.getOption(context, HttpRouter.RouteContext).pipe(
    (route) => route._tag === "Some" && route.value.route.uninterruptible
  )

/** The region of the app of one request. */
export class RouteRegion {
  private app: AnyFiber | undefined = undefined

  /** Whether an interruption has to wait for a route that is being served. */
  get isUninterruptible(): boolean {
    return this.app !== undefined && isInUninterruptibleRoute(this.app.currentContext)
  }

  /** Says which fiber works on the app. */
  enter<A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiberRuntime((fiber) => {
      this.app = fiber
      return app
    })
  }

  /** Starts a fiber that can be interrupted, but for an app whose caller is a route already: that one's region is right. */
  start<A, E>(
    work: Effect.Effect<A, E>,
    caller: AnyFiber,
    callerFlags: RuntimeFlags.RuntimeFlags
  ): Fiber.RuntimeFiber<A, E> {
    return ChildFiber.start(work, caller, {
      context: caller.currentContext,
      runtimeFlags: isInUninterruptibleRoute(caller.currentContext)
        ? callerFlags
        : RuntimeFlags.enable(callerFlags, RuntimeFlags.Interruption),
      spanAnnotations: caller.getFiberRef(FiberRef.currentTracerSpanAnnotations),
      logAnnotations: caller.getFiberRef(FiberRef.currentLogAnnotations)
    })
  }

  /**
   * `waiting` for what `fiber` completes. An interruption of the caller, in whatever region that is, is the fiber's; none while
   * the app serves a route that is marked.
   */
  await<A, E>(fiber: AnyFiber, waiting: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.uninterruptible(
      Effect.catchAllCause(Effect.interruptible(waiting), () =>
        Effect.withFiberRuntime((caller) => {
          if (fiber.unsafePoll() === null && !this.isUninterruptible) fiber.unsafeInterruptAsFork(interruptorOf(caller))
          return waiting
        })
      )
    )
  }

  /** `work` in a fiber of its own, in the region of its route. */
  run<A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiberRuntime((caller, { runtimeFlags }) =>
      Effect.uninterruptible(
        Effect.suspend(() => {
          // What `work` requires is in the context of its caller.
          const fiber = this.start(work as Effect.Effect<A, E>, caller, runtimeFlags)
          return this.await(fiber, ChildFiber.result(fiber))
        })
      )
    )
  }
}

const interruptorOf = (caller: AnyFiber) => {
  const interruptors = Cause.interruptors(caller.getFiberRef(FiberRef.interruptedCause))
  for (const interruptor of HashSet.values(interruptors)) return interruptor
  return caller.id()
}
