/**
 * Every command line on the pages about the command runs.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { write } from "../../bench/ledger/GeneratedLedger.js"
import { botanu } from "./botanu.js"

const pages = ["docs/command.md", "command/README.md"]

const read = (page: string): string => readFileSync(new URL(`../../${page}`, import.meta.url), "utf8")

const commandLines = pages.flatMap((page) =>
  Array.from(read(page).matchAll(/^\$ botanu (.*)$/gm), ([, line = ""]) => ({ page, line }))
)

/** The words of a command line, as a shell splits them. */
const wordsOf = (line: string): ReadonlyArray<string> =>
  Array.from(
    line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, single, double, plain]) => single ?? double ?? plain ?? ""
  )

describe("the pages about the command", () => {
  let folder = ""

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "botanu-docs-"))
    const end = Math.floor(Date.now() / 86_400_000) * 86_400_000
    write(join(folder, "ledger"), { seed: 4, runs: 500, end })
    writeFileSync(join(folder, "prices.json"), '{"nova-rerank-2": {"mode": "chat", "input_cost_per_token": 0.000001}}')
    writeFileSync(join(folder, "traces.jsonl"), '{"resourceSpans": []}\n')
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(commandLines)("$page: botanu $line", { timeout: 60_000 }, async ({ line }) => {
    const args = wordsOf(line).map((word) =>
      /^[\w-]+\.(json|jsonl|csv|parquet)$/.test(word) ? join(folder, word) : word
    )
    const { code, err, out } = await botanu(args, { env: { BOTANU_LEDGER: join(folder, "ledger") } })
    expect(err).toBe("")
    expect(out).not.toBe("")
    expect(code).toBe(args[0] === "doctor" ? 1 : 0)
  })

  it("name every command", async () => {
    const { out } = await botanu(["--help"])
    const names = Array.from(out.matchAll(/^ {2}- (\w+)/gm), ([, name = ""]) => name)
    expect(names.length).toBeGreaterThan(10)
    for (const name of names)
      expect(`${read("docs/command.md")} botanu serve`, name).toMatch(new RegExp(`botanu ${name}\\b|\`${name}\``))
  })
})
