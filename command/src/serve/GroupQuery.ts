/**
 * Figures of groups: of events by customer or workflow, of calls by model or step.
 */
import { Effect } from "effect"
import type { Row } from "./LedgerMirror.js"
import type * as Page from "./PageApi.js"
import {
  type Answer,
  type Condition,
  conditionsOf,
  eventsWhere,
  knownOf,
  numberOf,
  parametersOf,
  type Query,
  sums,
  sumsOf,
  usdOf,
  whereOf
} from "./SelectedEvents.js"

/** Events of a period, and of the period of the same length before it. */
export interface Periods {
  readonly sinceMs: number
  readonly untilMs: number
  readonly beforeSinceMs: number
  /** The conditions for both periods together. */
  readonly where: string
  readonly parameters: ReturnType<typeof parametersOf>
  /** Whether an event is of the later period. */
  readonly isNow: string
}

export const periodsOf = (selection: Page.Selection & { readonly since: number; readonly until: number }): Periods => {
  const { since: sinceMs, until: untilMs } = selection
  const beforeSinceMs = sinceMs - (untilMs - sinceMs)
  const conditions = conditionsOf({ ...selection, since: beforeSinceMs })
  return {
    sinceMs,
    untilMs,
    beforeSinceMs,
    where: whereOf(conditions),
    parameters: { ...parametersOf(conditions), middle: sinceMs },
    isNow: "e.startMs >= CAST($middle AS BIGINT)"
  }
}

/** A part of a list. */
export interface Part {
  readonly offset: number
  readonly limit: number
}

const keys = { customer: "e.customerId", workflow: "e.workflow" } as const

/** Groups of events, the dearest first, with their figures in the period before; and how many groups there are. */
export const eventGroups = (
  query: Query,
  by: keyof typeof keys,
  { isNow, parameters, where }: Periods,
  { limit, offset }: Part
): Answer<{ readonly count: number; readonly groups: ReadonlyArray<Page.Group> }> =>
  Effect.gen(function* () {
    const rows = yield* query(
      `WITH figures AS (SELECT ${keys[by]} AS name, ${isNow} AS isNow, ${sums} FROM events e WHERE ${where} GROUP BY ALL),
        listed AS (SELECT name, count(*) OVER () AS groups, row_number() OVER (ORDER BY usd DESC, name) AS place FROM figures WHERE isNow
          ORDER BY place LIMIT ${limit} OFFSET ${offset})
      SELECT f.*, l.groups FROM figures f JOIN listed l USING (name) ORDER BY l.place`,
      parameters
    )
    const groups = new Map<string, { now?: Page.Sums; before?: Page.Sums }>()
    for (const row of rows) {
      const group = groups.get(row["name"] ?? "") ?? {}
      groups.set(row["name"] ?? "", group)
      group[(row["isNow"] as unknown) === true ? "now" : "before"] = sumsOf(row)
    }
    return {
      count: numberOf(rows[0]?.["groups"]),
      groups: Array.from(groups, ([name, { before = null, now = sumsOf({}) }]) => ({ name, now, before }))
    }
  })

const callKeys = {
  /** Models, and what has no price though it is no model. */
  model: ["coalesce(k.model, k.name)", "(k.model IS NOT NULL OR k.isUnpriced)"],
  step: ["k.step", "k.step IS NOT NULL"],
  /** Whatever was called. */
  name: ["k.name", "true"]
} as const

/** Groups of calls, the dearest first, and how many groups there are. */
export const callGroups = (
  query: Query,
  by: keyof typeof callKeys,
  conditions: ReadonlyArray<Condition>,
  { limit, offset }: Part
): Answer<{ readonly count: number; readonly groups: ReadonlyArray<Page.CallTotals> }> =>
  Effect.map(
    query(
      `SELECT ${callKeys[by][0]} AS name, sum(c.usd) AS usd, count(*) AS calls, count(*) FILTER (k.isUnpriced) AS unpricedCalls,
        sum(c.tokens) AS tokens, quantile_disc(c.durationMs, 0.95) AS p95Ms, count(*) OVER () AS groups
      FROM calls c JOIN kinds k USING (kind) SEMI JOIN ${eventsWhere(whereOf(conditions))} USING (event)
      WHERE ${callKeys[by][1]} GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT ${limit} OFFSET ${offset}`,
      parametersOf(conditions)
    ),
    (rows) => ({
      count: numberOf(rows[0]?.["groups"]),
      groups: rows.map((row) => ({
        name: row["name"] ?? "",
        usd: usdOf(row["usd"]),
        calls: numberOf(row["calls"]),
        unpricedCalls: numberOf(row["unpricedCalls"]),
        tokens: numberOf(row["tokens"]),
        p95Ms: knownOf(row["p95Ms"])
      }))
    })
  )

/** Calls without a price, by model and reason, the most calls first. */
export const unpriced = (
  query: Query,
  conditions: ReadonlyArray<Condition>,
  limit: number
): Answer<ReadonlyArray<Page.Unpriced>> =>
  Effect.gen(function* () {
    const selected = (table: string) =>
      `FROM ${table} u JOIN kinds k USING (kind) SEMI JOIN ${eventsWhere(whereOf(conditions))} USING (event)`
    const by = ["name", "provider", "reason", "missing"] as const
    const columns = by.map((column) => `k.${column}`).join(", ")
    const [rows, quantities] = yield* Effect.all(
      [
        query(
          `SELECT ${columns}, count(*) AS calls, count(DISTINCT u.event) AS events, sum(u.usd) AS usd
          ${selected("unpriced")} GROUP BY ALL ORDER BY calls DESC, ${columns} LIMIT ${limit}`,
          parametersOf(conditions)
        ),
        query(
          `SELECT ${columns}, u.quantity, sum(u.amount) AS amount ${selected("unpricedQuantities")} GROUP BY ALL`,
          parametersOf(conditions)
        )
      ],
      { concurrency: "unbounded" }
    )
    const keyOf = (row: Row) => JSON.stringify(by.map((column) => row[column]))
    const amounts = new Map<string, Map<string, number>>()
    for (const row of quantities) {
      const known = amounts.get(keyOf(row)) ?? new Map<string, number>()
      amounts.set(keyOf(row), known.set(row["quantity"] ?? "", numberOf(row["amount"])))
    }
    return rows.map((row) => ({
      name: row["name"] ?? "",
      provider: row["provider"] ?? "",
      reason: row["reason"] ?? "",
      missing: (row["missing"] ?? "").split(",").filter((meter) => meter !== ""),
      calls: numberOf(row["calls"]),
      events: numberOf(row["events"]),
      quantities: Object.fromEntries(amounts.get(keyOf(row)) ?? []),
      usd: usdOf(row["usd"])
    }))
  })

/** Part of a list of groups. */
export const groups = (
  query: Query,
  by: Page.GroupKey,
  selection: Page.Selection & { readonly since: number; readonly until: number },
  part: Part
): Answer<Page.Groups> => {
  const periods = periodsOf(selection)
  const { beforeSinceMs, sinceMs, untilMs } = periods
  return by === "customer" || by === "workflow"
    ? Effect.map(eventGroups(query, by, periods, part), ({ count, groups }) => ({
        sinceMs,
        untilMs,
        beforeSinceMs,
        count,
        events: groups,
        calls: []
      }))
    : Effect.map(callGroups(query, by, conditionsOf(selection), part), ({ count, groups }) => ({
        sinceMs,
        untilMs,
        beforeSinceMs,
        count,
        events: [],
        calls: groups
      }))
}
