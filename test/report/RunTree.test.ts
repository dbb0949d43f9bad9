import { describe, expect, it } from "@effect/vitest"
import { BigDecimal } from "effect"
import { BusinessEvent, RunTree } from "../../src/report/index.js"
import { type RecordOptions, record } from "./records.js"

const eventOf = (options: ReadonlyArray<RecordOptions>) =>
  BusinessEvent.fromRecords(options.map(record))[0] as BusinessEvent.BusinessEvent

const support = eventOf([
  {
    n: 1,
    start: 0,
    end: 9.41,
    status: "failure",
    errorClass: "RateLimited",
    calls: [{ usd: "0.02904", end: 9.41, durationMs: 8520, status: "failure", errorType: "RateLimited" }]
  },
  { n: 2, root: 1, attempt: 2, start: 11.41, end: 41.41, status: "timeout", calls: [] },
  {
    n: 3,
    parent: 2,
    start: 12,
    end: 41.41,
    workflow: "Refund Review",
    status: "canceled",
    reason: "interrupted",
    calls: [{ usd: "0.076", end: 20, durationMs: 6890, step: "verify refund" }, { model: "nova-rerank-2" }]
  },
  {
    n: 4,
    root: 1,
    attempt: 3,
    start: 45.41,
    end: 64,
    calls: [{ usd: "0.02", durationMs: 600 }],
    details: { valueType: "tickets_resolved", valueAmount: 1, confidence: 0.94 }
  }
])

describe("the tree of an event", () => {
  it("has attempts by start, and the waits between them", () => {
    expect(RunTree.fromEvent(support).map(({ _tag }) => _tag)).toEqual(["Run", "Wait", "Run", "Wait", "Run"])
  })

  it("shows what a run cost by itself, and beside it what ran inside", () => {
    const second = RunTree.fromEvent(support)[2] as RunTree.RunNode
    expect([second.own.calls, second.nested.calls, second.nested.unpricedCalls]).toEqual([0, 2, 1])
  })

  it("is text of at most 100 columns", () => {
    const text = RunTree.lines(support)
    expect(text.join("\n")).toMatchInlineSnapshot(`
      "ticket-42   bigretail   Customer Support   production   2026-02-02 02:40:00.000 UTC
      Outcome   success   recorded 2026-02-02 02:41 by attempt 3: tickets_resolved 1, confidence 0.94
      Cost      0.1250 USD +1?   84% before the final attempt

      Run, step, call                0 s              64 s  Took, s  Own, USD
      Attempt 1                      ▒▒▒▒                      9.41    0.0290      failure RateLimited
      └─ chat   quill-2              ████                      8.52    0.0290      RateLimited, usage kept
      wait                              ·                      2.00
      Attempt 2                         ▒▒▒▒▒▒▒▒▒▒▒           30.00                timeout, deadline
      └─ Refund Review                  ▒▒▒▒▒▒▒▒▒▒▒           29.41    0.0760 +1?  canceled, interrupted
         ├─ verify refund   quill-2      ███                   6.89    0.0760
         └─ chat   nova-rerank-2                  █                  no price
      wait                                        ··           4.00
      Attempt 3                                    ▒▒▒▒▒▒▒    18.59    0.0200      success
      └─ chat   quill-2                                  █     0.60    0.0200"
    `)
    expect(Math.max(...text.slice(4).map((line) => line.length))).toBeLessThanOrEqual(100)
  })

  it("has a line where the deadline struck, through what it ended", () => {
    const late = eventOf([
      { n: 1, start: 0, end: 10, deadline: 10, status: "timeout", calls: [{ end: 2, durationMs: 2000 }] },
      { n: 2, parent: 1, start: 1, end: 10, status: "canceled", calls: [{ end: 10, durationMs: 4000 }] },
      { n: 3, root: 1, attempt: 2, start: 15, end: 20 }
    ])
    const bars = RunTree.lines(late)
      .slice(5)
      .map((line) => [line.indexOf("┊"), line.indexOf("▒") >= 0 || line.indexOf("█") >= 0])
    const [column] = bars[0] as [number]
    expect(column).toBeGreaterThan(0)
    expect(bars.map(([struck]) => struck)).toEqual([column, -1, column, column, -1, -1])
    expect(RunTree.lines(late, { isUtf8: false })[5]?.indexOf("!")).toBe(column)
  })

  it("compares the cost with the median of the workflow, where that is known", () => {
    const costOf = (usd: string) => RunTree.lines(support, { medianUsd: BigDecimal.unsafeFromString(usd) })[2]
    expect(costOf("0.02451")).toContain("before the final attempt   5.1x the median of its workflow")
    expect(costOf("0.01")).toContain("   13x the median of its workflow")
    expect(costOf("0")).not.toContain("median")
    expect(RunTree.lines(support)[2]).not.toContain("median")
  })

  it("leaves out the bars where there is no room, and says so", () => {
    const text = RunTree.lines(support, { columns: 60 }).join("\n")
    expect(text).not.toContain("▒")
    expect(text).toContain("bars left out")
  })

  it("is ASCII where the terminal needs that", () => {
    const [, , , , , ...tree] = RunTree.lines(support, { isUtf8: false })
    expect(tree.join("\n")).toMatch(/^[\x20-\x7e\n]*$/)
  })

  it("shows ids and reasons as text", () => {
    const hostile = eventOf([
      { n: 1, event: "evil\u202e", end: 2, status: "canceled", reason: "\u001b[2J", customer: "\u202dx" }
    ])
    expect(RunTree.lines(hostile).join("")).not.toMatch(/[\p{Cc}\u202d\u202e]/u)
  })
})

it("a run that is running has a bar without an end", () => {
  const text = RunTree.lines(
    eventOf([
      { n: 1, start: 0, end: 1, status: "failure" },
      { n: 2, root: 1, attempt: 2, start: 2 }
    ])
  )
  expect(text.at(-1)).toMatch(/Attempt 2 .*▒.*running$/)
})
