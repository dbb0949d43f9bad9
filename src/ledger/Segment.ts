/**
 * The files of a ledger: `2026-11-26/019abc12-…-3.jsonl`, a folder for each day in UTC, and in it the segments of each process.
 */
import { type Error, FileSystem, Path } from "@effect/platform"
import { Effect } from "effect"

/** The name of the folder for an instant, in milliseconds since the epoch. */
export const dayOf = (epochMillis: number): string => new Date(epochMillis).toISOString().slice(0, 10)

/** The name of a segment. `writer` is unique to a process, so that processes never write to one file. */
export const nameOf = (writer: string, number: number): string => `${writer}-${number}.jsonl`

const dayFolder = /^\d{4}-\d{2}-\d{2}$/
const segmentName = /^[\w.-]+\.jsonl$/

/** The paths of all segments in a directory, by day and name. Other files are left out; a directory that is not there has none. */
export const list = (
  directory: string
): Effect.Effect<ReadonlyArray<string>, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (!(yield* files.exists(directory))) return []
    const days = (yield* files.readDirectory(directory)).filter((name) => dayFolder.test(name)).sort()
    const segments = yield* Effect.forEach(days, (day) =>
      Effect.map(files.readDirectory(path.join(directory, day)), (names) =>
        names
          .filter((name) => segmentName.test(name))
          .sort()
          .map((name) => path.join(directory, day, name))
      )
    )
    return segments.flat()
  })
