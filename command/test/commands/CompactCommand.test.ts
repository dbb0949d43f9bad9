/**
 * Compaction: what it leaves alone, where it may end, and what works beside it. That reports are the same is in the tests of
 * every command, of which one store is compacted.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { rm, utimes, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { FileSystem, Error as PlatformError } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import { Outcome } from "../../../src/index.js"
import { record } from "../../../test/report/records.js"
import { instant } from "../../../test/runs.js"
import * as Compaction from "../../src/store/Compaction.js"
import * as DuckDb from "../../src/store/DuckDb.js"
import * as LedgerDirectory from "../../src/store/LedgerDirectory.js"
import { botanu, linesOf, makeLedger } from "../botanu.js"

const timeout = 60_000

const day = 86_400

/** A run of each of three days, one that is retried on the next, and one without an end. */
const records = [
  record({ n: 1, event: "a", start: 0, end: 2, calls: [{ usd: "0.03" }] }),
  record({ n: 2, event: "b", start: 1, end: 5, status: "failure", calls: [{ usd: "0.01" }, {}] }),
  record({ n: 3, event: "b", start: day, end: day + 3, root: 2, attempt: 2, calls: [{ usd: "0.02" }] }),
  record({ n: 4, event: "c", start: day }),
  record({ n: 5, event: "d", start: 2 * day, end: 2 * day + 1, calls: [{ usd: "0.5" }] })
]

const textOf = (...ns: ReadonlyArray<number>): string =>
  linesOf(records.filter((_, index) => ns.includes(index + 1)))
    .map((line) => `${line}\n`)
    .join("")

const ledgerOfDays = async (): Promise<string> => {
  const ledger = await makeLedger({
    "2026-02-02/a-1.jsonl": textOf(1),
    "2026-02-02/b-1.jsonl": textOf(2),
    "2026-02-03/a-2.jsonl": textOf(3, 4),
    "2026-02-04/c-1.jsonl": textOf(5)
  })
  await abandon(ledger)
  return ledger
}

const segmentsIn = (ledger: string): ReadonlyArray<string> =>
  (readdirSync(ledger, { recursive: true }) as ReadonlyArray<string>).filter((name) => name.endsWith(".jsonl")).sort()

/** Makes the writers of all segments silent for long. */
const abandon = (ledger: string) =>
  Promise.all(segmentsIn(ledger).map((name) => utimes(join(ledger, name), 1_770_000_000, 1_770_000_000)))

const daysIn = (ledger: string): ReadonlyArray<string> =>
  readdirSync(ledger, { recursive: true })
    .filter((name) => String(name).endsWith(".compacted"))
    .map((name) => String(name).slice(0, 10))
    .sort()

/** The folders of compacted days. */
const foldersIn = (ledger: string): ReadonlyArray<string> =>
  readdirSync(ledger, { recursive: true })
    .map((name) => join(ledger, String(name)))
    .filter((name) => name.endsWith(".compacted"))
    .sort()

/** Leaves the keys of events in a file, without their runs. */
const keysAlone = (file: string): Promise<unknown> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(DuckDb.make, ({ query }) =>
        query(`CREATE TABLE keys AS SELECT DISTINCT event_key FROM read_parquet(${DuckDb.literal(file)});
          COPY keys TO ${DuckDb.literal(file)} (FORMAT parquet)`)
      )
    )
  )

const amendment = (event: string, status: "failure" | "partial"): Ledger.OutcomeAmendment =>
  new Ledger.OutcomeAmendment({
    eventId: event,
    outcome: new Outcome.Outcome({ status }),
    by: "crm",
    at: instant(3 * day)
  })

const compact = (ledger: string, ...more: ReadonlyArray<string>) => botanu(["compact", "--ledger", ledger, ...more])

/** Events, their runs and calls, as the command sees them. */
const answers = async (ledger: string): Promise<unknown> => {
  const { code, err, out } = await botanu(["report", "--by", "outcome,day", "--format", "json", "--ledger", ledger])
  expect({ code, err }).toEqual({ code: 0, err: "" })
  const groups = JSON.parse(out) as ReadonlyArray<unknown>
  expect(groups.length).toBeGreaterThan(0)
  return groups
}

const eventsIn = async (ledger: string): Promise<ReadonlyArray<string>> => {
  const { out } = await botanu(["events", "--format", "json", "--ledger", ledger])
  return (JSON.parse(out) as ReadonlyArray<{ eventId: string }>).map(({ eventId }) => eventId).sort()
}

describe("botanu compact", { timeout }, () => {
  it("writes days that are over to Parquet files, which have the version of their schema", async () => {
    const ledger = await ledgerOfDays()
    const before = await answers(ledger)
    const dry = await compact(ledger, "--dry-run")
    expect(dry.out).toMatch(/^would compact 3 days: 4 segments, [\d.]+ MB, 2026-02-02 to 2026-02-04$/)
    expect(segmentsIn(ledger)).toHaveLength(4)
    const { code, err, out } = await compact(ledger)
    expect({ code, err }).toEqual({ code: 0, err: "" })
    expect(out).toMatch(/^compacted 3 days, 2026-02-02 to 2026-02-04: 4 segments, 5 runs, [\d.]+ MB to [\d.]+ MB$/)
    expect(segmentsIn(ledger)).toEqual([])
    expect(readdirSync(ledger).sort()).toEqual(["2026-02-02", "2026-02-03", "2026-02-04"])
    expect(await answers(ledger)).toEqual(before)
    const versions = await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(DuckDb.make, ({ query }) =>
          query(`SELECT DISTINCT decode(key) AS key, decode(value) AS value
            FROM parquet_kv_metadata(${DuckDb.literal(join(ledger, "*/*/*.parquet"))})`)
        )
      )
    )
    expect(versions).toEqual([{ key: "botanu.compacted.version", value: "1" }])
    expect((await compact(ledger)).out).toContain("no day to compact")
  })

  it("leaves today alone, and a day to which a running program wrote last", async () => {
    const today = new Date().toISOString().slice(0, 10)
    const ledger = await makeLedger({
      "2026-02-02/idle-1.jsonl": textOf(1),
      "2026-02-03/busy-1.jsonl": textOf(2),
      [`${today}/busy-2.jsonl`]: textOf(3),
      [`${today}/gone-1.jsonl`]: textOf(5)
    })
    const old = Date.now() / 1000 - 30
    await utimes(join(ledger, "2026-02-03/busy-1.jsonl"), old, old)
    await utimes(join(ledger, today, "gone-1.jsonl"), 0, 0)
    const { out } = await compact(ledger)
    expect(out).toMatch(/^compacted 1 day, 2026-02-03: 1 segment, 1 run,/)
    expect(out).toContain("2026-02-02 waits: a program that is running wrote to it last")
    expect(segmentsIn(ledger)).toEqual(["2026-02-02/idle-1.jsonl", `${today}/busy-2.jsonl`, `${today}/gone-1.jsonl`])
  })

  it("leaves a day alone that has lines of a later version, and counts those that were cut", async () => {
    const ledger = await makeLedger({
      "2026-02-02/a-1.jsonl": `${textOf(1)}{"v":2,"type":"completed"}\n`,
      "2026-02-03/a-2.jsonl": `${textOf(5)}{"v":1,"type":"lost","count":3,"at":"2026-02-03T00:00:00.000Z"}\n${textOf(2).slice(0, 50)}`
    })
    await abandon(ledger)
    const { out } = await compact(ledger)
    expect(out).toContain("2026-02-02 stays as it is: 1 line cannot be read by this version: botanu doctor")
    expect(segmentsIn(ledger)).toEqual(["2026-02-02/a-1.jsonl"])
    const doctor = (await botanu(["doctor", "--ledger", ledger])).out
    expect(doctor).toMatch(/2 days, 1 compacted, 1 segment, 4 records/)
    expect(doctor).toMatch(/warn {3}lines cut by a crash +1 +skipped, in 2026-02-03, compacted/)
    expect(doctor).toMatch(/warn {3}records lost by writers +3/)
    expect(doctor).toMatch(/warn {3}lines of a later version +1/)
    const { err, out: report } = await botanu(["report", "--ledger", ledger])
    expect(report + err).toContain("lines that cannot be read, and are in no sum: 2.")
  })

  it("knows runs that were running: they are lost when their writer is, and end with a later segment", async () => {
    const ledger = await makeLedger({
      "2026-02-02/a-1.jsonl": linesOf([record({ n: 1, event: "a" }), record({ n: 2, event: "b" })]).join("\n"),
      "2026-02-03/a-2.jsonl": ""
    })
    await utimes(join(ledger, "2026-02-02/a-1.jsonl"), 0, 0)
    expect((await compact(ledger)).out).toContain("compacted 1 day")
    const statuses = async () => {
      const { out } = await botanu(["events", "--format", "json", "--ledger", ledger])
      return (JSON.parse(out) as ReadonlyArray<{ eventId: string; status: string }>)
        .map(({ eventId, status }) => `${eventId} ${status}`)
        .sort()
    }
    expect(await statuses()).toEqual(["a running", "b running"])
    await writeFile(join(ledger, "2026-02-03/a-2.jsonl"), linesOf([record({ n: 1, event: "a", end: 3 })]).join("\n"))
    expect(await statuses()).toEqual(["a success", "b running"])
    await utimes(join(ledger, "2026-02-03/a-2.jsonl"), 0, 0)
    expect(await statuses()).toEqual(["a success", "b lost"])
    expect((await compact(ledger)).out).toContain("compacted 1 day")
    expect(await statuses()).toEqual(["a success", "b lost"])
  })

  it("may be ended anywhere: every run is there once, and the next time does the rest", async () => {
    const before = await answers(await ledgerOfDays())
    for (let operations = 0; ; operations++) {
      const ledger = await ledgerOfDays()
      const isWhole = await compactUntil(ledger, "2026-02-03", operations)
      expect(await answers(ledger), `after ${operations} operations`).toEqual(before)
      if (isWhole) break
      if (operations % 2 > 0) continue
      expect((await compact(ledger)).code).toBe(0)
      expect(segmentsIn(ledger)).toEqual([])
      expect(daysIn(ledger)).toEqual(["2026-02-02", "2026-02-03", "2026-02-04"])
      expect(readdirSync(join(ledger, "2026-02-02"))).toHaveLength(1)
      expect(await answers(ledger)).toEqual(before)
    }
  })

  it("works while others read", async () => {
    const ledger = await ledgerOfDays()
    const before = await answers(ledger)
    let isOver = false
    const compacting = compact(ledger).finally(() => {
      isOver = true
    })
    for (let reads = 0; reads < 3 || !isOver; reads++) expect(await answers(ledger)).toEqual(before)
    expect((await compacting).code).toBe(0)
  })

  it("is done by one process at a time", async () => {
    const ledger = await ledgerOfDays()
    const lock = join(ledger, "maintenance.lock")
    const holder = (pid: number, host: string) => writeFile(lock, JSON.stringify({ pid, host, id: "x" }))
    await holder(process.pid, hostname())
    const refused = await compact(ledger)
    expect(refused).toMatchObject({ code: 3, out: "" })
    expect(refused.err).toContain(`process ${process.pid} on ${hostname()} compacts or prunes this ledger`)
    expect((await botanu(["prune", "--older-than", "1d", "--ledger", ledger])).err).toBe(refused.err)
    expect(segmentsIn(ledger)).toHaveLength(4)
    // One on another machine, which was seen a while ago, and one whose process is gone.
    await holder(1, "elsewhere")
    expect((await compact(ledger)).code).toBe(3)
    await utimes(lock, 0, 0)
    const results = await Promise.all([compact(ledger), compact(ledger)])
    expect(results.map(({ code }) => code).sort()[0]).toBe(0)
    expect(daysIn(ledger)).toEqual(["2026-02-02", "2026-02-03", "2026-02-04"])
    await holder(2 ** 22 + 1, hostname())
    expect((await compact(ledger)).code).toBe(0)
    expect(existsSync(lock)).toBe(false)
  })

  it("compacts what comes to a day later, whose records replace those of before", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    const correction = record({ n: 1, event: "a", start: 0, end: 2, status: "failure", calls: [{ usd: "0.07" }] })
    await writeFile(join(ledger, "2026-02-02/z-1.jsonl"), `${linesOf([correction]).join("\n")}\n`)
    await abandon(ledger)
    const seen = await answers(ledger)
    expect((await compact(ledger)).out).toContain("compacted 1 day, 2026-02-02: 1 segment, 1 run")
    expect(daysIn(ledger)).toEqual(["2026-02-02", "2026-02-02", "2026-02-03", "2026-02-04"])
    expect(await answers(ledger)).toEqual(seen)
  })

  it("knows a run whose record was of another event: it is in the event that the last record names", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    const before = await eventsIn(ledger)
    const moved = record({ n: 1, event: "moved", start: 0, end: 2 })
    await writeFile(join(ledger, "2026-02-02/z-1.jsonl"), `${linesOf([moved]).join("\n")}\n`)
    const runsIn = async () =>
      (await botanu(["sql", "select sum(runs) from events", "--format", "csv", "--ledger", ledger])).out
    expect(await eventsIn(ledger)).toEqual([...before.filter((event) => event !== "a"), "moved"])
    const seen = await runsIn()
    await abandon(ledger)
    await compact(ledger)
    expect(await eventsIn(ledger)).toEqual([...before.filter((event) => event !== "a"), "moved"])
    expect(await runsIn()).toBe(seen)
  })

  it("is pruned by day", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    const days = Math.floor(Date.now() / 86_400_000) - Date.parse("2026-02-03") / 86_400_000
    const prune = (...more: ReadonlyArray<string>) =>
      botanu(["prune", "--older-than", `${days}d`, "--ledger", ledger, ...more])
    expect((await prune("--dry-run")).out).toContain(
      "would remove 1 days before 2026-02-03: 0 segments, 1 compacted days"
    )
    expect(daysIn(ledger)).toHaveLength(3)
    expect((await prune()).out).toContain("removed 1 days before 2026-02-03")
    expect(readdirSync(ledger).sort()).toEqual(["2026-02-03", "2026-02-04"])
    expect(await eventsIn(ledger)).toEqual(["b", "c", "d"])
  })

  it("has copies of runs of other days, which go with those days", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    const runsOfB = async () =>
      (
        await botanu([
          "sql",
          "select runs, attempts, usd from events where event_id = 'b'",
          "--format",
          "csv",
          "--ledger",
          ledger
        ])
      ).out
    expect(await runsOfB()).toMatch(/\n2,2,0\.03/)
    await rm(join(ledger, "2026-02-02"), { recursive: true })
    expect(await runsOfB()).toMatch(/\n1,1,0\.02/)
  })

  it("may have days that note no runs of other days, as an earlier version wrote them", async () => {
    const ledger = await ledgerOfDays()
    await writeFile(
      join(ledger, "2026-02-04/c-2.jsonl"),
      `${linesOf([], [amendment("a", "failure"), amendment("d", "partial")]).join("\n")}\n`
    )
    await abandon(ledger)
    const before = await answers(ledger)
    await compact(ledger)
    expect(await answers(ledger)).toEqual(before)
    for (const folder of foldersIn(ledger)) {
      const manifest = join(folder, "manifest.json")
      const text = readFileSync(manifest, "utf8")
      await writeFile(manifest, text.replace(/"amendments":\d+,"unsettledRuns":\d+,/, ""))
      expect(readFileSync(manifest, "utf8").length).toBeLessThan(text.length)
      await keysAlone(join(folder, "unsettled.parquet"))
      expect(await answers(ledger)).toEqual(before)
    }
    const correction = record({ n: 2, event: "b", start: 1, end: 5, status: "failure", calls: [{ usd: "0.5" }] })
    await writeFile(join(ledger, "2026-02-04/z-1.jsonl"), `${linesOf([correction]).join("\n")}\n`)
    expect(
      (await botanu(["sql", "select usd from events where event_id = 'b'", "--format", "csv", "--ledger", ledger])).out
    ).toMatch(/\n0\.52/)
  })

  it("counts an event once, wherever the amendments of other days are", async () => {
    const first = Array.from({ length: 30 }, (_, n) => `first-${n}`)
    const second = Array.from({ length: 70 }, (_, n) => `second-${n}`)
    const runsOf = (events: ReadonlyArray<string>, start: number) =>
      linesOf(events.map((event, n) => record({ n: 100 + start + n, event, start, end: start + 1 })))
    const amendmentsOf = (events: ReadonlyArray<string>) =>
      linesOf(
        [],
        events.map((event) => amendment(event, "partial"))
      )
    const text = (...lines: ReadonlyArray<ReadonlyArray<string>>) => `${lines.flat().join("\n")}\n`
    // The amendments of the first day are in its second segment, those of the second day in its first.
    const ledger = await makeLedger({
      "2026-02-02/a-1.jsonl": text(runsOf(first, 0)),
      "2026-02-02/b-1.jsonl": text(amendmentsOf(first)),
      "2026-02-03/a-2.jsonl": text(amendmentsOf(second), runsOf(second, day))
    })
    await abandon(ledger)
    const before = await answers(ledger)
    expect((await compact(ledger)).out).toContain("compacted 2 days")
    expect(await answers(ledger)).toEqual(before)
  })

  it("is pruned by day where it is not compacted yet: the day of the limit stays", async () => {
    const ledger = await ledgerOfDays()
    const days = Math.floor(Date.now() / 86_400_000) - Date.parse("2026-02-03") / 86_400_000
    const { out } = await botanu(["prune", "--older-than", `${days}d`, "--ledger", ledger])
    expect(out).toContain("removed 1 days before 2026-02-03: 2 segments")
    expect(segmentsIn(ledger)).toEqual(["2026-02-03/a-2.jsonl", "2026-02-04/c-1.jsonl"])
  })

  it("of a later version is counted, and its segments are read as long as they are there", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    const [folder = ""] = readdirSync(join(ledger, "2026-02-02"))
    const manifest = join(ledger, "2026-02-02", folder, "manifest.json")
    await writeFile(manifest, readFileSync(manifest, "utf8").replace('"v":1', '"v":2'))
    const { code, out } = await botanu(["doctor", "--ledger", ledger])
    expect(code).toBe(1)
    expect(out).toMatch(/warn {3}lines of a later version +1 +skipped, update botanu, in 2026-02-02, compacted/)
    expect(await eventsIn(ledger)).toEqual(["b", "c", "d"])
    await writeFile(join(ledger, "2026-02-02/a-1.jsonl"), textOf(1))
    expect(await eventsIn(ledger)).toEqual(["a", "b", "c", "d"])
  })

  it("is named by the library, which does not read Parquet files", async () => {
    const ledger = await ledgerOfDays()
    await compact(ledger)
    await writeFile(join(ledger, "2026-02-04/d-1.jsonl"), textOf(5))
    const contents = await Effect.runPromise(Effect.provide(Ledger.read(ledger), NodeContext.layer))
    expect(contents.records).toHaveLength(1)
    expect(contents.compacted.map(({ day, runs }) => [day, runs])).toEqual([
      ["2026-02-02", 2],
      ["2026-02-03", 2],
      ["2026-02-04", 1]
    ])
    for (const { bytes, path } of contents.compacted) {
      expect(bytes).toBe(readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0))
    }
    // Before manifests had the size of the other files.
    const [{ bytes = 0, path = "" } = {}] = contents.compacted
    const manifest = join(path, "manifest.json")
    const text = readFileSync(manifest, "utf8")
    await writeFile(manifest, text.replace(/,"bytes":\d+}\s*$/, "}"))
    const [again] = (await Effect.runPromise(Effect.provide(Ledger.files(ledger), NodeContext.layer))).compacted
    expect([again?.runs, again?.problem]).toEqual([2, undefined])
    expect(again?.bytes).toBe(bytes - text.length + readFileSync(manifest).length)
  })

  it("is for directories", async () => {
    expect(await compact("postgres://user@localhost/none")).toMatchObject({ code: 2, out: "" })
    expect((await compact("/no/such/ledger")).err).toContain("there is no ledger at /no/such/ledger")
  })
})

/** Compacts the days before one, until so many changes were made to files: none is made after that, as when the process is killed. */
const compactUntil = async (ledger: string, until: string, operations: number): Promise<boolean> => {
  let left = operations
  const counted = <A, E, R>(change: Effect.Effect<A, E, R>): Effect.Effect<A, E | PlatformError.PlatformError, R> =>
    Effect.suspend((): Effect.Effect<A, E | PlatformError.PlatformError, R> => {
      left -= 1
      return left >= 0
        ? change
        : Effect.fail(
            new PlatformError.SystemError({
              reason: "Unknown",
              module: "FileSystem",
              method: "killed",
              description: "killed"
            })
          )
    })
  const work = Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const limited: FileSystem.FileSystem = {
      ...files,
      makeDirectory: (...args) => counted(files.makeDirectory(...args)),
      writeFileString: (...args) => counted(files.writeFileString(...args)),
      rename: (...args) => counted(files.rename(...args)),
      remove: (...args) => counted(files.remove(...args))
    }
    const found = yield* LedgerDirectory.files(ledger)
    for (const day of Compaction.daysOf(found, until).ready) {
      const { compacted } = yield* LedgerDirectory.files(ledger)
      yield* Effect.provideService(Compaction.compact(ledger, day, compacted), FileSystem.FileSystem, limited)
    }
  })
  return Exit.isSuccess(await Effect.runPromiseExit(Effect.provide(work, NodeContext.layer)))
}
