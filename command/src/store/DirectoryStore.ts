/**
 * A directory of segments and compacted days, read by DuckDB.
 */
import { type FileSystem, Path } from "@effect/platform"
import type { Ledger } from "botanu-effect/ledger"
import { Figures } from "botanu-effect/report"
import { Effect, Ref, type Scope, Stream } from "effect"
import { megabytes, plural } from "../Amounts.js"
import type { CommandError } from "../CommandError.js"
import * as ComingLines from "./ComingLines.js"
import * as CompactedFiles from "./CompactedFiles.js"
import * as Dialect from "./Dialect.js"
import * as DuckDb from "./DuckDb.js"
import * as LedgerDirectory from "./LedgerDirectory.js"
import * as LedgerLines from "./LedgerLines.js"
import type { Health, Relation, Row, Statement, Store } from "./LedgerStore.js"
import * as LedgerTables from "./LedgerTables.js"
import * as LineProblems from "./LineProblems.js"
import * as RunRow from "./RunRow.js"
import * as Segments from "./Segments.js"

/** Opens the ledger in a directory. Fails where there is no such directory. Nothing is read until the first statement. */
export const open = (
  directory: string
): Effect.Effect<Store, CommandError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const environment = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const path = yield* Path.Path
    const listed = Effect.provide(LedgerDirectory.files(directory), environment)
    const opened = Effect.flatMap(DuckDb.open({ memory: DuckDb.memoryOfCommand }), ({ connect }) =>
      Effect.map(connect, (database) => ({ connect, database }))
    )
    const [files, { connect, database }] = yield* Effect.all([listed, opened], { concurrency: "unbounded" })
    const found = yield* Ref.make(files)
    const state = yield* Ref.make<LedgerTables.Loaded | undefined>(undefined)
    // One statement at a time: tables are replaced while they are loaded.
    const lock = yield* Effect.makeSemaphore(1)

    const load = (reading: LedgerTables.Reading) =>
      Effect.flatMap(Ref.get(found), (files) =>
        Effect.tap(LedgerTables.load(database, files, reading), (loaded) => Ref.set(state, loaded))
      )

    const loadedFor = (statement: Reads) =>
      Effect.flatMap(Ref.get(state), (known) => {
        const needed = readingFor(statement)
        return known !== undefined && LedgerTables.includes(known.reading, needed)
          ? Effect.succeed(known)
          : load(known === undefined ? needed : LedgerTables.both(known.reading, needed))
      })

    /** The runs with the lines that were read. */
    const loadedWithLines = Effect.flatMap(Ref.get(state), (known) =>
      known !== undefined && LedgerTables.holdsCalls(known.reading)
        ? load(LedgerTables.whole("runs"))
        : loadedFor({ from: ["runs"] })
    )

    /** Files are compacted and pruned while they are read: what fails for that is tried again with those that are there now. */
    const reading = <A>(read: Effect.Effect<A, CommandError>): Effect.Effect<A, CommandError> =>
      lock.withPermits(1)(
        Effect.catchAll(read, (error) =>
          Effect.flatMap(Effect.zip(listed, Ref.get(found)), ([now, before]) => {
            if (isSame(before, now)) return Effect.fail(error)
            return Effect.zipRight(Effect.zipRight(Ref.set(found, now), Ref.set(state, undefined)), read)
          })
        )
      )

    return {
      name: directory,
      dialect: Dialect.duckDb,
      query: (statement: Statement) =>
        reading(
          Effect.zipRight(
            loadedFor(statement),
            Effect.map(database.query(statement.text, statement.parameters), (rows) => rows.map(asText))
          )
        ),
      stream: (statement: Statement) =>
        Stream.unwrapScoped(
          Effect.gen(function* () {
            yield* reading(loadedFor(statement))
            yield* Effect.acquireRelease(lock.take(1), () => lock.release(1))
            return Stream.map(database.stream(statement.text, statement.parameters), (rows) => rows.map(asText))
          })
        ),
      allRecords: Stream.unwrapScoped(
        Effect.gen(function* () {
          const { files, shared } = yield* reading(
            Effect.flatMap(loadedWithLines, ({ files }) =>
              Effect.map(LedgerLines.sharedRuns(database, files), (shared) => ({ files, shared }))
            )
          )
          return LedgerLines.streamOf(yield* connect, files, shared)
        })
      ),
      records: (selection) =>
        reading(Effect.flatMap(Ref.get(found), (files) => LedgerLines.recordsOf(database, files, selection))),
      coming: Effect.map(Effect.provide(ComingLines.make(directory), environment), (lines) =>
        lines.pipe(
          Stream.map((texts) => texts.flatMap(LedgerLines.newRunOf).map(RunRow.fromRecord)),
          Stream.filter((rows) => rows.length > 0)
        )
      ),
      refresh: lock.withPermits(1)(
        Effect.gen(function* () {
          const now = yield* listed
          if (isSame(yield* Ref.get(found), now)) return false
          yield* Ref.set(found, now)
          const known = yield* Ref.get(state)
          if (known !== undefined) yield* load(known.reading)
          return true
        })
      ),
      health: reading(
        Effect.flatMap(Ref.get(found), (files) => healthOf(database, files, (file) => path.relative(directory, file)))
      ),
      linesLeftOut: reading(Effect.map(loadedFor({ from: [], columns: {} }), ({ linesLeftOut }) => linesLeftOut))
    }
  })

/** Makes tables in a database, which then holds these of the ledger as it is now. Gives the files that it goes on to read. */
export const materialize = (
  database: DuckDb.DuckDb,
  directory: string,
  tables: ReadonlyArray<Relation>
): Effect.Effect<ReadonlyArray<string>, CommandError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* LedgerDirectory.files(directory)
    yield* LedgerTables.load(database, files, readingFor({ from: tables }))
    return CompactedFiles.names.flatMap((name) => CompactedFiles.paths(files.compacted, name))
  })

const depthOf: Readonly<Record<Relation, LedgerTables.Depth>> = {
  events: "events",
  amendments: "events",
  runs: "runs",
  usages: "calls",
  charges: "calls",
  annotations: "calls",
  quantities: "quantities"
}

type Reads = Pick<Statement, "calls" | "columns" | "from">

const readingFor = ({ calls, columns, from }: Reads): LedgerTables.Reading => {
  const whole = LedgerTables.whole(LedgerTables.deepest(from.map((relation) => depthOf[relation])))
  return {
    ...whole,
    ...(calls !== undefined && { calls }),
    ...(columns !== undefined && { events: [], runs: [], ...columns })
  }
}

const isSame = (one: Ledger.Files, other: Ledger.Files): boolean =>
  one.segments.length === other.segments.length &&
  one.segments.every(({ bytes, isAbandoned, path }, index) => {
    const segment = other.segments[index]
    return segment?.path === path && segment.bytes === bytes && segment.isAbandoned === isAbandoned
  }) &&
  one.compacted.length === other.compacted.length &&
  one.compacted.every(({ path }, index) => path === other.compacted[index]?.path)

/** The texts of the values of a row. */
export const asText = (row: DuckDb.Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null || value === undefined
        ? null
        : typeof value === "string"
          ? value
          : typeof value === "object"
            ? JSON.stringify(value)
            : String(value)
    ])
  )

const healthOf = (
  database: DuckDb.DuckDb,
  { compacted, segments }: Ledger.Files,
  nameOf: (file: string) => string
): Effect.Effect<Health, CommandError> =>
  Effect.gen(function* () {
    const lines = Segments.lines(
      segments.map(({ path }) => path),
      "health"
    )
    const kinds = yield* database.query(
      `SELECT CASE WHEN NOT ${LedgerTables.isCounted} THEN ${LineProblems.nameOfLine} END AS problem,
        count(*) AS lines, coalesce(sum("count") FILTER (WHERE v = 1 AND type = 'lost'), 0) AS lost,
        list(DISTINCT filename ORDER BY filename)
          FILTER (WHERE NOT ${LedgerTables.isCounted}) AS files
      FROM (${LedgerTables.withRun(lines)}) GROUP BY 1`
    )
    const found = kinds.filter(({ problem }) => problem !== null)
    const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((sum, number) => sum + number, 0)
    const days = new Set([...segments, ...compacted].map(({ day }) => day)).size
    const compactedDays = new Set(compacted.map(({ day }) => day)).size
    return {
      sizes: [
        plural(days, "day"),
        ...(compactedDays === 0 ? [] : [`${Figures.count(compactedDays)} compacted`]),
        plural(segments.length, "segment"),
        plural(sum([...kinds, ...compacted].map(({ lines }) => Number(lines))), "record"),
        megabytes(sum([...segments, ...compacted].map(({ bytes }) => bytes)))
      ],
      problems: LineProblems.summary(
        found.map(({ files, lines, problem }) => ({
          problem: String(problem),
          lines: Number(lines),
          places: (files as ReadonlyArray<string>).map(nameOf)
        })),
        compacted
      ),
      lostRecords: sum([...kinds, ...compacted].map(({ lost }) => Number(lost)))
    }
  })
