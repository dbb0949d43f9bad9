/**
 * The stores that reports are tested on.
 */
import { mkdir, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { RunRecord } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Effect, Layer, Schema } from "effect"
import { CompletedRun, Run } from "../../src/index.js"
import { clientOf, useServer } from "../../test/sql/database.js"
import { isInstalled, type PostgresServer } from "../../test/sql/PostgresServer.js"
import * as LedgerStore from "../src/store/LedgerStore.js"
import { botanu, ledgerOf, makeLedger } from "./botanu.js"

export interface TestStore {
  readonly name: string
  /** How many examples a property has. */
  readonly numRuns: number
  /** A ledger with these lines, as `--ledger` names it. It is removed after the test. */
  readonly ledgerOf: (lines: ReadonlyArray<string>) => Promise<string>
}

/** The directory and, where it is installed, a PostgreSQL server, which runs while the tests of the file do. */
export const stores = (): ReadonlyArray<TestStore> => {
  const directories: ReadonlyArray<TestStore> = [
    { name: "a directory", numRuns: 24, ledgerOf },
    { name: "a directory of which days are compacted", numRuns: 4, ledgerOf: partlyCompactedOf }
  ]
  if (!isInstalled) return directories
  const server = useServer()
  return [...directories, { name: "PostgreSQL", numRuns: 12, ledgerOf: (lines) => databaseOf(server(), lines) }]
}

/** A ledger with these lines in their order: in two days that are compacted, one by one, and in segments. */
const partlyCompactedOf = async (lines: ReadonlyArray<string>): Promise<string> => {
  const size = Math.max(1, Math.ceil(lines.length / 3))
  // The writer is there as long as its latest segment is fresh.
  const directory = await makeLedger({ "2026-02-05/writer-3.jsonl": textOf(lines.slice(2 * size)) })
  for (const [index, day] of ["2026-02-03", "2026-02-04"].entries()) {
    await mkdir(join(directory, day))
    await writeFile(
      join(directory, day, `writer-${index + 1}.jsonl`),
      textOf(lines.slice(index * size, (index + 1) * size))
    )
    // Written before the one that stays.
    await utimes(join(directory, day, `writer-${index + 1}.jsonl`), index, index)
    const { code, err } = await botanu(["compact", "--ledger", directory])
    if (code !== 0) throw new Error(err)
  }
  return directory
}

const textOf = (lines: ReadonlyArray<string>): string => lines.map((line) => `${line}\n`).join("")

/** A new database with a ledger of these lines. */
const databaseOf = async (server: PostgresServer, lines: ReadonlyArray<string>): Promise<string> => {
  const directory = await ledgerOf(lines)
  const url = await server.newDatabase()
  const copied = Effect.gen(function* () {
    const { amendments } = yield* Ledger.read(directory)
    yield* LedgerSql.migrate()
    yield* LedgerSql.write({ records: yield* recordsIn(lines), amendments })
  })
  await Effect.runPromise(Effect.provide(copied, [NodeContext.layer, clientOf(url)]))
  return url
}

/** All records of lines, also several of one run. */
const recordsIn = (lines: ReadonlyArray<string>) =>
  Effect.forEach(
    lines.filter((line) => !line.includes('"amended"')),
    (line) =>
      Effect.map(decodeLine(line), ({ completed, run }) =>
        completed === undefined ? RunRecord.started(run as Run) : RunRecord.fromCompleted(completed)
      )
  )

const decodeLine = Schema.decodeUnknown(
  Schema.parseJson(Schema.Struct({ run: Schema.optional(Run), completed: Schema.optional(CompletedRun) }))
)

/** Reads the ledger at a location. */
export const reading = <A, E>(location: string, effect: Effect.Effect<A, E, LedgerStore.LedgerStore>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, Layer.provide(LedgerStore.layer(location), NodeContext.layer)))
