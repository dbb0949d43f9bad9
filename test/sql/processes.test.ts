/**
 * Several processes that write one directory and one database, while reports are made of both.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { BigDecimal, Effect } from "effect"
import { Ledger } from "../../src/ledger/index.js"
import { BusinessEvent, RunRecord, Summary } from "../../src/report/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { processProgram } from "../bundle.js"
import { clientOf, rows, useServer } from "./database.js"

const processes = 4
const runsOfEach = Number(process.env["RUNS"] ?? 300)

const server = useServer()
const writer = await processProgram(new URL("writer.ts", import.meta.url))

const write = async (...args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  const exited = once(child, "exit")
  const ids: Array<string> = []
  for await (const line of createInterface(child.stdout)) ids.push(line)
  expect((await exited)[0]).toBe(0)
  return ids
}

const completedIn = ({ records }: Ledger.Contents) => records.filter(({ completed }) => completed !== undefined)

/** A report of both, which must be whole at any time. Gives how many runs each has. */
const report = (directory: string) =>
  Effect.gen(function* () {
    const kept = yield* Ledger.read(directory)
    expect(kept.lost).toBe(0)
    // A line that is being written is not whole, and is whole the next time.
    expect(kept.problems.filter(({ problem }) => problem !== "cut")).toEqual([])
    const runs = completedIn(kept)
    expect(new Set(kept.records.map(({ run }) => run.runId)).size).toBe(kept.records.length)
    const { cost } = Summary.of(BusinessEvent.fromRecords(runs))
    expect(BigDecimal.equals(cost.usd, BigDecimal.make(BigInt(runs.length), 3))).toBe(true)
    const [sums] = yield* rows<{ events: number; runs: number; usages: number; usd: string }>(
      `SELECT count(*)::int AS events, coalesce(sum(runs), 0)::int AS runs,
        (SELECT count(*)::int FROM botanu.usages) AS usages, coalesce(sum(usd), 0)::numeric(20, 3)::text AS usd
      FROM botanu.events WHERE status = 'success'`
    )
    const { events = 0, runs: stored = 0, usages = 0, usd = "0.000" } = sums ?? {}
    expect([stored, usages, usd]).toEqual([events, events, (events / 1000).toFixed(3)])
    return { kept: runs.length, stored: events }
  })

it(`${processes} processes write one directory and one database, and reports lose, double and halve nothing`, {
  timeout: 120_000
}, async () => {
  const url = await server().newDatabase()
  const directory = await mkdtemp(join(tmpdir(), "botanu-processes-"))
  try {
    const files = join(directory, "files")
    const writing = Promise.all(
      Array.from({ length: processes }, () => write(url, join(directory, "spill"), String(runsOfEach), files))
    )
    let isWriting = true
    void writing.finally(() => {
      isWriting = false
    })
    const everySecond = Effect.gen(function* () {
      yield* LedgerSql.migrate()
      let before = { kept: 0, stored: 0 }
      let reports = 0
      while (isWriting) {
        const now = yield* report(files)
        expect([now.kept >= before.kept, now.stored >= before.stored]).toEqual([true, true])
        before = now
        reports += 1
        yield* Effect.sleep("1 second")
      }
      expect(reports).toBeGreaterThan(1)
      const ids = (yield* Effect.promise(() => writing)).flat().sort()
      expect(ids).toHaveLength(processes * runsOfEach)
      expect(yield* report(files)).toEqual({ kept: ids.length, stored: ids.length })
      for (const contents of [yield* Ledger.read(files), yield* LedgerSql.read()]) {
        expect(contents.records.map(({ run }) => run.runId as string).sort()).toEqual(ids)
        expect(contents.records.every((record) => RunRecord.statusOf(record) === "success")).toBe(true)
      }
      expect((yield* Ledger.read(files)).problems).toEqual([])
      expect(yield* Ledger.segments(join(directory, "spill"))).toEqual([])
    })
    await Effect.runPromise(everySecond.pipe(Effect.provide(clientOf(url)), Effect.provide(NodeContext.layer)))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
