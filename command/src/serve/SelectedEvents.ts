/**
 * Which events a question is about, as conditions of a statement, and the figures of a group of them.
 */
import { Cost } from "botanu-effect"
import { Summary } from "botanu-effect/report"
import { BigDecimal, type Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import type { Parameter } from "../store/DuckDb.js"
import type { LedgerMirror, Row } from "./LedgerMirror.js"
import type * as Page from "./PageApi.js"

export type Query = LedgerMirror["Type"]["query"]
export type Answer<A> = Effect.Effect<A, CommandError>

/** A condition on events, and the values in it. */
export interface Condition {
  readonly field: string
  readonly sql: string
  readonly parameters: Readonly<Record<string, Parameter>>
}

export const conditionsOf = (selection: Page.Selection): ReadonlyArray<Condition> => {
  const found: Array<Condition> = []
  const add = (
    field: keyof Page.Selection,
    sql: string,
    value: Parameter = (selection[field] ?? null) as Parameter
  ) => {
    if (selection[field] !== undefined) found.push({ field, sql, parameters: { [field]: value } })
  }
  const hasCall = (condition: string) =>
    `e.event IN (SELECT c.event FROM calls c JOIN kinds k USING (kind) WHERE ${condition})`
  add("since", "e.startMs >= CAST($since AS BIGINT)")
  add("until", "e.startMs < CAST($until AS BIGINT)")
  add("workflow", "e.workflow = $workflow")
  add("customer", "e.customerId = $customer")
  add("tenant", "e.tenantId = $tenant")
  add("environment", "e.environment = $environment")
  add("outcome", "list_contains($outcome, coalesce(e.status, 'none'))", (selection.outcome ?? "").split(","))
  add("model", hasCall("k.name = $model"))
  add("step", hasCall("k.step = $step"))
  add("reason", "e.reason = $reason")
  add("value", "e.valueType = $value")
  add("attempts", "e.tries >= CAST($attempts AS BIGINT)")
  if (selection.unpriced !== undefined) {
    found.push({
      field: "unpriced",
      sql: `e.unpricedCalls ${selection.unpriced === "yes" ? ">" : "="} 0`,
      parameters: {}
    })
  }
  if (selection.amended !== undefined) {
    found.push({
      field: "amended",
      sql: selection.amended === "yes" ? "e.isAmended" : "NOT e.isAmended",
      parameters: {}
    })
  }
  add(
    "search",
    `(contains(lower(e.eventId), lower($search)) OR contains(lower(e.customerId), lower($search))
      OR contains(lower(e.workflow), lower($search)) OR e.event IN (SELECT r.event FROM runs r WHERE r.runId = $search))`
  )
  return found
}

export const whereOf = (conditions: ReadonlyArray<Condition>): string =>
  conditions.length === 0 ? "true" : conditions.map(({ sql }) => sql).join(" AND ")

export const parametersOf = (conditions: ReadonlyArray<Condition>): Readonly<Record<string, Parameter>> =>
  Object.assign({}, ...conditions.map(({ parameters }) => parameters))

export const failed = "e.status IN ('failure', 'timeout', 'canceled')"

export const sums = `count(*) AS events, sum(e.tries) AS attempts, sum(e.runs) AS runs,
  count(*) FILTER (e.status = 'success') AS successes, count(*) FILTER (${failed}) AS failures,
  count(*) FILTER (e.status = 'partial') AS partials,
  count(*) FILTER (e.status IS NOT NULL AND e.status NOT IN ('running', 'lost')) AS ended,
  count(*) FILTER (e.status = 'running') AS running, sum(e.usd) AS usd,
  sum(e.usd) FILTER (e.status = 'success') AS usdOfSuccesses, sum(e.usd) FILTER (${failed}) AS usdOfFailures,
  sum(e.usd) FILTER (e.status = 'partial') AS usdOfPartials, sum(e.usdBeforeFinal) AS usdBeforeFinal,
  sum(e.unpricedCalls) FILTER (${failed}) AS unpricedCallsOfFailures, sum(e.unpricedBeforeFinal) AS unpricedCallsBeforeFinal,
  sum(e.calls) AS calls, sum(e.unpricedCalls) AS unpricedCalls`

/** Half of the outermost runs took no longer than the first, 95 percent no longer than the second. */
export const percentiles = "quantile_disc(d.durationMs, [0.5, 0.95])"

/** The events that a condition is about, for a semi-join of what belongs to events. */
export const eventsWhere = (where: string): string => `(SELECT e.event FROM events e WHERE ${where})`

export const numberOf = (value: unknown): number => Number(value ?? 0)
export const knownOf = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))
export const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))

/** An exact amount without needless zeros. */
export const usdOf = (value: unknown): string => {
  const text = String(value ?? "0")
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text
}

/** The figures of a row of `sums`. */
export const sumsOf = (row: Row): Page.Sums => {
  const successes = numberOf(row["successes"])
  const perSuccess = Summary.divided(BigDecimal.unsafeFromString(usdOf(row["usd"])), successes)
  return {
    events: numberOf(row["events"]),
    attempts: numberOf(row["attempts"]),
    runs: numberOf(row["runs"]),
    successes,
    failures: numberOf(row["failures"]),
    partials: numberOf(row["partials"]),
    ended: numberOf(row["ended"]),
    running: numberOf(row["running"]),
    usd: usdOf(row["usd"]),
    usdOfSuccesses: usdOf(row["usdOfSuccesses"]),
    usdOfFailures: usdOf(row["usdOfFailures"]),
    usdOfPartials: usdOf(row["usdOfPartials"]),
    usdBeforeFinal: usdOf(row["usdBeforeFinal"]),
    unpricedCallsOfFailures: numberOf(row["unpricedCallsOfFailures"]),
    unpricedCallsBeforeFinal: numberOf(row["unpricedCallsBeforeFinal"]),
    usdPerSuccess: perSuccess === undefined ? null : Cost.format(perSuccess),
    calls: numberOf(row["calls"]),
    unpricedCalls: numberOf(row["unpricedCalls"])
  }
}

/** The figures of a row of `sums`, with the `percentiles` of its runs. */
export const totalsOf = (row: Row, percentiles: Row | undefined): Page.Totals => {
  const [p50Ms, p95Ms] = (percentiles?.["percentiles"] as unknown as ReadonlyArray<number> | null | undefined) ?? []
  return { ...sumsOf(row), p50Ms: knownOf(p50Ms), p95Ms: knownOf(p95Ms) }
}
