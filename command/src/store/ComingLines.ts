/**
 * The lines that writers append to segments, read from where the last reading ended.
 */
import { FileSystem, type Path } from "@effect/platform"
import type { PlatformError } from "@effect/platform/Error"
import type { Ledger } from "botanu-effect/ledger"
import { Effect, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import * as FileBytes from "./FileBytes.js"
import * as LedgerDirectory from "./LedgerDirectory.js"

/** How often segments are looked at. */
const interval = "500 millis"

/**
 * The lines that come to a directory after this effect, some at a time. A line is given when its end is there. Does not end.
 */
export const make = (
  directory: string
): Effect.Effect<Stream.Stream<ReadonlyArray<string>, CommandError>, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    /** Where reading goes on, by the path of a segment: after the last line whose end was there. */
    const offsets = new Map<string, number>()
    for (const { bytes, path } of yield* LedgerDirectory.segments(directory)) {
      offsets.set(path, yield* startOfLine(path, bytes))
    }
    const step = Effect.gen(function* () {
      const found = yield* LedgerDirectory.segments(directory)
      const lines: Array<string> = []
      for (const segment of found) lines.push(...(yield* linesAfter(segment, offsets)))
      return lines
    })
    return Stream.repeatEffect(Effect.delay(step, interval)).pipe(
      Stream.filter((lines) => lines.length > 0),
      Stream.provideContext(environment)
    )
  })

/** How many bytes are read at once, unless a line is longer. */
const pieceBytes = 1024 * 1024

/** The last place up to here at which a line begins. */
const startOfLine = (path: string, end: number): Effect.Effect<number, CommandError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => orIfGone(FileBytes.lastLineEnd(files, path, end), 0))

const linesAfter = (
  { bytes, path }: Ledger.Segment,
  offsets: Map<string, number>
): Effect.Effect<ReadonlyArray<string>, CommandError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    let from = offsets.get(path) ?? 0
    let size = pieceBytes
    while (from < bytes) {
      const piece = yield* bytesOf(path, from, Math.min(bytes, from + size))
      const last = piece.lastIndexOf(FileBytes.newline)
      if (last >= 0) {
        lines.push(...decoder.decode(piece.subarray(0, last)).split("\n"))
        from += last + 1
        size = pieceBytes
      } else if (piece.length < size) break
      else size *= 2
    }
    offsets.set(path, from)
    return lines
  })

const bytesOf = (
  path: string,
  from: number,
  until: number
): Effect.Effect<Uint8Array, CommandError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) => orIfGone(FileBytes.read(files, path, from, until), new Uint8Array()))

/** The reading of a file, or this where the file is gone: it was compacted, and was read before. */
const orIfGone = <A>(reading: Effect.Effect<A, PlatformError>, orElse: A): Effect.Effect<A, CommandError> =>
  reading.pipe(
    Effect.catchIf(isGone, () => Effect.succeed(orElse)),
    Effect.mapError(LedgerDirectory.unreadable)
  )

const isGone = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

const decoder = new TextDecoder()
