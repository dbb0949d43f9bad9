import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { record } from "../../test/report/records.js"
import * as Period from "../src/Period.js"
import * as Change from "../src/terminal/Change.js"
import * as DelimitedText from "../src/terminal/DelimitedText.js"
import { actsOnTerminal, botanu, ledgerOf, linesOf, makeLedger } from "./botanu.js"

const lines = linesOf([
  record({ n: 1, event: "a", start: 0, end: 2, calls: [{ usd: "0.03" }] }),
  record({ n: 2, event: "b", start: 0, end: 4, status: "failure", calls: [{ usd: "0.01" }, {}] }),
  record({
    n: 3,
    event: "c",
    workflow: "Refund Review",
    start: 90_000,
    end: 90_001,
    calls: [{ usd: "0.000000000000000001" }]
  })
])

const rowOf = (out: string, name: string) => out.split("\n").find((line) => line.startsWith(name))

describe("botanu report", () => {
  it("shows what a success cost, and the figures of each workflow, the dearest first", async () => {
    const ledger = await ledgerOf(lines)
    const { code, out } = await botanu(["report", "--ledger", ledger])
    expect(code).toBe(0)
    expect(rowOf(out, "Per success, USD")).toMatch(/ 0\.0200 \+1\? {2}0\.0150 in successes, 0\.0050 failures$/)
    expect(rowOf(out, "Customer Support")).toMatch(
      /^Customer Support {2,}2 {2,}50\.0 {2,}1\.00 {2,}4\.0 {2,}0\.040000 \+1\? {2,}0\.0100 {2,}0\.040000$/
    )
    expect(out.indexOf("Customer Support")).toBeLessThan(out.indexOf("Refund Review"))
    expect(rowOf(out, "2 workflows")).toContain("66.7")
    expect(out).toContain("+n?  that many calls have no price")
  })

  it("groups by keys of calls", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["report", "--by", "model,step", "--ledger", ledger])
    expect(rowOf(out, "quill-2")).toMatch(/^quill-2 +chat +4 +3 /)
  })

  it("has exact amounts as text in JSON", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["report", "--by", "workflow,day", "--format", "json", "--ledger", ledger])
    expect(JSON.parse(out)).toMatchObject([
      { workflow: "Customer Support", events: 2, usd: "0.04", usdPerSuccess: "0.04", unpricedCalls: 1 },
      { workflow: "Refund Review", events: 1, usd: "0.000000000000000001", usdOfFailures: "0" }
    ])
  })

  it("keeps the events that the filters name, and so many groups", async () => {
    const ledger = await ledgerOf(lines)
    const eventsWith = async (...args: ReadonlyArray<string>) => {
      const { out } = await botanu(["report", "--format", "json", "--ledger", ledger, ...args])
      return (JSON.parse(out) as ReadonlyArray<{ readonly events: number }>).map(({ events }) => events)
    }
    expect(await eventsWith("--outcome", "failure")).toEqual([1])
    expect(await eventsWith("--customer", "nobody")).toEqual([])
    expect(await eventsWith("--workflow", "Refund Review")).toEqual([1])
    expect(await eventsWith("--limit", "1")).toEqual([2])
    expect(await eventsWith("--sort", "key")).toEqual([2, 1])
    expect(await eventsWith("--until", "2026-02-03")).toEqual([2])
  })

  it.each([
    { args: ["--by", "workflow; DROP TABLE runs"], says: "--by: expected some of workflow, version, customer" },
    { args: ["--by", ""], says: "--by: expected" },
    { args: ["--since", "yesterday"], says: "--since: expected a time such as 7d" },
    { args: ["--limit", "0"], says: "--limit: expected a number from 1" },
    { args: ["--sort", "1; --"], says: "Expected one of the following cases" },
    { args: ["--format", "html"], says: "Expected one of the following cases" }
  ])("refuses $args in one line", async ({ args, says }) => {
    const ledger = await ledgerOf(lines)
    const { code, err, out } = await botanu(["report", "--ledger", ledger, ...args])
    expect(code).toBe(2)
    expect(out).toBe("")
    expect(err).toContain(says)
    expect(err.split("\n")).toHaveLength(1)
  })

  it("says how many lines are in no sum", async () => {
    const ledger = await ledgerOf([...lines, '{"v":1,"type":"comp'])
    const { out } = await botanu(["report", "--ledger", ledger])
    expect(out).toContain("lines that cannot be read, and are in no sum: 1. See: botanu doctor")
  })

  it("says that a ledger is empty, and that no event succeeded", async () => {
    expect((await botanu(["report", "--ledger", await makeLedger({})])).out).toContain(
      "empty: no run has been recorded"
    )
    const failed = await ledgerOf(linesOf([record({ n: 1, end: 2, status: "failure" })]))
    expect((await botanu(["report", "--ledger", failed])).out).toContain("none of 1 succeeded")
  })

  it("leaves columns out from the right where the terminal is narrow, and says which", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["report", "--ledger", ledger], { columns: 60 })
    expect(out).toContain("left out, the terminal is too narrow:")
    expect(out).toContain("Per success, USD")
  })

  it("shows escape sequences of a ledger as text", async () => {
    // No run of the library has control characters in its ids; a file may.
    const [line = ""] = linesOf([record({ n: 1, end: 2, customer: "CUSTOMER", workflow: "WORKFLOW" })])
    const ledger = await ledgerOf([
      line.replaceAll("CUSTOMER", "\\u001b]0;owned\\u0007").replaceAll("WORKFLOW", "\\u009b2J")
    ])
    for (const format of ["table", "json", "csv", "markdown"]) {
      const { out } = await botanu(["report", "--by", "customer,workflow", "--format", format, "--ledger", ledger])
      expect(out, format).not.toMatch(actsOnTerminal)
    }
  })

  it("writes no formula into CSV, and keeps each value in its cell", async () => {
    const customers = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", '"a","b"', "two-lines"]
    const lines = linesOf(customers.map((customer, index) => record({ n: index + 1, end: index + 2, customer })))
    const ledger = await ledgerOf(lines.map((line) => line.replace("two-lines", "a\\nb")))
    const { out } = await botanu(["report", "--by", "customer", "--format", "csv", "--ledger", ledger])
    for (const line of out.split("\n")) expect(line).not.toMatch(/^"?[=+\-@]/)
    expect(out).toContain(`"""a"",""b""",1,`)
    expect(out).toContain('"a\nb",1,')
  })
})

describe("text for other programs", () => {
  it("leaves numbers as they are, and absent ones empty", () => {
    expect(DelimitedText.csv(["n", "m"], [[-1.5, undefined]])).toEqual(["n,m", "-1.5,"])
  })

  it("has no markup in Markdown", () => {
    const [, , row] = DelimitedText.markdown(["name"], [["a | [b](c) <i>"]])
    expect(row).toBe("| a &#124; &#91;b&#93;(c) &#60;i&#62; |")
  })
})

describe("a time on the command line", () => {
  const now = Date.parse("2026-11-26T12:00:00Z")

  it.each([
    ["7d", "2026-11-20T00:00:00.000Z"],
    ["24h", "2026-11-25T12:00:00.000Z"],
    ["90m", "2026-11-26T10:30:00.000Z"],
    ["2026-11-18", "2026-11-18T00:00:00.000Z"],
    ["2026-11-18T14:00:00+01:00", "2026-11-18T13:00:00.000Z"]
  ])("%s is %s", (text, instant) => expect(Period.parse(text, now)).toEqual(Either.right(instant)))

  it.each(["", "7", "d", "-1d", "2026-13-01", "2026-11-18T14:00", "999999w", "' OR 1=1"])("%j is refused", (text) =>
    expect(Either.isLeft(Period.parse(text, now))).toBe(true)
  )
})

describe("a report with --since", () => {
  const now = Date.now()
  const day = 86_400
  // In seconds after the base of the records.
  const today = Math.floor(now / 86_400_000) * day - 1_770_000_000
  const at = (n: number, days: number, usd: string, status: "success" | "failure" = "success") =>
    record({
      n,
      event: `e${n}`,
      start: today - days * day + 60,
      end: today - days * day + 61,
      status,
      details: status === "success" ? { valueType: "tickets", valueAmount: 2 } : {},
      calls: [{ usd }]
    })
  const lines = linesOf([
    at(1, 1, "0.03"),
    at(2, 0, "0.03"),
    at(3, 0, "0.01", "failure"),
    at(4, 8, "0.04"),
    at(5, 9, "0.02")
  ])

  it("compares with the period of the same length before", async () => {
    const { out } = await botanu(["report", "--since", "7d", "--ledger", await ledgerOf(lines)])
    expect(out).toMatch(/UTC, against \w+ \d+ - \w+ \d+ +today is still coming in/)
    expect(rowOf(out, "Per success, USD")).toMatch(
      / 0\.0350 {2,}\+17% {2,}0\.0300 {2,}0\.0300 in successes, 0\.0050 failures$/
    )
    expect(rowOf(out, "Spend, USD")).toMatch(/ 0\.0700 {2,}\+17% {2,}0\.0600/)
    expect(rowOf(out, "Failures, USD")).toMatch(/ 0\.0100 {2,}new {2,}0 {2,}14\.3% of spend$/)
    expect(rowOf(out, "Events")).toMatch(/ 3 {2,}\+50% {2,}2$/)
    expect(rowOf(out, "Success rate, %")).toMatch(/ 66\.7 {2,}−33\.3 pp {2,}100\.0$/)
    expect(rowOf(out, "tickets")).toMatch(/ 4 {2,}0% {2,}4 {2,}value$/)
  })

  it("shows in red what is worse and in green what is better, on a terminal only", async () => {
    const ledger = await ledgerOf(lines)
    const { out } = await botanu(["report", "--since", "7d", "--ledger", ledger], { hasColour: true })
    expect(rowOf(out, "Per success, USD")?.replaceAll("\u001b", "ESC")).toMatch(/ESC\[31m +\+17%ESC\[39m/)
    expect(rowOf(out, "Spend, USD")).not.toContain("\u001b")
  })

  it("has the sums of value by group in JSON", async () => {
    const args = ["report", "--since", "7d", "--format", "json", "--ledger", await ledgerOf(lines)]
    expect(JSON.parse((await botanu(args)).out)).toMatchObject([{ events: 3, values: { tickets: 4 } }])
  })

  it("says which filter keeps nothing", async () => {
    const { out } = await botanu(["report", "--customer", "nobody", "--ledger", await ledgerOf(lines)])
    expect(out).toContain("no event customer nobody: leave a filter out")
  })

  it("is refused where it ends before it starts", async () => {
    const args = ["report", "--since", "2026-02-03", "--until", "2026-02-02", "--ledger", await ledgerOf(lines)]
    const { code, err } = await botanu(args)
    expect(code).toBe(2)
    expect(err).toBe("botanu: --since: expected a time before --until")
  })
})

describe("a change", () => {
  it.each([
    [1.049, 1, "+4.9%"],
    [1.2, 1, "+20%"],
    [0.71, 1, "−29%"],
    [10, 1, "10×"],
    [1, 1, "0%"],
    [1.0001, 1, "0%"],
    [3, 0, "new"],
    [0, 0, "0%"],
    [1, undefined, "–"],
    [undefined, 1, "–"]
  ])("from %s to %s is %s", (now, before, text) => {
    expect(Change.relative(now, before)).toBe(text)
  })

  it("of a rate is in points", () => {
    expect(Change.ofRate(0.941, 0.944)).toBe("−0.3 pp")
    expect(Change.ofRate(0.5, 0.5)).toBe("0 pp")
    expect(Change.ofRate(undefined, 0.5)).toBe("–")
  })
})
