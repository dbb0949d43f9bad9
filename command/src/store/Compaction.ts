/**
 * Writes the segments of a day to Parquet files, and removes them.
 *
 * The files are written to a folder of another name, which is renamed when all of them are on the disk. The segments are removed
 * after that. Readers leave out segments that a compacted day names, so every run is there once, whenever this ends.
 */
import { FileSystem, Path } from "@effect/platform"
import { RunId } from "botanu-effect"
import type { Ledger } from "botanu-effect/ledger"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as CompactedFiles from "./CompactedFiles.js"
import * as DuckDb from "./DuckDb.js"
import * as LedgerTables from "./LedgerTables.js"
import * as Segments from "./Segments.js"
import * as UnsettledRuns from "./UnsettledRuns.js"

/** The segments of a day that can be compacted. */
export interface Day {
  readonly day: string
  readonly segments: ReadonlyArray<Ledger.Segment>
  readonly bytes: number
}

/** Days whose segments can be compacted, the earliest first, and those that have to wait because one of them is in use. */
export const daysOf = (
  { segments }: Ledger.Files,
  today: string
): { readonly ready: ReadonlyArray<Day>; readonly inUse: ReadonlyArray<string> } => {
  const latest = new Map<string, Ledger.Segment>()
  for (const segment of segments) {
    const known = latest.get(segment.writer)
    if (known === undefined || isLater(segment, known)) latest.set(segment.writer, segment)
  }
  // A writer writes to its latest segment only.
  const isInUse = (segment: Ledger.Segment) => !segment.isAbandoned && latest.get(segment.writer) === segment
  const ready: Array<Day> = []
  const inUse: Array<string> = []
  for (const day of new Set(segments.map(({ day }) => day))) {
    if (day >= today) continue
    const ofDay = segments.filter((segment) => segment.day === day)
    // A day is compacted whole, so that its lines keep their order.
    if (ofDay.some(isInUse)) inUse.push(day)
    else ready.push({ day, segments: ofDay, bytes: ofDay.reduce((sum, { bytes }) => sum + bytes, 0) })
  }
  return { ready, inUse }
}

const isLater = (one: Ledger.Segment, other: Ledger.Segment): boolean =>
  one.day !== other.day
    ? one.day > other.day
    : one.path.length !== other.path.length
      ? one.path.length > other.path.length
      : one.path > other.path

/** What became of a day. */
export type Result =
  | { readonly _tag: "Compacted"; readonly runs: number; readonly bytes: number }
  /** Lines that this version cannot read stay as they are. */
  | { readonly _tag: "Unreadable"; readonly lines: number }
  /** A segment has grown or gone meanwhile. */
  | { readonly _tag: "Changed" }

/** Compacts a day. `compacted` is what is compacted already. */
export const compact = (
  directory: string,
  { day, segments }: Day,
  compacted: ReadonlyArray<Ledger.CompactedDay>
): Effect.Effect<Result, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const id = yield* RunId.make
      const folder = path.join(directory, day)
      const unfinished = path.join(folder, `${id}${unfinishedSuffix}`)
      yield* Effect.acquireRelease(files.makeDirectory(unfinished), () =>
        Effect.ignore(files.remove(unfinished, { recursive: true }))
      )
      const database = yield* DuckDb.make
      // What does not fit into memory goes to this folder.
      yield* database.query(`SET temp_directory = ${DuckDb.literal(path.join(unfinished, "temporary"))}`)
      yield* LedgerTables.make(database, { segments, compacted: [] }, LedgerTables.whole("quantities"))
      const counts = yield* countsOf(database)
      if (counts.unreadable > 0) return { _tag: "Unreadable", lines: counts.unreadable } as const
      yield* database.query(lines(segments))
      const readable = compacted.filter(({ problem }) => problem === undefined)
      for (const statement of tablesOf(segments, readable)) yield* database.query(statement)
      const finished = `${id}.compacted`
      const unsettledRuns = yield* noteUnsettled(database, finished, readable, counts.runs)
      for (const name of CompactedFiles.all) {
        yield* database.query(
          `COPY (${selects[name]}) TO ${DuckDb.literal(path.join(unfinished, CompactedFiles.nameOf(name)))}
            (FORMAT parquet, ${compressions[name] ?? "COMPRESSION zstd"},
              KV_METADATA {'${CompactedFiles.keyOfVersion}': '${CompactedFiles.version}'})`
        )
      }
      yield* verified(database, unfinished, counts)
      yield* Effect.ignore(files.remove(path.join(unfinished, "temporary"), { recursive: true }))
      let bytes = 0
      for (const name of yield* files.readDirectory(unfinished)) {
        yield* synced(path.join(unfinished, name), "r+")
        bytes += Number((yield* files.stat(path.join(unfinished, name))).size)
      }
      const manifest = {
        v: CompactedFiles.version,
        runs: counts.runs,
        lines: counts.lines,
        cutLines: counts.cut,
        lost: counts.lost,
        amendments: counts.amendments,
        ...(unsettledRuns !== undefined && { unsettledRuns }),
        segments: segments.map((segment) => ({ name: path.basename(segment.path), bytes: segment.bytes })),
        bytes
      }
      const text = `${JSON.stringify(manifest)}\n`
      yield* files.writeFileString(path.join(unfinished, "manifest.json"), text)
      yield* synced(path.join(unfinished, "manifest.json"), "r+")
      for (const segment of segments) {
        const size = yield* Effect.orElseSucceed(
          Effect.map(files.stat(segment.path), ({ size }) => Number(size)),
          () => undefined
        )
        if (size !== segment.bytes) return { _tag: "Changed" } as const
      }
      yield* Effect.uninterruptible(
        Effect.gen(function* () {
          yield* syncedFolder(unfinished)
          yield* files.rename(unfinished, path.join(folder, finished))
          yield* syncedFolder(folder)
          for (const segment of segments) yield* files.remove(segment.path, { force: true })
        })
      )
      return { _tag: "Compacted", runs: counts.runs, bytes: bytes + text.length } as const
    })
  ).pipe(Effect.catchTags({ BadArgument: unwritable, SystemError: unwritable }))

/** The end of the name of a folder that is not finished, or that is being removed. */
export const unfinishedSuffix = ".part"

/** Removes what a compaction has left behind that did not come to its end: folders, and segments that are compacted. */
export const cleaned = (
  directory: string,
  { compacted, segments }: Ledger.Files
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const read = new Set(segments.map(({ path }) => path))
    for (const { day, segments } of compacted) {
      for (const { name } of segments) {
        const segment = path.join(directory, day, name)
        // One that is read as a segment has grown since.
        if (!read.has(segment)) yield* files.remove(segment, { force: true })
      }
    }
    for (const day of new Set([...compacted, ...segments].map(({ day }) => day))) {
      for (const name of yield* files.readDirectory(path.join(directory, day))) {
        if (!name.endsWith(unfinishedSuffix)) continue
        const left = path.join(directory, day, name)
        if ((yield* files.stat(left)).type === "Directory") yield* files.remove(left, { recursive: true })
      }
    }
  }).pipe(Effect.catchTags({ BadArgument: unwritable, SystemError: unwritable }))

interface Counts {
  readonly lines: number
  readonly runs: number
  readonly amendments: number
  readonly cut: number
  readonly unreadable: number
  readonly lost: number
}

const countsOf = (database: DuckDb.DuckDb): Effect.Effect<Counts, CommandError> =>
  Effect.gen(function* () {
    const [row] =
      yield* database.query(`SELECT count(*) AS lines, count(*) FILTER (WHERE NOT is_counted AND is_cut) AS cut,
        count(*) FILTER (WHERE NOT is_counted AND NOT is_cut) AS unreadable, coalesce(sum(lost), 0) AS lost,
        count(*) FILTER (WHERE is_counted AND is_amendment) AS amendments,
        (SELECT count(*) FROM tail_runs) AS runs
      FROM read_lines`)
    const count = (name: string) => Number(row?.[name] ?? 0)
    return {
      lines: count("lines") - count("cut"),
      runs: count("runs"),
      amendments: count("amendments"),
      cut: count("cut"),
      unreadable: count("unreadable"),
      lost: count("lost")
    }
  })

/** Records as they were written. The start of a run that is over is left out, and what a segment says of its writer. */
const lines = (segments: ReadonlyArray<Ledger.Segment>): string => `CREATE TEMP TABLE raw_lines AS
  WITH numbered AS (
    SELECT json AS line, file_index, json_extract_string(json, '$.type') AS type,
      coalesce(json -> '$.completed.run', json -> '$.run', json -> '$.amendment') AS about
    FROM read_ndjson_objects([${segments.map(({ path }) => Segments.literalPath(path)).join(", ")}],
      ignore_errors = true, maximum_object_size = ${Segments.longestLine}) WHERE json IS NOT NULL
  )
  SELECT type, json_extract_string(about, '$.runId') AS run_id, json_extract_string(about, '$.eventId') AS event_id,
    json_extract_string(about, '$.customerId') AS customer_id, json_extract_string(about, '$.startTime') AS start_time,
    [${segments.map(({ writer }) => DuckDb.literal(writer)).join(", ")}][file_index::BIGINT + 1] AS writer, line::VARCHAR AS line
  FROM numbered`

const tablesOf = (
  segments: ReadonlyArray<Ledger.Segment>,
  compacted: ReadonlyArray<Ledger.CompactedDay>
): ReadonlyArray<string> => [
  `CREATE TEMP TABLE starts AS
      SELECT run_id, list(DISTINCT [${segments.map(({ writer }) => DuckDb.literal(writer)).join(", ")}][source + 1]) AS writers
      FROM read_lines WHERE is_counted AND NOT is_completed AND run_id IS NOT NULL GROUP BY run_id`,
  `CREATE TEMP TABLE keyed_runs AS SELECT ${LedgerTables.eventKey()} AS event_key, * FROM tail_runs`,
  // With the events of other days that have a run of this day, or the same key.
  `CREATE TEMP TABLE unsettled AS SELECT DISTINCT event_key FROM (
      SELECT event_key FROM keyed_runs WHERE NOT is_completed
      ${
        compacted.length === 0
          ? ""
          : `UNION ALL SELECT event_key FROM keyed_runs SEMI JOIN read_parquet(${CompactedFiles.list(compacted, "events")}) USING (event_key)
             UNION ALL SELECT unnest([k.event_key, o.event_key])
             FROM keyed_runs k JOIN read_parquet(${CompactedFiles.list(compacted, "runs")}) o USING (run_id)`
      }
    )`
]

/** Makes a table of the runs of unsettled events, of this day and of others. Gives how many they are, unless they are too many. */
const noteUnsettled = (
  database: DuckDb.DuckDb,
  folder: string,
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  runs: number
): Effect.Effect<number | undefined, CommandError, Path.Path> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const found =
      compacted.length === 0
        ? []
        : yield* database.query(
            `SELECT DISTINCT filename FROM read_parquet(${CompactedFiles.list(compacted, "events")}, filename = true)
              SEMI JOIN unsettled USING (event_key)`
          )
    const folders = new Set(found.map(({ filename }) => path.dirname(String(filename))))
    const others = compacted.filter(({ path }) => folders.has(path))
    yield* database.query(`CREATE TEMP TABLE unsettled_runs AS SELECT * FROM (
      SELECT *, ${DuckDb.literal(folder)} AS origin FROM (${ownRuns}) ${
        others.length === 0
          ? ""
          : `UNION ALL BY NAME SELECT * EXCLUDE (filename), parse_filename(parse_dirpath(filename)) AS origin
            FROM read_parquet(${CompactedFiles.list(others, "runs")}, filename = true)`
      }
    ) SEMI JOIN unsettled USING (event_key)`)
    const [row] = yield* database.query("SELECT count(*) AS runs FROM unsettled_runs")
    const noted = UnsettledRuns.notedOf(Number(row?.["runs"]), runs)
    if (noted === undefined) yield* database.query("TRUNCATE unsettled_runs")
    return noted
  })

const ownRuns = `SELECT r.* EXCLUDE (rank, source, report_status, run_status, is_crowded), s.writers
    FROM keyed_runs r LEFT JOIN starts s ON s.run_id = r.run_id AND NOT r.is_completed`

const withKey = (name: string): string =>
  `SELECT r.event_key, t.* FROM tail_${name} t JOIN keyed_runs r ON r.run_id = t.run_id ORDER BY r.start_time, t.run_id`

/** What is in each file. */
const selects: Readonly<Record<CompactedFiles.Name, string>> = {
  lines: `SELECT rowid AS number, * EXCLUDE (run_id) FROM raw_lines
    WHERE type IN ('completed', 'amended', 'lost')
      OR type = 'started' AND run_id::UUID IN (SELECT run_id FROM keyed_runs WHERE NOT is_completed)
    ORDER BY event_id, rowid`,
  runs: `${ownRuns} ORDER BY r.customer_id, r.start_time`,
  events: `SELECT ${LedgerTables.eventKey()} AS event_key, * FROM tail_events ORDER BY customer_id, start_time`,
  usages: withKey("usages"),
  charges: withKey("charges"),
  quantities: withKey("quantities"),
  annotations: withKey("annotations"),
  amendments: "SELECT * FROM amendments ORDER BY id",
  // A key without a run where there are too many of those.
  unsettled: `SELECT event_key, CASE WHEN run_id IS NOT NULL THEN ${UnsettledRuns.text} END AS run
    FROM unsettled LEFT JOIN unsettled_runs USING (event_key) ORDER BY event_key`
}

/** Reports read `events`: LZ4 takes a third less time to read than zstd, and a tenth more room. */
const compressions: Partial<Readonly<Record<CompactedFiles.Name, string>>> = {
  lines: "COMPRESSION zstd, COMPRESSION_LEVEL 9",
  events: "COMPRESSION lz4_raw"
}

/** What was written has to read back before anything is removed. */
const verified = (
  database: DuckDb.DuckDb,
  folder: string,
  { amendments, runs }: Counts
): Effect.Effect<void, CommandError, Path.Path> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const countOf = (name: CompactedFiles.Name, what: string) =>
      Effect.map(
        database.query(
          `SELECT ${what} AS count FROM read_parquet(${Segments.literalPath(path.join(folder, CompactedFiles.nameOf(name)))})`
        ),
        ([row]) => Number(row?.["count"])
      )
    const isWhole =
      (yield* countOf("runs", "count(DISTINCT run_id)")) === runs &&
      (yield* countOf("events", "sum(runs)::BIGINT")) === runs &&
      (yield* countOf("lines", "count(*) FILTER (WHERE type = 'amended' AND line IS NOT NULL)")) === amendments
    if (!isWhole) {
      return yield* new CommandError({
        message: "the files that were written do not hold what was read: nothing was compacted",
        exitCode: exitCodes.trouble
      })
    }
  })

const synced = (file: string, flag: "r" | "r+") =>
  Effect.scoped(
    Effect.flatMap(FileSystem.FileSystem, (files) => Effect.flatMap(files.open(file, { flag }), ({ sync }) => sync))
  )

/** Not every system can write a folder to the disk. */
const syncedFolder = (folder: string) => Effect.ignore(synced(folder, "r"))

const unwritable = ({ message }: { readonly message: string }): CommandError =>
  new CommandError({ message: `the ledger cannot be written: ${message}`, exitCode: exitCodes.trouble })
