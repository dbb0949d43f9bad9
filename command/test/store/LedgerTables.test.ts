/**
 * How lines become tables. What is in the tables is compared with an oracle in the tests of the queries.
 */
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { BigDecimal, Effect, Stream } from "effect"
import { expect, it } from "vitest"
import { abandoned, compacted } from "../../../bench/ledger/CompactedLedger.js"
import { write } from "../../../bench/ledger/GeneratedLedger.js"
import { Outcome } from "../../../src/index.js"
import { base, record } from "../../../test/report/records.js"
import { instant } from "../../../test/runs.js"
import { callFigures } from "../../src/query/CallFigures.js"
import { eventFigures } from "../../src/query/EventFigures.js"
import { eventList } from "../../src/query/EventList.js"
import * as DuckDb from "../../src/store/DuckDb.js"
import * as EventRelation from "../../src/store/EventRelation.js"
import * as LedgerDirectory from "../../src/store/LedgerDirectory.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import * as LedgerTables from "../../src/store/LedgerTables.js"
import { linesOf, makeLedger } from "../botanu.js"
import { reading } from "../stores.js"

const amendment = (status: "failure" | "partial") =>
  new Ledger.OutcomeAmendment({
    eventId: "ticket-42",
    outcome: new Outcome.Outcome({ status }),
    by: "crm-sync",
    at: instant(base)
  })

const textOf = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

it("reads a segment in its order only where that counts: of two records, or two amendments of one time, the later one holds", async () => {
  const twice = [record({ n: 1, end: 2, status: "failure" }), record({ n: 1, end: 2, status: "success" })]
  const directory = await makeLedger({
    "2026-02-02/one-1.jsonl": textOf(linesOf([record({ n: 2 }), record({ n: 2, end: 3 })])),
    "2026-02-02/twice-1.jsonl": textOf(linesOf(twice)),
    "2026-02-02/amended-1.jsonl": textOf(linesOf([], (["failure", "partial"] as const).map(amendment)))
  })
  const read = Effect.gen(function* () {
    const database = yield* DuckDb.make
    const inOrder: Array<string> = []
    const watched: DuckDb.DuckDb = {
      ...database,
      query: (statement, parameters) =>
        Effect.gen(function* () {
          const [setting] = yield* database.query(
            "SELECT current_setting('preserve_insertion_order')::VARCHAR AS is_kept"
          )
          if (statement.includes("read_json") && setting?.["is_kept"] === "true") inOrder.push(statement)
          return yield* database.query(statement, parameters)
        })
    }
    yield* LedgerTables.load(watched, yield* LedgerDirectory.files(directory), LedgerTables.whole("runs"))
    expect(inOrder).toHaveLength(1)
    expect(inOrder[0]).toContain("twice-1.jsonl")
    expect(inOrder[0]).toContain("amended-1.jsonl")
    expect(inOrder[0]).not.toContain("one-1.jsonl")
    expect(yield* database.query("SELECT DISTINCT status FROM events WHERE is_amended")).toEqual([
      { status: "partial" }
    ])
    return yield* database.query("SELECT run_status FROM runs ORDER BY run_id")
  })
  const rows = await Effect.runPromise(Effect.provide(Effect.scoped(read), NodeContext.layer))
  expect(rows).toEqual([{ run_status: "success" }, { run_status: "success" }])
})

/** Rows of the tables of a directory, of which so much is read. */
const rowsOf = (directory: string, reading: LedgerTables.Reading, statement: string) =>
  Effect.gen(function* () {
    const database = yield* DuckDb.make
    yield* LedgerTables.load(database, yield* LedgerDirectory.files(directory), reading)
    return yield* database.query(statement)
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.runPromise)

const eventsOf = (directory: string, events: ReadonlyArray<EventRelation.EventColumn>) =>
  rowsOf(directory, { ...LedgerTables.whole("events"), events }, "SELECT * FROM events ORDER BY ALL")

it("reads of lines and of compacted days what the columns that are asked for are made of, and has no others", async () => {
  const directory = await makeLedger({})
  write(directory, { seed: 11, runs: 60, days: 3, customers: 5 })
  abandoned(directory)
  const sameAlone = async () => {
    const events = await eventsOf(directory, EventRelation.columns)
    for (const column of EventRelation.columns) {
      const expected = events.map((event) => JSON.stringify([event["event_id"], event[column]]))
      const found = await eventsOf(directory, ["event_id", ...(column === "event_id" ? [] : [column])])
      expect(Object.keys(found[0] ?? {})).toEqual(Array.from(new Set(["event_id", column])))
      expect(found.map((event) => JSON.stringify([event["event_id"], event[column]])).sort()).toEqual(expected.sort())
    }
    return events.length
  }
  const events = await sameAlone()
  await compacted(directory)
  expect(await sameAlone()).toBe(events)
}, 60_000)

it("reads lines once more for a question that needs other columns", async () => {
  const directory = await makeLedger({})
  write(directory, { seed: 12, runs: 20, days: 1 })
  const events = eventList({}, { sort: "start", limit: 5 })
  const [, after] = await reading(directory, Effect.all([eventFigures([]), events]))
  expect(after).toEqual(await reading(directory, events))
  expect(after[0]?.workflow).not.toBe("")
})

it("has all records also after a question about calls", async () => {
  const directory = await makeLedger({})
  const runs = write(directory, { seed: 14, runs: 20, days: 1 })
  const records = Effect.flatMap(LedgerStore, ({ allRecords }) => Stream.runCollect(allRecords))
  const [, found, [calls]] = await reading(directory, Effect.all([callFigures([]), records, callFigures([])]))
  expect(Array.from(found).flat()).toHaveLength(runs)
  expect(calls?.calls).toBeGreaterThan(0)
})

it("reads calls without a price as it reads all, of lines and of compacted days", async () => {
  const directory = await makeLedger({})
  write(directory, { seed: 13, runs: 300, days: 3, customers: 5 })
  abandoned(directory)
  const consumed = (reading: LedgerTables.Reading) =>
    rowsOf(
      directory,
      reading,
      `SELECT r.event_id, r.run_status, r.parent_run_id, u.* EXCLUDE (number), q.meter, q.amount
        FROM runs r JOIN usages u USING (run_id) JOIN quantities q ON q.run_id = u.run_id AND q.usage_number = u.number
        WHERE u.cost = 'Unpriced' ORDER BY ALL`
    )
  const sameUnpriced = async () => {
    const whole = LedgerTables.whole("quantities")
    const expected = await consumed(whole)
    expect(expected.length).toBeGreaterThan(10)
    expect(await consumed({ ...whole, events: [], runs: ["parent_run_id", "status"], calls: "unpriced" })).toEqual(
      expected
    )
    return expected
  }
  const ofLines = await sameUnpriced()
  await compacted(directory)
  expect(await sameUnpriced()).toEqual(ofLines)
})

it("keeps what was spent before the final attempt where the first compacted day has no retries", async () => {
  const day = 86_400
  const directory = await makeLedger({
    "2026-02-02/writer-1.jsonl": textOf(
      linesOf([record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.5" }] })])
    ),
    "2026-02-03/writer-2.jsonl": textOf(
      linesOf([
        record({ n: 2, event: "ticket-2", start: day, end: day + 1, status: "failure", calls: [{ usd: "0.25" }] }),
        record({ n: 3, root: 2, attempt: 2, event: "ticket-2", start: day + 2, end: day + 3, calls: [{ usd: "0.5" }] })
      ])
    )
  })
  abandoned(directory)
  const before = async () =>
    (await reading(directory, eventList({}, { sort: "start", limit: 5 }))).map(({ eventId, usdBeforeFinal }) => [
      eventId,
      BigDecimal.format(usdBeforeFinal)
    ])
  const expected = [
    ["ticket-2", "0.25"],
    ["ticket-1", "0"]
  ]
  expect(await before()).toEqual(expected)
  await compacted(directory)
  expect(await before()).toEqual(expected)
  // Days that were compacted before that was mended have zeros that are no amounts.
  const { compacted: days } = await Effect.runPromise(
    Effect.provide(LedgerDirectory.files(directory), NodeContext.layer)
  )
  const file = join(days[0]?.path ?? "", "events.parquet")
  const rewritten = Effect.flatMap(DuckDb.make, ({ query }) =>
    query(`CREATE TABLE events AS SELECT * REPLACE (usd_before_final::INTEGER AS usd_before_final) FROM '${file}';
      COPY events TO '${file}' (FORMAT parquet)`)
  )
  await Effect.runPromise(Effect.scoped(rewritten))
  expect(await before()).toEqual(expected)
})
