/**
 * Many runs at once. `CROWD=100000 npx vitest run test/lifecycle/crowd.test.ts` begins as many.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Botanu, RunExporter } from "../../src/index.js"
import { completedRuns } from "../observed.js"
import { ids } from "../runs.js"

const crowd = Number(process.env["CROWD"] ?? 20_000)

it.live(
  `${crowd} runs that begin at once and are cancelled are recorded once each, and none stays active`,
  () =>
    Effect.gen(function* () {
      const gate = yield* Effect.makeLatch()
      const work = Effect.zipRight(gate.await, Botanu.workflow(Effect.never, "W", ids))
      const fibers = yield* Effect.forEach(Array.from({ length: crowd }), () => Effect.fork(work))
      yield* Effect.yieldNow()
      expect(yield* Botanu.activeRuns).toEqual([])
      yield* gate.open
      let active = yield* Botanu.activeRuns
      while (active.length < crowd) {
        yield* Effect.yieldNow()
        active = yield* Botanu.activeRuns
      }
      const found = yield* Effect.forEach(active, ({ runId }) => Botanu.cancel(runId, "closing time"))
      expect(found.every((isFound) => isFound)).toBe(true)
      expect(yield* Botanu.awaitIdle("1 minute")).toBe(true)
      yield* Effect.forEach(fibers, Fiber.await, { discard: true })
      const runs = yield* completedRuns
      expect(runs).toHaveLength(crowd)
      expect(new Set(runs.map(({ run }) => run.runId)).size).toBe(crowd)
      expect(new Set(runs.map(({ cancellationReason, status }) => `${status}: ${cancellationReason}`))).toEqual(
        new Set(["canceled: closing time"])
      )
      expect(yield* Botanu.activeRuns).toEqual([])
    }).pipe(Effect.provide(RunExporter.layerMemory)),
  { timeout: 600_000 }
)
