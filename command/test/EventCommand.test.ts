import { describe, expect, it } from "vitest"
import { record } from "../../test/report/records.js"
import { actsOnTerminal, botanu, ledgerOf, linesOf } from "./botanu.js"

describe("botanu event", () => {
  it("prints the tree of an event", async () => {
    const ledger = await ledgerOf(
      linesOf([
        record({ n: 1, end: 2, status: "failure", errorClass: "RateLimited", calls: [{ usd: "0.25" }] }),
        record({ n: 2, root: 1, attempt: 2, start: 3, end: 4, calls: [{ usd: "0.5" }] }),
        record({ n: 3, event: "ticket-7", start: 3, end: 4 })
      ])
    )
    const { code, out } = await botanu(["event", "ticket-42", "--ledger", ledger])
    expect(code).toBe(0)
    expect(out).toMatch(/^ticket-42 {3}bigretail/)
    expect(out).toContain("Attempt 1")
    expect(out).toContain("failure RateLimited")
    expect(out).toContain("Attempt 2")
    expect(out).toContain("0.75")
    expect(out).not.toContain("ticket-7")
  })

  it("compares its cost with the median of its workflow", async () => {
    const costs = ["0.1", "0.2", "0.5", "1.2"]
    const records = costs.map((usd, index) =>
      record({ n: index + 1, event: `ticket-${usd}`, end: 9, calls: [{ usd }] })
    )
    const ledger = await ledgerOf(linesOf([...records, record({ n: 9, event: "running" })]))
    expect((await botanu(["event", "ticket-1.2", "--ledger", ledger])).out).toContain("6.0x the median of its workflow")
  })

  it("prints one event for each customer that has the id, or that of one customer", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2 }), record({ n: 2, customer: "smallshop", end: 3 })]))
    const both = await botanu(["event", "ticket-42", "--ledger", ledger])
    expect(both.out).toContain("bigretail")
    expect(both.out).toContain("smallshop")
    const one = await botanu(["event", "ticket-42", "--customer", "smallshop", "--ledger", ledger])
    expect(one.out).not.toContain("bigretail")
  })

  it("says that there is no such event, with exit code 1", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2 })]))
    const { code, err } = await botanu(["event", "' OR 1=1 --", "--ledger", ledger])
    expect(code).toBe(1)
    expect(err).toContain("there is no event ' OR 1=1 --")
  })

  it("colours status words only where there is colour", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2, status: "failure" })]))
    const args = ["event", "ticket-42", "--ledger", ledger]
    expect((await botanu(args)).out).not.toContain("\u001b")
    expect((await botanu(args, { hasColour: true })).out).toContain("\u001b[31mfailure\u001b[39m")
  })

  it("shows escape sequences of a ledger as text", async () => {
    const ledger = await ledgerOf(
      linesOf([record({ n: 1, end: 2, status: "canceled", reason: "\u001b]0;owned\u0007", customer: "\u202eevil" })])
    )
    const { out } = await botanu(["event", "ticket-42", "--ledger", ledger])
    expect(out).not.toMatch(actsOnTerminal)
    expect(out).toContain("\\u001b]0;owned\\u0007")
  })
})
