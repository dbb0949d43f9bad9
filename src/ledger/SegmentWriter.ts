/**
 * Appends lines to segments, in batches and off the program's path.
 */
import { type Error, FileSystem, Path } from "@effect/platform"
import { Cause, Clock, DateTime, Effect, Exit, Scope } from "effect"
import { warn } from "../fiber/BoundedWarning.js"
import * as RunId from "../run/RunId.js"
import { encode, type LedgerLine, lineVersion } from "./LedgerLine.js"
import { type LineBatch, LineQueue } from "./LineQueue.js"
import * as ProcessIdentity from "./ProcessIdentity.js"
import * as Segment from "./Segment.js"
import { nameOf } from "./SegmentName.js"

/** How a writer works. */
export interface WriterOptions {
  readonly directory: string
  readonly durability: "system" | "disk"
  readonly maxSegmentBytes: number
  readonly flushMillis: number
  readonly maxQueued: number
}

export interface SegmentWriter {
  /** Unique to this writer; the first part of the names of its segments. */
  readonly id: string
  readonly process: ProcessIdentity.ProcessIdentity
  /** Takes a line, or counts it as lost where the queue is full. Does not wait. */
  readonly append: (line: LedgerLine) => void
  /** The same for a line that is encoded. */
  readonly appendText: (text: string) => void
  /** Writes all lines that were taken. When it succeeds they are in the file, with durability `disk` on the disk. */
  readonly flush: Effect.Effect<void, Error.PlatformError>
  /** Ends the segment, and gives the paths of all that were written since the last time. */
  readonly rotate: Effect.Effect<ReadonlyArray<string>>
  /** Takes back the lines that are in no file yet. */
  readonly takeBack: Effect.Effect<LineBatch | undefined>
}

/** A writer that flushes by itself, and once more when the scope closes. */
export const make = (
  options: WriterOptions
): Effect.Effect<SegmentWriter, Error.PlatformError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const writer = yield* RunId.make
    yield* ProcessIdentity.register(writer)
    const process = yield* ProcessIdentity.current
    const one = yield* Effect.makeSemaphore(1)
    // A directory that cannot be made is found at start, not with the first run.
    yield* files.makeDirectory(options.directory, { recursive: true })

    const queue = new LineQueue(options.maxQueued)
    let number = 0
    let open: OpenSegment | undefined
    let written: Array<string> = []
    /** The segment that was opened last. */
    let latest: string | undefined
    /** When that showed last that this writer is there. */
    let shownMillis = 0

    const close = Effect.suspend(() => {
      const { scope } = open ?? {}
      open = undefined
      return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    })

    /** Whether no other process can take this one for gone, and its segment for one that is left behind. */
    const isShown = (now: number): boolean => now - shownMillis < Segment.silenceMillis / 2

    const openFor = (now: number) =>
      Effect.gen(function* () {
        const day = Segment.dayOf(now)
        if (open !== undefined && open.day === day && open.bytes < options.maxSegmentBytes && isShown(now)) {
          return open
        }
        yield* close
        const folder = path.join(options.directory, day)
        yield* files.makeDirectory(folder, { recursive: true })
        const scope = yield* Scope.make()
        number += 1
        const segment = path.join(folder, nameOf(writer, number))
        const file = yield* Scope.extend(files.open(segment, { flag: "a" }), scope)
        written.push(segment)
        latest = segment
        shownMillis = now
        open = { day, file, scope, bytes: 0 }
        return open
      })

    const write = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const batch = queue.take(now)
      if (batch === undefined) return
      yield* Effect.gen(function* () {
        const segment = yield* openFor(now)
        if (segment.bytes === 0) {
          const head = encoder.encode(
            `${encode({ v: lineVersion, type: "writer", process, at: DateTime.unsafeMake(now) })}\n`
          )
          yield* segment.file.writeAll(head)
          segment.bytes += head.length
        }
        yield* segment.file.writeAll(batch.bytes)
        segment.bytes += batch.bytes.length
        shownMillis = now
        if (options.durability === "disk") yield* segment.file.sync
      }).pipe(
        Effect.matchCauseEffect({
          onFailure: (cause) => {
            // What was written may end within a line, so the next batch begins a file of its own. Lines may be written twice;
            // readers count them once.
            queue.putBack(batch)
            return Effect.zipRight(close, Effect.failCause(cause))
          },
          onSuccess: () => Effect.sync(() => queue.release(batch))
        })
      )
    })

    const flush = Effect.uninterruptible(one.withPermits(1)(write))
    // A file system may fail in ways that are not in its types. The records stay queued in any case.
    const flushOr = (report: (problem: string) => Effect.Effect<void>) =>
      Effect.catchAllCause(flush, (cause) => report(Cause.pretty(cause)))
    const flushOrWarn = flushOr((problem) =>
      warn("ledger", [{ kind: "write", text: `${queue.count} records wait, ${queue.lost} are lost: ${problem}` }])
    )
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        flushOr((problem) =>
          Effect.logWarning(`ledger: ${queue.count + queue.lost} records were not written: ${problem}`)
        ),
        close
      )
    )
    yield* Effect.forkScoped(Effect.forever(Effect.delay(flushOrWarn, options.flushMillis)))
    const showPresence = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      latest === undefined || !isShown(now)
        ? Effect.void
        : Effect.map(files.utimes(latest, new Date(now), new Date(now)), () => {
            shownMillis = now
          }).pipe(Effect.ignore)
    )
    yield* Effect.forkScoped(Effect.forever(Effect.delay(showPresence, Segment.heartbeatMillis)))

    return {
      id: writer,
      process,
      append: (line) => queue.append(line),
      appendText: (text) => queue.appendText(text),
      flush,
      rotate: Effect.uninterruptible(
        one.withPermits(1)(
          Effect.map(close, () => {
            const paths = written
            written = []
            return paths
          })
        )
      ),
      takeBack: Effect.map(Clock.currentTimeMillis, (now) => queue.take(now))
    }
  })

interface OpenSegment {
  readonly day: string
  readonly file: FileSystem.File
  readonly scope: Scope.CloseableScope
  bytes: number
}

const encoder = new TextEncoder()
