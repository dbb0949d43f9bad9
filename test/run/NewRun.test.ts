import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { Botanu, InvalidRunContext, RunContext, RunId } from "../../src/index.js"
import { ids } from "../runs.js"

const here = /\/test\/run\/NewRun\.test\.ts:\d+:\d+$/

describe("a run that cannot be made", () => {
  const wrong = { eventId: "", customerId: "c" }
  const asked: ReadonlyArray<readonly [how: string, run: () => Effect.Effect<unknown, unknown>]> = [
    ["Botanu.workflow, data-last", () => Effect.void.pipe(Botanu.workflow("Support", wrong))],
    ["Botanu.workflow, data-first", () => Botanu.workflow(Effect.void, "Support", wrong)],
    ["Botanu.fn", () => Botanu.fn("Support", wrong)(() => Effect.void)()],
    ["RunContext.make", () => RunContext.make({ ...wrong, workflow: "Support" })],
    [
      "a budget",
      () => Botanu.workflow(Effect.void, "Support", { ...ids, budget: { usd: -1, children: true, retries: true } })
    ]
  ]
  for (const [how, run] of asked) {
    it.effect(`names its workflow and where it was asked for: ${how}`, () =>
      Effect.gen(function* () {
        const error = (yield* Effect.flip(run())) as InvalidRunContext
        expect(error.workflow).toBe("Support")
        expect(error.callSite).toMatch(here)
        expect(error.message).toBe(`${error.field}: ${error.problem} (workflow "Support", ${error.callSite})`)
      })
    )
  }

  it("names no place and no workflow where they are not known, as in an error that came from elsewhere", () => {
    const error = new InvalidRunContext({ field: "eventId", problem: "expected text" })
    expect(error.callSite).toBeUndefined()
    expect(error.message).toBe("eventId: expected text")
  })

  it.effect("names no workflow where it was asked for one that is no text", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Botanu.workflow(Effect.void, 42 as never, ids))
      expect([error.field, error.workflow]).toEqual(["workflow", undefined])
      expect(error.message).toBe(`workflow: expected text, got 42 (${error.callSite})`)
    })
  )

  it.effect("does not send where it was asked for to others", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Botanu.workflow(Effect.void, "Support", wrong))
      const encoded = Schema.encodeUnknownSync(Schema.Any)(JSON.parse(JSON.stringify(error)))
      expect(Object.keys(encoded).sort()).toEqual(["_tag", "field", "problem", "workflow"])
    })
  )

  const deadlines: ReadonlyArray<readonly [input: unknown, quoted: string]> = [
    [Number.NaN, "NaN"],
    [-1, "-1"],
    [-5n, "-5"],
    ["-5 seconds", '"-5 seconds"'],
    [[-1, 0], "a list"],
    ["soon", '"soon"']
  ]
  for (const [deadline, quoted] of deadlines) {
    it.effect(`has ${quoted} as a deadline`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Botanu.workflow(Effect.void, "Support", { ...ids, deadline: deadline as number })
        )
        expect(error).toMatchObject({
          _tag: "InvalidRunContext",
          field: "deadline",
          problem: `expected a duration of zero or more, got ${quoted}`
        })
      })
    )
  }

  for (const millis of [-1, 2 ** 48, Number.NaN, Number.POSITIVE_INFINITY]) {
    it.effect(`has ${millis} ms on its clock`, () =>
      Effect.gen(function* () {
        const live = Clock.make()
        const clock = { ...live, unsafeCurrentTimeMillis: () => millis, currentTimeMillis: Effect.succeed(millis) }
        const run = Effect.withClock(Botanu.workflow(Effect.void, "Support", ids), clock)
        const error = yield* Effect.flip(run)
        expect([error.field, error.problem]).toEqual([
          "clock",
          `expected a time that a UUIDv7 can hold, from 1970 to the year 10889, got ${millis} ms`
        ])
      })
    )
  }

  it.effect("has a clock that throws", () =>
    Effect.gen(function* () {
      const clock = {
        ...Clock.make(),
        unsafeCurrentTimeMillis: () => {
          throw new Error("no time")
        }
      }
      const error = yield* Effect.flip(Effect.withClock(RunContext.make({ ...ids, workflow: "Support" }), clock))
      expect(error.field).toBe("clock")
      expect(error.problem).toContain("no time")
    })
  )

  it.effect("has a generator of ids that throws", () =>
    Effect.gen(function* () {
      const generator: typeof RunId.Generator.Service = {
        unsafeMake: () => {
          throw new Error("no randomness")
        }
      }
      const run = Botanu.workflow(Effect.void, "Support", ids)
      const error = yield* Effect.flip(Effect.provideService(run, RunId.Generator, generator))
      expect([error.field, error.problem]).toEqual([
        "runId",
        "expected an id of RunId.Generator, got Error: no randomness"
      ])
    })
  )

  it.effect("is none at the very ends of what a UUIDv7 holds", () =>
    Effect.gen(function* () {
      for (const millis of [0, 2 ** 48 - 1]) {
        const clock = { ...Clock.make(), unsafeCurrentTimeMillis: () => millis }
        const run = yield* Effect.withClock(RunContext.make({ ...ids, workflow: "Support" }), clock).pipe(
          Effect.provideService(RunId.Generator, RunId.makeGenerator())
        )
        expect(run.startTime.epochMillis).toBe(millis)
      }
    })
  )
})
