/**
 * The files of a ledger: `2026-11-26/019abc12-…-3.jsonl`, a folder for each day in UTC, and in it the segments of each process.
 */
import { type Error, FileSystem, Path } from "@effect/platform"
import { Clock, Effect, Either, Option } from "effect"
import * as CompactedDay from "./CompactedDay.js"
import { orIfGone } from "./Gone.js"
import { decode } from "./LedgerLine.js"
import * as ProcessIdentity from "./ProcessIdentity.js"
import { segmentName } from "./SegmentName.js"

/**
 * A file of a ledger.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Ledger } from "botanu-effect/ledger"
 * import { Effect } from "effect"
 *
 * const bytesOf = (segments: ReadonlyArray<Ledger.Segment>) => segments.reduce((sum, { bytes }) => sum + bytes, 0)
 *
 * const program = Ledger.segments("botanu-ledger").pipe(
 *   Effect.tap((segments) => Effect.log(`${bytesOf(segments)} bytes`)),
 *   Effect.provide(NodeContext.layer)
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Segment {
  /** Where it is. */
  readonly path: string
  /** The day in UTC on which it was begun, such as `2026-11-26`. */
  readonly day: string
  /** Its size. */
  readonly bytes: number
  /** When its writer last wrote to it, or was last seen, in milliseconds since the epoch. */
  readonly modifiedMillis: number
  /** The id of its writer. A process has one for each ledger layer. */
  readonly writer: string
  /**
   * Whether its writer is gone: nothing was seen of it for a minute, or its process is on this machine no more. A run that it
   * started and that has not completed is lost.
   */
  readonly isAbandoned: boolean
}

/** How often a writer shows that it is there, in milliseconds. */
export const heartbeatMillis = 10_000

/** How long a writer may be silent until it counts as gone, in milliseconds. */
export const silenceMillis = 60_000

/** The name of the folder for an instant, in milliseconds since the epoch. */
export const dayOf = (epochMillis: number): string => new Date(epochMillis).toISOString().slice(0, 10)

const dayFolder = /^\d{4}-\d{2}-\d{2}$/

/**
 * The segments of a ledger, by day and name. Other files are left out, and segments that were compacted. A directory that is not
 * there has none; a file that is removed meanwhile is left out.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Ledger } from "botanu-effect/ledger"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   for (const { bytes, day, path } of yield* Ledger.segments("botanu-ledger")) yield* Console.log(day, path, bytes)
 * }).pipe(Effect.provide(NodeContext.layer))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category readers
 */
export const segments = (
  directory: string
): Effect.Effect<ReadonlyArray<Segment>, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.map(files(directory), ({ segments }) => segments)

/**
 * The files of a ledger.
 *
 * @example
 * ```ts
 * import type { Ledger } from "botanu-effect/ledger"
 *
 * const bytesOf = ({ compacted, segments }: Ledger.Files): number =>
 *   [...compacted, ...segments].reduce((sum, { bytes }) => sum + bytes, 0)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Files {
  /** Without those that are in a compacted day. */
  readonly segments: ReadonlyArray<Segment>
  /** Days, or parts of days, that `botanu compact` has compacted. */
  readonly compacted: ReadonlyArray<CompactedDay.CompactedDay>
}

/**
 * All files of a ledger, by day and name: segments, and days that were compacted. A segment that was compacted and is still
 * there is left out, unless it has grown. A directory that is not there has none.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Ledger } from "botanu-effect/ledger"
 * import { Effect } from "effect"
 *
 * const program = Ledger.files("botanu-ledger").pipe(
 *   Effect.tap(({ compacted, segments }) => Effect.log(`${segments.length} segments, ${compacted.length} compacted days`)),
 *   Effect.provide(NodeContext.layer)
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category readers
 */
export const files = (
  directory: string
): Effect.Effect<Files, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    if (!(yield* fileSystem.exists(directory))) return { segments: [], compacted: [] }
    const days = (yield* fileSystem.readDirectory(directory)).filter((name) => dayFolder.test(name)).sort()
    const ofDays = yield* Effect.forEach(days, (day) => filesOf(path.join(directory, day), day), { concurrency: 8 })
    const found = ofDays.flatMap(({ segments }) => segments)
    const abandoned = yield* abandonedOf(found)
    return {
      segments: found.map((segment) => ({ ...segment, isAbandoned: abandoned.has(segment.writer) })),
      compacted: ofDays.flatMap(({ compacted }) => compacted)
    }
  })

type FoundSegment = Omit<Segment, "isAbandoned">

/** The files of a day, by name. */
const filesOf = (folder: string, day: string) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const segments: Array<FoundSegment> = []
    for (const name of (yield* orIfGone(fileSystem.readDirectory(folder), [])).sort()) {
      const writer = segmentName.exec(name)?.[1]
      if (writer === undefined) continue
      const file = path.join(folder, name)
      const info = yield* orIfGone(Effect.asSome(fileSystem.stat(file)), Option.none())
      if (Option.isNone(info)) continue
      const modifiedMillis = Option.match(info.value.mtime, { onNone: () => 0, onSome: (time) => time.getTime() })
      segments.push({ path: file, day, bytes: Number(info.value.size), modifiedMillis, writer })
    }
    // After the segments: those that are compacted meanwhile are in both, and count once.
    const compacted: Array<CompactedDay.CompactedDay> = []
    const contained = new Map<string, number>()
    for (const name of (yield* orIfGone(fileSystem.readDirectory(folder), []))
      .filter(CompactedDay.isCompacted)
      .sort()) {
      const one = yield* CompactedDay.read(path.join(folder, name), day)
      if (Option.isNone(one)) continue
      compacted.push(one.value)
      for (const { bytes, name } of one.value.segments) contained.set(name, bytes)
    }
    return {
      segments: segments.filter((segment) => contained.get(path.basename(segment.path)) !== segment.bytes),
      compacted
    }
  })

/** Of the writers of these segments, those that are gone. */
const abandonedOf = (
  found: ReadonlyArray<FoundSegment>
): Effect.Effect<ReadonlySet<string>, Error.PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const latest = new Map<string, FoundSegment>()
    for (const segment of found) {
      const known = latest.get(segment.writer)
      if (known === undefined || known.modifiedMillis <= segment.modifiedMillis) latest.set(segment.writer, segment)
    }
    const abandoned = new Set<string>()
    if (latest.size === 0) return abandoned
    const now = yield* Clock.currentTimeMillis
    const here = yield* ProcessIdentity.current
    for (const { modifiedMillis, path, writer } of latest.values()) {
      const isGone =
        now - modifiedMillis > silenceMillis || ProcessIdentity.isGone(writer, yield* processOf(path), here)
      if (isGone) abandoned.add(writer)
    }
    return abandoned
  })

/** The process that a segment says it is of. */
const processOf = (
  path: string
): Effect.Effect<ProcessIdentity.ProcessIdentity, Error.PlatformError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* files.open(path, { flag: "r" })
        const head = yield* file.readAlloc(FileSystem.Size(maxHeadBytes))
        const text = Option.match(head, { onNone: () => "", onSome: (bytes) => new TextDecoder().decode(bytes) })
        const line = decode(text.slice(0, text.indexOf("\n")))
        return Either.isRight(line) && line.right.type === "writer" ? line.right.process : {}
      })
    ).pipe((process) => orIfGone(process, {}))
  )

const maxHeadBytes = 1024
