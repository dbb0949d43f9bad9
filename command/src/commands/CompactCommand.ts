/**
 * `botanu compact`: the segments of days that are over, as Parquet files.
 */
import type { FileSystem, Path } from "@effect/platform"
import { TerminalText } from "botanu-effect/report"
import { Clock, Effect, Ref } from "effect"
import { megabytes, plural } from "../Amounts.js"
import type { CommandError } from "../CommandError.js"
import * as Compaction from "../store/Compaction.js"
import * as LedgerDirectory from "../store/LedgerDirectory.js"
import * as LedgerLock from "../store/LedgerLock.js"
import * as PostgresStore from "../store/PostgresStore.js"
import { Screen } from "../terminal/Screen.js"
import { usageError } from "./EventOptions.js"

/** Compacts the days of a directory that are over. */
export const compact = (options: {
  readonly ledger: string
  readonly isDryRun: boolean
}): Effect.Effect<void, CommandError, Screen | FileSystem.FileSystem | Path.Path> =>
  PostgresStore.isUrl(options.ledger)
    ? usageError("--ledger: a database needs no compaction; name a directory")
    : options.isDryRun
      ? preview(options.ledger)
      : compactAll(options.ledger)

const today = Effect.map(Clock.currentTimeMillis, (now) => new Date(now).toISOString().slice(0, 10))

const preview = (directory: string) =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    const { inUse, ready } = Compaction.daysOf(yield* LedgerDirectory.files(directory), yield* today)
    const segments = ready.reduce((sum, { segments }) => sum + segments.length, 0)
    const bytes = ready.reduce((sum, { bytes }) => sum + bytes, 0)
    yield* print([
      `would compact ${plural(ready.length, "day")}: ${plural(segments, "segment")}, ${megabytes(bytes)}${spanOf(ready)}`,
      ...waiting(inUse)
    ])
  })

const compactAll = (directory: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { print, working } = yield* Screen
      yield* LedgerDirectory.files(directory)
      yield* LedgerLock.hold(directory)
      const found = yield* LedgerDirectory.files(directory)
      yield* Compaction.cleaned(directory, found)
      const { inUse, ready } = Compaction.daysOf(found, yield* today)
      const total = ready.reduce((sum, { bytes }) => sum + bytes, 0)
      const done = yield* Ref.make(0)
      const work = Effect.forEach(ready, (day) =>
        Effect.gen(function* () {
          const { compacted } = yield* LedgerDirectory.files(directory)
          const result = yield* Compaction.compact(directory, day, compacted)
          yield* Ref.update(done, (bytes) => bytes + day.bytes)
          return { ...day, result }
        })
      )
      const days = yield* working(work, {
        text: "compacting",
        share: Effect.map(Ref.get(done), (bytes) => (total === 0 ? 1 : bytes / total))
      })
      const compacted = days.flatMap(({ result, ...day }) =>
        result._tag === "Compacted" ? [{ ...day, ...result, before: day.bytes }] : []
      )
      const sum = (of: (day: (typeof compacted)[number]) => number) => compacted.reduce((sum, day) => sum + of(day), 0)
      yield* print([
        compacted.length === 0
          ? `${TerminalText.visible(directory)}   no day to compact`
          : `compacted ${plural(compacted.length, "day")}${spanOf(compacted)}: ${plural(
              sum(({ segments }) => segments.length),
              "segment"
            )}, ${plural(
              sum(({ runs }) => runs),
              "run"
            )}, ${megabytes(sum(({ before }) => before))} to ${megabytes(sum(({ bytes }) => bytes))}`,
        ...waiting(inUse),
        ...days.flatMap(({ day, result }) =>
          result._tag === "Unreadable"
            ? [`${day} stays as it is: ${plural(result.lines, "line")} cannot be read by this version: botanu doctor`]
            : result._tag === "Changed"
              ? [`${day} stays as it is: it has changed meanwhile. Try again`]
              : []
        )
      ])
    })
  )

const waiting = (days: ReadonlyArray<string>): ReadonlyArray<string> =>
  days.map((day) => `${day} waits: a program that is running wrote to it last`)

const spanOf = (days: ReadonlyArray<{ readonly day: string }>): string => {
  const [first, last] = [days[0]?.day, days[days.length - 1]?.day]
  return first === undefined ? "" : first === last ? `, ${first}` : `, ${first} to ${last}`
}
