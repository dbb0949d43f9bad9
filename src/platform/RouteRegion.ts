/**
 * In which region an app works. The platform serves every request uninterruptibly, and its routers make the handler of a route
 * interruptible unless the route is marked; a bare app nobody makes interruptible. From outside of a router, both look alike: so
 * the app is interruptible, and an interruption that comes while it serves a marked route waits.
 */
import { HttpRouter } from "@effect/platform"
import { Cause, Effect, type Fiber, FiberRef, HashSet, RuntimeFlags } from "effect"
import * as ChildFiber from "../fiber/ChildFiber.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { holdInterruptions } from "../fiber/HeldInterruptions.js"

/** Whether a fiber serves a route that is marked `uninterruptible`. An app that is called in one stays in the region of its caller. */
export const servesMarkedRoute = ({ currentContext }: AnyFiber): boolean =>
  (currentContext.unsafeMap.get(HttpRouter.RouteContext.key) as HttpRouter.RouteContext | undefined)?.route
    .uninterruptible === true

/** Lets interruptions of a fiber wait while it serves a marked route, until the function is called that this gives. */
export const holdInMarkedRoutes = (fiber: AnyFiber): (() => void) =>
  holdInterruptions(fiber, () => servesMarkedRoute(fiber))

/** Starts a fiber for the app that `app` gives there. One that is called in a marked route is in the region of its caller. */
export const start = <A, E>(
  app: () => Effect.Effect<A, E>,
  caller: AnyFiber,
  callerFlags: RuntimeFlags.RuntimeFlags
): Fiber.RuntimeFiber<A, E> => {
  const held = Effect.withFiberRuntime<A, E>((fiber) => {
    const endHold = holdInMarkedRoutes(fiber)
    fiber.addObserver(endHold)
    return app()
  })
  return ChildFiber.start(held, caller, {
    context: caller.currentContext,
    runtimeFlags: servesMarkedRoute(caller) ? callerFlags : RuntimeFlags.enable(callerFlags, RuntimeFlags.Interruption),
    spanAnnotations: caller.getFiberRef(FiberRef.currentTracerSpanAnnotations),
    logAnnotations: caller.getFiberRef(FiberRef.currentLogAnnotations)
  })
}

/**
 * `waiting` for what a fiber completes that `start` gave. An interruption of the caller is the fiber's. To be used in an
 * uninterruptible region.
 */
export const awaiting = <A, E>(fiber: AnyFiber, waiting: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.catchAllCause(Effect.interruptible(waiting), () =>
    Effect.withFiberRuntime((caller) => {
      if (fiber.unsafePoll() === null) fiber.unsafeInterruptAsFork(interruptorOf(caller))
      return waiting
    })
  )

const interruptorOf = (caller: AnyFiber) => {
  const interruptors = Cause.interruptors(caller.getFiberRef(FiberRef.interruptedCause))
  for (const interruptor of HashSet.values(interruptors)) return interruptor
  return caller.id()
}
