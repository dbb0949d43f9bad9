import { Effect, Fiber, TestClock, TestContext } from "effect"
import { describe, expect, it } from "vitest"
import * as Progress from "../../src/terminal/Progress.js"

const clearing = "\r\u001b[K"

const showing = (use: (progress: Progress.Progress, written: ReadonlyArray<string>) => Effect.Effect<void>) => {
  const written: Array<string> = []
  const progress = Progress.make((text) => Effect.sync(() => written.push(text)), true)
  return Effect.runPromise(Effect.provide(use(progress, written), TestContext.TestContext))
}

describe("the line that shows that work goes on", () => {
  it("comes after a second, and goes when the work is done", () =>
    showing((progress, written) =>
      Effect.gen(function* () {
        const work = yield* Effect.fork(progress.during(Effect.sleep("3 seconds")))
        yield* TestClock.adjust("900 millis")
        expect(written).toEqual([])
        yield* TestClock.adjust("1500 millis")
        expect(written.at(-1)).toMatch(/^\rreading the ledger {2}[█▒]{20} {2}2 s$/)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(work)
        expect(written.at(-1)).toBe(clearing)
      })
    ))

  it("shows how much is done, where that is known", () =>
    showing((progress, written) =>
      Effect.gen(function* () {
        const work = { text: "compacting", share: Effect.succeed(0.25) }
        const fiber = yield* Effect.fork(progress.during(Effect.sleep("3 seconds"), work))
        yield* TestClock.adjust("2400 millis")
        expect(written.at(-1)).toMatch(/^\rcompacting {2}█{5}▒{15} {2}25% {2}2 s$/)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      })
    ))

  it("is not seen where the work is short", () =>
    showing((progress, written) =>
      Effect.gen(function* () {
        const work = yield* Effect.fork(progress.during(Effect.sleep("500 millis")))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(work)
        expect(written).toEqual([])
      })
    ))

  it("goes for good before the first output", () =>
    showing((progress, written) =>
      Effect.gen(function* () {
        const work = yield* Effect.fork(
          progress.during(Effect.zipRight(Effect.delay(progress.end, "2 seconds"), Effect.sleep("5 seconds")))
        )
        yield* TestClock.adjust("2 seconds")
        expect(written.at(-1)).toBe(clearing)
        const count = written.length
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(work)
        expect(written).toHaveLength(count)
      })
    ))
})
