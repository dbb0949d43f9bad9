/**
 * A ledger of runs: a directory of append-only files of JSON lines, written by any number of processes.
 */
import { type Error, FileSystem, type Path } from "@effect/platform"
import { Context, Effect, Either, Layer, Stream } from "effect"
import * as RunRecord from "../report/RunRecord.js"
import type { InvalidOutcome, OutcomeDetails } from "../run/OutcomeRecord.js"
import type { RunStatus } from "../run/RunStatus.js"
import type { CompactedDay } from "./CompactedDay.js"
import { orIfGone } from "./Gone.js"
import { decode, type LineProblem, type OutcomeAmendment } from "./LedgerLine.js"
import { amendOutcome, recordRuns } from "./Recording.js"
import * as Segment from "./Segment.js"
import * as SegmentWriter from "./SegmentWriter.js"

export type { CompactedDay } from "./CompactedDay.js"
export { OutcomeAmendment } from "./LedgerLine.js"
export { type Files, files, type Segment, segments } from "./Segment.js"

/**
 * Where a ledger is, and how it is written.
 *
 * @example
 * ```ts
 * import type { Ledger } from "botanu-effect/ledger"
 *
 * const options: Ledger.Options = { directory: "botanu-ledger", durability: "disk", maxQueued: 50_000 }
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options {
  /** The directory. It is made where it is not there. */
  readonly directory: string
  /**
   * What a flushed record survives: the end of the process (`"system"`), or a loss of power too (`"disk"`, one `fsync` a batch).
   * @default "system"
   */
  readonly durability?: "system" | "disk" | undefined
  /**
   * The size in bytes at which a file is followed by the next one.
   * @default 67108864 (64 MiB)
   */
  readonly maxSegmentBytes?: number | undefined
  /**
   * The longest time in milliseconds that a record waits before it is written.
   * @default 200
   */
  readonly flushMillis?: number | undefined
  /**
   * How many records may wait while the disk is slow, full or gone. More are counted as lost; the count is logged and written.
   * @default 10000
   */
  readonly maxQueued?: number | undefined
}

/**
 * Writes to the ledger by hand: `flush` waits until all records are in the files, `amendOutcome` records what became known
 * later.
 *
 * @example
 * ```ts
 * import { Ledger } from "botanu-effect/ledger"
 * import { Effect } from "effect"
 *
 * const reopened = Effect.gen(function* () {
 *   const ledger = yield* Ledger.Ledger
 *   yield* ledger.amendOutcome("ticket-42", { status: "failure", reason: "reopened" }, { by: "crm-sync" })
 *   yield* ledger.flush
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class Ledger extends Context.Tag("botanu/Ledger")<
  Ledger,
  {
    /** Writes all records so far. When it succeeds they are in the files; with durability `disk`, on the disk. */
    readonly flush: Effect.Effect<void, Error.PlatformError>
    /** Records an outcome that became known after the runs of an event were over. The recorded outcome is kept beside it. */
    readonly amendOutcome: (
      eventId: string,
      outcome: OutcomeDetails & { readonly status: RunStatus },
      amendment: { readonly by: string; readonly customerId?: string | undefined }
    ) => Effect.Effect<void, InvalidOutcome>
  }
>() {}

/**
 * Records every run that starts and every run that is over to a directory. Records are written in batches by a fiber of the
 * layer; no run waits for the disk. Releasing the layer writes what is left. Each process writes files of its own, so any
 * number of processes may share a directory.
 *
 * Fails with a `PlatformError` where the directory cannot be made. Trouble with the disk after that is logged, at most once a
 * second. Records are kept while there is room for them; what is lost is counted, and the count is written later.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Botanu } from "botanu-effect"
 * import { Ledger } from "botanu-effect/ledger"
 * import { Effect, Layer } from "effect"
 *
 * const LedgerLive = Ledger.layer({ directory: "botanu-ledger" }).pipe(Layer.provide(NodeContext.layer))
 *
 * const program = Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *
 * export const main = Effect.provide(program, LedgerLive)
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Ledger, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(
    Ledger,
    Effect.gen(function* () {
      const writer = yield* SegmentWriter.make({
        directory: options.directory,
        durability: options.durability ?? "system",
        maxSegmentBytes: options.maxSegmentBytes ?? 64 * 1024 * 1024,
        flushMillis: options.flushMillis ?? 200,
        maxQueued: options.maxQueued ?? 10_000
      })
      yield* recordRuns(writer, "ledger")
      return { flush: writer.flush, amendOutcome: amendOutcome(writer.append) }
    })
  )

/**
 * What a ledger holds, for `botanu-effect/report`.
 *
 * @example
 * ```ts
 * import type { Ledger } from "botanu-effect/ledger"
 *
 * const isWhole = ({ lost, problems }: Ledger.Contents): boolean => lost === 0 && problems.length === 0
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Contents {
  /**
   * One record for each run; a later line about a run replaces an earlier one. A run without an end is lost where its process
   * is gone.
   */
  readonly records: ReadonlyArray<RunRecord.RunRecord>
  /** The outcomes that were amended, in the order of the files. */
  readonly amendments: ReadonlyArray<OutcomeAmendment>
  /** How many records writers have reported as lost. */
  readonly lost: number
  /** Lines that were left out, with the file they are in. */
  readonly problems: ReadonlyArray<{ readonly segment: string; readonly line: number; readonly problem: LineProblem }>
  /** Days that are in Parquet files and so are not in `records`: `botanu` reads them. */
  readonly compacted: ReadonlyArray<CompactedDay>
}

/**
 * Reads all of a ledger. A line that was cut by a crash is left out and counted. A directory that is not there is an empty
 * ledger. All records are held in memory: it suits the ledger of a day or of a test. Days that `botanu compact` has compacted are
 * named, and not read.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Ledger } from "botanu-effect/ledger"
 * import { BusinessEvent, Summary } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const summary = Ledger.read("botanu-ledger").pipe(
 *   Effect.map(({ amendments, records }) => Summary.of(BusinessEvent.fromRecords(records, amendments))),
 *   Effect.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.2.0
 * @category readers
 */
export const read = (
  directory: string
): Effect.Effect<Contents, Error.PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const records: Array<RunRecord.RunRecord> = []
    const amendments: Array<OutcomeAmendment> = []
    const problems: Array<Contents["problems"][number]> = []
    const alive = new Set<string>()
    let lost = 0
    const { compacted, segments } = yield* Segment.files(directory)
    for (const { isAbandoned, path } of segments) {
      let number = 0
      yield* fileSystem.stream(path).pipe(
        Stream.decodeText(),
        Stream.splitLines,
        Stream.runForEach((text) =>
          Effect.sync(() => {
            number += 1
            if (text === "") return
            const decoded = decode(text)
            if (Either.isLeft(decoded)) {
              problems.push({ segment: path, line: number, problem: decoded.left })
              return
            }
            const line = decoded.right
            if (line.type === "started") {
              records.push(RunRecord.started(line.run))
              if (!isAbandoned) alive.add(line.run.runId)
            } else if (line.type === "completed") records.push(RunRecord.fromCompleted(line.completed))
            else if (line.type === "amended") amendments.push(line.amendment)
            else if (line.type === "lost") lost += line.count
          })
        ),
        (reading) => orIfGone(reading, undefined)
      )
    }
    const distinct = RunRecord.distinct(records).map((record) =>
      record.completed === undefined && !alive.has(record.run.runId)
        ? RunRecord.started(record.run, { isLost: true })
        : record
    )
    return { records: distinct, amendments, lost, problems, compacted }
  })
