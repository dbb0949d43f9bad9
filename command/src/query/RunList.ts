/**
 * Runs one by one.
 */
import { Effect, Stream } from "effect"
import type { CommandError } from "../CommandError.js"
import { LedgerStore, type Parameter } from "../store/LedgerStore.js"
import * as RunRow from "../store/RunRow.js"

/** Which runs are listed. */
export interface RunFilter {
  readonly workflow?: string | undefined
  readonly customer?: string | undefined
}

/** The runs that started or ended last, at most so many, the latest last. */
export const latestRuns = (
  { customer, workflow }: RunFilter,
  limit: number
): Effect.Effect<ReadonlyArray<RunRow.RunRow>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const conditions: Array<string> = ["true"]
    const parameters: Record<string, Parameter> = {}
    const add = (name: string, value: string | undefined, condition: string): void => {
      if (value === undefined) return
      conditions.push(condition)
      parameters[name] = value
    }
    add("workflow", workflow, "workflow = $workflow::text")
    add("customer", customer, "customer_id = $customer::text")
    const rows = yield* query({
      from: ["runs"],
      text: `SELECT ${RunRow.columns(dialect)} FROM runs WHERE ${conditions.join(" AND ")}
        ORDER BY coalesce(end_time, start_time) DESC, run_id DESC LIMIT ${Math.floor(limit)}`,
      parameters
    })
    return rows.map(RunRow.fromRow).reverse()
  })

/** Runs that start and runs that end from now on, some at a time. The effect is done when none is missed any more. */
export const comingRuns = (
  filter: RunFilter
): Effect.Effect<Stream.Stream<ReadonlyArray<RunRow.RunRow>, CommandError>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { coming } = yield* LedgerStore
    return Stream.filter(
      Stream.map(yield* coming, (rows) => rows.filter(isIn(filter))),
      (rows) => rows.length > 0
    )
  })

const isIn =
  ({ customer, workflow }: RunFilter) =>
  (row: RunRow.RunRow): boolean =>
    (workflow === undefined || row.workflow === workflow) && (customer === undefined || row.customerId === customer)
