/**
 * Two copies of the package in one process: what came in with a run through one goes out through the other.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { vi } from "vitest"
import { leanHeader, runId } from "./runs.js"

/** A copy of the package with module state of its own, over the same Effect. */
const copy = async () => {
  vi.resetModules()
  return await import("../src/index.js")
}

const one = await copy()
const other = await copy()

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const incoming = {
  baggage: `${leanHeader},theirs=1;p=2,botanu.later=3`,
  traceparent: `00-${traceId}-${spanId}-01`
}

const received = Effect.flatten(one.Propagation.extract(incoming))

const parentOfCurrentSpan = Effect.map(Effect.currentSpan, ({ parent }) => Option.getOrUndefined(parent)?.spanId)

it("the copies have state of their own", () => {
  expect(one.RunContext).not.toBe(other.RunContext)
})

describe("a run that came in through another copy", () => {
  it.effect("is joined with its foreign baggage and what this version does not know", () =>
    Effect.gen(function* () {
      const { baggage } = yield* other.Botanu.resume(other.Propagation.inject, yield* received)
      expect(baggage?.split(",")).toEqual(
        expect.arrayContaining(["theirs=1;p=2", "botanu.later=3", `botanu.run_id=${runId}`])
      )
    })
  )

  it.effect("is joined below the span of its sender", () =>
    Effect.gen(function* () {
      const inside = Effect.withSpan(
        Effect.all([parentOfCurrentSpan, Effect.map(Effect.currentSpan, (span) => span.traceId)]),
        "work"
      )
      expect(yield* other.Botanu.resume(inside, yield* received)).toEqual([spanId, traceId])
    })
  )

  it.effect("is the run in scope of both", () =>
    Effect.gen(function* () {
      const seen = Effect.all([one.RunContext, other.RunContext]).pipe(
        Effect.map((runs) => runs.map((run) => run.runId))
      )
      const run = yield* received
      expect(yield* other.Botanu.resume(seen, run)).toEqual([runId, runId])
      expect(yield* one.Botanu.resume(seen, run)).toEqual([runId, runId])
    })
  )

  it.effect("is the parent of a workflow of the other copy, and its baggage goes on", () =>
    Effect.gen(function* () {
      const child = other.Botanu.workflow(Effect.all([other.RunContext, other.Propagation.inject]), "Child", {
        eventId: "ticket-42",
        customerId: "bigretail"
      })
      const [run, { baggage }] = yield* one.Botanu.resume(child, yield* received)
      expect(run.parentRunId).toBe(runId)
      expect(baggage).toContain("theirs=1")
    })
  )
})
