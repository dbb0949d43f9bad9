/**
 * Parameters of statements.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
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
