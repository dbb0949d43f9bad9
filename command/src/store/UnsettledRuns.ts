/**
 * The runs of unsettled events as a compacted day notes them: of events that are in other days too, whose runs it has copied, and of
 * those that have a run without an end. Each is a JSON text, because many columns of few rows take longer to read than one.
 */
import { basename } from "node:path"
import type { Ledger } from "botanu-effect/ledger"
import * as CompactedFiles from "./CompactedFiles.js"
import * as DuckDb from "./DuckDb.js"
import * as RunColumns from "./RunColumns.js"

/** A day with more of them than it has runs, and than this, notes their keys alone. */
const mostNoted = 10_000

/** How many runs a day notes, of so many that it has; `undefined` where it notes none, because they would be too many. */
export const notedOf = (unsettled: number, runs: number): number | undefined =>
  unsettled > Math.max(runs, mostNoted) ? undefined : unsettled

/** Whether all of these days have noted their runs. */
export const areNoted = (compacted: ReadonlyArray<Ledger.CompactedDay>): boolean =>
  compacted.every(({ unsettledRuns }) => unsettledRuns !== undefined)

/** The text of a run from its columns, and from the name of the folder that has it. */
export const text = `to_json({${[...RunColumns.names, "is_completed", "writers", "origin"]
  // A number of JSON would not be exact.
  .map((name) => `'${name}': ${name === "usd" ? "usd::VARCHAR" : name}`)
  .join(", ")}})::VARCHAR`

/**
 * A query for the noted runs of these days as `event_key`, `is_completed`, the columns, `writers` and `source`, the place of the
 * day that has the run. Runs of days that are there no more are left out.
 */
export const select = (
  compacted: ReadonlyArray<Ledger.CompactedDay>,
  columns: ReadonlyArray<RunColumns.Name>,
  placeOf: (day: Ledger.CompactedDay) => number
): string => {
  const withRuns = compacted.filter(({ unsettledRuns }) => unsettledRuns !== 0)
  const structure = {
    ...Object.fromEntries(columns.map((name) => [name, RunColumns.typeOf(name)])),
    is_completed: "BOOLEAN",
    writers: ["VARCHAR"],
    origin: "VARCHAR"
  }
  return `SELECT event_key, run.is_completed AS is_completed, ${columns.map((name) => `run.${name} AS ${name}`).join(", ")},
      run.writers AS writers, source
    FROM (
      SELECT event_key, run, [${compacted.map(placeOf).join(", ")}][list_position(
        [${compacted.map(({ path }) => DuckDb.literal(basename(path))).join(", ")}], run.origin)] AS source
      FROM (
        SELECT event_key, from_json(run, ${DuckDb.literal(JSON.stringify(structure))}) AS run
        FROM read_parquet(${CompactedFiles.list(withRuns, "unsettled")})
      )
    ) WHERE source IS NOT NULL`
}
