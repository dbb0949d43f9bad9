/**
 * A ledger of runs in PostgreSQL, for programs on several machines.
 */
import type { Error, FileSystem, Path } from "@effect/platform"
import type { MigrationError } from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, DateTime, Effect, Layer } from "effect"
import { BudgetStore } from "../cost/BudgetStore.js"
import { type Contents, Ledger } from "../ledger/Ledger.js"
import { type LedgerLine, lineVersion } from "../ledger/LedgerLine.js"
import { amendOutcome, recordRuns } from "../ledger/Recording.js"
import type { RunRecord } from "../report/RunRecord.js"
import * as RunId from "../run/RunId.js"
import * as Batch from "./Batch.js"
import * as DatabaseWriter from "./DatabaseWriter.js"
import { fromLine, Ingestion } from "./Ingestion.js"
import * as Migrations from "./Migrations.js"
import { schemaName } from "./SchemaName.js"
import * as SqlBudgetStore from "./SqlBudgetStore.js"
import * as SqlContents from "./SqlContents.js"

export type { Selection } from "./SqlContents.js"

/**
 * Where a ledger is in a database.
 *
 * @example
 * ```ts
 * import type { LedgerSql } from "botanu-effect/sql"
 *
 * const options: LedgerSql.SchemaOptions = { schema: "costs" }
 * console.log(options.schema)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface SchemaOptions {
  /**
   * The schema that the tables are in: 1 to 40 lower-case letters, digits and underscores. Another name is a defect.
   * @default "botanu"
   */
  readonly schema?: string | undefined
}

/**
 * Where a ledger is, and how it is written.
 *
 * @example
 * ```ts
 * import type { LedgerSql } from "botanu-effect/sql"
 *
 * const options: LedgerSql.Options = { spill: "/var/lib/support/ledger-spill", durability: "disk", migrate: false }
 * console.log(options.spill)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options extends SchemaOptions {
  /**
   * A directory of this machine for the records that the database does not take, because it is slow or gone. It is empty while
   * the database takes them. Processes may share it.
   */
  readonly spill: string
  /**
   * What a record in the directory survives: the end of the process (`"system"`), or a loss of power too (`"disk"`).
   * @default "system"
   */
  readonly durability?: "system" | "disk" | undefined
  /**
   * Whether the tables are made, or brought up to date, when the layer is built. Else they are there already, by `migrate`.
   * @default true
   */
  readonly migrate?: boolean | undefined
  /**
   * The longest time in milliseconds that a record waits before it is written.
   * @default 200
   */
  readonly flushMillis?: number | undefined
  /**
   * How many records may wait in memory. From half of it on they go to the directory; what finds no room is counted as lost, and
   * the count is logged and written.
   * @default 10000
   */
  readonly maxQueued?: number | undefined
  /**
   * How long in milliseconds the database may take for a batch of at most 500 records, until they go to the directory.
   * @default 5000
   */
  readonly timeoutMillis?: number | undefined
  /**
   * How long in milliseconds after trouble the database is asked again.
   * @default 1000
   */
  readonly retryMillis?: number | undefined
}

/**
 * What a ledger in a database is doing. Its other operations are those of `Ledger.Ledger`, which the layer provides too.
 *
 * @example
 * ```ts
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Effect } from "effect"
 *
 * export const health = Effect.gen(function* () {
 *   const { isSpilling } = yield* LedgerSql.LedgerSql
 *   return (yield* isSpilling) ? "the ledger waits for its database" : "ok"
 * })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class LedgerSql extends Context.Tag("botanu/LedgerSql")<
  LedgerSql,
  {
    /** Whether records of this process are in the directory, because the database did not take them. */
    readonly isSpilling: Effect.Effect<boolean>
  }
>() {}

/**
 * Records every run that starts and every run that is over to PostgreSQL, through the `SqlClient` of the program. Records are
 * written in batches by a fiber of the layer; no run waits for the database. While it is slow or gone, records go to the
 * directory `spill`; when it is back they are written in their order, none lost and none twice. What a process left there that
 * was killed is written by the next one. Releasing the layer writes what is left to the database or to the directory.
 *
 * Fails where the tables cannot be made, other than because the database is not there: then the layer begins with the
 * directory. Fails with a `PlatformError` where the directory cannot be made. Trouble after that is logged, at most once a
 * second. A record that the database refuses is kept in `refused` within the directory, which is a ledger of its own.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { PgClient } from "@effect/sql-pg"
 * import { Botanu } from "botanu-effect"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, Effect, Layer } from "effect"
 *
 * const LedgerLive = LedgerSql.layer({ spill: "botanu-spill" }).pipe(
 *   Layer.provide([NodeContext.layer, PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })])
 * )
 *
 * const program = Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *
 * export const main = Effect.provide(program, LedgerLive)
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<
  Ledger | LedgerSql,
  SqlError | MigrationError | Error.PlatformError,
  SqlClient.SqlClient | FileSystem.FileSystem | Path.Path
> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const schema = yield* schemaName(options.schema)
      const { append, flush, isSpilling } = yield* DatabaseWriter.make(
        {
          schema,
          spill: options.spill,
          durability: options.durability ?? "system",
          flushMillis: options.flushMillis ?? 200,
          maxQueued: options.maxQueued ?? 10_000,
          timeoutMillis: options.timeoutMillis ?? 5_000,
          retryMillis: options.retryMillis ?? 1_000
        },
        options.migrate === false
          ? Effect.void
          : Effect.provideService(Migrations.migrate(schema), SqlClient.SqlClient, sql)
      )
      yield* recordRuns({ append, flush }, "ledger")
      return Context.make(Ledger, { flush, amendOutcome: amendOutcome(append) }).pipe(
        Context.add(LedgerSql, { isSpilling })
      )
    })
  )

/**
 * Counts the spending of customers, tenants and workflows in the database, so that a budget of `Budget.layer` holds for all
 * processes together. Makes the tables as `layer` does, unless `migrate` is false. `prune` forgets periods that are over.
 *
 * A run begins where its budget is not exceeded at that moment: runs that begin at once in several processes may pass it
 * together. Where the database does not answer within 5 seconds, `Budget.layer` logs a warning and lets the run begin.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { Budget } from "botanu-effect"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, Layer } from "effect"
 *
 * export const BudgetLive = Budget.layer({ scope: "customer", usd: 20, per: "1 day" }).pipe(
 *   Layer.provide(LedgerSql.budgetStore()),
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const budgetStore = (
  options: SchemaOptions & Pick<Options, "migrate"> = {}
): Layer.Layer<BudgetStore, SqlError | MigrationError, SqlClient.SqlClient> =>
  Layer.effect(
    BudgetStore,
    Effect.gen(function* () {
      const schema = yield* schemaName(options.schema)
      if (options.migrate !== false) yield* Migrations.migrate(schema)
      return yield* SqlBudgetStore.make(schema)
    })
  )

/**
 * Makes the tables, or brings those of an earlier version up to date, in one transaction. Any number of processes may do so at
 * once: one works and the others wait. Gives the numbers of the versions that were new. `layer` and `budgetStore` do it when
 * they are built.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, Effect } from "effect"
 *
 * export const migrated = LedgerSql.migrate().pipe(
 *   Effect.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.2.0
 * @category maintenance
 */
export const migrate = (
  options: SchemaOptions = {}
): Effect.Effect<ReadonlyArray<number>, SqlError | MigrationError, SqlClient.SqlClient> =>
  Effect.flatMap(schemaName(options.schema), (schema) => Migrations.migrate(schema))

/**
 * Writes records that come from elsewhere, such as what `Ledger.read` gives, in one transaction. Records that are there change
 * nothing; a later record of a run replaces an earlier one, which is kept beside it. The tables are there already, by
 * `migrate`.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { PgClient } from "@effect/sql-pg"
 * import { Ledger } from "botanu-effect/ledger"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, Effect } from "effect"
 *
 * export const copied = Effect.flatMap(Ledger.read("botanu-ledger"), (contents) => LedgerSql.write(contents)).pipe(
 *   Effect.provide([NodeContext.layer, PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") })])
 * )
 * ```
 *
 * @since 0.2.0
 * @category writers
 */
export const write = (
  { amendments = [], records = [] }: Partial<Pick<Contents, "records" | "amendments">>,
  options: SchemaOptions = {}
): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const ingestion = new Ingestion(sql, yield* schemaName(options.schema))
    const isOpen = (isLost: boolean) => (record: RunRecord) =>
      record.completed === undefined && (record.isLost === true) === isLost
    const writer = yield* RunId.make
    const goneWriter = yield* RunId.make
    const written = (lines: ReadonlyArray<LedgerLine>, of: string) =>
      Effect.forEach(
        Array.from({ length: Math.ceil(lines.length / Batch.size) }, (_, index) =>
          lines.slice(index * Batch.size, (index + 1) * Batch.size)
        ),
        (batch) => ingestion.write(batch.map(fromLine), of),
        { discard: true }
      )
    const started = ({ run }: RunRecord): LedgerLine => ({ v: lineVersion, type: "started", run })
    const lost = records.filter(isOpen(true)).map(started)
    const others: ReadonlyArray<LedgerLine> = [
      ...records.filter(isOpen(false)).map(started),
      ...records.flatMap(
        ({ completed }): ReadonlyArray<LedgerLine> =>
          completed === undefined ? [] : [{ v: lineVersion, type: "completed", completed }]
      ),
      ...amendments.map((amendment): LedgerLine => ({ v: lineVersion, type: "amended", amendment }))
    ]
    yield* sql.withTransaction(
      Effect.gen(function* () {
        if (lost.length > 0) yield* ingestion.noteGone(goneWriter)
        yield* written(lost, goneWriter)
        yield* written(others, writer)
      })
    )
  })

/**
 * Reads a ledger for `botanu-effect/report`: all of it, or the runs that are selected with the amendments of the event and the
 * customer. A run without an end whose process was not seen for a minute is `lost`. All records are held in memory; questions
 * over many runs belong into SQL.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { BusinessEvent, RunTree } from "botanu-effect/report"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, Console, Effect } from "effect"
 *
 * export const shown = LedgerSql.read({ eventId: "ticket-42" }).pipe(
 *   Effect.map(({ amendments, records }) => BusinessEvent.fromRecords(records, amendments).flatMap((event) => RunTree.lines(event))),
 *   Effect.flatMap((lines) => Console.log(lines.join("\n"))),
 *   Effect.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.2.0
 * @category readers
 */
export const read = ({
  schema,
  ...selection
}: SchemaOptions & SqlContents.Selection = {}): Effect.Effect<Contents, SqlError, SqlClient.SqlClient> =>
  Effect.flatMap(schemaName(schema), (schema) => SqlContents.read(schema, selection))

/**
 * Drops the runs of all months that were over at an instant, with what was recorded of them. A month is dropped whole or stays
 * whole. Gives the months that were dropped, such as `2026-08`.
 *
 * @example
 * ```ts
 * import { PgClient } from "@effect/sql-pg"
 * import { LedgerSql } from "botanu-effect/sql"
 * import { Config, DateTime, Effect } from "effect"
 *
 * export const pruned = DateTime.now.pipe(
 *   Effect.map(DateTime.subtract({ days: 90 })),
 *   Effect.flatMap((before) => LedgerSql.prune({ before })),
 *   Effect.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 * ```
 *
 * @since 0.2.0
 * @category maintenance
 */
export const prune = ({
  before,
  schema
}: SchemaOptions & { readonly before: DateTime.Utc }): Effect.Effect<
  ReadonlyArray<string>,
  SqlError,
  SqlClient.SqlClient
> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const s = sql.literal(yield* schemaName(schema))
    const months = yield* sql<{ readonly month: string }>`
      SELECT month FROM ${s}.prune(${DateTime.formatIso(before)}::timestamptz) AS month`.withoutTransform
    return months.map(({ month }) => month)
  })
