/**
 * Interruptions of a fiber that wait. A fiber that is to be interruptible but for a part of its work, which is known only when an
 * interruption comes, cannot say so by its runtime flags.
 */
import type { AnyFiber } from "./CurrentFiber.js"
import { type FiberMessage, internals } from "./FiberInternals.js"

/**
 * Keeps interruptions from a fiber while `isHeld` says so. Gives what ends that: the fiber is then interrupted as it would have
 * been. The interruption of a region is dropped: what stops a region knows that it did.
 */
export const holdInterruptions = (fiber: AnyFiber, isHeld: () => boolean): (() => void) => {
  const { tell } = internals(fiber)
  const held: Array<FiberMessage> = []
  internals(fiber).tell = (message) => {
    if (message._tag !== "InterruptSignal" || !isHeld()) tell.call(fiber, message)
    else if (message.isOfRegion !== true) held.push(message)
  }
  return () => {
    internals(fiber).tell = tell
    for (const message of held) tell.call(fiber, message)
  }
}
