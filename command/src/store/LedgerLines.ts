/**
 * The lines of a ledger as records of `botanu-effect`: those of segments, and those of compacted days.
 */
import { CompletedRun, Run } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { RunRecord } from "botanu-effect/report"
import { DateTime, Effect, Either, Schema, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import * as CompactedFiles from "./CompactedFiles.js"
import type { DuckDb, Parameter } from "./DuckDb.js"
import type { Records, Selection } from "./LedgerStore.js"
import * as Segments from "./Segments.js"

/** Runs and amendments in their order. All lines of segments are read: what is selected may be anywhere. */
export const recordsOf = (
  database: DuckDb,
  files: Ledger.Files,
  selection: Selection
): Effect.Effect<Records, CommandError> =>
  Effect.gen(function* () {
    const { condition, parameters } = conditionOf(selection)
    const records: Array<RunRecord.RunRecord> = []
    const amendments: Array<Ledger.OutcomeAmendment> = []
    for (const lines of inOrder(files).map(linesOf)) {
      for (const { line } of yield* database.query(`${lines.select} WHERE ${condition} ${lines.order}`, parameters)) {
        const decoded = decodeLine(line)
        if (Either.isLeft(decoded)) continue
        const { amendment, completed, run } = decoded.right
        if (completed != null) records.push(RunRecord.fromCompleted(completed))
        else if (run != null) records.push(RunRecord.started(run))
        else if (amendment != null) amendments.push(amendment)
      }
    }
    return { records: RunRecord.distinct(records), amendments }
  })

/** The run that starts or ends with a line of a segment. None where the line is of something else, or prices a run once more. */
export const newRunOf = (line: string): ReadonlyArray<RunRecord.RunRecord> => {
  const decoded = decodeLine(line)
  if (Either.isLeft(decoded)) return []
  const { completed, run, v } = decoded.right
  if (v !== 1 || completed?.repriced !== undefined) return []
  return completed != null ? [RunRecord.fromCompleted(completed)] : run != null ? [RunRecord.started(run)] : []
}

/** Of runs, which records count, where that is more than one record of a run that has completed shows. */
export interface SharedRuns {
  /** Runs that have not completed: their starts count. */
  readonly open: ReadonlySet<string>
  /** Runs with several records: the last counts. */
  readonly several: ReadonlySet<string>
}

/** Of the tables of a ledger, the runs that a single record does not show. Most runs are none of them. */
export const sharedRuns = (database: DuckDb, { compacted }: Ledger.Files): Effect.Effect<SharedRuns, CommandError> =>
  Effect.gen(function* () {
    const idsOf = (statement: string) =>
      Effect.map(database.query(statement), (rows) => rows.map((row) => String(row["run_id"])))
    const readable = compacted.filter(({ problem }) => problem === undefined)
    return {
      open: new Set(yield* idsOf("SELECT run_id::VARCHAR AS run_id FROM runs WHERE NOT is_completed")),
      several: new Set([
        ...(yield* idsOf(`SELECT run_id::VARCHAR AS run_id FROM read_lines WHERE is_counted AND is_completed
            GROUP BY run_id HAVING count(*) > 1`)),
        ...(readable.length === 0
          ? []
          : yield* idsOf(
              `SELECT json_extract_string(line, '$.completed.run.runId') AS run_id FROM ${compactedLines(readable)}
                WHERE type = 'completed' GROUP BY 1 HAVING count(*) > 1`
            ))
      ])
    }
  })

/** The records of all runs, each once, as their lines are read. Only runs that have not completed, or have several records, are held. */
export const streamOf = (
  database: DuckDb,
  files: Ledger.Files,
  { open, several }: SharedRuns
): Stream.Stream<ReadonlyArray<RunRecord.RunRecord>, CommandError> =>
  Stream.suspend(() => {
    const held: Array<RunRecord.RunRecord> = []
    const recordIn = (line: unknown): ReadonlyArray<RunRecord.RunRecord> => {
      const decoded = decodeLine(line)
      if (Either.isLeft(decoded)) return []
      const { completed, run } = decoded.right
      if (completed != null) {
        const record = RunRecord.fromCompleted(completed)
        // One that was open has ended since.
        if (!several.has(completed.run.runId) && !open.has(completed.run.runId)) return [record]
        held.push(record)
      } else if (run != null && open.has(run.runId)) held.push(RunRecord.started(run))
      return []
    }
    return Stream.fromIterable(inOrder(files).map(linesOf)).pipe(
      Stream.flatMap(({ order, select }) => database.stream(`${select} WHERE type <> 'amended' ${order}`)),
      Stream.map((rows) => rows.flatMap(({ line }) => recordIn(line))),
      Stream.concat(Stream.suspend(() => Stream.succeed(RunRecord.distinct(held)))),
      Stream.filter((records) => records.length > 0)
    )
  })

/** Files that are next to each other in the order in which their lines count. */
export type Part =
  | { readonly _tag: "Compacted"; readonly days: ReadonlyArray<Ledger.CompactedDay> }
  | { readonly _tag: "Segments"; readonly segments: ReadonlyArray<Ledger.Segment> }

/** All files that can be read, by day; of a day, what was compacted before its segments. */
export const inOrder = ({ compacted, segments }: Ledger.Files): ReadonlyArray<Part> => {
  const readable = compacted.filter(({ problem }) => problem === undefined)
  const parts: Array<Part> = []
  for (const day of Array.from(new Set([...readable, ...segments].map(({ day }) => day))).sort()) {
    const days = readable.filter((one) => one.day === day)
    const ofDay = segments.filter((segment) => segment.day === day)
    const last = parts.at(-1)
    if (days.length > 0) {
      if (last?._tag === "Compacted") parts[parts.length - 1] = { _tag: "Compacted", days: [...last.days, ...days] }
      else parts.push({ _tag: "Compacted", days })
    }
    const before = parts.at(-1)
    if (ofDay.length > 0) {
      if (before?._tag === "Segments") {
        parts[parts.length - 1] = { _tag: "Segments", segments: [...before.segments, ...ofDay] }
      } else parts.push({ _tag: "Segments", segments: ofDay })
    }
  }
  return parts
}

interface Lines {
  readonly select: string
  readonly order: string
}

const linesOf = (part: Part): Lines =>
  part._tag === "Compacted" ? ofCompacted(part.days) : ofSegments(part.segments.map(({ path }) => path))

const field = (name: string) => `json_extract_string(about, '$.${name}')`

/** Read as they stand in the files. */
const ofSegments = (paths: ReadonlyArray<string>): Lines => ({
  order: "",
  select: `SELECT line FROM (
    SELECT line, type, ${field("eventId")} AS event_id, ${field("customerId")} AS customer_id, ${field("startTime")} AS start_time
    FROM (
      SELECT type, json_object('v', v, 'type', type, 'run', run, 'completed', completed, 'amendment', amendment) AS line,
        CASE type WHEN 'started' THEN run WHEN 'completed' THEN completed -> '$.run' ELSE amendment END AS about
      FROM ${Segments.lines(paths, "records")} WHERE v = 1 AND type IN ('started', 'completed', 'amended')
    )
  )`
})

/** Sorted by event in the file, which makes it small and an event quick to find. */
const ofCompacted = (days: ReadonlyArray<Ledger.CompactedDay>): Lines => ({
  order: "ORDER BY filename, number",
  select: `SELECT line FROM (
    SELECT *, filename FROM ${compactedLines(days)}
    WHERE type IN ('started', 'completed', 'amended')
  )`
})

const compactedLines = (days: ReadonlyArray<Ledger.CompactedDay>): string =>
  `read_parquet(${CompactedFiles.list(days, "lines")})`

const conditionOf = ({ customerId, eventId, since, until }: Selection) => {
  const parts = ["true"]
  const parameters: Record<string, Parameter> = {}
  const add = (name: string, value: string | undefined, part: string): void => {
    if (value === undefined) return
    parts.push(part)
    parameters[name] = value
  }
  const instant = (time: DateTime.Utc | undefined) => (time === undefined ? undefined : DateTime.formatIso(time))
  add("event", eventId, "event_id = $event")
  add("customer", customerId, "(customer_id IS NULL OR customer_id = $customer)")
  // Texts of one format sort as the instants do.
  add("since", instant(since), "(start_time IS NULL OR start_time >= $since)")
  add("until", instant(until), "(start_time IS NULL OR start_time < $until)")
  return { condition: parts.join(" AND "), parameters }
}

const optionalLine = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const decodeLine = Schema.decodeUnknownEither(
  Schema.parseJson(
    Schema.Struct({
      v: optionalLine(Schema.Number),
      run: optionalLine(Run),
      completed: optionalLine(CompletedRun),
      amendment: optionalLine(Ledger.OutcomeAmendment)
    })
  )
)
