/**
 * The ledger in memory: all of it is there, or it says what is not.
 */
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { LedgerMirror, layerDirectory } from "../../src/serve/LedgerMirror.js"
import * as MirrorTables from "../../src/serve/MirrorTables.js"
import * as DuckDb from "../../src/store/DuckDb.js"
import { type Close, makeFolder, restingMillis } from "./served.js"

const closes: Array<Close> = []

afterAll(async () => {
  for (const close of closes) await close()
})

/** Reads from the mirror of a ledger, once it was read. */
const mirrored = <A>(ledger: string, use: (mirror: LedgerMirror["Type"]) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.flatMap(LedgerMirror, (mirror) => Effect.zipRight(mirror.query("SELECT 1 AS one", {}), use(mirror))).pipe(
    Effect.provide(layerDirectory({ ledger, pollMillis: restingMillis })),
    Effect.provide(NodeContext.layer),
    Effect.runPromise
  )

/** The line of a run that has completed. */
const completed = (number: number, usd = "0.5"): string => {
  const id = `019c0000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`
  const run = `{"runId":"${id}","workflow":"Desk","eventId":"e-${number}","customerId":"acme","environment":"test","rootRunId":"${id}","attempt":1,"startTime":"2026-02-02T00:00:00.000Z","cancelled":false}`
  return `{"v":1,"type":"completed","completed":{"run":${run},"status":"success","outcome":{"status":"success"},"endTime":"2026-02-02T00:00:01.000Z","durationMs":1000,"usages":[],"totals":{"usd":"${usd}","inputTokens":0,"outputTokens":0,"calls":0,"unpricedCalls":0},"annotations":{}}}\n`
}

const linesOf = (from: number, until: number): string =>
  Array.from({ length: until - from }, (_, index) => completed(from + index)).join("")

describe("what is not in memory", () => {
  it("is said: lines of a later version, and compacted days that cannot be read", async () => {
    const ledger = await makeFolder(closes)
    for (const [day, manifest] of [
      ["2026-02-02", "{}"],
      ["2026-02-03", '{"v":2}']
    ] as const) {
      const folder = join(ledger, day, "019c0000-0000-7000-8000-000000000001.compacted")
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, "manifest.json"), manifest)
    }
    await writeFile(
      join(ledger, "2026-02-03", "writer-1.jsonl"),
      `${completed(1)}{"v":2,"type":"completed"}\n{"v":1,"type":"other"}\n{"v":1,"type":"compl\n`
    )
    expect(await mirrored(ledger, ({ state }) => state)).toMatchObject({
      state: "ready",
      events: 1,
      problems: [
        { problem: "cut", lines: 1, places: ["2026-02-03/writer-1.jsonl"] },
        { problem: "newer_version", lines: 2, places: ["2026-02-03/writer-1.jsonl", "2026-02-03, compacted"] },
        { problem: "invalid", lines: 2, places: ["2026-02-03/writer-1.jsonl", "2026-02-02, compacted"] }
      ]
    })
  })

  it("is what was removed from the ledger", async () => {
    const ledger = await makeFolder(closes)
    for (const [day, line] of [
      ["2026-02-02", completed(1)],
      ["2026-02-03", completed(2)]
    ] as const) {
      await mkdir(join(ledger, day))
      await writeFile(join(ledger, day, "writer-1.jsonl"), line)
    }
    await mirrored(ledger, ({ query, refresh }) =>
      Effect.gen(function* () {
        const events = query("SELECT eventId FROM events ORDER BY ALL", {})
        expect(yield* events).toEqual([{ eventId: "e-1" }, { eventId: "e-2" }])
        yield* Effect.promise(() => rm(join(ledger, "2026-02-02"), { recursive: true }))
        yield* refresh
        expect(yield* events).toEqual([{ eventId: "e-2" }])
        yield* Effect.promise(() => rm(join(ledger, "2026-02-03"), { recursive: true }))
        yield* refresh
        expect(yield* events).toEqual([])
      })
    )
  })

  it("is an error where DuckDB has not kept what was added", () =>
    Effect.gen(function* () {
      const { query } = yield* DuckDb.make
      const all = (statements: ReadonlyArray<string>) =>
        Effect.forEach(statements, (statement) => query(statement), { discard: true })
      yield* all(MirrorTables.create)
      yield* query("INSERT INTO keys VALUES (1, 'e-1', 'acme')")
      yield* query(
        "INSERT INTO runs (run, event, runId, startMs, isCompleted, usd) VALUES (1, 1, 'r-1', 0, true, 1), (2, 1, 'r-2', 0, true, 1)"
      )
      // Nothing says that the event has to be derived.
      const { message } = yield* Effect.flip(all(MirrorTables.derive))
      expect(message).toContain("0 of 2 runs of events are in memory")
      yield* query("INSERT INTO touched VALUES (1)")
      yield* all(MirrorTables.derive)
    }).pipe(Effect.scoped, Effect.runPromise))
})

describe("of two records of a run", () => {
  it("the later one counts, by file and line, however many threads read", async () => {
    const ledger = await makeFolder(closes)
    await mkdir(join(ledger, "2026-02-02"))
    const runs = 20_000
    const written = (name: string, text: string) => writeFile(join(ledger, "2026-02-02", name), text)
    await written("writer-1.jsonl", linesOf(0, runs) + completed(runs, "0.25"))
    await written("writer-2.jsonl", completed(runs, "0.75") + linesOf(runs + 1, 2 * runs))
    const usd = await mirrored(ledger, ({ query }) =>
      query("SELECT sum(usd) AS usd, count(*) AS events FROM events", {})
    )
    expect(usd).toEqual([{ usd: `${0.5 * (2 * runs - 1) + 0.75}${"0".repeat(16)}`, events: String(2 * runs) }])
  }, 60_000)
})
