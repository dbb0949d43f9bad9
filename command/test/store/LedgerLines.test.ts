/**
 * Records of all runs, while others are written.
 */
import { appendFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect, Stream } from "effect"
import { expect, it } from "vitest"
import { record } from "../../../test/report/records.js"
import * as DuckDb from "../../src/store/DuckDb.js"
import * as LedgerDirectory from "../../src/store/LedgerDirectory.js"
import * as LedgerLines from "../../src/store/LedgerLines.js"
import * as LedgerTables from "../../src/store/LedgerTables.js"
import { ledgerOf, linesOf } from "../botanu.js"

it("are there once for each run, also for one that ends between the two readings of its lines", async () => {
  const directory = await ledgerOf(linesOf([record({ n: 1 }), record({ n: 2 })]))
  const records = Effect.gen(function* () {
    const database = yield* DuckDb.make
    const files = yield* LedgerDirectory.files(directory)
    yield* LedgerTables.load(database, files, LedgerTables.whole("runs"))
    const shared = yield* LedgerLines.sharedRuns(database, files)
    const [end = ""] = linesOf([record({ n: 1, end: 5 })])
    yield* Effect.promise(() => appendFile(join(directory, "2026-02-02/writer-1.jsonl"), `${end}\n`))
    return Array.from(yield* Stream.runCollect(LedgerLines.streamOf(database, files, shared))).flat()
  })
  const found = await Effect.runPromise(Effect.provide(Effect.scoped(records), NodeContext.layer))
  expect(found.map(({ completed, run }) => [run.runId.slice(-1), completed?.status]).sort()).toEqual([
    ["1", "success"],
    ["2", undefined]
  ])
})
