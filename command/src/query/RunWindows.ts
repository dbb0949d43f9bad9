/**
 * All runs of a ledger, some at a time.
 */
import type { RunRecord } from "botanu-effect/report"
import { DateTime, Effect, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Cells from "./Cells.js"

const runsAtOnce = 20_000

const dayMillis = 86_400_000

/** The records of all runs by the days on which they started, a day or more at a time, so that not all are in memory. */
export const runWindows: Stream.Stream<ReadonlyArray<RunRecord.RunRecord>, CommandError, LedgerStore> = Stream.unwrap(
  Effect.gen(function* () {
    const { dialect, query, records } = yield* LedgerStore
    const days = yield* query({
      from: ["runs"],
      text: `SELECT ${dialect.day("start_time")} AS day, count(*) AS runs FROM runs GROUP BY 1 ORDER BY 1`
    })
    const windows: Array<{ since: number; until: number; runs: number }> = []
    for (const { day, runs } of days) {
      const since = Date.parse(`${day}T00:00:00Z`)
      const last = windows[windows.length - 1]
      const count = Cells.count(runs)
      if (last !== undefined && last.runs + count <= runsAtOnce) {
        last.until = since + dayMillis
        last.runs += count
      } else windows.push({ since, until: since + dayMillis, runs: count })
    }
    return Stream.fromIterable(windows).pipe(
      Stream.mapEffect(({ since, until }) =>
        Effect.map(
          records({ since: DateTime.unsafeMake(since), until: DateTime.unsafeMake(until) }),
          ({ records }) => records
        )
      )
    )
  })
)
