import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { Cost, Outcome } from "../../src/index.js"
import { BusinessEvent, RunRecord } from "../../src/report/index.js"
import { instant } from "../runs.js"
import { base, idOf, type RecordOptions, record } from "./records.js"

const eventOf = (options: ReadonlyArray<RecordOptions>, amendments?: ReadonlyArray<BusinessEvent.Amendment>) => {
  const events = BusinessEvent.fromRecords(options.map(record), amendments)
  expect(events).toHaveLength(1)
  return events[0] as BusinessEvent.BusinessEvent
}

const threeAttempts: ReadonlyArray<RecordOptions> = [
  { n: 1, end: 3, status: "failure", errorClass: "RateLimited", calls: [{ usd: "0.01" }] },
  { n: 2, root: 1, attempt: 2, start: 5, end: 9, status: "timeout", calls: [{ usd: "0.02" }] },
  { n: 3, parent: 2, start: 6, end: 8, workflow: "Refund Review", calls: [{ usd: "0.04" }, {}] },
  { n: 4, root: 1, attempt: 3, start: 12, end: 20, calls: [{ usd: "0.08" }] }
]

describe("an event", () => {
  it("is all runs with one event id and one customer", () => {
    const events = BusinessEvent.fromRecords([
      record({ n: 1, end: 2 }),
      record({ n: 2, end: 3, customer: "smallretail" }),
      record({ n: 3, end: 4, event: "ticket-43" }),
      record({ n: 4, end: 5 })
    ])
    expect(events.map(({ customerId, eventId, runs }) => [eventId, customerId, runs.length])).toEqual([
      ["ticket-42", "bigretail", 2],
      ["ticket-42", "smallretail", 1],
      ["ticket-43", "bigretail", 1]
    ])
  })

  it("has the outcome of the final attempt of its latest outermost chain", () => {
    expect(eventOf(threeAttempts).status).toBe("success")
    expect(eventOf([...threeAttempts, { n: 5, start: 30, end: 31, status: "failure" }]).status).toBe("failure")
    expect(
      eventOf([
        { n: 1, end: 20 },
        { n: 2, parent: 1, start: 5, end: 9, status: "failure" }
      ]).status
    ).toBe("success")
  })

  it("is running where its final attempt is, and lost where the process of that is gone", () => {
    const [first, second] = threeAttempts as readonly [RecordOptions, RecordOptions]
    expect(eventOf([first, { n: 2, root: 1, attempt: 2, start: 5 }]).status).toBe("running")
    const lost = RunRecord.started(record(second).run, { isLost: true })
    expect(BusinessEvent.fromRecords([record(first), lost])[0]?.status).toBe("lost")
  })

  it("has no outcome where none was recorded", () => {
    const event = eventOf([{ n: 1, end: 2, outcome: "none" }])
    expect(event.status).toBeUndefined()
    expect(event.outcome).toBeUndefined()
  })

  it("counts its outermost runs as attempts", () => {
    expect(eventOf(threeAttempts).attempts).toBe(3)
    expect(eventOf(threeAttempts).chains.map(({ attempts }) => attempts.length)).toEqual([3])
  })

  it("costs what all its runs cost, nested ones and retries included", () => {
    const { cost, costBeforeFinal } = eventOf(threeAttempts)
    expect([Cost.format(cost.usd), cost.calls, cost.unpricedCalls]).toEqual(["0.15", 5, 1])
    expect([Cost.format(costBeforeFinal.usd), costBeforeFinal.calls]).toEqual(["0.07", 4])
  })

  it("takes the last amendment and keeps the recorded outcome", () => {
    const amend = (status: "partial" | "failure", at: number, customerId?: string): BusinessEvent.Amendment => ({
      eventId: "ticket-42",
      outcome: new Outcome.Outcome({ status, reason: "reopened" }),
      by: "crm-sync",
      at: instant(base + at),
      ...(customerId !== undefined && { customerId })
    })
    const event = eventOf(threeAttempts, [
      amend("partial", 9_000_000),
      amend("failure", 8_000_000),
      amend("failure", 9_900_000, "smallretail")
    ])
    expect(event.status).toBe("partial")
    expect(event.outcome?.reason).toBe("reopened")
    expect(event.amendments).toHaveLength(2)
    expect(event.chains[0].status).toBe("success")
  })

  it("survives runs whose parents go round in a circle", () => {
    const event = eventOf([
      { n: 1, parent: 2, end: 5, calls: [{ usd: "1" }] },
      { n: 2, parent: 1, end: 4, calls: [{ usd: "2" }] }
    ])
    expect(Cost.format(event.cost.usd)).toBe("3")
    expect(event.chains.length).toBeGreaterThan(0)
  })
})

describe("a run that is reported twice", () => {
  it("counts once, as it was reported last", () => {
    const first = record({ n: 1, end: 3, calls: [{}] })
    const repriced = record({ n: 1, end: 3, calls: [{ usd: "0.5" }] })
    const [event] = BusinessEvent.fromRecords([RunRecord.started(first.run), first, repriced])
    expect(event?.runs).toHaveLength(1)
    expect(event && Cost.format(event.cost.usd)).toBe("0.5")
  })

  it("is not running again because its start is reported late", () => {
    const completed = record({ n: 1, end: 3 })
    const [event] = BusinessEvent.fromRecords([completed, RunRecord.started(completed.run)])
    expect(event?.status).toBe("success")
  })
})

it("the order of records does not matter", () => {
  const records = threeAttempts.map(record)
  const expected = BusinessEvent.fromRecords(records)
  FastCheck.assert(
    FastCheck.property(FastCheck.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
      expect(BusinessEvent.fromRecords(shuffled)).toEqual(expected)
    })
  )
  expect(expected[0]?.runs.map(({ run }) => run.runId)).toEqual([idOf(1), idOf(2), idOf(3), idOf(4)])
})
