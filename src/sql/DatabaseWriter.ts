/**
 * Writes lines to the database, in batches and off the program's path. While the database is slow or gone, lines go to a
 * directory; when it is back they are written in their order, and removed from there.
 */
import type { Error, FileSystem, Path } from "@effect/platform"
import * as SqlClient from "@effect/sql/SqlClient"
import { Cause, Clock, Data, Deferred, Effect, Exit, type Scope } from "effect"
import { warn } from "../fiber/BoundedWarning.js"
import type { LedgerLine } from "../ledger/LedgerLine.js"
import { LineQueue, textsOf } from "../ledger/LineQueue.js"
import { heartbeatMillis } from "../ledger/Segment.js"
import * as SegmentWriter from "../ledger/SegmentWriter.js"
import * as Batch from "./Batch.js"
import { isPassing, textOf } from "./DatabaseTrouble.js"
import { fromEncoded, type IngestedLine, Ingestion } from "./Ingestion.js"
import * as Spill from "./Spill.js"

/** How a writer works. */
export interface WriterOptions {
  readonly schema: string
  /** The directory. */
  readonly spill: string
  readonly durability: "system" | "disk"
  readonly flushMillis: number
  readonly maxQueued: number
  /** How long the database may take for a batch. */
  readonly timeoutMillis: number
  /** How long after trouble the database is asked again. */
  readonly retryMillis: number
}

export interface DatabaseWriter {
  /** Takes a line, or counts it as lost where the queue is full. Does not wait. */
  readonly append: (line: LedgerLine) => void
  /** Writes all lines that were taken. When it succeeds they are in the database, or in the files of the directory. */
  readonly flush: Effect.Effect<void, Error.PlatformError>
  /** Whether lines are in the directory that are to go to the database. */
  readonly isSpilling: Effect.Effect<boolean>
}

/** The database has not answered, or not fast enough. */
class Slow extends Data.TaggedError("Slow")<{ readonly message: string }> {}

/**
 * A writer that flushes by itself, and once more when the scope closes. `prepare` makes the tables. Fails where that fails in a
 * way that does not pass by itself; where the database is gone, the writer begins with the directory.
 */
export const make = <E>(
  options: WriterOptions,
  prepare: Effect.Effect<unknown, E>
): Effect.Effect<
  DatabaseWriter,
  E | Error.PlatformError,
  SqlClient.SqlClient | FileSystem.FileSystem | Path.Path | Scope.Scope
> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const ingestion = new Ingestion(yield* SqlClient.SqlClient, options.schema)
    const spill = yield* SegmentWriter.make({
      directory: options.spill,
      durability: options.durability,
      maxSegmentBytes: 16 * 1024 * 1024,
      // It is flushed with each batch.
      flushMillis: 60_000,
      maxQueued: options.maxQueued
    })
    const one = yield* Effect.makeSemaphore(1)
    const queue = new LineQueue(options.maxQueued)
    let isPrepared = false
    let isSpilling = false
    /** Done when so much waits that the database is too slow for it. */
    let overflow = Deferred.unsafeMake<void, Slow>(yield* Effect.fiberId)

    /** Work of the database that is given up after a while. A connection that hangs is not waited for. */
    const inTime = <A, E1>(work: Effect.Effect<A, E1>): Effect.Effect<A, E1 | Slow> =>
      work.pipe(
        Effect.disconnect,
        Effect.timeoutFail({
          duration: options.timeoutMillis,
          onTimeout: () => new Slow({ message: `no answer within ${options.timeoutMillis} ms` })
        }),
        Effect.interruptible
      )

    const prepared = Effect.suspend(() =>
      isPrepared
        ? Effect.void
        : Effect.map(inTime(prepare), () => {
            isPrepared = true
          })
    )

    const refuse = (line: IngestedLine, writer: string, why: string) =>
      Effect.zipRight(
        Effect.provide(Spill.keepRefused(options.spill, writer, line), context),
        warn("ledger", [{ kind: "refused", text: `${why}, it is in ${options.spill}/refused` }])
      )

    const toDatabase = (lines: ReadonlyArray<IngestedLine>, writer: string) =>
      Effect.gen(function* () {
        yield* prepared
        yield* Batch.write(
          lines.filter(({ isNewer }) => isNewer !== true),
          (batch) => inTime(ingestion.write(batch, writer)),
          (line, error) => refuse(line, writer, `the database refused a record: ${textOf(error)}`)
        )
        yield* Effect.forEach(
          lines.filter(({ isNewer }) => isNewer === true),
          (line) => refuse(line, writer, "a later version wrote a record"),
          { discard: true }
        )
      })

    const toSpill = (lines: ReadonlyArray<IngestedLine>) =>
      Effect.suspend(() => {
        for (const { text } of lines) spill.appendText(text)
        return spill.flush
      })

    const taken = (now: number): ReadonlyArray<IngestedLine> => {
      const batch = queue.take(now)
      if (batch === undefined) return []
      const lines = textsOf(batch).map(fromEncoded)
      queue.release(batch)
      return lines
    }

    const write = Effect.gen(function* () {
      const lines = taken(yield* Clock.currentTimeMillis)
      if (isSpilling) return yield* toSpill(lines)
      for (let from = 0; from < lines.length; from += Batch.size) {
        overflow = Deferred.unsafeMake(yield* Effect.fiberId)
        const batch = lines.slice(from, from + Batch.size)
        const exit = yield* Effect.exit(
          Effect.raceFirst(toDatabase(batch, spill.id), Effect.interruptible(Deferred.await(overflow)))
        )
        if (Exit.isSuccess(exit)) continue
        isSpilling = true
        yield* warn("ledger", [
          {
            kind: "spill",
            text: `the database takes no records, they go to ${options.spill} until it does: ${causeText(exit.cause)}`
          }
        ])
        return yield* toSpill(lines.slice(from))
      }
    })

    const flush = Effect.withTracerEnabled(Effect.uninterruptible(one.withPermits(1)(write)), false)

    /** Segments of this writer that are to go to the database, the oldest first. */
    const spilled: Array<string> = []

    const replay = Effect.gen(function* () {
      spilled.push(...(yield* spill.rotate))
      for (let segment = spilled[0]; segment !== undefined; segment = spilled[0]) {
        yield* Spill.replay(segment, (lines) => toDatabase(lines, spill.id))
        spilled.shift()
      }
      // What came meanwhile is in a further segment. Where there is none, the next lines go to the database.
      yield* one.withPermits(1)(
        Effect.gen(function* () {
          spilled.push(...(yield* spill.rotate))
          if (spilled.length > 0) return
          const unwritten = yield* spill.takeBack
          if (unwritten !== undefined) queue.putBack(unwritten)
          isSpilling = false
          yield* Effect.logInfo(`ledger: the database takes records again, and has those of ${options.spill}`)
        })
      )
    }).pipe(Effect.repeat({ while: () => isSpilling }), Effect.provide(context))

    /** Shows that this writer is there, and takes over what others have left behind. */
    const present = Effect.gen(function* () {
      yield* prepared
      yield* inTime(ingestion.notePresence(spill.id, spill.process))
      for (const { path, writer } of yield* Spill.abandoned(options.spill)) {
        yield* inTime(ingestion.noteGone(writer))
        yield* Spill.replay(path, (lines) => toDatabase(lines, writer))
      }
    }).pipe(Effect.provide(context))

    const orWarn = (kind: string, what: string) =>
      Effect.catchAllCause((cause: Cause.Cause<unknown>) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : warn("ledger", [{ kind, text: `${what}: ${causeText(cause)}` }])
      )

    yield* prepared.pipe(
      Effect.catchIf(isPassing, (error) => {
        isSpilling = true
        return Effect.logWarning(`ledger: the database is not there, records go to ${options.spill}: ${textOf(error)}`)
      }),
      Effect.mapError((error) => error as E)
    )
    yield* Effect.addFinalizer(() =>
      Effect.catchAllCause(flush, (cause) =>
        Effect.logWarning(`ledger: ${queue.count + queue.lost} records were not written: ${causeText(cause)}`)
      )
    )
    yield* Effect.forkScoped(Effect.forever(Effect.delay(orWarn("write", `records wait`)(flush), options.flushMillis)))
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.delay(
          Effect.suspend(() =>
            isSpilling ? orWarn("replay", `the records in ${options.spill} wait`)(replay) : Effect.void
          ),
          options.retryMillis
        )
      )
    )
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.zipRight(orWarn("presence", "the database does not answer")(present), Effect.sleep(heartbeatMillis))
      )
    )
    return {
      append: (line: LedgerLine) => {
        queue.append(line)
        if (queue.count * 2 >= options.maxQueued) Deferred.unsafeDone(overflow, tooSlow)
      },
      flush,
      isSpilling: Effect.sync(() => isSpilling)
    }
  }).pipe(Effect.withTracerEnabled(false))

const tooSlow = Effect.fail(new Slow({ message: "it is slower than records come" }))

const causeText = (cause: Cause.Cause<unknown>): string => textOf(Cause.squash(cause))
