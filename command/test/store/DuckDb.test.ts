/**
 * Parameters of statements, and transactions.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as DuckDb from "../../src/store/DuckDb.js"

describe("a parameter of a statement", () => {
  it.scoped("is text, a number, nothing, or a list of texts, which may be empty", () =>
    Effect.gen(function* () {
      const { query } = yield* DuckDb.make
      const select = "SELECT $text AS text, $number::INTEGER AS number, $none IS NULL AS isNone, len($list) AS length"
      const parameters = { text: "it's", number: 3, none: null }
      const rows = (list: ReadonlyArray<string>) => query(select, { ...parameters, list })
      expect(yield* rows(["a", "b"])).toEqual([{ text: "it's", number: 3, isNone: true, length: "2" }])
      expect(yield* rows([])).toEqual([{ text: "it's", number: 3, isNone: true, length: "0" }])
    })
  )
})

describe("a transaction", () => {
  it.scoped("has all rows that were added, however many, also where none were added first", () =>
    Effect.gen(function* () {
      const database = yield* DuckDb.make
      const { query } = database
      yield* query("CREATE TABLE many AS SELECT range AS n FROM range(375000)")
      yield* query("CREATE TABLE none (n BIGINT)")
      for (const rows of [100_000, 122_880, 150_000, 250_000, 375_000]) {
        yield* query("CREATE OR REPLACE TABLE added (n BIGINT)")
        const counted = yield* DuckDb.transaction(
          database,
          Effect.gen(function* () {
            yield* query("INSERT INTO added SELECT n FROM none")
            yield* query(`INSERT INTO added SELECT DISTINCT n FROM many WHERE n < ${rows}`)
            return yield* query("SELECT count(*) AS rows FROM added")
          })
        )
        expect([counted, yield* query("SELECT count(*) AS rows FROM added")]).toEqual([
          [{ rows: String(rows) }],
          [{ rows: String(rows) }]
        ])
      }
    })
  )

  it.scoped("makes tables in the order of a query where that is asked for", () =>
    Effect.gen(function* () {
      const database = yield* DuckDb.make
      const { query } = database
      yield* query("CREATE TABLE many AS SELECT range AS n FROM range(300000)")
      yield* DuckDb.transaction(
        database,
        Effect.forEach(DuckDb.inOrder("CREATE TABLE reversed AS SELECT n FROM many ORDER BY n DESC"), (statement) =>
          query(statement)
        )
      )
      expect(yield* query("SELECT count(*) AS misplaced FROM reversed WHERE rowid <> 299999 - n")).toEqual([
        { misplaced: "0" }
      ])
    })
  )

  it.scoped("that fails, or whose commit fails, has changed nothing", () =>
    Effect.gen(function* () {
      const { connect } = yield* DuckDb.open()
      const [database, other] = [yield* connect, yield* connect]
      yield* database.query("CREATE TABLE added (n BIGINT PRIMARY KEY)")
      const added = (n: number, then: Effect.Effect<unknown, unknown>) =>
        Effect.exit(
          DuckDb.transaction(database, Effect.zipRight(database.query(`INSERT INTO added VALUES (${n})`), then))
        )
      expect(Exit.isFailure(yield* added(1, Effect.fail("no")))).toBe(true)
      expect(Exit.isFailure(yield* added(2, other.query("INSERT INTO added VALUES (2)")))).toBe(true)
      expect(Exit.isSuccess(yield* added(3, Effect.void))).toBe(true)
      expect(yield* other.query("SELECT n FROM added ORDER BY n")).toEqual([{ n: "2" }, { n: "3" }])
    })
  )
})
