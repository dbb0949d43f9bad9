/**
 * Where runs are kept, as reports read it: a directory of segments or a PostgreSQL database, with the same tables.
 */
import type { FileSystem, Path } from "@effect/platform"
import type { Ledger } from "botanu-effect/ledger"
import type { RunRecord } from "botanu-effect/report"
import { Context, type DateTime, type Effect, Layer, type Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import type { Dialect } from "./Dialect.js"
import * as DirectoryStore from "./DirectoryStore.js"
import type { EventColumn } from "./EventRelation.js"
import type { LineProblem } from "./LineProblems.js"
import * as PostgresStore from "./PostgresStore.js"
import type { Name as RunColumn } from "./RunColumns.js"
import type { RunRow } from "./RunRow.js"

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
 */
export const relations = ["events", "runs", "usages", "charges", "quantities", "annotations", "amendments"] as const
export type Relation = (typeof relations)[number]

/** A statement that reads. Parameters are `$name` in it, and every one of them is used. */
export interface Statement {
  /** The tables that it reads. */
  readonly from: ReadonlyArray<Relation>
  /**
   * The columns of `events` and `runs` that it reads, and that those after it will: lines are read once for all of them. Absent: all.
   * A store may have more.
   */
  readonly columns?: { readonly events?: ReadonlyArray<EventColumn>; readonly runs?: ReadonlyArray<RunColumn> }
  /** Whether it is about calls without a price alone. A store may have all. */
  readonly calls?: "unpriced"
  readonly text: string
  readonly parameters?: Readonly<Record<string, Parameter>>
}

/** Which runs are read: of an event, of a customer, that started in a time. */
export interface Selection {
  readonly eventId?: string | undefined
  readonly customerId?: string | undefined
  readonly since?: DateTime.Utc | undefined
  readonly until?: DateTime.Utc | undefined
}

/** Runs, each once, and outcomes that became known later, in their order. */
export interface Records {
  readonly records: ReadonlyArray<RunRecord.RunRecord>
  readonly amendments: ReadonlyArray<Ledger.OutcomeAmendment>
}

/** What a store says of itself. */
export interface Health {
  /** How much there is, such as `31 days` and `48.2 MB`. */
  readonly sizes: ReadonlyArray<string>
  /** Lines that are in no figure, by what is wrong with them, and the files that they are in. */
  readonly problems: ReadonlyArray<LineProblem>
  /** How many records writers have counted as lost. */
  readonly lostRecords: number
}

/** A ledger that is open for reading. */
export interface Store {
  /** The directory, or the URL without its password. It may hold what a terminal would act upon. */
  readonly name: string
  readonly dialect: Dialect
  readonly query: (statement: Statement) => Effect.Effect<ReadonlyArray<Row>, CommandError>
  /** The rows of a statement, some at a time. Other statements wait until the stream ends. */
  readonly stream: (statement: Statement) => Stream.Stream<ReadonlyArray<Row>, CommandError>
  /** The records of all runs, each run once, some at a time. */
  readonly allRecords: Stream.Stream<ReadonlyArray<RunRecord.RunRecord>, CommandError>
  /** Runs and amendments as `botanu-effect/report` takes them. All that is selected is held in memory. */
  readonly records: (selection: Selection) => Effect.Effect<Records, CommandError>
  /**
   * Runs that start and runs that end from now on, some at a time, in the order in which they come. The effect is done when none
   * is missed any more; the stream does not end. A run may come twice.
   */
  readonly coming: Effect.Effect<Stream.Stream<ReadonlyArray<RunRow>, CommandError>, CommandError>
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
  Layer.scoped(
    LedgerStore,
    PostgresStore.isUrl(location) ? PostgresStore.open(location) : DirectoryStore.open(location)
  )
