/**
 * The ledger in memory, kept up to date: what the page is answered from.
 */
import { FileSystem, Path } from "@effect/platform"
import { CompletedRun, Run } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { RunRecord, TerminalText } from "botanu-effect/report"
import { Clock, Context, Effect, Layer, Option, Schema, Stream, SubscriptionRef } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as CompactedFiles from "../store/CompactedFiles.js"
import * as DuckDb from "../store/DuckDb.js"
import * as FileBytes from "../store/FileBytes.js"
import * as LedgerDirectory from "../store/LedgerDirectory.js"
import * as LedgerLines from "../store/LedgerLines.js"
import * as LineProblems from "../store/LineProblems.js"
import * as AnswerCache from "./AnswerCache.js"
import * as MirrorTables from "./MirrorTables.js"

/** How the ledger stands. */
export interface MirrorState {
  readonly state: "loading" | "ready" | "away"
  /** Changes with each change of the ledger. */
  readonly revision: number
  readonly events: number
  readonly runs: number
  readonly firstStartMs: number | null
  readonly lastStartMs: number | null
  /** When the figures were read. */
  readonly atMs: number
  readonly problem: string | null
  readonly awaySinceMs: number | null
  readonly nextTryMs: number | null
  /** Lines that are in no figure. */
  readonly problems: ReadonlyArray<LineProblems.LineProblem>
  readonly lost: number
}

/** The records of one event. */
export interface EventRecords {
  readonly records: ReadonlyArray<RunRecord.RunRecord>
  readonly amendments: ReadonlyArray<Ledger.OutcomeAmendment>
}

/** A row of a result: exact text for everything but booleans and lists. */
export type Row = Readonly<Record<string, string | null>>

export class LedgerMirror extends Context.Tag("botanu/command/LedgerMirror")<
  LedgerMirror,
  {
    /** Answers a query over the tables, once the ledger has been read. */
    readonly query: (
      statement: string,
      parameters: Readonly<Record<string, DuckDb.Parameter>>
    ) => Effect.Effect<ReadonlyArray<Row>, CommandError>
    /** Reads the records of an event from the ledger itself. */
    readonly records: (eventId: string, customerId: string) => Effect.Effect<EventRecords, CommandError>
    readonly state: Effect.Effect<MirrorState>
    /** The state now, and after each change. */
    readonly changes: Stream.Stream<MirrorState>
    /** Looks for changes at once. */
    readonly refresh: Effect.Effect<void>
  }
>() {}

export interface MirrorOptions {
  readonly ledger: string
  /** How often the ledger is looked at, in milliseconds. @default 500 */
  readonly pollMillis?: number
  /** Brings what is new elsewhere into the directory, before each look at it. */
  readonly pull?: Effect.Effect<void, CommandError>
}

const retryMillis = 2000

/** A mirror of the ledger in a directory. It reads what it has not read; a directory that is gone leaves what was read. */
export const layerDirectory = (
  options: MirrorOptions
): Layer.Layer<LedgerMirror, CommandError, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(
    LedgerMirror,
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const database = yield* DuckDb.open()
      const writer = yield* database.connect
      const readers = yield* Effect.replicateEffect(database.connect, mostReaders)
      let turn = 0
      const query = (statement: string, parameters: Readonly<Record<string, DuckDb.Parameter>>) => {
        turn = (turn + 1) % readers.length
        return Effect.map(
          (readers[turn] ?? writer).query(statement, parametersOf(statement, parameters)),
          (rows) => rows as ReadonlyArray<Row>
        )
      }
      const parts = yield* files.makeTempDirectoryScoped({ prefix: "botanu-serve-" }).pipe(Effect.mapError(trouble))
      for (const statement of MirrorTables.create) yield* writer.query(statement, {})

      const state = yield* SubscriptionRef.make<MirrorState>({ ...nothing, atMs: yield* Clock.currentTimeMillis })
      /** How many bytes of each segment are in the tables. */
      let read = new Map<string, number>()
      let tails: ReadonlyMap<string, number> = new Map()
      /** The lines that could not be read, apart from those in the tables. */
      let unread = ""
      /** The writers that are there. */
      let alive = ""
      let part = 0

      const all = (statements: ReadonlyArray<string>, parameters: Readonly<Record<string, DuckDb.Parameter>> = {}) =>
        Effect.forEach(statements, (statement) => writer.query(statement, parametersOf(statement, parameters)), {
          discard: true
        })

      const load = (files: ReadonlyArray<string>, segment: string | null) =>
        all([...MirrorTables.linesOfSegments, ...MirrorTables.load], { files: files.map(literalPath), segment })

      const loadCompacted = (days: ReadonlyArray<Ledger.CompactedDay>) =>
        Effect.map(
          all([...MirrorTables.linesOfCompacted, ...MirrorTables.load], {
            files: CompactedFiles.paths(days, "lines").map(literalPath)
          }),
          () => {
            for (const { bytes, path } of days) read.set(path, bytes)
          }
        )

      /** Reads all files in the order in which their lines count. Gives the segments that end within a line. */
      const loadAll = (found: Ledger.Files) =>
        Effect.gen(function* () {
          const open = new Map<string, number>()
          for (const part of LedgerLines.inOrder(found)) {
            if (part._tag === "Compacted") {
              yield* loadCompacted(part.days)
              continue
            }
            // Whole files are read by many threads. What is written meanwhile is read again, which changes nothing.
            const whole: Array<string> = []
            for (const { bytes, path } of part.segments) {
              const end = yield* Effect.mapError(FileBytes.lastLineEnd(files, path, bytes), trouble)
              if (end < bytes) {
                yield* loadRest({ path, bytes: end })
                open.set(path, bytes)
              } else whole.push(path)
              read.set(path, end)
            }
            if (whole.length > 0) yield* load(whole, null)
          }
          return open
        })

      /** Takes whole lines that a segment has gained. */
      const loadRest = ({ bytes, path: segment }: Pick<Ledger.Segment, "bytes" | "path">) =>
        Effect.gen(function* () {
          const from = read.get(segment) ?? 0
          const added = yield* FileBytes.read(files, segment, from, bytes)
          const end = added.lastIndexOf(FileBytes.newline) + 1
          if (end > 0) {
            part += 1
            const file = path.join(parts, `part-${part}.jsonl`)
            yield* files.writeFile(file, added.subarray(0, end))
            yield* load([file], segment)
            yield* files.remove(file)
            read.set(segment, from + end)
          }
          return { hasLines: end > 0, rest: added.length - end }
        })

      const segmentsOf = ({ day, segments }: Ledger.CompactedDay) =>
        segments.map(({ name }) => path.join(options.ledger, day, name))

      const look = Effect.gen(function* () {
        yield* options.pull ?? Effect.void
        const now = yield* Clock.currentTimeMillis
        const found = yield* LedgerDirectory.files(options.ledger)
        const { segments } = found
        const compacted = found.compacted.filter(({ problem }) => problem === undefined)
        const before = yield* SubscriptionRef.get(state)
        const isFirst = before.revision === 0
        const there = new Set([
          ...segments.map(({ path }) => path),
          ...found.compacted.flatMap((day) => [day.path, ...segmentsOf(day)])
        ])
        const readBefore = new Map(read)
        const aliveBefore = alive
        let open = new Map<string, number>()
        let hasLines = false
        yield* DuckDb.transaction(
          writer,
          Effect.gen(function* () {
            const fresh = compacted.filter(({ path }) => !read.has(path))
            const isKnown = fresh.every((day) =>
              day.segments.every(({ bytes, name }) => read.get(path.join(options.ledger, day.day, name)) === bytes)
            )
            // Days that are over may be removed from a ledger.
            const isThere = Array.from(read.keys()).every((file) => there.has(file))
            if (isFirst || !isKnown || !isThere) {
              read.clear()
              yield* all(MirrorTables.clear)
              open = yield* loadAll({ segments, compacted })
              hasLines = true
            } else {
              for (const day of fresh) {
                const [file = ""] = CompactedFiles.paths([day], "lines")
                yield* all(MirrorTables.move, { segments: segmentsOf(day), file })
                read.set(day.path, day.bytes)
              }
              for (const segment of segments.filter(({ bytes, path }) => bytes > (read.get(path) ?? 0))) {
                const { hasLines: gained, rest } = yield* loadRest(segment)
                hasLines ||= gained
                if (rest > 0) open.set(segment.path, segment.bytes)
              }
            }
            const writers = Array.from(
              new Set(segments.filter(({ isAbandoned }) => !isAbandoned).map(({ writer }) => writer))
            )
            if (writers.join() !== alive) {
              yield* all(MirrorTables.alive, { alive: writers })
              alive = writers.join()
              hasLines = true
            }
            if (hasLines) yield* all(MirrorTables.derive)
          })
        ).pipe(
          Effect.tapErrorCause(() =>
            Effect.sync(() => {
              read = readBefore
              alive = aliveBefore
            })
          )
        )
        // A line without an end that does not grow was cut; one that grows is being written.
        const cut = Array.from(open)
          .filter(([path, bytes]) => tails.get(path) === bytes)
          .map(([path]) => path)
        tails = open
        const unreadNow = [
          ...cut,
          ...found.compacted
            .filter(({ cutLines, problem }) => cutLines > 0 || problem !== undefined)
            .map(({ path }) => path)
        ].join()
        if (!hasLines && before.state === "ready" && unreadNow === unread) return
        unread = unreadNow
        const counts = yield* countsOf(query)
        yield* SubscriptionRef.set(state, {
          ...counts,
          problems: LineProblems.summary(
            [
              ...(yield* problemsIn(query)).map(({ lines, problem, segment }) => ({
                problem: problem ?? "",
                lines: Number(lines),
                places: [path.relative(options.ledger, segment ?? "")]
              })),
              ...cut.map((segment) => ({ problem: "cut", lines: 1, places: [path.relative(options.ledger, segment)] }))
            ],
            found.compacted
          ),
          state: "ready",
          revision: before.revision + 1,
          atMs: now,
          problem: null,
          awaySinceMs: null,
          nextTryMs: null
        })
      })

      const away = ({ message }: { readonly message: string }) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          yield* SubscriptionRef.update(state, (before) => ({
            ...before,
            state: "away" as const,
            problem: message,
            awaySinceMs: before.awaySinceMs ?? now,
            nextTryMs: now + retryMillis
          }))
          yield* Effect.sleep(retryMillis)
        })

      const one = yield* Effect.makeSemaphore(1)
      const refresh = one.withPermits(1)(
        look.pipe(
          Effect.mapError(asCommandError),
          Effect.provideService(FileSystem.FileSystem, files),
          Effect.provideService(Path.Path, path)
        )
      )
      // A ledger that is not there at the start is a mistake of the user.
      yield* LedgerDirectory.files(options.ledger)
      yield* Effect.forkScoped(
        Effect.forever(refresh.pipe(Effect.catchAll(away), Effect.zipRight(Effect.sleep(options.pollMillis ?? 500))))
      )
      const ready = state.changes.pipe(
        Stream.filter(({ state }) => state !== "loading"),
        Stream.runHead
      )

      const answer = yield* AnswerCache.make(
        query,
        Effect.map(SubscriptionRef.get(state), ({ revision }) => revision)
      )

      return {
        query: (statement, parameters) => Effect.zipRight(ready, answer(statement, parameters)),
        records: (eventId, customerId) => {
          const read = Effect.gen(function* () {
            yield* ready
            const rows = yield* query(
              `SELECT DISTINCT segment FROM runs SEMI JOIN
                (SELECT event FROM keys WHERE eventId = $eventId AND customerId = $customerId) USING (event)
              UNION SELECT segment FROM amendments WHERE eventId = $eventId`,
              { eventId, customerId }
            )
            if (rows.length === 0) return { records: [], amendments: [] }
            const names = rows.map(({ segment }) => segment ?? "")
            const ofDays = names.filter((name) => name.endsWith(".parquet")).sort()
            const ofSegments = names.filter((name) => !name.endsWith(".parquet"))
            const lines = [
              ...(ofDays.length === 0
                ? []
                : yield* query(
                    "SELECT line AS json FROM read_parquet($files, filename = true) WHERE event_id = $eventId ORDER BY filename, number",
                    { files: ofDays.map(literalPath), eventId }
                  )),
              ...(ofSegments.length === 0
                ? []
                : yield* query(
                    `SELECT json FROM read_ndjson_objects($files, ignore_errors = true, maximum_object_size = 268435456)
                    WHERE contains(json, $quoted)`,
                    { files: ofSegments.map(literalPath), quoted: JSON.stringify(eventId) }
                  ))
            ]
            return recordsIn(
              lines.map(({ json }) => json ?? ""),
              eventId,
              customerId
            )
          })
          // Its segments may have been compacted since the ledger was looked at.
          return Effect.catchAll(read, () => Effect.zipRight(Effect.ignore(refresh), read))
        },
        state: SubscriptionRef.get(state),
        changes: state.changes,
        refresh: Effect.ignore(refresh)
      }
    })
  )

const nothing: Omit<MirrorState, "atMs"> = {
  state: "loading",
  revision: 0,
  events: 0,
  runs: 0,
  firstStartMs: null,
  lastStartMs: null,
  problem: null,
  awaySinceMs: null,
  nextTryMs: null,
  problems: [],
  lost: 0
}

/** How many queries are answered at once. A connection answers one after the other. */
export const mostReaders = 4

const trouble = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({
    message: `the ledger cannot be read: ${TerminalText.visible(message)}`,
    exitCode: exitCodes.trouble
  })

const asCommandError = (error: CommandError | { readonly message: string }): CommandError =>
  error instanceof CommandError ? error : trouble(error)

/** The path as DuckDB takes it: as itself, whatever characters of a pattern are in it. */
const literalPath = (path: string): string => path.replace(/[[*?]/g, "[$&]")

/** A statement may be given no parameter that is not in it. */
const parametersOf = (
  statement: string,
  parameters: Readonly<Record<string, DuckDb.Parameter>>
): Readonly<Record<string, DuckDb.Parameter>> =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => new RegExp(`\\$${name}\\b`).test(statement)))

const number = (value: string | null | undefined) => (value === null || value === undefined ? null : Number(value))

const countsOf = (query: LedgerMirror["Type"]["query"]) =>
  Effect.gen(function* () {
    const [events] = yield* query(
      "SELECT count(*) AS events, min(startMs) AS first, max(startMs) AS last, sum(runs) AS runs FROM events",
      {}
    )
    const [losses] = yield* query("SELECT sum(count) AS lost FROM losses", {})
    return {
      events: number(events?.events) ?? 0,
      runs: number(events?.runs) ?? 0,
      firstStartMs: number(events?.first),
      lastStartMs: number(events?.last),
      lost: number(losses?.lost) ?? 0
    }
  })

/** The lines in the tables that are in no figure, by segment. */
const problemsIn = (query: LedgerMirror["Type"]["query"]) =>
  query("SELECT segment, problem, sum(lines) AS lines FROM problems GROUP BY ALL", {})

const decodeRun = Schema.decodeUnknownOption(Run)
const decodeCompleted = Schema.decodeUnknownOption(CompletedRun)
const decodeAmendment = Schema.decodeUnknownOption(Ledger.OutcomeAmendment)

const recordsIn = (lines: ReadonlyArray<string>, eventId: string, customerId: string): EventRecords => {
  const records: Array<RunRecord.RunRecord> = []
  const amendments: Array<Ledger.OutcomeAmendment> = []
  for (const text of lines) {
    const line = JSON.parse(text) as Readonly<Record<string, unknown>>
    if (line["v"] !== 1) continue
    if (line["type"] === "started") {
      records.push(...Option.toArray(Option.map(decodeRun(line["run"]), (run) => RunRecord.started(run))))
    }
    if (line["type"] === "completed") {
      records.push(...Option.toArray(Option.map(decodeCompleted(line["completed"]), RunRecord.fromCompleted)))
    }
    if (line["type"] === "amended") amendments.push(...Option.toArray(decodeAmendment(line["amendment"])))
  }
  return {
    records: RunRecord.distinct(records.filter(({ run }) => run.eventId === eventId && run.customerId === customerId)),
    amendments: amendments.filter(
      (amendment) =>
        amendment.eventId === eventId && (amendment.customerId === undefined || amendment.customerId === customerId)
    )
  }
}
