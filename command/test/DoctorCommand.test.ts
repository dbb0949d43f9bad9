import { describe, expect, it } from "vitest"
import { record } from "../../test/report/records.js"
import { actsOnTerminal, botanu, ledgerOf, linesOf, makeLedger } from "./botanu.js"

const countOf = (out: string, check: string): string | undefined => new RegExp(`${check} +([\\d,]+)`).exec(out)?.[1]

describe("botanu doctor", () => {
  it("has no warnings for a sound ledger", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2, calls: [{ usd: "0.01" }] })]))
    const { code, out } = await botanu(["doctor", "--ledger", ledger])
    expect(code).toBe(0)
    expect(out).toContain("no warnings")
    expect(countOf(out, "runs that read back")).toBe("1")
  })

  it("counts lines that are cut, invalid, or of a later version, and names the file", async () => {
    const [line = ""] = linesOf([record({ n: 1, end: 2 })])
    const ledger = await makeLedger({
      "2026-02-02/a-1.jsonl": `${line}\n${line.slice(0, 40)}`,
      "2026-02-02/b-1.jsonl": `{"v":99,"type":"poem"}\n{"v":1,"type":"completed"}\n{"v":1,"type":"completed"}\n`,
      "2026-02-02/notes.txt": "not a segment"
    })
    const { code, out } = await botanu(["doctor", "--ledger", ledger])
    expect(code).toBe(1)
    expect(countOf(out, "lines cut by a crash")).toBe("1")
    expect(out).toContain("skipped, in 2026-02-02/a-1.jsonl")
    expect(countOf(out, "lines of a later version")).toBe("1")
    expect(countOf(out, "lines that are not valid")).toBe("2")
    expect(out).toContain("3 warnings")
  })

  it("finds runs without an end, lost records and clock skew", async () => {
    const ledger = await ledgerOf([
      ...linesOf([
        record({ n: 1, start: 10, end: 20 }),
        record({ n: 2, parent: 1, start: 8, end: 9 }),
        record({ n: 3, parent: 1, start: 9.5, end: 12 }),
        record({ n: 4, event: "refund-1" })
      ]),
      JSON.stringify({ v: 1, type: "lost", count: 7, at: "2026-02-02T00:00:00.000Z" })
    ])
    const { code, out } = await botanu(["doctor", "--ledger", ledger])
    expect(code).toBe(1)
    expect(countOf(out, "runs that are running")).toBe("1")
    expect(out).toContain("botanu event refund-1")
    expect(countOf(out, "records lost by writers")).toBe("7")
    expect(countOf(out, "clock skew over 1 s")).toBe("1")
  })

  it("lists calls without a price by model, with what they consumed", async () => {
    const calls = [{ model: "nova-2" }, { model: "nova-2" }, { model: "clause-7b" }, { usd: "1" }]
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2, calls })]))
    const { out } = await botanu(["doctor", "--ledger", ledger])
    expect(countOf(out, "calls without a price")).toBe("3")
    expect(out).toMatch(/nova-2 +2 +2 {2}requests +not in the price file/)
    expect(out).toMatch(/clause-7b +1 +1 {2}requests/)
    expect(out).not.toContain("quill-2")
  })

  it("suggests prices only where a price is what is missing", async () => {
    const lines = linesOf([record({ n: 1, end: 2, calls: [{}] })])
    const unknown = await botanu(["doctor", "--ledger", await ledgerOf(lines)])
    expect(unknown.out).toContain("1 warning. Next: botanu reprice --prices FILE")
    const unreported = lines.map((line) => line.replaceAll("unknown_model", "no_usage"))
    const { out } = await botanu(["doctor", "--ledger", await ledgerOf(unreported)])
    expect(out).toMatch(/the provider reported no usage\n1 warning\n?$/)
  })

  it("leaves columns out where the terminal is narrow, and says which", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2 })]))
    const { out } = await botanu(["doctor", "--ledger", ledger], { columns: 40 })
    expect(out).toContain("left out, the terminal is too narrow: What to do")
  })

  it("shows escape sequences in models and ids as text", async () => {
    const ledger = await ledgerOf(
      linesOf([record({ n: 1, end: 2, calls: [{ model: "nova\u001b[2J" }] }), record({ n: 2, event: "ticket\u202e" })])
    )
    const { out } = await botanu(["doctor", "--ledger", ledger])
    expect(out).toContain("nova\\u001b[2J")
    expect(out).not.toMatch(actsOnTerminal)
  })
})
