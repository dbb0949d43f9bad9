/**
 * Days of a ledger whose segments were compacted: `2026-11-26/019abc12-….compacted`, a folder of Parquet files with a manifest,
 * which names the segments that are in them.
 */
import { type Error, FileSystem, Path } from "@effect/platform"
import { Effect, Option, Schema } from "effect"
import { optional } from "../schema/SchemaRecord.js"
import { orIfGone } from "./Gone.js"
import { segmentName } from "./SegmentName.js"

/**
 * Segments of a day that `botanu compact` has written to Parquet files.
 *
 * @example
 * ```ts
 * import type { Ledger } from "botanu-effect/ledger"
 *
 * const describe = ({ bytes, day, runs }: Ledger.CompactedDay): string => `${day}: ${runs} runs, ${bytes} bytes`
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface CompactedDay {
  /** The folder of its files. */
  readonly path: string
  /** The day in UTC on which its segments were begun, such as `2026-11-26`. */
  readonly day: string
  /** The size of its files. */
  readonly bytes: number
  /** How many runs it has. A run may be in the files of other days too. 0 where the manifest cannot be read. */
  readonly runs: number
  /** How many lines it has. */
  readonly lines: number
  /** How many lines were left out, because they were cut by a crash. */
  readonly cutLines: number
  /** How many records its writers have reported as lost. */
  readonly lost: number
  /** How many amendments it has. `undefined` where the manifest does not say: an earlier version did not note it. */
  readonly amendments: number | undefined
  /**
   * How many runs it notes of events that are in other days too, or that have a run without an end. `undefined` where it notes
   * none of them though there may be some.
   */
  readonly unsettledRuns: number | undefined
  /** The segments that are in it, with their sizes. One that is still there, and has not grown, is not read again. */
  readonly segments: ReadonlyArray<{ readonly name: string; readonly bytes: number }>
  /** Why it cannot be read, if so: a later version wrote it, or its manifest is not valid. */
  readonly problem: "newer_version" | "invalid" | undefined
}

/** The version of the files that this version writes. */
export const compactedVersion = 1

/** The name of the file that says what is in the others. */
export const manifestName = "manifest.json"

/** What the manifest of a compacted day says. */
export const Manifest = Schema.Struct({
  v: Schema.Literal(compactedVersion),
  runs: Schema.NonNegativeInt,
  lines: Schema.NonNegativeInt,
  cutLines: Schema.NonNegativeInt,
  lost: Schema.NonNegativeInt,
  // Those of the day alone: the command removes them.
  segments: Schema.Array(
    Schema.Struct({ name: Schema.String.pipe(Schema.pattern(segmentName)), bytes: Schema.NonNegativeInt })
  ),
  /** The size of the other files. Absent: of an earlier version, which did not note it. */
  bytes: optional(Schema.NonNegativeInt),
  /** Absent: not known, as of an earlier version. */
  amendments: optional(Schema.NonNegativeInt),
  unsettledRuns: optional(Schema.NonNegativeInt)
})

const folderName = /^[\w-]+\.compacted$/

/** Whether a file of a day is the folder of a compacted day. */
export const isCompacted = (name: string): boolean => folderName.test(name)

/** What is compacted in a folder. None where the folder is removed meanwhile. */
export const read = (
  folder: string,
  day: string
): Effect.Effect<Option.Option<CompactedDay>, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const text = yield* orIfGone(files.readFileString(path.join(folder, manifestName)), undefined)
    const manifest = text === undefined ? Option.none() : decodeManifest(text)
    const noted = Option.flatMapNullable(manifest, ({ bytes }) => bytes)
    const bytes = Option.isSome(noted) ? Option.some(noted.value + (text ?? "").length) : yield* bytesOf(folder)
    return Option.map(bytes, (bytes) => ({
      path: folder,
      day,
      ...nothing,
      ...Option.getOrElse(manifest, () => nothing),
      bytes,
      problem: Option.isSome(manifest) ? undefined : text !== undefined && isNewer(text) ? "newer_version" : "invalid"
    }))
  })

/** The size of the files in a folder. None where it is removed meanwhile. */
const bytesOf = (
  folder: string
): Effect.Effect<Option.Option<number>, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = yield* orIfGone(files.readDirectory(folder), undefined)
    if (names === undefined) return Option.none()
    let bytes = 0
    for (const name of names) {
      bytes += yield* orIfGone(
        Effect.map(files.stat(path.join(folder, name)), ({ size }) => Number(size)),
        0
      )
    }
    return Option.some(bytes)
  })

const nothing = {
  runs: 0,
  lines: 0,
  cutLines: 0,
  lost: 0,
  amendments: undefined,
  unsettledRuns: undefined,
  segments: []
}

const decodeManifest = Schema.decodeOption(Schema.parseJson(Manifest))

const decodeVersion = Schema.decodeOption(Schema.parseJson(Schema.Struct({ v: Schema.Number })))

const isNewer = (text: string): boolean =>
  Option.match(decodeVersion(text), { onNone: () => false, onSome: ({ v }) => v > compactedVersion })
