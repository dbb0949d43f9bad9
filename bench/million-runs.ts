/**
 * A million runs in one process, with every kind of exit, and the heap before, in between and after: what runs leave behind
 * would show. Fails where the heap has grown by more than noise, or a run is still active. `npm run bench:memory`
 */
import { Cause, type Duration, Effect, Exit, Option } from "effect"
import { Botanu, RunContext } from "../src/index.js"
import { heapUsed } from "./heap.js"

const total = 1_000_000
const step = 250_000
const warmUp = 20_000

/** Two bytes a run would be no noise. */
const maxGrowth = 2 * total

const cancelled = Effect.flatMap(RunContext, ({ runId }) =>
  Effect.zipRight(Botanu.cancel(runId, "no longer needed"), Effect.never)
)

interface Kind {
  readonly name: string
  readonly body: Effect.Effect<unknown, unknown, RunContext>
  readonly deadline?: Duration.DurationInput
  /** How many of a thousand runs are of this kind. */
  readonly share: number
}

const kinds: ReadonlyArray<Kind> = [
  { name: "success", body: Effect.void, share: 500 },
  { name: "success after a wait", body: Effect.yieldNow(), share: 200 },
  { name: "success, outcome emitted", body: Botanu.emitOutcome("partial", { valueAmount: 1 }), share: 50 },
  { name: "failure", body: Effect.fail(new Error("refused")), share: 70 },
  { name: "defect", body: Effect.die("broken"), share: 30 },
  { name: "cancelled", body: cancelled, share: 50 },
  { name: "interrupted", body: Effect.interrupt, share: 50 },
  { name: "deadline not reached", body: Effect.yieldNow(), deadline: "30 seconds", share: 29 },
  { name: "deadline already past", body: Effect.never, deadline: "0 millis", share: 20 },
  // Each of these takes a millisecond.
  { name: "deadline passed", body: Effect.never, deadline: "1 millis", share: 1 }
]

/** A thousand kinds, each at its share. */
const mixture: ReadonlyArray<Kind> = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind))

const run = (index: number): Effect.Effect<Exit.Exit<unknown, unknown>> => {
  // A stride without common factors with 1000 meets every kind, well mixed.
  const { body, deadline } = mixture[(index * 379) % mixture.length] as Kind
  return Effect.exit(
    Botanu.workflow(body, "Customer Support", {
      eventId: `ticket-${index}`,
      customerId: `customer-${index % 5000}`,
      deadline
    })
  )
}

const exits = new Map<string, number>()

const count = (exit: Exit.Exit<unknown, unknown>): void => {
  const key = Exit.match(exit, {
    onSuccess: () => "success",
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onNone: () => (Cause.isInterrupted(cause) ? "interruption" : "defect"),
        onSome: (error) => (error instanceof Error ? error.name : "failure")
      })
  })
  exits.set(key, (exits.get(key) ?? 0) + 1)
}

const runs = (from: number, to: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    let index = from
    return Effect.whileLoop({
      while: () => index < to,
      body: () => run(index),
      step: (exit) => {
        index += 1
        count(exit)
      }
    })
  })

const say = (text: string): Effect.Effect<void> => Effect.sync(() => console.log(text))

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2).padStart(7)} MB`

const program = Effect.gen(function* () {
  yield* runs(total, total + warmUp)
  exits.clear()
  const before = yield* heapUsed
  yield* say(`heap after ${warmUp} runs to warm up ${megabytes(before)}`)
  const start = performance.now()
  for (let done = 0; done < total; done += step) {
    yield* runs(done, done + step)
    yield* say(`after ${String(done + step).padStart(7)} runs             ${megabytes(yield* heapUsed)}`)
  }
  const seconds = (performance.now() - start) / 1000
  const growth = (yield* heapUsed) - before
  const active = (yield* Botanu.activeRuns).length
  yield* say(
    `${Math.round((seconds * 1e6) / total)} µs a run; ${[...exits].map(([key, n]) => `${n} ${key}`).join(", ")}`
  )
  const isNoise = growth <= maxGrowth && active === 0
  yield* say(`${active} runs active, heap grew by ${megabytes(growth).trim()}: ${isNoise ? "ok" : "not ok"}`)
  if (!isNoise) process.exitCode = 1
})

await Effect.runPromise(program)
