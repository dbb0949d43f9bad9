/**
 * However calls and runs end, what is on record is what the provider says that it served.
 * `INTERLEAVINGS=1000 STOPS=10` in the environment runs the long form.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { FetchHttpClient } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { BigDecimal, Deferred, Effect, FastCheck, Fiber, Layer, Schema, TestClock } from "effect"
import { Botanu, CompletedRun, RunExporter } from "../../src/index.js"
import { processProgram } from "../bundle.js"
import { Provider, type Served } from "./Provider.js"
import { recorded, sumOf } from "./record.js"
import { crowd, deadline, interleaving, type Meeting, meeting, prices, type RunPlan, run, statuses } from "./runs.js"

const provider = Effect.acquireRelease(
  Effect.promise(() => Provider.start()),
  (provider) => Effect.promise(() => provider.stop())
)

interface Working {
  readonly plan: RunPlan
  readonly meeting: Meeting
  readonly fiber: Fiber.RuntimeFiber<void, unknown>
}

const begin = (url: string, plan: RunPlan) =>
  Effect.gen(function* () {
    const met = yield* meeting
    const fiber = yield* Effect.fork(run(url, plan, met))
    return { plan, meeting: met, fiber }
  })

/** Waits until a run is where it is to end; or over, where it ends by itself. */
const arrival = ({ fiber, meeting, plan }: Working): Effect.Effect<unknown, unknown> =>
  plan.ending === "with success" ? Fiber.await(fiber) : Effect.raceFirst(Deferred.await(meeting.reached), fiber)

const end = ({ fiber, meeting, plan }: Working): Effect.Effect<unknown> => {
  switch (plan.ending) {
    case "with success":
      return Effect.void
    case "at its deadline":
      return TestClock.adjust(deadline)
    case "cancelled":
      return Effect.flatMap(Deferred.await(meeting.reached), ({ runId }) => Botanu.cancel(runId, "operator"))
    case "interrupted":
      return Fiber.interruptFork(fiber)
    default:
      return Deferred.succeed(meeting.end, undefined)
  }
}

const statusOf = ({ cancellationReason, errorClass, status }: CompletedRun): string =>
  [status, errorClass, cancellationReason].filter((text) => text !== undefined).join(" ")

const expectedStatuses = (plans: ReadonlyArray<RunPlan>): ReadonlyArray<string> =>
  plans.flatMap(({ ending, isNested, isRetried, name }) => {
    const [own, inner] = statuses[ending]
    return [
      ...(isRetried ? [`${name}, 1: failure Again`] : []),
      `${name}, ${isRetried ? 2 : 1}: ${own}`,
      ...(isNested && inner !== "" ? [`Inside ${name}, 1: ${inner}`] : [])
    ]
  })

const byId = ([one]: readonly [string, Served], [other]: readonly [string, Served]) => (one < other ? -1 : 1)

// Another one each time. It is in the name of a test that fails.
const interleavings = Number(process.env["INTERLEAVINGS"] ?? 300)
const seed = Date.now() % 1_000_000

it.scoped(
  `${interleavings} interleavings (seed ${seed})`,
  () =>
    Effect.gen(function* () {
      const { log, resume, url } = yield* Effect.map(provider, (provider) => ({
        log: () => provider.log,
        resume: () => provider.resume(),
        url: provider.url
      }))
      const memory = yield* RunExporter.Memory
      for (const [i, plans] of FastCheck.sample(interleaving, { numRuns: interleavings, seed }).entries()) {
        resume()
        yield* memory.clear
        const all = yield* Effect.forEach(plans, (plan) => begin(url, plan))
        yield* Effect.forEach(all, arrival, { concurrency: "unbounded" })
        yield* Effect.forEach(all, end)
        yield* Effect.forEach(all, ({ fiber }) => Fiber.await(fiber))
        const runs = yield* memory.runs
        const about = `interleaving ${i}: ${JSON.stringify(plans)}`
        const ended = runs.map(
          (completed) => `${completed.run.workflow}, ${completed.run.attempt}: ${statusOf(completed)}`
        )
        expect(ended.sort(), about).toEqual([...expectedStatuses(plans)].sort())
        expect([...recorded(runs)].sort(byId), about).toEqual([...log()].sort(byId))
        const { untold, usd } = sumOf(log().values())
        expect(BigDecimal.equals(BigDecimal.sumAll(runs.map(({ totals }) => totals.usd)), usd), about).toBe(true)
        expect(
          runs.reduce((sum, { totals }) => sum + totals.unpricedCalls, 0),
          about
        ).toBe(untold)
      }
    }).pipe(Effect.provide(Layer.mergeAll(FetchHttpClient.layer, RunExporter.layerMemory, prices))),
  120_000
)

const processes = Number(process.env["STOPS"] ?? 6)

/** Starts a process, and stops it when it was served so often; then gives the runs that it told of. */
const stoppedAfter = (provider: Provider, plans: ReadonlyArray<RunPlan>, servings: number, signal: NodeJS.Signals) =>
  Effect.promise(async () => {
    const settings = JSON.stringify({ url: provider.url, plans })
    const child = spawn(process.execPath, [program, settings], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const told = text(child.stdout)
    const exit = once(child, "exit")
    await Promise.race([provider.served(servings), exit])
    await provider.pause()
    child.kill(signal)
    await exit
    const lines = (await told).split("\n").filter((line) => line !== "")
    return lines.map((line) => Schema.decodeUnknownSync(Schema.parseJson(CompletedRun))(line))
  })

const program = await processProgram(new URL("process.ts", import.meta.url))

it.scoped(
  `${processes} processes that are stopped (seed ${seed})`,
  () =>
    Effect.gen(function* () {
      const stops = FastCheck.record({
        plans: crowd,
        servings: FastCheck.integer({ min: 1, max: 60 }),
        signal: FastCheck.constantFrom("SIGTERM" as const, "SIGINT" as const)
      })
      const stopped = ({ plans, servings, signal }: typeof stops extends FastCheck.Arbitrary<infer A> ? A : never) =>
        Effect.gen(function* () {
          const served = yield* provider
          const runs = yield* stoppedAfter(served, plans, servings, signal)
          const onRecord = recorded(runs)
          const about = `${signal} after ${servings}: ${JSON.stringify(plans)}`
          // A call may be stopped before it reaches the provider, who then knows nothing of it.
          const reached = [...onRecord].filter(([id, { told }]) => told !== undefined || served.log.has(id))
          expect(reached.sort(byId), about).toEqual([...served.log].sort(byId))
          const { usd } = sumOf(served.log.values())
          expect(BigDecimal.equals(BigDecimal.sumAll(runs.map(({ totals }) => totals.usd)), usd), about).toBe(true)
          return runs.length
        }).pipe(Effect.scoped)
      const counts = yield* Effect.forEach(FastCheck.sample(stops, { numRuns: processes, seed }), stopped, {
        concurrency: 2
      })
      expect(counts.filter((count) => count > 0).length).toBe(processes)
    }),
  120_000
)
