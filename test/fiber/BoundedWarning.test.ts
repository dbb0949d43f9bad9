import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Logger, TestClock } from "effect"
import * as BoundedWarning from "../../src/fiber/BoundedWarning.js"
import { Propagation } from "../../src/index.js"
import { runId } from "../runs.js"

/** What an effect logs, line by line. */
const logOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${message}`))
    return Effect.as(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)), lines)
  })

const warn = (...kinds: ReadonlyArray<string>) =>
  BoundedWarning.warn(
    "mail",
    kinds.map((kind) => ({ kind, text: `bad ${kind}` }))
  )

describe("a warning", () => {
  it.effect("has all that is to be reported in one line", () =>
    Effect.gen(function* () {
      expect(yield* logOf(warn("stamp", "address"))).toEqual(["WARN mail: bad stamp; bad address"])
    })
  )

  it.effect("of nothing is none", () => Effect.map(logOf(warn()), (lines) => expect(lines).toEqual([])))

  it.effect("comes at most once a second for each kind, with how many were left out", () =>
    Effect.gen(function* () {
      const lines = yield* logOf(
        Effect.gen(function* () {
          yield* warn("stamp")
          yield* warn("stamp")
          yield* TestClock.adjust("999 millis")
          yield* warn("stamp")
          yield* TestClock.adjust("1 millis")
          yield* warn("stamp")
          yield* warn("stamp")
          yield* TestClock.adjust("1 second")
          yield* warn("stamp")
          yield* TestClock.adjust("1 hour")
          yield* warn("stamp")
        })
      )
      expect(lines).toEqual([
        "WARN mail: bad stamp",
        "WARN mail: bad stamp (2 more like it were not logged)",
        "WARN mail: bad stamp (1 more like it were not logged)",
        "WARN mail: bad stamp"
      ])
    })
  )

  it.effect("of one kind does not keep another back, nor does that of another subject", () =>
    Effect.gen(function* () {
      const other = BoundedWarning.warn("parcel", [{ kind: "stamp", text: "no stamp" }])
      const lines = yield* logOf(
        Effect.gen(function* () {
          yield* warn("stamp")
          yield* warn("stamp", "address")
          yield* warn("address")
          yield* other
          yield* other
          yield* TestClock.adjust("1 second")
          yield* warn("stamp", "address")
        })
      )
      expect(lines).toEqual([
        "WARN mail: bad stamp",
        "WARN mail: bad address",
        "WARN parcel: no stamp",
        "WARN mail: bad stamp (1 more like it were not logged); bad address (1 more like it were not logged)"
      ])
    })
  )

  it.effect("is not held back for long by a clock that steps back", () =>
    Effect.gen(function* () {
      const lines = yield* logOf(
        Effect.gen(function* () {
          yield* TestClock.setTime(3_600_000)
          yield* warn("stamp")
          yield* TestClock.setTime(0)
          yield* warn("stamp")
        })
      )
      expect(lines).toEqual(["WARN mail: bad stamp", "WARN mail: bad stamp"])
    })
  )

  it.effect("is counted by each clock for itself", () =>
    Effect.gen(function* () {
      const elsewhere = Effect.provide(warn("stamp"), TestClock.defaultTestClock)
      const lines = yield* logOf(Effect.all([warn("stamp"), elsewhere, warn("stamp")]))
      expect(lines).toEqual(["WARN mail: bad stamp", "WARN mail: bad stamp"])
    })
  )

  it.effect("is decided on when it runs, not when it is made", () =>
    Effect.gen(function* () {
      const later = warn("stamp")
      expect(yield* logOf(warn("stamp"))).toHaveLength(1)
      expect(yield* logOf(later)).toEqual([])
    })
  )
})

describe("10,000 hostile headers", () => {
  const required = [`botanu.run_id=${runId}`, "botanu.workflow=W", "botanu.event_id=e", "botanu.customer_id=c"] as const
  const everyKey = ["run_id", "workflow", "event_id", "customer_id", "environment", "tenant_id", "parent_run_id"]
    .concat("root_run_id", "attempt", "retry_of_run_id", "deadline", "cancelled")
    .map((key) => `botanu.${key}`)
  const hostile: ReadonlyArray<readonly [kind: string, header: (index: number) => string | ReadonlyArray<string>]> = [
    ["too long", (index) => `botanu.run_id=${index},x=${"y".repeat(9000)}`],
    ["of many lines", (index) => Array.from({ length: 1000 }, (_, line) => `k${line}=${index}`)],
    ["of malformed percent escapes", (index) => `${required.join()},botanu.attempt=%zz%${index}%e2%28`],
    ["of every key wrong", (index) => everyKey.map((key) => `${key}=%0d%0a%1b[31m${index}${"x".repeat(600)}`).join()],
    ["of __proto__", (index) => `__proto__=${index},constructor=1,botanu.run_id=__proto__,toString`],
    ["of junk", (index) => `${",;=".repeat(index % 50)}botanu.deadline=${index}e3`]
  ]
  // Each of our keys can be reported, and that something was dropped.
  const maxKinds = everyKey.length + 1

  const flood = (headers: ReadonlyArray<unknown>) =>
    logOf(Effect.forEach(headers, (baggage) => Propagation.extract({ baggage }), { discard: true }))

  for (const [kind, header] of hostile) {
    it.effect(`${kind} give a bounded log`, () =>
      Effect.gen(function* () {
        const headers = Array.from({ length: 10_000 / hostile.length }, (_, index) => header(index))
        const first = yield* flood(headers)
        expect(first.length).toBeGreaterThan(0)
        expect(first.length).toBeLessThanOrEqual(maxKinds)
        for (const line of first) {
          expect(line.length).toBeLessThan(3000)
          expect(line).not.toMatch(/\p{Cc}/u)
        }
        yield* TestClock.adjust("1 second")
        const second = yield* flood(headers)
        expect(second.length).toBeLessThanOrEqual(maxKinds)
        expect(second.join()).toMatch(/\([0-9]+ more like it were not logged\)/)
      })
    )
  }

  it.effect(
    "of all kinds in one second give a line for each kind of problem at most, and good ones are still read",
    () =>
      Effect.gen(function* () {
        const headers = Array.from({ length: 10_000 }, (_, index) => hostile[index % hostile.length]?.[1](index))
        expect((yield* flood(headers)).length).toBeLessThanOrEqual(maxKinds)
        const run = yield* Propagation.extract({ baggage: required.join() })
        expect(run).toMatchObject({ _tag: "Some", value: { runId, attempt: 1 } })
      })
  )

  const anyHeader = FastCheck.array(
    FastCheck.oneof(FastCheck.string({ unit: "binary" }), FastCheck.constantFrom(...required))
  )
  it.effect.prop("of any text give a bounded log", [FastCheck.array(anyHeader)], ([headers]) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      expect((yield* flood(headers)).length).toBeLessThanOrEqual(maxKinds)
    })
  )
})
