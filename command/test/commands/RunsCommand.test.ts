import { appendFile } from "node:fs/promises"
import { describe, expect, it } from "vitest"
import { record } from "../../../test/report/records.js"
import { ledgerOf, linesOf, starting } from "../botanu.js"

describe("botanu runs --follow", () => {
  it("prints runs as they start and end, each once", { timeout: 60_000 }, async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, event: "first", start: 0, end: 2 })]))
    const { out, stop } = starting(["runs", "--follow", "--ledger", ledger])
    const seen = (text: string) =>
      expect.poll(() => out.filter((line) => line.includes(text)).length, { timeout: 20_000 })
    await seen("first").toBe(1)
    const add = (lines: ReadonlyArray<string>) =>
      appendFile(`${ledger}/2026-02-02/writer-1.jsonl`, lines.map((line) => `${line}\n`).join(""))
    await add(linesOf([record({ n: 2, event: "second", start: 10 })]))
    await seen("second").toBe(1)
    expect(out.at(-1)).toContain("running")
    await add(linesOf([record({ n: 2, event: "second", start: 10, end: 12, status: "failure" })]))
    await seen("second").toBe(2)
    expect(out.at(-1)).toContain("failure")
    await stop()
    expect(out.filter((line) => line.includes("first"))).toHaveLength(1)
  })
})
