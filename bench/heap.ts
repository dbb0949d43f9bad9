/**
 * The heap without its garbage.
 */
import { Effect } from "effect"

/** Bytes of heap in use after garbage collection; needs `node --expose-gc`. */
export const heapUsed: Effect.Effect<number> = Effect.gen(function* () {
  // Callbacks that are due let go of more.
  for (let turn = 0; turn < 3; turn++) {
    yield* Effect.sleep(1)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
})
