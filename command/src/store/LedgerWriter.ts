/**
 * Writes to a ledger from the command: amendments, corrections, runs of other programs.
 */
import { FileSystem, Path } from "@effect/platform"
import type { CompletedRun } from "botanu-effect"
import { RunId } from "botanu-effect"
import type { Ledger } from "botanu-effect/ledger"
import { RunRecord, TerminalText } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Clock, Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as LedgerDirectory from "./LedgerDirectory.js"
import * as PostgresStore from "./PostgresStore.js"

/** What is written. */
export interface Additions {
  readonly completed?: ReadonlyArray<CompletedRun>
  readonly amendments?: ReadonlyArray<Ledger.OutcomeAmendment>
}

/** Writes all of it, or fails and writes nothing. The ledger has to be there. */
export const write = (
  location: string,
  additions: Additions
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path> =>
  PostgresStore.isUrl(location) ? writeToDatabase(location, additions) : writeToDirectory(location, additions)

/** Makes the directory of a ledger where there is none. The tables of a database are made by `botanu migrate`. */
export const begin = (location: string): Effect.Effect<void, CommandError, FileSystem.FileSystem> =>
  PostgresStore.isUrl(location)
    ? Effect.void
    : Effect.flatMap(FileSystem.FileSystem, (files) => files.makeDirectory(location, { recursive: true })).pipe(
        Effect.catchTags({ BadArgument: (error) => unwritable(error), SystemError: (error) => unwritable(error) })
      )

const writeToDatabase = (location: string, { amendments = [], completed = [] }: Additions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const database = yield* PostgresStore.locationOf(location)
      const client = yield* PostgresStore.client(database, "writes")
      yield* LedgerSql.write(
        { records: completed.map(RunRecord.fromCompleted), amendments },
        { schema: database.schema }
      ).pipe(
        Effect.provide(client),
        Effect.mapError((error) => PostgresStore.problemOf(database, error))
      )
    })
  )

const writeToDirectory = (directory: string, { amendments = [], completed = [] }: Additions) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* LedgerDirectory.files(directory)
    const lines = [
      ...completed.map((completed) => ({ v: 1, type: "completed", completed })),
      ...amendments.map((amendment) => ({ v: 1, type: "amended", amendment }))
    ]
    if (lines.length === 0) return
    const now = yield* Clock.currentTimeMillis
    const folder = path.join(directory, new Date(now).toISOString().slice(0, 10))
    const segment = path.join(folder, `${yield* RunId.make}-1.jsonl`)
    yield* files.makeDirectory(folder, { recursive: true })
    // A reader sees all lines or none.
    const unfinished = `${segment}.part`
    yield* files.writeFileString(unfinished, lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
    yield* files.rename(unfinished, segment)
  }).pipe(
    Effect.catchTags({
      BadArgument: (error) => unwritable(error),
      SystemError: (error) => unwritable(error)
    })
  )

const unwritable = ({ message }: { readonly message: string }) =>
  new CommandError({
    message: `the ledger cannot be written: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })
