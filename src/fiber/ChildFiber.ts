/**
 * A fiber of its own for an effect, so that it can be interrupted without its caller: what `Effect.fork` and `Fiber.join` do,
 * except that the fiber begins at once, on the caller's stack, and nothing is awaited where it ends there and then.
 */
import { type Context, Effect, type Fiber, FiberRef, FiberRefs, type HashMap, Runtime, type RuntimeFlags } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { internals } from "./FiberInternals.js"

/** What the new fiber starts with, beside the fiber references of its caller. */
export interface Inheritance {
  readonly context: Context.Context<never>
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
  readonly spanAnnotations: HashMap.HashMap<string, unknown>
  readonly logAnnotations: HashMap.HashMap<string, unknown>
}

/** Starts a fiber that nobody supervises. Whatever `effect` requires must be in the context. */
export const start = <A, E>(
  effect: Effect.Effect<A, E>,
  caller: AnyFiber,
  { context, logAnnotations, runtimeFlags, spanAnnotations }: Inheritance
): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(Runtime.make({ context, runtimeFlags, fiberRefs: internals(caller)._fiberRefs }), effect, {
    updateRefs: (refs, fiberId) => {
      // The fiber's own copy, made for it a moment ago: another one would cost as much as the rest of the fork.
      refs.locals.set(FiberRef.currentTracerSpanAnnotations, [[fiberId, spanAnnotations]])
      refs.locals.set(FiberRef.currentLogAnnotations, [[fiberId, logAnnotations]])
      return refs
    }
  })

/**
 * Waits for a fiber that `start` gave: takes over its result and the fiber references that it changed. An interruption is not
 * handed on; `joined` does that.
 */
export const result = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, caller: AnyFiber): Effect.Effect<A, E> => {
  const exit = fiber.unsafePoll()
  return exit === null
    ? Effect.async<A, E>((resume) => fiber.addObserver((exit) => resume(inherit(fiber, exit, caller))))
    : inherit(fiber, exit, caller)
}

/** Takes over the fiber references that a fiber changed, and then its `result`. `caller` waits for it, or is at work. */
export const inherit = <A, E>(fiber: AnyFiber, result: Effect.Effect<A, E>, caller: AnyFiber): Effect.Effect<A, E> =>
  haveChanged(internals(fiber)._fiberRefs, internals(caller)._fiberRefs)
    ? Effect.zipRight(Effect.inheritFiberRefs(withoutOwn(fiber.getFiberRefs())), result)
    : result

/** Whether there is anything to inherit, which is rare, and dear where there is not. */
const haveChanged = (refs: FiberRefs.FiberRefs, before: FiberRefs.FiberRefs): boolean => {
  for (const [ref, [[, value]]] of refs.locals) {
    const known = before.locals.get(ref)
    if ((known === undefined || value !== known[0][1]) && !isOwn(ref)) return true
  }
  return false
}

/**
 * A run has these to itself: inherited, they would put it on what its caller does afterwards. So has a fiber the flags with which
 * it was started.
 */
const isOwn = (ref: unknown): boolean =>
  ref === FiberRef.currentContext ||
  ref === FiberRef.currentTracerSpanAnnotations ||
  ref === FiberRef.currentLogAnnotations ||
  ref === runtimeFlagsRef()

let knownRuntimeFlagsRef: unknown

/** The reference in which a fiber shows its runtime flags. Effect does not export it: it is the only number of a new fiber. */
export const runtimeFlagsRef = (): unknown => {
  knownRuntimeFlagsRef ??= Array.from(Effect.runFork(Effect.void).getFiberRefs().locals).find(
    ([, [[, value]]]) => typeof value === "number"
  )?.[0]
  return knownRuntimeFlagsRef
}

const withoutOwn = (refs: FiberRefs.FiberRefs): FiberRefs.FiberRefs =>
  refs.pipe(
    FiberRefs.delete(FiberRef.currentContext),
    FiberRefs.delete(FiberRef.currentTracerSpanAnnotations),
    FiberRefs.delete(FiberRef.currentLogAnnotations)
  )
