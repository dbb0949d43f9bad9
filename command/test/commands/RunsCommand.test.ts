/**
 * Runs as they come, in each store.
 */
import { readdirSync, readFileSync } from "node:fs"
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as SqlClient from "@effect/sql/SqlClient"
import type { RunRecord } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Effect, Option } from "effect"
import { describe, expect, it, onTestFinished } from "vitest"
import { fromText, Ingestion } from "../../../src/sql/Ingestion.js"
import { record } from "../../../test/report/records.js"
import { clientOf, useServer } from "../../../test/sql/database.js"
import { isInstalled } from "../../../test/sql/PostgresServer.js"
import { ledgerOf, linesOf, starting } from "../botanu.js"
import { stores } from "../stores.js"

const textOf = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

const segmentsOf = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .map((name) => join(directory, name))

/** Adds runs to a ledger, as a program that goes on writing does. */
const add = async (ledger: string, records: ReadonlyArray<RunRecord.RunRecord>): Promise<void> => {
  if (!ledger.startsWith("postgres")) return appendFile(segmentsOf(ledger).at(-1) ?? "", textOf(linesOf(records)))
  await Effect.runPromise(Effect.provide(LedgerSql.write({ records, amendments: [] }), clientOf(ledger)))
}

const following = (ledger: string, ...more: ReadonlyArray<string>) => {
  const { out, stop } = starting(["runs", "--follow", "--ledger", ledger, ...more])
  onTestFinished(async () => {
    await stop()
  })
  const linesWith = (text: string) => out.filter((line) => line.includes(text))
  const seen = (text: string) => expect.poll(() => linesWith(text).length, { timeout: 30_000 })
  return { out, linesWith, seen }
}

describe.each(stores())("botanu runs --follow of $name", { timeout: 60_000 }, (store) => {
  it("prints runs as they start and end, each once, whenever they ended", async () => {
    const first = record({ n: 1, event: "first", start: 1000, end: 1002 })
    const ledger = await store.ledgerOf(linesOf([first]))
    const { linesWith, out, seen } = following(ledger)
    await seen("first").toBe(1)
    await add(ledger, [record({ n: 2, event: "second", start: 1010 })])
    await seen("second").toBe(1)
    expect(out.at(-1)).toContain("running")
    // Of another process, which writes later: it ended before the one that is shown.
    await add(ledger, [record({ n: 3, event: "earlier", start: 10, end: 12 })])
    await seen("earlier").toBe(1)
    await add(ledger, [record({ n: 2, event: "second", start: 1010, end: 1012, status: "failure" }), first])
    await seen("second").toBe(2)
    expect(linesWith("second")[1]).toContain("failure")
    expect([linesWith("first").length, linesWith("earlier").length]).toEqual([1, 1])
  })

  it("prints the latest first, and of what was there before no other", async () => {
    const before = Array.from({ length: 30 }, (_, index) =>
      record({ n: index + 1, event: `before-${index}`, start: index, ...(index % 2 === 0 && { end: index + 1 }) })
    )
    const ledger = await store.ledgerOf(linesOf(before))
    const { linesWith, seen } = following(ledger, "--limit", "2")
    await seen("before-").toBe(2)
    await add(ledger, [record({ n: 99, event: "after", start: 100, end: 101 })])
    await seen("after").toBe(1)
    expect(linesWith("before-")).toHaveLength(2)
  })

  it("prints all of very many that come at once, of those that are asked for", async () => {
    const ledger = await store.ledgerOf(linesOf([record({ n: 1, event: "first", end: 2 })]))
    const { linesWith, seen } = following(ledger, "--customer", "hotels")
    await seen("no run").toBe(1)
    const many = Array.from({ length: 3000 }, (_, index) =>
      record({ n: index + 2, event: `many-${index}`, customer: index % 2 === 0 ? "hotels" : "other", end: 3 })
    )
    await add(ledger, many)
    await seen("many-").toBe(1500)
    expect(new Set(linesWith("many-")).size).toBe(1500)
    expect(linesWith("other")).toEqual([])
  })
})

describe.runIf(isInstalled)("botanu runs --follow of a database", { timeout: 60_000 }, () => {
  const server = useServer()

  it("prints what a transaction brings that takes longer than the time between two questions", async () => {
    const url = await server().newDatabase()
    await Effect.runPromise(Effect.provide(LedgerSql.migrate(), clientOf(url)))
    const { linesWith, seen } = following(url)
    await seen("no run").toBe(1)
    const lines = [...linesOf([record({ n: 1, event: "slow", end: 2 })])].map((text) => fromText(text))
    const slow = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql.withTransaction(
        Effect.zipRight(
          new Ingestion(sql, "botanu").write(lines.flatMap(Option.toArray), "019abc12-def3-7890-abcd-0000000000ff"),
          sql`SELECT pg_sleep(3)`
        )
      )
    })
    const writing = Effect.runPromise(Effect.provide(slow, clientOf(url)))
    // Others write meanwhile.
    await add(url, [record({ n: 2, event: "quick-1", end: 3 })])
    await seen("quick-1").toBe(1)
    await writing
    await add(url, [record({ n: 3, event: "quick-2", end: 4 })])
    await seen("slow").toBe(1)
    await seen("quick-2").toBe(1)
    expect(linesWith("quick-1")).toHaveLength(1)
  })
})

describe("botanu runs --follow of a directory", { timeout: 60_000 }, () => {
  it("reads lines that are longer than what is read at once", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, event: "first", end: 2 })]))
    const segment = join(ledger, "2026-02-02", "writer-1.jsonl")
    const [long = "", short = ""] = linesOf([
      record({ n: 2, event: "long", end: 3, annotations: { text: "\u00fc".repeat(700_000) } }),
      record({ n: 3, event: "short", end: 4 })
    ])
    // One is being written when the command starts.
    await appendFile(segment, long.slice(0, -10))
    const { seen } = following(ledger)
    await seen("first").toBe(1)
    await appendFile(
      segment,
      textOf([long.slice(-10), short, long.replaceAll("long", "more").replaceAll("0002", "0004")])
    )
    await seen("long").toBe(1)
    await seen("short").toBe(1)
    await seen("more").toBe(1)
  })

  it("goes on after what was read, and waits until a line is whole", async () => {
    const before = [record({ n: 1, event: "first-1", end: 2 }), record({ n: 2, event: "first-2", end: 2 })]
    const ledger = await ledgerOf(linesOf(before))
    const segment = join(ledger, "2026-02-02", "writer-1.jsonl")
    const [half = "", rest = ""] = [0, 1].map((part) => {
      const line = linesOf([record({ n: 3, event: "héllo", end: 3 })])[0] ?? ""
      const middle = line.indexOf("llo")
      return part === 0 ? line.slice(0, middle) : line.slice(middle)
    })
    // A line that is being written when the command starts.
    await appendFile(segment, half)
    const { linesWith, seen } = following(ledger)
    await seen("first").toBe(2)
    // What was read is not read again, even if it is different now.
    await writeFile(segment, readFileSync(segment, "utf8").replaceAll("first-", "other-").replaceAll("00001", "00009"))
    await appendFile(segment, `${rest}\n${linesOf([record({ n: 4, event: "fourth", end: 4 })])[0]?.slice(0, 40)}`)
    await seen("héllo").toBe(1)
    await appendFile(segment, `${linesOf([record({ n: 4, event: "fourth", end: 4 })])[0]?.slice(40)}\n`)
    await seen("fourth").toBe(1)
    expect(linesWith("other-")).toEqual([])
  })

  it("finds new segments, and goes on when one is gone; a line of a later version says nothing", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, event: "first", end: 2 })]))
    const { linesWith, seen } = following(ledger)
    await seen("first").toBe(1)
    const later = linesOf([record({ n: 2, event: "second", end: 3 })]).map((line) => line.replace('"v":1', '"v":2'))
    const segment = join(ledger, "2026-02-03", "writer-2.jsonl")
    await mkdir(dirname(segment))
    await writeFile(segment, textOf([...later, ...linesOf([record({ n: 3, event: "third", end: 3 })])]))
    await seen("third").toBe(1)
    await rm(join(ledger, "2026-02-02"), { recursive: true })
    await add(ledger, [record({ n: 4, event: "fourth", end: 4 })])
    await seen("fourth").toBe(1)
    expect(linesWith("second")).toEqual([])
  })

  it("shows a call that is priced once more only as it was", async () => {
    const ledger = await ledgerOf(linesOf([record({ n: 1, event: "first", end: 2 })]))
    const { linesWith, seen } = following(ledger)
    await seen("first").toBe(1)
    const repriced = linesOf([record({ n: 2, event: "second", end: 3 })]).map((line) =>
      line.replace(/}}$/, ',"repriced":{"time":"2026-02-03T00:00:00.000Z","recordedUsd":"1","calls":1}}}')
    )
    await appendFile(join(ledger, "2026-02-02", "writer-1.jsonl"), textOf(repriced))
    await add(ledger, [record({ n: 3, event: "third", end: 4 })])
    await seen("third").toBe(1)
    expect(linesWith("second")).toEqual([])
  })
})
