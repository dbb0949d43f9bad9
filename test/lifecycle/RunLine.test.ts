import { describe, expect, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import { none } from "../../src/cost/CostTotals.js"
import { Botanu, CompletedRun, Outcome, RunExporter, Usage } from "../../src/index.js"
import { lineOf } from "../../src/lifecycle/RunLine.js"
import { ids, instant, makeRun, runId } from "../runs.js"
import { spend, unpriced } from "../usages.js"

const completed = (fields: Partial<ConstructorParameters<typeof CompletedRun>[0]>) =>
  new CompletedRun({
    run: makeRun(),
    status: "success",
    endTime: instant(0),
    durationMs: 119.6,
    totals: none,
    ...fields
  })

describe("a run in a line", () => {
  const start = `run ${runId} of workflow "Customer Support": `
  const event = `; event "ticket-42" of customer "bigretail"`

  it("that succeeded", () => {
    expect(lineOf(completed({}))).toBe(`${start}success in 120 ms${event}`)
  })
  it("that failed, with text that would break the line", () => {
    const line = lineOf(completed({ status: "failure", errorClass: "Broken\nNext" }))
    expect(line).toBe(`${start}failure ("Broken\\nNext") in 120 ms${event}`)
  })
  it("with an outcome of its own and a value", () => {
    const outcome = new Outcome.Outcome({ status: "partial", valueType: "tickets_resolved", valueAmount: 2 })
    expect(lineOf(completed({ outcome }))).toBe(
      `${start}success in 120 ms${event}; outcome partial; 2 "tickets_resolved"`
    )
  })
  it("with a value of no type", () => {
    const outcome = new Outcome.Outcome({ status: "success", valueAmount: 0.5 })
    expect(lineOf(completed({ outcome }))).toBe(`${start}success in 120 ms${event}; 0.5 "value"`)
  })
  it.effect("with one call", () =>
    Effect.gen(function* () {
      yield* spend("0.0035").pipe(Botanu.workflow("Support", ids))
      const { runs } = yield* RunExporter.Memory
      expect((yield* runs).map(lineOf)).toEqual([expect.stringMatching(/; 0\.0035 USD in 1 call$/)])
    }).pipe(Effect.provide(RunExporter.layerMemory))
  )
  it("that is a retry", () => {
    expect(lineOf(completed({ run: makeRun({ attempt: 2 }) }))).toContain(`"Customer Support", attempt 2: success`)
  })
})

describe("the console exporter", () => {
  it.effect("writes a line about each run, with what it cost", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const console = {
        ...(yield* Console.consoleWith(Effect.succeed)),
        log: (...args: ReadonlyArray<unknown>) => Effect.sync(() => void lines.push(args.join(" ")))
      }
      const work = Effect.zipRight(spend("0.0035"), Usage.record(unpriced)).pipe(Botanu.workflow("Support", ids))
      yield* Effect.provide(work, RunExporter.console).pipe(Effect.withConsole(console))
      expect(lines).toEqual([
        expect.stringMatching(
          /^run [0-9a-f-]{36} of workflow "Support": success in 0 ms; event .*; 0.0035 USD in 2 calls, 1 of them unpriced$/
        )
      ])
    })
  )
})
