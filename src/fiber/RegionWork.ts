/**
 * Work in a region of a fiber.
 */
import { Effect, type Exit } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { enterRegion, type RegionValues } from "./FiberRefs.js"

export interface RegionOptions<A, E, B, E2> extends RegionValues {
  /**
   * Called with the exit of the work while the region still holds; the effect that it gives follows when the region is over.
   */
  readonly onExit: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
  /** Whether fibers that were forked in the region are to end with it. */
  readonly endsChildren: () => boolean
}

/**
 * Does `work` in a region of the fiber, and then what `onExit` says. To be called by the fiber, in an uninterruptible region, where the
 * work comes next; the work lets interruption in.
 */
export const inRegion = <A, E, R, B, E2>(
  fiber: AnyFiber,
  work: Effect.Effect<A, E, R>,
  options: RegionOptions<A, E, B, E2>
): Effect.Effect<B, E2, R> => {
  const leave = enterRegion(fiber, options)
  return settle(work, (exit) => {
    // One more effect, so that an interruption that was sent by the end of the work is known to `onExit`.
    const end = Effect.suspend(() => {
      try {
        return options.onExit(exit)
      } finally {
        leave()
      }
    })
    const children = options.endsChildren() ? options.region.endChildren() : undefined
    return children === undefined ? end : Effect.zipRight(children, end)
  })
}

/**
 * Goes on with the exit of `work`, in the same fiber. A request that is blocked is run here: a caller that batches requests
 * would take the rest of the work to another fiber, or drop it.
 */
const settle = <A, E, R, B, E2>(
  work: Effect.Effect<A, E, R>,
  onExit: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2, R> =>
  Effect.flatMap(Effect.step(work), (result): Effect.Effect<B, E2, R> => {
    if (result._op !== "Blocked") return onExit(result)
    const requests = Effect.forkDaemon(Effect.runRequestBlock(result.effect_instruction_i0))
    return Effect.zipRight(requests, settle(result.effect_instruction_i1, onExit))
  })
