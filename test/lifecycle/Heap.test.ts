/**
 * What runs leave behind in memory: nothing, however long a workflow goes on. `BOTANU_HEAP_RUNS=1000000` makes a million runs of each
 * kind.
 */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Schedule, Stream } from "effect"
import { Botanu, RunContext } from "../../src/index.js"
import { heapUsed } from "../heap.js"
import { ids, instant, makeRun } from "../runs.js"

const total = Number(process.env["BOTANU_HEAP_RUNS"] ?? 2_000)
const warmUp = 1_000

/** Noise of a program that warms up, and less than a tenth of the smallest span for each run. */
const maxGrowth = 800_000 + 40 * total

/** What Effect itself keeps of each ancestor of a fiber: its id, with the runtime flags. A run and its span are four times that. */
const bytesOfAncestor = 450

/** Each run says here that it works. */
class Growth {
  private runs = 0
  private before = 0
  bytes: number | undefined = undefined

  /** Counts a run, and gives whether it is the last. */
  readonly noted: Effect.Effect<boolean> = Effect.suspend(() => {
    this.runs += 1
    if (this.runs === warmUp) return Effect.map(heapUsed, (bytes) => this.begin(bytes))
    if (this.runs === warmUp + total) return Effect.map(heapUsed, (bytes) => this.end(bytes))
    return Effect.succeed(false)
  })

  private begin(bytes: number): boolean {
    this.before = bytes
    return false
  }

  private end(bytes: number): boolean {
    this.bytes = bytes - this.before
    return true
  }
}

const again = "again"
const enough = "enough"

const until = (isLast: Effect.Effect<boolean>) =>
  Effect.flatMap(isLast, (isLast) => Effect.fail(isLast ? enough : again))

/** The run after this one, in a daemon that this one starts. */
const nextOf = (isLast: boolean, run: Effect.Effect<unknown, unknown>, done: Deferred.Deferred<void>) =>
  Effect.asVoid<unknown, never, never>(isLast ? Deferred.succeed(done, undefined) : Effect.forkDaemon(run))

const kinds: Record<string, (isLast: Effect.Effect<boolean>) => Effect.Effect<unknown, unknown>> = {
  "attempts of one workflow under Schedule.forever": (isLast) =>
    Botanu.workflow(until(isLast), "W", {
      ...ids,
      retry: { schedule: Schedule.forever, until: (error) => error === enough }
    }),
  "attempts with a deadline, a budget and a wait between them": (isLast) =>
    Botanu.workflow(Effect.zipRight(Effect.yieldNow(), until(isLast)), "W", {
      ...ids,
      deadline: "1 hour",
      budget: { usd: 1, children: true, retries: true },
      retry: { schedule: Schedule.forever, until: (error) => Effect.as(Effect.yieldNow(), error === enough) }
    }),
  "runs inside of attempts": (isLast) =>
    Botanu.workflow(Botanu.workflow(until(isLast), "Inner", ids), "W", {
      ...ids,
      retry: { schedule: Schedule.forever, until: (error) => error === enough }
    }),
  "daemons that start runs, which start daemons": (isLast) =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      const run: Effect.Effect<unknown, unknown> = isLast.pipe(
        Effect.flatMap((isLast) => nextOf(isLast, run, done)),
        Botanu.workflow("W", ids)
      )
      yield* Effect.forkDaemon(run)
      yield* Deferred.await(done)
    }),
  "daemons that start runs in spans of their own": (isLast) =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      const run: Effect.Effect<unknown, unknown> = isLast.pipe(
        Effect.flatMap((isLast) => nextOf(isLast, run, done)),
        Effect.withSpan("inside"),
        Botanu.workflow("W", { ...ids, deadline: "1 hour" })
      )
      yield* Effect.forkDaemon(run)
      yield* Deferred.await(done)
    }),
  "daemons that join runs, which start daemons": (isLast) =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      const joined = makeRun({ deadline: instant(4e12) })
      const run: Effect.Effect<unknown, unknown> = isLast.pipe(
        Effect.flatMap((isLast) => nextOf(isLast, run, done)),
        Botanu.resume(joined, { deadline: "enforce" })
      )
      yield* Effect.forkDaemon(run)
      yield* Deferred.await(done)
    }),
  "work that joins one run where it is alive": (isLast) =>
    Effect.flatMap(RunContext, (run) =>
      Effect.repeat(Botanu.resume(Effect.zipLeft(isLast, Effect.yieldNow()), run), { until: (isLast) => isLast })
    ).pipe(Botanu.workflow("W", ids)),
  "a workflow that is repeated": (isLast) =>
    Effect.repeat(Botanu.workflow(isLast, "W", ids), { until: (isLast) => isLast }),
  "a workflow that is repeated, whose retryOf is the run before": (isLast) =>
    Effect.gen(function* () {
      let previous = yield* RunContext.pipe(Botanu.workflow("W", ids))
      let isOver = false
      while (!isOver) {
        const [run, isIt] = yield* Effect.zip(RunContext, isLast).pipe(
          Botanu.workflow("W", { ...ids, retryOf: previous.attempt < 1000 ? previous : undefined })
        )
        previous = run
        isOver = isIt
      }
    }),
  "streams that are runs": (isLast) =>
    Effect.repeat(Stream.runLast(Botanu.workflow(Stream.fromEffect(isLast), "W", ids)), {
      until: (last) => last._tag === "Some" && last.value
    }),
  "runs that are cancelled": (isLast) =>
    Effect.gen(function* () {
      let isOver = false
      const cancelled = Effect.gen(function* () {
        const { runId } = yield* RunContext
        isOver = yield* isLast
        yield* Botanu.cancel(runId, "enough")
        return yield* Effect.never
      })
      while (!isOver) yield* Effect.exit(Botanu.workflow(cancelled, "W", { ...ids, deadline: "1 hour" }))
    })
}

for (const [kind, program] of Object.entries(kinds)) {
  it.live(
    `${total} runs leave nothing behind: ${kind}`,
    () =>
      Effect.gen(function* () {
        const growth = new Growth()
        yield* Effect.exit(program(growth.noted))
        const ofEffect = kind.startsWith("daemons") ? bytesOfAncestor * total : 0
        expect(growth.bytes).toBeLessThan(maxGrowth + ofEffect)
        expect(yield* Botanu.activeRuns).toEqual([])
      }),
    60_000 + 5 * total
  )
}
