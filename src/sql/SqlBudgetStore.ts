/**
 * What customers, tenants and workflows spend, counted in a database.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { BigDecimal, type Cause, DateTime, Deferred, Duration, Effect, FiberId } from "effect"
import type { BudgetPeriod } from "../cost/BudgetExceeded.js"
import type { BudgetStoreService, Spending } from "../cost/BudgetStore.js"
import { format } from "../cost/Usd.js"

/** How long the database may take. */
const patience = Duration.seconds(5)

/** What is added in one statement. */
interface Addition {
  readonly rows: Map<string, { readonly period: BudgetPeriod; spending: Spending }>
  readonly written: Deferred.Deferred<void, SqlError | Cause.TimeoutException>
}

type Restore = Parameters<Parameters<typeof Effect.uninterruptibleMask>[0]>[0]

const newAddition = (): Addition => ({ rows: new Map(), written: Deferred.unsafeMake(FiberId.none) })

/** A store in the tables of a schema. While one statement is under way, what is spent waits for the next one together. */
export const make = (schema: string): Effect.Effect<BudgetStoreService, never, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const s = sql.literal(schema)
    let next = newAddition()
    let isWriting = false
    let latest = next

    const write = (rows: ReadonlyArray<object>) =>
      sql`INSERT INTO ${s}.budgets AS b (scope, id, per_ms, period_start, period_end, usd, unpriced_calls)
        SELECT scope, id, per_ms, period_start, period_end, usd, unpriced_calls
        FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS added(scope text, id text, per_ms double precision,
          period_start timestamptz, period_end timestamptz, usd numeric, unpriced_calls bigint)
        ORDER BY scope, id, per_ms, period_start
        ON CONFLICT (scope, id, per_ms, period_start) DO UPDATE
          SET usd = b.usd + excluded.usd, unpriced_calls = b.unpriced_calls + excluded.unpriced_calls`.withoutTransform

    /** Writes one addition after another, until there is none. */
    const writing: Effect.Effect<void> = Effect.suspend(() => {
      isWriting = next.rows.size > 0
      if (!isWriting) return Effect.void
      const { rows, written } = next
      latest = next
      next = newAddition()
      const values = Array.from(rows.values(), ({ period, spending }) => ({
        ...keyOf(period),
        period_end: DateTime.formatIso(period.end),
        usd: format(spending.usd),
        unpriced_calls: spending.unpricedCalls
      }))
      return Effect.zipRight(
        Deferred.complete(written, Effect.asVoid(inTime(write(values)))),
        Effect.suspend(() => writing)
      )
    })

    /**
     * Waits until what is spent so far is written. Only that may be interrupted: where nobody wrote what is said to be under way, nothing
     * would be written any more.
     */
    const written = (restore: Restore) =>
      Effect.suspend(() => {
        if (next.rows.size === 0) return isWriting ? restore(Deferred.await(latest.written)) : Effect.void
        const { written } = next
        const isUnderWay = isWriting
        isWriting = true
        return Effect.zipRight(
          isUnderWay ? Effect.void : Effect.forkDaemon(Effect.interruptible(writing)),
          restore(Deferred.await(written))
        )
      })

    return {
      add: (period, { unpricedCalls, usd }) =>
        Effect.uninterruptibleMask((restore) => {
          const key = JSON.stringify(keyOf(period))
          const known = next.rows.get(key)
          const before = known?.spending
          const spending = {
            usd: before === undefined ? usd : BigDecimal.sum(before.usd, usd),
            unpricedCalls: (before?.unpricedCalls ?? 0) + unpricedCalls
          }
          if (known === undefined) next.rows.set(key, { period, spending })
          else known.spending = spending
          return written(restore)
        }).pipe(untraced),
      spent: (period) =>
        Effect.gen(function* () {
          // What this process has spent counts in any case.
          yield* Effect.yieldNow()
          yield* Effect.uninterruptibleMask(written)
          const { id, per_ms, period_start, scope } = keyOf(period)
          const [row] = yield* sql<{ readonly usd: string; readonly unpriced_calls: string }>`
            SELECT usd::text AS usd, unpriced_calls::text AS unpriced_calls FROM ${s}.budgets
            WHERE scope = ${scope} AND id = ${id} AND per_ms = ${per_ms}
              AND period_start = ${period_start}::timestamptz`.withoutTransform
          return {
            usd: BigDecimal.normalize(BigDecimal.unsafeFromString(row?.usd ?? "0")),
            unpricedCalls: Number(row?.unpriced_calls ?? 0)
          }
        }).pipe(inTime, untraced)
    }
  })

/** A connection that hangs is not waited for. */
const inTime = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | Cause.TimeoutException, R> =>
  work.pipe(Effect.disconnect, Effect.timeout(patience), Effect.interruptible)

const untraced = Effect.withTracerEnabled(false)

const keyOf = ({ id, per, scope, start }: BudgetPeriod) => ({
  scope,
  id,
  per_ms: Duration.toMillis(per),
  period_start: DateTime.formatIso(start)
})
