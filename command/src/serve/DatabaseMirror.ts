/**
 * A ledger in a PostgreSQL database, for the page: what is new in it is written to a directory of this process, from which the
 * mirror reads.
 */
import { FileSystem, Path } from "@effect/platform"
import type { RunRecord } from "botanu-effect/report"
import { DateTime, Effect, Layer } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import type { Store } from "../store/LedgerStore.js"
import * as PostgresStore from "../store/PostgresStore.js"
import { layerDirectory } from "./LedgerMirror.js"

/** How often the database is asked, in milliseconds. */
const pollMillis = 2000

/** A run may be reported so long after its start, in milliseconds, and is found without reading all runs again. */
const latestMillis = 86_400_000

/** A mirror of the ledger at a URL. A database that cannot be reached at the start is an error; later it is away. */
export const layer = (url: string) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files
        .makeTempDirectoryScoped({ prefix: "botanu-serve-" })
        .pipe(Effect.mapError(({ message }) => new CommandError({ message, exitCode: exitCodes.trouble })))
      const store = yield* PostgresStore.open(url)
      const pull = yield* pullFrom(store, directory)
      yield* pull
      return layerDirectory({ ledger: directory, pollMillis, pull })
    })
  )

const pullFrom = (store: Store, directory: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    /** How each run was written last. */
    const written = new Map<string, string>()
    let amendmentsWritten = 0
    let counted = ""
    let openSince: number | undefined
    let lastStart = 0
    const folder = path.join(directory, "2000-01-01")
    const alive = path.join(folder, "alive-1.jsonl")
    const gone = path.join(folder, "gone-1.jsonl")
    const append = (file: string, lines: ReadonlyArray<string>) =>
      files.writeFileString(file, lines.map((line) => `${line}\n`).join(""), { flag: "a" })

    return Effect.gen(function* () {
      const [counts] = yield* store.query({
        from: ["runs", "amendments"],
        text: `SELECT count(*) AS runs, count(end_time) AS ended, count(*) FILTER (WHERE report_status = 'lost') AS lost,
          max(repriced_at) AS repriced, (SELECT count(*) FROM amendments) AS amendments FROM runs`
      })
      yield* files.makeDirectory(folder, { recursive: true })
      if (JSON.stringify(counts) !== counted) {
        const since = Math.min(openSince ?? lastStart, lastStart) - latestMillis
        const { amendments, records } = yield* store.records(
          counted === "" ? {} : { since: DateTime.unsafeMake(Math.max(0, since)) }
        )
        const fresh = records.filter((record) => written.get(record.run.runId) !== versionOf(record))
        const lineOf = ({ completed, run }: RunRecord.RunRecord): string =>
          JSON.stringify(
            completed === undefined ? { v: 1, type: "started", run } : { v: 1, type: "completed", completed }
          )
        const amended = amendments
          .slice(counted === "" ? 0 : amendmentsWritten)
          .map((amendment) => JSON.stringify({ v: 1, type: "amended", amendment }))
        yield* append(alive, [...fresh.filter(({ isLost }) => isLost !== true).map(lineOf), ...amended])
        yield* append(gone, fresh.filter(({ isLost }) => isLost === true).map(lineOf))
        for (const record of fresh) written.set(record.run.runId, versionOf(record))
        amendmentsWritten = amendments.length
        const starts = records.map(({ run }) => run.startTime.epochMillis)
        lastStart = starts.reduce((last, start) => Math.max(last, start), lastStart)
        openSince = records
          .filter(({ completed }) => completed === undefined)
          .reduce<number | undefined>(
            (first, { run }) => Math.min(first ?? Number.POSITIVE_INFINITY, run.startTime.epochMillis),
            undefined
          )
        counted = JSON.stringify(counts)
      }
      // A segment whose writer is silent holds the runs whose process is gone.
      if (yield* files.exists(alive)) yield* files.utimes(alive, new Date(), new Date())
      if (yield* files.exists(gone)) yield* files.utimes(gone, 0, 0)
    }).pipe(Effect.catchTags({ BadArgument: asTrouble, SystemError: asTrouble }))
  })

/** What differs between two states of a run. */
const versionOf = ({ completed, isLost }: RunRecord.RunRecord): string =>
  completed === undefined
    ? isLost === true
      ? "lost"
      : "started"
    : `completed ${completed.repriced?.time.epochMillis ?? ""}`

const asTrouble = ({ message }: { readonly message: string }) =>
  new CommandError({ message: `the ledger cannot be read: ${message}`, exitCode: exitCodes.trouble })
