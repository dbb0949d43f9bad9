/**
 * A ledger of runs in PostgreSQL, for programs on several machines.
 */
import type { MigrationError } from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { DateTime, Effect } from "effect"
import type { Contents } from "../ledger/Ledger.js"
import { type LedgerLine, lineVersion } from "../ledger/LedgerLine.js"
import * as RunId from "../run/RunId.js"
import { fromLine, Ingestion } from "./Ingestion.js"
import * as Migrations from "./Migrations.js"
import { schemaName } from "./SchemaName.js"
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
    const lines: ReadonlyArray<LedgerLine> = [
      ...records.map(
        ({ completed, run }): LedgerLine =>
          completed === undefined
            ? { v: lineVersion, type: "started", run }
            : { v: lineVersion, type: "completed", completed }
      ),
      ...amendments.map((amendment): LedgerLine => ({ v: lineVersion, type: "amended", amendment }))
    ]
    const writer = yield* RunId.make
    const batches = Array.from({ length: Math.ceil(lines.length / batchSize) }, (_, index) =>
      lines.slice(index * batchSize, (index + 1) * batchSize)
    )
    yield* sql.withTransaction(
      Effect.forEach(batches, (batch) => ingestion.write(batch.map(fromLine), writer), { discard: true })
    )
  })

const batchSize = 1000

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
