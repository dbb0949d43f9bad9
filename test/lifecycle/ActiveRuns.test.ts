import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Botanu, RunId } from "../../src/index.js"
import { ids } from "../runs.js"

it.effect("many runs are listed in the order in which they began, and each can be cancelled alone", () =>
  Effect.gen(function* () {
    const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
      Effect.fork(Effect.exit(Botanu.workflow(Effect.never, name, ids)))
    )
    yield* Effect.yieldNow()
    const names = Effect.map(Botanu.activeRuns, (runs) => runs.map(({ workflow }) => workflow))
    expect(yield* names).toEqual(["a", "b", "c"])
    const [, b] = yield* Botanu.activeRuns
    expect(yield* Botanu.cancel(b?.runId ?? "", "operator")).toBe(true)
    yield* Effect.forEach(fibers.slice(1, 2), Fiber.await)
    expect(yield* names).toEqual(["a", "c"])
    yield* Fiber.interruptAll(fibers)
    expect(yield* names).toEqual([])
  })
)

it.effect("a run that ends does not take another of the same id off the list", () =>
  Effect.gen(function* () {
    const seeded = <A, E>(effect: Effect.Effect<A, E>) => Effect.provide(effect, RunId.layerSeeded(1))
    const waiting = yield* Effect.fork(seeded(Botanu.workflow(Effect.never, "waiting", ids)))
    yield* Effect.yieldNow()
    const ending = yield* Effect.fork(seeded(Botanu.workflow(Effect.never, "ending", ids)))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(waiting)
    expect((yield* Botanu.activeRuns).map(({ workflow }) => workflow)).toEqual(["ending"])
    yield* Fiber.interrupt(ending)
    expect(yield* Botanu.activeRuns).toEqual([])
  })
)
