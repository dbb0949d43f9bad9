/**
 * A fiber of its own for an effect, so that it can be interrupted without its caller: what `Effect.fork` and `Fiber.join` do,
 * except that the fiber begins at once, on the caller's stack, and nothing is awaited where it ends there and then.
 */
import {
  Cause,
  type Context,
  Effect,
  Exit,
  type Fiber,
  FiberRef,
  FiberRefs,
  HashSet,
  Runtime,
  type RuntimeFlags
} from "effect"

/** What the new fiber starts with. */
export interface Inheritance {
  readonly context: Context.Context<never>
  readonly fiberRefs: FiberRefs.FiberRefs
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
}

/** Starts a fiber that nobody supervises. Whatever `effect` requires must be in the context. */
export const start = <A, E>(effect: Effect.Effect<A, E>, inheritance: Inheritance): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(Runtime.make(inheritance), effect)

/**
 * Waits for a fiber that `start` gave, as its caller would wait for the effect itself: takes over its result and the fiber
 * references that it changed, and hands on an interruption, whose finalizers are waited for. `onInterrupt` is called when one
 * arrives.
 */
export const join = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, onInterrupt: () => void): Effect.Effect<A, E> => {
  const exit = fiber.unsafePoll()
  if (exit !== null) return takeOver(fiber, exit)
  return Effect.async<A, E>((resume) => {
    fiber.addObserver((exit) => resume(takeOver(fiber, exit)))
    return Effect.withFiberRuntime((caller) => {
      // Reached too when the fiber itself ended in an interruption.
      if (fiber.unsafePoll() !== null) return Effect.void
      onInterrupt()
      fiber.unsafeInterruptAsFork(interruptorOf(caller))
      return Effect.flatMap(fiber.await, defectsOf)
    })
  })
}

const takeOver = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
  Exit.isSuccess(exit) ? Effect.zipRight(Effect.inheritFiberRefs(withoutOwn(fiber.getFiberRefs())), exit) : exit

/** A run has these to itself: inherited, they would put it on what its caller does afterwards. */
const withoutOwn = (refs: FiberRefs.FiberRefs): FiberRefs.FiberRefs =>
  refs.pipe(
    FiberRefs.delete(FiberRef.currentContext),
    FiberRefs.delete(FiberRef.currentTracerSpanAnnotations),
    FiberRefs.delete(FiberRef.currentLogAnnotations)
  )

const interruptorOf = (caller: Fiber.RuntimeFiber<unknown, unknown>) => {
  const interruptors = Cause.interruptors(caller.getFiberRef(FiberRef.interruptedCause))
  for (const interruptor of HashSet.values(interruptors)) return interruptor
  return caller.id()
}

/** A defect in a finalizer is not lost to the interruption. */
const defectsOf = <A, E>(exit: Exit.Exit<A, E>): Effect.Effect<void> => {
  if (Exit.isSuccess(exit)) return Effect.void
  const defects = Cause.keepDefects(exit.cause)
  return defects._tag === "Some" ? Effect.failCause(defects.value) : Effect.void
}
