/**
 * How much memory a run holds while it is active, beside a plain Effect program that waits, and that nothing of it is left when
 * it was cancelled.
 */
import { Effect, Fiber } from "effect"
import { Botanu } from "../src/index.js"
import { heapUsed } from "./heap.js"
import { plain, plainWithTimeout, run, runWithDeadline } from "./subjects.js"
import { format } from "./table.js"

type Fibers = ReadonlyArray<Fiber.RuntimeFiber<unknown, unknown>>

/** What programs hold together, in bytes: while they wait, and when they were stopped. */
interface Held {
  readonly waiting: number
  readonly stopped: number
}

const hold = (
  count: number,
  program: () => Effect.Effect<unknown, unknown>,
  stop: (fibers: Fibers) => Effect.Effect<void>
): Effect.Effect<Held> =>
  Effect.gen(function* () {
    const before = yield* heapUsed
    const during = yield* heapInBetween(count, program, stop)
    const after = yield* heapUsed
    return { waiting: during - before, stopped: after - before }
  })

const heapInBetween = (
  count: number,
  program: () => Effect.Effect<unknown, unknown>,
  stop: (fibers: Fibers) => Effect.Effect<void>
): Effect.Effect<number> =>
  Effect.gen(function* () {
    const fibers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
    for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkDaemon(program()))
    const heap = yield* heapUsed
    yield* stop(fibers)
    yield* Fiber.awaitAll(fibers)
    return heap
  })

const interruptAll = (fibers: Fibers): Effect.Effect<void> => Fiber.interruptAll(fibers)

/** Cancels every run there is, and dies where one of them stays active. */
const cancelAll = (fibers: Fibers): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { runId } of yield* Botanu.activeRuns) yield* Botanu.cancel(runId, "end of the benchmark")
    yield* Fiber.awaitAll(fibers)
    const left = (yield* Botanu.activeRuns).length
    if (left > 0) yield* Effect.dieMessage(`${left} runs are still active after Botanu.cancel`)
  })

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const compare = (
  name: string,
  count: number,
  ours: () => Effect.Effect<unknown, unknown>,
  theirs: () => Effect.Effect<unknown, unknown>
) => ({
  name,
  lines: Effect.gen(function* () {
    const plainPrograms = yield* hold(count, theirs, interruptAll)
    const runs = yield* hold(count, ours, cancelAll)
    return [
      format({
        name: `${name}, of ${count}`,
        ours: runs.waiting / count,
        theirs: plainPrograms.waiting / count,
        unit: "bytes"
      }),
      `  all cancelled: none active, ${megabytes(runs.stopped)} left of ${megabytes(runs.waiting)}`
    ]
  })
})

/** Fewer with a deadline, to stay within the heap that Node has by default. */
export const memory = [
  compare(
    "memory of an active run",
    100_000,
    () => run(Effect.never),
    () => plain(Effect.never)
  ),
  compare(
    "memory of an active run with deadline",
    20_000,
    () => runWithDeadline(Effect.never, "1 hour"),
    () => plainWithTimeout(Effect.never, "1 hour")
  )
]
