import { describe, expect, it } from "vitest"
import { record } from "../../test/report/records.js"
import { abilitiesOf } from "../src/terminal/Screen.js"
import { botanu, ledgerOf, linesOf } from "./botanu.js"

const hasEscape = (text: string) => text.includes("\u001b")

describe("the command line", () => {
  it("shows help with examples", async () => {
    const { code, err, out } = await botanu(["--help"])
    expect(code).toBe(0)
    expect(err).toBe("")
    expect(out).toContain("$ botanu event ticket-48213")
    expect(out).toContain("doctor")
  })

  it("shows help without colour where there is none, and with it on a terminal", async () => {
    expect(hasEscape((await botanu(["--help"])).out)).toBe(false)
    expect(hasEscape((await botanu(["--help"], { hasColour: true })).out)).toBe(true)
  })

  it.each([
    { args: ["frob"], says: "Invalid subcommand" },
    { args: ["event"], says: "Missing argument <ID>" },
    { args: ["doctor", "--bogus"], says: "unknown argument: '--bogus'" },
    { args: ["doctor", "--ledger", "/nowhere/at-all"], says: "there is no ledger at /nowhere/at-all" }
  ])("refuses $args in one line, with exit code 2", async ({ args, says }) => {
    const { code, err, out } = await botanu(args)
    expect(code).toBe(2)
    expect(out).toBe("")
    expect(err.split("\n")).toHaveLength(1)
    expect(err).toContain(says)
  })

  it("takes the ledger from --ledger before BOTANU_LEDGER", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2 })]))
    const env = { BOTANU_LEDGER: ledger }
    expect((await botanu(["event", "ticket-42"], { env })).code).toBe(0)
    expect((await botanu(["event", "ticket-42", "--ledger", "/nowhere"], { env })).code).toBe(2)
  })

  it("never shows the password of a database, and says what cannot be reached", async () => {
    const { code, err, out } = await botanu(["report", "--ledger", "postgres://shop:secret@127.0.0.1:1/ledger"])
    expect(code).toBe(3)
    expect(err.split("\n")).toHaveLength(1)
    expect(err).toContain("no connection to postgres://shop:***@127.0.0.1:1/ledger")
    expect(out + err).not.toContain("secret")
  })

  it.each(["postgres://h/db?schema=a%3Bdrop", "postgres://h/db?schema=", "postgres://[bad/db"])(
    "refuses the location %s",
    async (location) => {
      const { code, err } = await botanu(["report", "--ledger", location])
      expect(code).toBe(2)
      expect(err).toMatch(/^botanu: --ledger: expected/)
    }
  )

  it("writes no escape sequence of an argument to the terminal", async () => {
    const ledger = await ledgerOf([])
    for (const args of [["\u001b[31mfrob"], ["event", "\u001b]0;title\u0007", "--ledger", ledger]]) {
      const { err, out } = await botanu(args)
      expect(hasEscape(out + err), JSON.stringify(args)).toBe(false)
    }
  })

  it("reads a directory whose entries are not segments as an empty ledger", async () => {
    const ledger = await ledgerOf([])
    expect((await botanu(["event", "../../etc/passwd", "--ledger", ledger])).code).toBe(1)
  })
})

describe("the output of a process", () => {
  const terminal = { isTerminal: true, columns: 80 }

  it("has colour on a terminal only, and never with NO_COLOR", () => {
    expect(abilitiesOf({ ...terminal, env: {} }).hasColour).toBe(true)
    expect(abilitiesOf({ ...terminal, env: { NO_COLOR: "1" } }).hasColour).toBe(false)
    expect(abilitiesOf({ ...terminal, env: { TERM: "dumb" } }).hasColour).toBe(false)
    expect(abilitiesOf({ isTerminal: false, columns: undefined, env: {} }).hasColour).toBe(false)
  })

  it("is as wide as the terminal, else as COLUMNS, else 100 columns", () => {
    expect(abilitiesOf({ ...terminal, env: { COLUMNS: "60" } }).columns).toBe(80)
    expect(abilitiesOf({ isTerminal: false, columns: undefined, env: { COLUMNS: "60" } }).columns).toBe(60)
    expect(abilitiesOf({ isTerminal: false, columns: undefined, env: { COLUMNS: "-1" } }).columns).toBe(100)
  })

  it("is ASCII where the locale is not UTF-8", () => {
    expect(abilitiesOf({ ...terminal, env: { LANG: "C" } }).isUtf8).toBe(false)
    expect(abilitiesOf({ ...terminal, env: { LANG: "en_US.UTF-8" } }).isUtf8).toBe(true)
    expect(abilitiesOf({ ...terminal, env: { LC_ALL: "C", LANG: "en_US.UTF-8" } }).isUtf8).toBe(false)
  })
})
