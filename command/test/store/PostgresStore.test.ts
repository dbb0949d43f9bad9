/**
 * How a database is opened for reading.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { useServer } from "../../../test/sql/database.js"
import { isInstalled } from "../../../test/sql/PostgresServer.js"
import * as PostgresStore from "../../src/store/PostgresStore.js"

const settings = (url: string) =>
  Effect.gen(function* () {
    const { query } = yield* PostgresStore.open(url)
    const [row] = yield* query({
      from: [],
      text: `SELECT current_setting('jit') AS jit, current_setting('enable_mergejoin') AS merge_join, current_setting('default_transaction_read_only') AS read_only,
        current_setting('timezone') AS zone`
    })
    return row
  })

describe.runIf(isInstalled)("a database", { timeout: 60_000 }, () => {
  const server = useServer()

  it.scopedLive("statements read only, are not compiled, and join nothing by sorting it", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(() => server().newDatabase())
      expect(yield* settings(url)).toMatchObject({ jit: "off", merge_join: "off", read_only: "on" })
    })
  )

  it.scopedLive("options of the URL come first, but for what makes statements read only", () =>
    Effect.gen(function* () {
      const url = new URL(yield* Effect.promise(() => server().newDatabase()))
      url.searchParams.set(
        "options",
        "-c jit=on -c enable_mergejoin=on -c default_transaction_read_only=off -c timezone=Asia/Tokyo"
      )
      expect(yield* settings(url.href.replaceAll("+", "%20"))).toEqual({
        jit: "on",
        merge_join: "on",
        read_only: "on",
        zone: "Asia/Tokyo"
      })
    })
  )
})
