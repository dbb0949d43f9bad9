/**
 * The files of a compacted day.
 */
import { join } from "node:path"
import type { Ledger } from "botanu-effect/ledger"
import { literalPath } from "./Segments.js"

/** Tables with a row for each of the calls of a run. */
export const namesOfCalls = ["usages", "charges", "quantities", "annotations"] as const

/**
 * One Parquet file for each of these. `lines` has the records as they were written, `unsettled` the keys of events that cannot
 * be taken from `events`.
 */
export const names = ["runs", "events", ...namesOfCalls, "amendments", "unsettled"] as const

export const all = ["lines", ...names] as const
export type Name = (typeof all)[number]

/** The name of a file. */
export const nameOf = (name: Name): string => `${name}.parquet`

/** The files of a table in several days. */
export const paths = (compacted: ReadonlyArray<Ledger.CompactedDay>, name: Name): ReadonlyArray<string> =>
  compacted.map(({ path }) => join(path, nameOf(name)))

/** These files as a list of DuckDB. */
export const list = (compacted: ReadonlyArray<Ledger.CompactedDay>, name: Name): string =>
  `[${paths(compacted, name).map(literalPath).join(", ")}]`

/** The version of the files, in the manifest and in each of them. */
export const version = 1

/** The name under which a file has the version. */
export const keyOfVersion = "botanu.compacted.version"
