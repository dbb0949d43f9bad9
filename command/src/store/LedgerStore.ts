/**
 * Where runs are kept, as reports read it: a directory of segments or a PostgreSQL database, with the same tables.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Context, type Effect, Layer } from "effect"
import type { CommandError } from "../CommandError.js"
import type { Dialect } from "./Dialect.js"
import * as DirectoryStore from "./DirectoryStore.js"

/** A value of a parameter, which is never part of the statement. */
export type Parameter = string | number | null

/** A row of a result: the text of each value, exact for amounts. Booleans are `true` and `false`, instants as `Dialect.iso`. */
export type Row = Readonly<Record<string, string | null>>

/**
 * The tables that a statement may read. Their columns have the names of the tables of `botanu-effect/sql`:
 *
 * - `events`: one row for each event, with the figures of all its runs
 * - `runs`: one row for each run, `usages` for each call, `charges` for each charge of a call
 * - `quantities`: what calls consumed, by meter; `annotations` of runs
 * - `amendments`: outcomes that became known later
 * - `records`: runs as JSON; there may be several of one run, of which the last one counts
 */
export const relations = [
  "events",
  "runs",
  "usages",
  "charges",
  "quantities",
  "annotations",
  "amendments",
  "records"
] as const
export type Relation = (typeof relations)[number]

/** A statement that reads. Parameters are `$name` in it, and every one of them is used. */
export interface Statement {
  /** The tables that it reads. */
  readonly from: ReadonlyArray<Relation>
  readonly text: string
  readonly parameters?: Readonly<Record<string, Parameter>>
}

/** What a store says of itself. */
export interface Health {
  /** How much there is, such as `31 days` and `48.2 MB`. */
  readonly sizes: ReadonlyArray<string>
  /** Lines that are in no figure, by what is wrong with them, and the files that they are in. */
  readonly problems: ReadonlyArray<{
    readonly problem: "cut" | "newer_version" | "invalid"
    readonly lines: number
    readonly places: ReadonlyArray<string>
  }>
  /** How many records writers have counted as lost. */
  readonly lostRecords: number
}

/** A ledger that is open for reading. */
export interface Store {
  /** The directory, or the URL without its password. It may hold what a terminal would act upon. */
  readonly name: string
  readonly dialect: Dialect
  readonly query: (statement: Statement) => Effect.Effect<ReadonlyArray<Row>, CommandError>
  /** Reads what was written since. Gives whether there was anything. */
  readonly refresh: Effect.Effect<boolean, CommandError>
  /** How many lines are in no figure, because they were cut, are not valid, or are of a later version. */
  readonly linesLeftOut: Effect.Effect<number, CommandError>
  readonly health: Effect.Effect<Health, CommandError>
}

/** The ledger that a command reads. */
export class LedgerStore extends Context.Tag("botanu/command/LedgerStore")<LedgerStore, Store>() {}

/** Opens the ledger at a directory, or at a URL such as `postgres://user@host/database`. */
export const layer = (location: string): Layer.Layer<LedgerStore, CommandError, FileSystem.FileSystem | Path.Path> =>
  Layer.scoped(LedgerStore, DirectoryStore.open(location))
