/**
 * Another context for a part of a fiber's work, in the fewest steps: a tracer may do something at each of them.
 */
import { type Context, Effect, Exit, Fiber, FiberRef, FiberRefs, Option } from "effect"
import { type AnyFiber, setRefsFor } from "./CurrentFiber.js"
import { hold } from "./FiberRefs.js"

/**
 * Does `work` with another context, and then what `onExit` gives, with the context of before. To be used in an uninterruptible
 * region, with work that lets interruption in. `onExit` gets the fiber that ended the work, which request batching may have
 * changed.
 */
export const inContext = <A, E, R, B, E2>(
  fiber: AnyFiber,
  context: Context.Context<never>,
  work: Effect.Effect<A, E, R>,
  onExit: (fiber: AnyFiber, exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2, R> => {
  const before = fiber.getFiberRefs()
  const outer = fiber.currentContext
  const inside = withContext(before, fiber, context)
  setRefsFor(fiber, inside)
  const end = (exit: Exit.Exit<A, E>): Effect.Effect<B, E2> => {
    const ending = Option.getOrElse(Fiber.getCurrentFiber(), () => fiber)
    const refs = ending.getFiberRefs()
    setRefsFor(ending, refs === inside ? before : withContext(refs, ending, outer))
    return onExit(ending, exit)
  }
  return Effect.matchCauseEffect(work, {
    onFailure: (cause) => end(Exit.failCause(cause)),
    onSuccess: (value) => end(Exit.succeed(value))
  })
}

/** References with another context. `FiberRefs.updateAs` would compare the services of both contexts. */
const withContext = (
  refs: FiberRefs.FiberRefs,
  fiber: AnyFiber,
  context: Context.Context<never>
): FiberRefs.FiberRefs => {
  const locals = new Map(refs.locals)
  hold(locals, fiber.id(), FiberRef.currentContext, context)
  return FiberRefs.unsafeMake(locals)
}
