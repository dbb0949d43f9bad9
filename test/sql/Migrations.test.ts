/**
 * The versions of the schema: from many processes at once, and from each version to the latest.
 */
import { readFileSync } from "node:fs"
import { SqlClient } from "@effect/sql"
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option } from "effect"
import { fromText, Ingestion } from "../../src/sql/Ingestion.js"
import { LedgerSql } from "../../src/sql/index.js"
import { latestVersion, migrate } from "../../src/sql/Migrations.js"
import { clientOf, inNewDatabase, rows, useServer } from "./database.js"

const server = useServer()
const withDatabase = inNewDatabase(server)

const versions = Array.from({ length: latestVersion }, (_, index) => index + 1)

const lines = readFileSync(new URL("../ledger/lines-v1.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")

const ingested = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  new Ingestion(sql, "botanu").write(
    lines.flatMap((line) => Option.toArray(fromText(line))),
    "019abc12-def3-7890-abcd-0000000000ff"
  )
)

/** What is there of the schema, in any order that a migration may have made it in. */
const shape = rows<{ readonly item: string }>(`
  SELECT table_name || '.' || column_name || ' ' || data_type AS item FROM information_schema.columns
    WHERE table_schema = 'botanu'
  UNION ALL SELECT 'function ' || routine_name FROM information_schema.routines WHERE routine_schema = 'botanu'
  UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'botanu'
  ORDER BY item`).pipe(Effect.map((found) => found.map(({ item }) => item)))

describe("the schema", () => {
  it("is made once by many processes that start at once", async () => {
    const url = await server().newDatabase()
    const starts = Array.from({ length: 12 }, () =>
      Effect.scoped(Effect.provide(LedgerSql.migrate(), clientOf(url, { maxConnections: 1 })))
    )
    const migrated = await Effect.runPromise(Effect.all(starts, { concurrency: "unbounded" }))
    expect(migrated.filter((versions) => versions.length > 0)).toEqual([versions])
    const [{ count } = { count: "" }] = await Effect.runPromise(
      Effect.provide(rows<{ count: string }>("SELECT count(*) FROM botanu.migrations"), clientOf(url))
    )
    expect(Number(count)).toBe(latestVersion)
  })

  it.each(versions)("comes from version %i to the latest, with what is in it", async (version) => {
    const latest = await withDatabase(() => Effect.zipRight(LedgerSql.migrate(), shape))
    await withDatabase(() =>
      Effect.gen(function* () {
        expect(yield* migrate("botanu", version)).toEqual(versions.slice(0, version))
        // Version 1 has tables and no functions.
        if (version > 1) yield* ingested
        expect(yield* LedgerSql.migrate()).toEqual(versions.slice(version))
        expect((yield* shape).filter((item) => !item.includes("_2026_11"))).toEqual(latest)
        yield* ingested
        const { amendments, lost, problems, records } = yield* LedgerSql.read()
        expect([records.length, amendments.length, lost, problems.length]).toEqual([3, 1, 3, 0])
        const [least] = yield* rows("SELECT unit_price::text AS price, usd::text FROM botanu.charges ORDER BY usd")
        expect(least).toEqual({ price: "0.000000000000000000001", usd: "0.000000000000000001" })
        expect(yield* LedgerSql.migrate()).toEqual([])
        // By which those who follow the ledger find what came last, in each month.
        expect(latest.filter((item) => item.includes("USING brin (recorded_at)"))).toHaveLength(1)
        expect((yield* shape).filter((item) => item.includes("USING brin (recorded_at)"))).toHaveLength(2)
      })
    )
  })

  it("stays as it is where a migration fails", () =>
    withDatabase(() =>
      Effect.gen(function* () {
        yield* migrate("botanu", 1)
        // In the way of the second version.
        yield* rows(
          "CREATE FUNCTION botanu.prune(before timestamptz) RETURNS SETOF text LANGUAGE sql AS 'SELECT 1::text'"
        )
        const exit = yield* Effect.exit(LedgerSql.migrate())
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("2_functions")
        expect(yield* rows("SELECT migration_id FROM botanu.migrations")).toEqual([{ migration_id: 1 }])
        yield* rows("DROP FUNCTION botanu.prune")
        expect(yield* LedgerSql.migrate()).toEqual(versions.slice(1))
      })
    ))

  it("of a later version is left as it is", () =>
    withDatabase(() =>
      Effect.gen(function* () {
        yield* LedgerSql.migrate()
        yield* rows("INSERT INTO botanu.migrations (migration_id, name) VALUES (99, 'later')")
        expect(yield* LedgerSql.migrate()).toEqual([])
        yield* ingested
      })
    ))

  it.each(["", "Botanu", "a b", "a.b", 'a"; DROP SCHEMA public; --', "1a", "a".repeat(41)])(
    "is not named %j",
    async (schema) => {
      const exit = await Effect.runPromiseExit(Effect.provide(LedgerSql.migrate({ schema }), clientOf(server().url())))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("LedgerSql: schema: expected 1 to 40 letters")
    }
  )

  it("may have any other plain name, beside another", () =>
    withDatabase(() =>
      Effect.gen(function* () {
        yield* LedgerSql.migrate({ schema: "costs_2" })
        yield* LedgerSql.migrate()
        expect((yield* LedgerSql.read({ schema: "costs_2" })).records).toEqual([])
      })
    ))
})
