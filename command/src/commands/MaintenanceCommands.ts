/**
 * `botanu prune`, `botanu migrate`: what keeps a ledger in shape.
 */
import { FileSystem, Path } from "@effect/platform"
import * as SqlClient from "@effect/sql/SqlClient"
import { Figures, TerminalText } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Clock, DateTime, Effect } from "effect"
import { megabytes } from "../Amounts.js"
import { CommandError, exitCodes } from "../CommandError.js"
import * as Compaction from "../store/Compaction.js"
import * as LedgerDirectory from "../store/LedgerDirectory.js"
import * as LedgerLock from "../store/LedgerLock.js"
import * as PostgresStore from "../store/PostgresStore.js"
import { Screen } from "../terminal/Screen.js"
import { quoted, usageError } from "./EventOptions.js"

type Needs = Screen | FileSystem.FileSystem | Path.Path

const dayMillis = 86_400_000

/** Removes what is older than so many days: days of a directory, months of a database. */
export const prune = (options: {
  readonly ledger: string
  readonly olderThan: string
  readonly isDryRun: boolean
}): Effect.Effect<void, CommandError, Needs> =>
  Effect.gen(function* () {
    const days = /^([1-9]\d{0,4})d$/.exec(options.olderThan)?.[1]
    if (days === undefined) {
      return yield* usageError(`--older-than: expected a number of days such as 90d, got ${quoted(options.olderThan)}`)
    }
    const now = yield* Clock.currentTimeMillis
    const before = Math.floor(now / dayMillis) * dayMillis - Number(days) * dayMillis
    yield* PostgresStore.isUrl(options.ledger)
      ? pruneDatabase(options.ledger, before, options.isDryRun)
      : pruneDirectory(options.ledger, new Date(before).toISOString().slice(0, 10), options.isDryRun)
  })

const pruneDirectory = (directory: string, firstDay: string, isDryRun: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      yield* LedgerDirectory.files(directory)
      if (!isDryRun) yield* LedgerLock.hold(directory)
      const found = yield* LedgerDirectory.files(directory)
      const segments = found.segments.filter(({ day }) => day < firstDay)
      const compacted = found.compacted.filter(({ day }) => day < firstDay)
      const days = Array.from(new Set([...segments, ...compacted].map(({ day }) => day))).sort()
      if (!isDryRun) {
        yield* Compaction.cleaned(directory, found)
        for (const segment of segments) yield* files.remove(segment.path, { force: true })
        for (const one of compacted) {
          // A reader sees all of its files or none.
          const removed = `${one.path}${Compaction.unfinishedSuffix}`
          yield* files.rename(one.path, removed)
          yield* files.remove(removed, { recursive: true })
        }
        // A folder with files of others stays.
        for (const day of days) {
          const folder = path.join(directory, day)
          if ((yield* files.readDirectory(folder)).length === 0) yield* files.remove(folder, { recursive: true })
        }
      }
      const bytes = [...segments, ...compacted].reduce((sum, { bytes }) => sum + bytes, 0)
      const span = days.length === 0 ? "" : `, ${days[0]} to ${days[days.length - 1]}`
      const parts = [
        `${Figures.count(segments.length)} segments`,
        ...(compacted.length === 0 ? [] : [`${Figures.count(compacted.length)} compacted days`]),
        megabytes(bytes)
      ]
      yield* print([
        `${isDryRun ? "would remove" : "removed"} ${Figures.count(days.length)} days before ${firstDay}: ${parts.join(", ")}${span}`
      ])
    })
  ).pipe(Effect.catchTags({ BadArgument: LedgerDirectory.unreadable, SystemError: LedgerDirectory.unreadable }))

const pruneDatabase = (location: string, before: number, isDryRun: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      const database = yield* PostgresStore.locationOf(location)
      const client = yield* PostgresStore.client(database, isDryRun ? "reads" : "writes")
      const removal = isDryRun
        ? monthsBefore(before, database.schema)
        : LedgerSql.prune({ before: DateTime.unsafeMake(before), schema: database.schema })
      const months = yield* removal.pipe(
        Effect.provide(client),
        Effect.mapError((error) => PostgresStore.problemOf(database, error))
      )
      yield* print([
        months.length === 0
          ? `no month was over on ${new Date(before).toISOString().slice(0, 10)}`
          : `${isDryRun ? "would remove" : "removed"} ${months.map(TerminalText.visible).join(", ")}`
      ])
    })
  )

/** The months of a database that were over at an instant. */
const monthsBefore = (before: number, schema: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql<{ readonly month: string }>`
      SELECT replace(right(child.relname, 7), '_', '-') AS month FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
      WHERE inhparent = ${`${schema}.runs`}::regclass
        AND (to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC'
          <= ${new Date(before).toISOString()}::timestamptz
      ORDER BY 1`.withoutTransform
    return rows.map(({ month }) => month)
  })

/** Makes the tables of a database, or brings them up to date. A directory needs none. */
export const migrate = ({ ledger }: { readonly ledger: string }): Effect.Effect<void, CommandError, Needs> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      if (!PostgresStore.isUrl(ledger)) {
        yield* LedgerDirectory.files(ledger)
        return yield* print([`${TerminalText.visible(ledger)}   a directory needs no migration`])
      }
      const database = yield* PostgresStore.locationOf(ledger)
      const client = yield* PostgresStore.client(database, "writes")
      const versions = yield* LedgerSql.migrate({ schema: database.schema }).pipe(
        Effect.provide(client),
        Effect.mapError(
          (error) =>
            new CommandError({
              message: `the migration failed, and changed nothing: ${TerminalText.visible(PostgresStore.causeOf(error).message)}`,
              exitCode: exitCodes.trouble
            })
        )
      )
      yield* print([
        `${TerminalText.visible(database.name)}   ${versions.length === 0 ? "is up to date" : `migrated: ${versions.join(", ")}`}`
      ])
    })
  )
