/**
 * `botanu prune`, `botanu migrate`: what keeps a ledger in shape.
 */
import { FileSystem, Path } from "@effect/platform"
import { Figures, TerminalText } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { Clock, DateTime, Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import { segments, unreadable } from "../store/LedgerDirectory.js"
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
  Effect.gen(function* () {
    const { print } = yield* Screen
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const old = (yield* segments(directory)).filter(({ day }) => day < firstDay)
    const days = Array.from(new Set(old.map(({ day }) => day)))
    if (!isDryRun) {
      for (const segment of old) yield* files.remove(segment.path, { force: true })
      // A folder with files of others stays.
      for (const day of days) {
        const folder = path.join(directory, day)
        if ((yield* files.readDirectory(folder)).length === 0) yield* files.remove(folder, { recursive: true })
      }
    }
    const megabytes = (old.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1)
    const span = days.length === 0 ? "" : `, ${days[0]} to ${days[days.length - 1]}`
    yield* print([
      `${isDryRun ? "would remove" : "removed"} ${Figures.count(days.length)} days before ${firstDay}: ${Figures.count(old.length)} segments, ${megabytes} MB${span}`
    ])
  }).pipe(Effect.catchTags({ BadArgument: unreadable, SystemError: unreadable }))

const pruneDatabase = (location: string, before: number, isDryRun: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      if (isDryRun) {
        return yield* usageError("--dry-run: only for directories; a database drops whole months that are over")
      }
      const database = yield* PostgresStore.locationOf(location)
      const client = yield* PostgresStore.client(database, "writes")
      const months = yield* LedgerSql.prune({ before: DateTime.unsafeMake(before), schema: database.schema }).pipe(
        Effect.provide(client),
        Effect.mapError((error) => PostgresStore.problemOf(database, error))
      )
      yield* print([
        months.length === 0
          ? `no month was over on ${new Date(before).toISOString().slice(0, 10)}`
          : `removed ${months.map(TerminalText.visible).join(", ")}`
      ])
    })
  )

/** Makes the tables of a database, or brings them up to date. A directory needs none. */
export const migrate = ({ ledger }: { readonly ledger: string }): Effect.Effect<void, CommandError, Needs> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print } = yield* Screen
      if (!PostgresStore.isUrl(ledger)) {
        yield* segments(ledger)
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
