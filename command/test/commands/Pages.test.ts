/**
 * Ledgers that are not held in memory as a whole: rows come some at a time.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Stream } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { Cost } from "../../../src/index.js"
import { record } from "../../../test/report/records.js"
import type { CommandError } from "../../src/CommandError.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import { botanu, linesOf } from "../botanu.js"
import { reading, stores } from "../stores.js"

const runs = 4500
const mostAtOnce = 2100

/** Runs of one event each. The first has two records, of which the later counts, and the last has not ended. */
const lines = linesOf([
  record({ n: 1, event: "event-1", start: 0, end: 1, calls: [{ usd: "0.5" }] }),
  ...Array.from({ length: runs - 1 }, (_, index) =>
    record({ n: index + 1, event: `event-${index + 1}`, start: index, end: index + 1, calls: [{ usd: "0.25" }] })
  ),
  record({ n: runs, event: `event-${runs}`, start: runs })
])

const newFile = (name: string): string => {
  const folder = mkdtempSync(join(tmpdir(), "botanu-pages-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

const readAll = <A>(
  ledger: string,
  pagesOf: (store: LedgerStore["Type"]) => Stream.Stream<ReadonlyArray<A>, CommandError>
): Promise<ReadonlyArray<ReadonlyArray<A>>> =>
  reading(
    ledger,
    Effect.flatMap(LedgerStore, (store) => Effect.map(Stream.runCollect(pagesOf(store)), (pages) => Array.from(pages)))
  )

const lengthsOf = (pages: ReadonlyArray<ReadonlyArray<unknown>>) => pages.map(({ length }) => length)

describe.each(stores())("of $name", ({ ledgerOf }) => {
  it("runs, rows and tables come some at a time, each once", { timeout: 120_000 }, async () => {
    const ledger = await ledgerOf(lines)

    const pages = await readAll(ledger, ({ allRecords }) => allRecords)
    expect(Math.max(...lengthsOf(pages))).toBeLessThan(mostAtOnce)
    const records = pages.flat()
    expect(new Set(records.map(({ run }) => run.runId)).size).toBe(runs)
    expect(records).toHaveLength(runs)
    expect(records.filter(({ completed }) => completed === undefined)).toHaveLength(1)
    const first = records.find(({ run }) => run.eventId === "event-1")?.completed
    expect(first && Cost.format(first.totals.usd)).toBe("0.25")

    const rows = await readAll(ledger, ({ stream }) => stream({ from: ["runs"], text: "SELECT run_id FROM runs" }))
    expect(Math.max(...lengthsOf(rows))).toBeLessThan(mostAtOnce)
    expect(new Set(rows.flat().map(({ run_id }) => run_id)).size).toBe(runs)

    const select = async (format: string) => {
      const statement = "select event_id, usd from runs order by start_time"
      const { code, out } = await botanu(["sql", statement, "--format", format, "--ledger", ledger])
      expect(code).toBe(0)
      return out
    }
    const table = (await select("table")).split("\n")
    const heads = table.filter((line) => line.startsWith("event_id"))
    expect(heads.length).toBeGreaterThan(1)
    expect(table).toHaveLength(runs + heads.length)
    expect((await select("csv")).split("\n")).toHaveLength(runs + 1)
    const selected = JSON.parse(await select("json")) as ReadonlyArray<{ readonly event_id: string }>
    expect(selected.map(({ event_id }) => event_id)).toEqual(Array.from({ length: runs }, (_, n) => `event-${n + 1}`))
    const markdown = (await select("markdown")).split("\n")
    expect([markdown.length, markdown.filter((line) => line.includes("---")).length]).toEqual([runs + 2, 1])

    for (const [format, others] of [
      ["csv", 1],
      ["jsonl", 0]
    ] as const) {
      const output = newFile(`runs.${format}`)
      const { code, out } = await botanu(["export", "--format", format, "--output", output, "--ledger", ledger])
      expect([code, out.startsWith("4,500 r")]).toEqual([0, true])
      const written = readFileSync(output, "utf8").trimEnd().split("\n")
      expect([written.length, new Set(written).size]).toEqual([runs + others, runs + others])
    }
  })
})
