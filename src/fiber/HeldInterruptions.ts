/**
 * Interruptions of a fiber that wait. A fiber that is to be interruptible but for a part of its work, which is known only when an
 * interruption comes, cannot say so by its runtime flags.
 */
import { GlobalValue } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { type FiberInternals, type FiberMessage, internals } from "./FiberInternals.js"

/**
 * Keeps interruptions from a fiber while `isHeld` says so. Gives what ends that: the fiber is then interrupted as it would have
 * been. The interruption of a region is dropped: what stops a region knows that it did.
 */
export const holdInterruptions = (fiber: AnyFiber, isHeld: () => boolean): (() => void) => {
  watch(Object.getPrototypeOf(fiber))
  const outer = holders.get(fiber)
  const held: Array<FiberMessage> = []
  holders.set(fiber, { isHeld, held, outer })
  return () => {
    if (outer === undefined) holders.delete(fiber)
    else holders.set(fiber, outer)
    for (const message of held) internals(fiber).tell(message)
  }
}

interface Holder {
  readonly isHeld: () => boolean
  readonly held: Array<FiberMessage>
  readonly outer: Holder | undefined
}

const { holders, watched } = GlobalValue.globalValue("botanu/HeldInterruptions", () => ({
  holders: new WeakMap<AnyFiber, Holder>(),
  watched: new WeakSet<object>()
}))

/**
 * Has the messages of all fibers pass here. A fiber with a method of its own would be of another shape than the others, and each of
 * its steps, and of theirs, would take longer.
 */
const watch = (prototype: Pick<FiberInternals, "tell">): void => {
  if (watched.has(prototype)) return
  watched.add(prototype)
  const { tell } = prototype
  prototype.tell = function (this: FiberInternals, message) {
    if (message._tag !== "InterruptSignal" || !isHeldBy(holders.get(this), message)) tell.call(this, message)
  }
}

/** Whether the message waits, or is dropped, at one of the holders, innermost first. */
const isHeldBy = (
  innermost: Holder | undefined,
  message: FiberMessage & { readonly _tag: "InterruptSignal" }
): boolean => {
  for (let holder = innermost; holder !== undefined; holder = holder.outer) {
    if (!holder.isHeld()) continue
    if (message.isOfRegion !== true) holder.held.push(message)
    return true
  }
  return false
}
