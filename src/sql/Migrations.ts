/**
 * The versions of the schema in the database, and the way from each to the latest.
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { arrivals } from "./migrations/Arrivals.js"
import { functions } from "./migrations/Functions.js"
import { tables } from "./migrations/Tables.js"
import { views } from "./migrations/Views.js"

/** In order. One that was released is not changed. */
const migrations: Readonly<Record<string, (schema: string) => string>> = {
  "1_tables": tables,
  "2_functions": functions,
  "3_views": views,
  "4_arrivals": arrivals
}

/** The number of the latest version. */
export const latestVersion = Object.keys(migrations).length

/**
 * Brings a schema to a version, in one transaction: it succeeds whole or changes nothing. Any number of processes may do so at
 * once; one of them works, and the others wait for it. Gives the versions that were new.
 */
export const migrate = (
  schema: string,
  version: number = latestVersion
): Effect.Effect<ReadonlyArray<number>, SqlError | Migrator.MigrationError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const table = `${schema}.migrations`
    const loader = Migrator.fromRecord(
      Object.fromEntries(
        Object.entries(migrations)
          .slice(0, version)
          .map(([name, statements]) => [name, sql.unsafe(statements(schema))])
      )
    )
    const migrated = Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${schema} migrations`}, 0))`
      // The migrator asks for its table and makes it. A question that fails would end this transaction.
      yield* sql.unsafe(`CREATE SCHEMA IF NOT EXISTS ${schema};
        CREATE TABLE IF NOT EXISTS ${table} (
          migration_id integer PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), name text NOT NULL
        )`)
      return yield* Migrator.make({})({ loader, table })
    })
    const versions = yield* sql.withTransaction(migrated).pipe(
      // The migrator dies of a migration that fails.
      Effect.catchAllDefect((defect) =>
        defect instanceof Migrator.MigrationError ? Effect.fail(defect) : Effect.die(defect)
      )
    )
    return versions.map(([id]) => id)
  })
