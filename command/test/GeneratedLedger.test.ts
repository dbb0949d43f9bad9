import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, Summary } from "botanu-effect/report"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { lines, write } from "../../bench/ledger/GeneratedLedger.js"
import { makeLedger } from "./botanu.js"

describe("a generated ledger", () => {
  it("is read without a problem, and has everything that a report is about", async () => {
    const directory = await makeLedger({})
    const runs = write(directory, { seed: 7, runs: 2000 })
    const contents = await Effect.runPromise(Ledger.read(directory).pipe(Effect.provide(NodeContext.layer)))
    expect(contents.problems).toEqual([])
    expect(contents.records).toHaveLength(runs)
    const summary = Summary.of(BusinessEvent.fromRecords(contents.records, contents.amendments))
    for (const count of Object.values(summary.outcomes)) expect(count).toBeGreaterThan(0)
    expect(summary.attempts).toBeGreaterThan(summary.events)
    expect(summary.runs).toBeGreaterThan(summary.attempts)
    expect(summary.cost.unpricedCalls).toBeGreaterThan(0)
    expect(summary.values.size).toBeGreaterThan(2)
  })

  it("is the same for the same seed", () => {
    const of = (seed: number) => JSON.stringify([...lines({ seed, runs: 50 })])
    expect(of(1)).toBe(of(1))
    expect(of(1)).not.toBe(of(2))
  })
})
