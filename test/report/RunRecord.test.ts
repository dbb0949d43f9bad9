import { describe, expect, it } from "@effect/vitest"
import { BusinessEvent, RunRecord } from "../../src/report/index.js"
import { record } from "./records.js"

const started = record({ n: 1 })
const completed = record({ n: 1, end: 4, calls: [{ usd: "0.10" }, {}] })
const other = record({ n: 2, end: 5, calls: [{ usd: "0.20" }] })

describe("records of one run", () => {
  it("count once, and the completed one says more than the others, in any order", () => {
    const lost = { ...started, isLost: true }
    expect(RunRecord.distinct([started, completed, other])).toEqual([completed, other])
    expect(RunRecord.distinct([completed, started, lost])).toEqual([completed])
    expect(RunRecord.distinct([started, lost])).toEqual([lost])
    expect(RunRecord.distinct([lost, started])).toEqual([lost])
  })

  it("cost what those say that completed", () => {
    const cost = BusinessEvent.costOf([completed, other, record({ n: 3 })])
    expect(cost).toMatchObject({ calls: 3, unpricedCalls: 1 })
    expect(String(cost.usd)).toBe(String(BusinessEvent.costOf([record({ n: 4, end: 5, calls: [{ usd: "0.3" }] })]).usd))
  })
})
