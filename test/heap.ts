/**
 * Memory as tests see it.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect } from "effect"

setFlagsFromString("--expose-gc")
/** Collects what nothing holds. */
export const collectGarbage: () => void = runInNewContext("gc")

/** Bytes of the heap that are in use after garbage was collected. */
export const heapUsed: Effect.Effect<number> = Effect.gen(function* () {
  // Callbacks that are due let go of more.
  for (let turn = 0; turn < 3; turn++) {
    yield* Effect.sleep(1)
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
})
