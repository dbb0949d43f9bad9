/**
 * What is wrong with the runs of a ledger.
 */
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Cells from "../store/Cells.js"
import { LedgerStore, type Statement } from "../store/LedgerStore.js"

/** Runs with something in common, and the event of the first of them. */
export interface RunCount {
  readonly runs: number
  readonly eventId: string | undefined
}

/** What all findings are made of, so that lines are read once. */
const reads: Pick<Statement, "calls" | "columns"> = {
  columns: { runs: ["parent_run_id", "retry_of_run_id", "status"] },
  calls: "unpriced"
}

/** How many runs there are. */
export const runCount: Effect.Effect<number, CommandError, LedgerStore> = Effect.gen(function* () {
  const { query } = yield* LedgerStore
  const [row] = yield* query({ ...reads, from: ["runs"], text: "SELECT count(*) AS runs FROM runs" })
  return Cells.count(row?.runs)
})

/** Runs that started and have not completed: those that are running, or those whose process is gone. */
export const endless = (status: "running" | "lost"): Effect.Effect<RunCount, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const [row] = yield* query({
      ...reads,
      from: ["runs"],
      text: `SELECT count(*) AS runs, ${dialect.first("event_id", ["start_time", "run_id"])} AS event_id
      FROM runs WHERE NOT is_completed AND run_status = '${status}'`
    })
    return { runs: Cells.count(row?.runs), eventId: Cells.text(row?.event_id) }
  })

const toleratedSkewMillis = 1000

/** Nested runs that started more than a second before their parent, and retries that did before the attempt before them. */
export const skewed: Effect.Effect<RunCount, CommandError, LedgerStore> = Effect.gen(function* () {
  const { dialect, query } = yield* LedgerStore
  const [row] = yield* query({
    ...reads,
    from: ["runs"],
    text: `SELECT count(*) AS runs, ${dialect.first("event_id", ["start_time", "run_id"])} AS event_id FROM (
        ${["parent_run_id", "retry_of_run_id"]
          .map(
            (other) => `SELECT r.run_id, r.event_id, r.start_time FROM runs r JOIN runs p ON p.run_id = r.${other}
              WHERE ${dialect.elapsedMillis("r.start_time", "p.start_time")} > ${toleratedSkewMillis}`
          )
          .join(" UNION ")}
      ) early`
  })
  return { runs: Cells.count(row?.runs), eventId: Cells.text(row?.event_id) }
})

/** Calls that have no price, of one model and for one reason. */
export interface Unpriced {
  /** The model that answered, else that was asked for, else the provider. */
  readonly name: string
  readonly reason: string
  readonly calls: number
  /** Sums by meter, such as `inputTokens`. */
  readonly quantities: ReadonlyMap<string, number>
}

/** Calls without a price, the most calls first. */
export const unpriced: Effect.Effect<ReadonlyArray<Unpriced>, CommandError, LedgerStore> = Effect.gen(function* () {
  const { query } = yield* LedgerStore
  const name = "coalesce(u.response_model, u.model, u.provider)"
  const groups = yield* query({
    ...reads,
    from: ["usages", "quantities"],
    text: `SELECT ${name} AS name, u.unpriced_reason AS reason, count(*) AS calls
      FROM usages u WHERE u.cost = 'Unpriced' GROUP BY 1, 2 ORDER BY calls DESC, name, reason`
  })
  const amounts = yield* query({
    ...reads,
    from: ["usages", "quantities"],
    text: `SELECT ${name} AS name, u.unpriced_reason AS reason, q.meter AS meter, sum(q.amount) AS amount
      FROM usages u JOIN quantities q ON q.run_id = u.run_id AND q.usage_number = u.number
      WHERE u.cost = 'Unpriced' GROUP BY 1, 2, 3 ORDER BY meter`
  })
  return groups.map(({ calls, name, reason }) => ({
    name: name ?? "",
    reason: reason ?? "",
    calls: Cells.count(calls),
    quantities: new Map(
      amounts
        .filter((row) => row.name === name && row.reason === reason)
        .map(({ amount, meter }) => [meter ?? "", Cells.count(amount)])
    )
  }))
})
