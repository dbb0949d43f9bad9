/**
 * What a fiber can do and its type does not show.
 */
import type { Cause, Effect, Fiber, FiberId, FiberRefs, RuntimeFlags } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"

/** Where the fibers go that a fiber forks. Effect has this type and does not export it. */
export interface ForkScope {
  readonly fiberId: FiberId.FiberId
  add(runtimeFlags: RuntimeFlags.RuntimeFlags, child: AnyFiber): void
}

export interface FiberInternals extends AnyFiber {
  scope(): ForkScope
  getChildren(): Set<AnyFiber>
  tell(message: FiberMessage): void
  /** The references as they are. `getFiberRefs` copies all of them first, to note the runtime flags among them. */
  readonly _fiberRefs: FiberRefs.FiberRefs
  /** Replaces all references of the fiber, for whatever it does next. */
  setFiberRefs(refs: FiberRefs.FiberRefs): void
  /** Makes a fiber that is not known to anything yet. */
  readonly constructor: new <A, E>(
    id: FiberId.Runtime,
    refs: FiberRefs.FiberRefs,
    runtimeFlags: RuntimeFlags.RuntimeFlags
  ) => StartableFiber<A, E>
}

interface StartableFiber<out A, out E> extends Fiber.RuntimeFiber<A, E> {
  /** Begins with an effect at once, on the stack of the caller. */
  start(effect: Effect.Effect<A, E>): void
  /** Begins with an effect in a task of its scheduler. */
  resume(effect: Effect.Effect<A, E>): void
}

export type FiberMessage = Stateful | InterruptSignal

interface Stateful {
  readonly _tag: "Stateful"
  readonly onFiber: () => void
}

interface InterruptSignal {
  readonly _tag: "InterruptSignal"
  readonly cause: Cause.Cause<never>
  /** Whether a region of the fiber is interrupted, and not the fiber. Effect does not know this. */
  readonly isOfRegion?: true
}

export const internals = (fiber: AnyFiber): FiberInternals => fiber as FiberInternals
