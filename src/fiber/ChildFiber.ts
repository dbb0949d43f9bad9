/**
 * A fiber of its own for an effect, so that it can be interrupted without its caller: what `Effect.fork` and `Fiber.join` do,
 * except that the fiber begins at once, on the caller's stack, and nothing is awaited where it ends there and then. Where an integration
 * surrounds its steps, the fiber begins in a task of the scheduler, because they take less there.
 */
import {
  type Context,
  Effect,
  type Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  type HashMap,
  Option,
  type RuntimeFlags,
  Supervisor
} from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { internals } from "./FiberInternals.js"
import { isWrapped } from "./TracerWrapper.js"

/** What the new fiber starts with, beside the fiber references of its caller. */
export interface Inheritance {
  readonly context: Context.Context<never>
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
  readonly spanAnnotations: HashMap.HashMap<string, unknown>
  readonly logAnnotations: HashMap.HashMap<string, unknown>
}

/**
 * Starts a fiber that nobody waits for but its caller. Whatever `effect` requires must be in the context. It is none of the root fibers
 * that `Runtime.runFork` notes: a set of V8 that often changes keeps what was in it alive for many collections, and with a fiber all that
 * this works on.
 */
export const start = <A, E>(
  effect: Effect.Effect<A, E>,
  caller: AnyFiber,
  { context, logAnnotations, runtimeFlags, spanAnnotations }: Inheritance
): Fiber.RuntimeFiber<A, E> => {
  const fiberId = FiberId.unsafeMake()
  const refs = FiberRefs.updateManyAs(internals(caller)._fiberRefs, {
    forkAs: fiberId,
    entries: [[FiberRef.currentContext, [[fiberId, context]]]]
  })
  // The fiber's own copy, made for it a moment ago: another one would cost as much as the rest of the fork.
  refs.locals.set(FiberRef.currentTracerSpanAnnotations, [[fiberId, spanAnnotations]])
  refs.locals.set(FiberRef.currentLogAnnotations, [[fiberId, logAnnotations]])
  const fiber = new (internals(caller).constructor)<A, E>(fiberId, refs, runtimeFlags)
  const supervisor = fiber.getFiberRef(FiberRef.currentSupervisor)
  if (supervisor !== Supervisor.none) {
    supervisor.onStart(context, effect, Option.none(), fiber)
    fiber.addObserver((exit) => supervisor.onEnd(exit, fiber))
  }
  if (isWrapped(fiber)) fiber.resume(effect)
  else fiber.start(effect)
  return fiber
}

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
