/**
 * Being told to stop by SIGINT or SIGTERM.
 */
import { constants } from "node:os"
import { Deferred, Effect } from "effect"

export type Signal = "SIGINT" | "SIGTERM"

/** The exit code of a process that a signal stopped. */
export const exitCode = (signal: Signal): number => 128 + constants.signals[signal]

// Ctrl-C may come twice where npm started the process: from the terminal, and passed on by npm.
const echoMs = 1000

/**
 * Listens for signals from now on, and gives an effect that waits for the first. A later one, unless it is an echo of the
 * first, ends the process on the spot.
 */
export const listen: Effect.Effect<Effect.Effect<Signal>> = Effect.gen(function* () {
  const first = yield* Deferred.make<Signal>()
  let firstAt: number | undefined
  const hear = (signal: Signal) => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      Deferred.unsafeDone(first, Effect.succeed(signal))
    } else if (performance.now() - firstAt > echoMs) process.exit(exitCode(signal))
  }
  yield* Effect.sync(() => {
    process.on("SIGINT", hear)
    process.on("SIGTERM", hear)
  })
  return Deferred.await(first)
})
