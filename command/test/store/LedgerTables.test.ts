/**
 * How lines become tables. What is in the tables is compared with an oracle in the tests of the queries.
 */
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { Outcome } from "../../../src/index.js"
import { base, record } from "../../../test/report/records.js"
import { instant } from "../../../test/runs.js"
import * as DuckDb from "../../src/store/DuckDb.js"
import * as LedgerDirectory from "../../src/store/LedgerDirectory.js"
import * as LedgerTables from "../../src/store/LedgerTables.js"
import { linesOf, makeLedger } from "../botanu.js"

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
    yield* LedgerTables.load(watched, yield* LedgerDirectory.files(directory), "runs")
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
