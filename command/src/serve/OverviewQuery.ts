/**
 * The figures of the overview: a period against the period before.
 */
import { Cost } from "botanu-effect"
import { BigDecimal, Effect } from "effect"
import { callGroups, eventGroups, type Periods, periodsOf, unpriced } from "./GroupQuery.js"
import type { Row } from "./LedgerMirror.js"
import type * as Page from "./PageApi.js"
import {
  type Answer,
  conditionsOf,
  failed,
  numberOf,
  parametersOf,
  percentiles,
  type Query,
  sums,
  totalsOf,
  usdOf,
  whereOf
} from "./SelectedEvents.js"

const hour = 3_600_000
const day = 24 * hour

const mostBuckets = 400

/** Buckets of an hour up to two days, else of a day; of some weeks where those would be too many to show. */
export const bucketOf = (sinceMs: number, untilMs: number): number => {
  if (untilMs - sinceMs <= 2 * day) return hour
  if (untilMs - sinceMs <= mostBuckets * day) return day
  return 7 * day * Math.ceil((untilMs - sinceMs) / (mostBuckets * 7 * day))
}

const shownSeries = 5
const shownGroups = 6

const others = "other"

/** The outcomes in the order of a stack: what failed is at the base, so that it can be compared. */
const outcomeOrder = ["failure", "timeout", "canceled", "partial", "success", "running", "lost", "none"]

/** Figures of a period against the period before. */
export const overview = (
  query: Query,
  selection: Page.Selection & { readonly since: number; readonly until: number },
  stack: Page.Stack
): Answer<Page.Overview> =>
  Effect.gen(function* () {
    const periods = periodsOf(selection)
    const { beforeSinceMs, isNow, sinceMs, untilMs } = periods
    const now = conditionsOf(selection)
    const where = whereOf(now)
    const parameters = parametersOf(now)
    const bucketMs = bucketOf(sinceMs, untilMs)
    const count = Math.max(1, Math.ceil((untilMs - sinceMs) / bucketMs))
    const bucket = `(e.startMs - CASE WHEN ${isNow} THEN ${sinceMs} ELSE ${beforeSinceMs} END) // ${bucketMs}`
    const by = `isNow, bucket`
    const top = { offset: 0, limit: shownGroups }

    const found = yield* Effect.all(
      {
        figures: query(
          `SELECT ${isNow} AS isNow, ${bucket} AS bucket, ${sums} FROM events e WHERE ${periods.where}
          GROUP BY GROUPING SETS ((${by}), (isNow))`,
          periods.parameters
        ),
        durations: query(
          `SELECT ${isNow} AS isNow, ${bucket} AS bucket, ${percentiles} AS percentiles FROM events e JOIN durations d USING (event)
          WHERE ${periods.where} GROUP BY GROUPING SETS ((${by}), (isNow))`,
          periods.parameters
        ),
        series: seriesOf(query, stack, `(e.startMs - ${sinceMs}) // ${bucketMs}`, where, parameters),
        customers: eventGroups(query, "customer", periods, top),
        workflows: eventGroups(query, "workflow", periods, top),
        models: callGroups(query, "model", now, top),
        steps: callGroups(query, "step", now, top),
        reasons: query(
          `SELECT e.status AS status, coalesce(e.reason, e.status) AS reason, e.workflow AS workflow, count(*) AS events,
            sum(e.usd) AS usd, sum(e.unpricedCalls) AS unpricedCalls, count(*) OVER () AS reasons
          FROM events e WHERE ${where} AND ${failed} GROUP BY 1, 2, 3
          ORDER BY usd DESC, events DESC, reason, workflow LIMIT ${shownGroups}`,
          parameters
        ),
        values: query(
          // What failed has no value, and is paid for it: the cost is that of all events of the workflows that emit the value.
          `WITH sums AS (SELECT e.workflow AS workflow, e.valueType AS valueType, sum(e.valueAmount) AS amount, sum(e.usd) AS usd,
              sum(e.unpricedCalls) AS unpricedCalls
            FROM events e WHERE ${where} GROUP BY ALL)
          SELECT v.valueType AS name, sum(v.amount) AS amount, sum(w.usd) AS usd, sum(w.unpricedCalls) AS unpricedCalls
          FROM sums v JOIN (SELECT workflow, sum(usd) AS usd, sum(unpricedCalls) AS unpricedCalls FROM sums GROUP BY ALL) w USING (workflow)
          WHERE v.amount > 0 GROUP BY v.valueType ORDER BY usd DESC, name`,
          parameters
        ),
        unpriced: unpriced(query, now, shownGroups)
      },
      { concurrency: "unbounded" }
    )

    const { all, at } = figuresOf(found.figures, found.durations)
    const before = all(false)
    return {
      sinceMs,
      untilMs,
      beforeSinceMs,
      bucketMs,
      now: all(true),
      before: before.events === 0 ? null : before,
      series: found.series.series,
      buckets: Array.from({ length: count }, (_, index) => ({
        startMs: sinceMs + index * bucketMs,
        totals: at(true, index),
        ...found.series.at(index)
      })),
      bucketsBefore: Array.from({ length: count }, (_, index) => {
        const { successes, usd } = at(false, index)
        return { usd, successes }
      }),
      reasons: found.reasons.map((row) => ({
        status: row["status"] ?? "",
        reason: row["reason"] ?? "",
        workflow: row["workflow"] ?? "",
        events: numberOf(row["events"]),
        usd: usdOf(row["usd"]),
        unpricedCalls: numberOf(row["unpricedCalls"])
      })),
      unpriced: found.unpriced,
      values: found.values.map((row) => ({
        name: row["name"] ?? "value",
        amount: numberOf(row["amount"]),
        usd: usdOf(row["usd"]),
        unpricedCalls: numberOf(row["unpricedCalls"])
      })),
      customers: found.customers.groups,
      workflows: found.workflows.groups,
      models: found.models.groups,
      steps: found.steps.groups,
      counts: {
        customers: found.customers.count,
        workflows: found.workflows.count,
        models: found.models.count,
        steps: found.steps.count,
        reasons: numberOf(found.reasons[0]?.["reasons"])
      }
    }
  })

/** The figures of both periods, and of each of their buckets. */
const figuresOf = (figures: ReadonlyArray<Row>, durations: ReadonlyArray<Row>) => {
  const keyOf = (isNow: unknown, bucket: unknown) => `${isNow} ${bucket}`
  const durationsAt = new Map(durations.map((row) => [keyOf(row["isNow"], row["bucket"]), row]))
  const totalsAt = new Map(
    figures.map((row) => {
      const key = keyOf(row["isNow"], row["bucket"])
      return [key, totalsOf(row, durationsAt.get(key))]
    })
  )
  const none = totalsOf({}, undefined)
  return {
    all: (isNow: boolean) => totalsAt.get(keyOf(isNow, null)) ?? none,
    at: (isNow: boolean, bucket: number) => totalsAt.get(keyOf(isNow, bucket)) ?? none
  }
}

const names = {
  workflow: "e.workflow",
  outcome: "coalesce(e.status, 'none')",
  customer: "e.customerId",
  model: "k.name"
} as const

/** The cost of each series in each bucket. What is not among the dearest is one series. */
const seriesOf = (
  query: Query,
  stack: Page.Stack,
  bucket: string,
  where: string,
  parameters: Periods["parameters"]
) => {
  const isModel = stack === "model"
  const shown = stack === "outcome" ? outcomeOrder.length : shownSeries
  const statement = `WITH sums AS (
      SELECT ${bucket} AS bucket, ${names[stack]} AS name, sum(${isModel ? "c" : "e"}.usd) AS usd,
        ${isModel ? "count(*) FILTER (k.isUnpriced)" : "sum(e.unpricedCalls)"} AS unpricedCalls FROM events e
      ${isModel ? "JOIN calls c USING (event) JOIN kinds k USING (kind)" : ""} WHERE ${where} GROUP BY ALL
    ),
    places AS (SELECT name, row_number() OVER (ORDER BY sum(usd) DESC, name) AS place FROM sums GROUP BY name)
    SELECT s.bucket, least(p.place, ${shown + 1}) AS place, any_value(CASE WHEN p.place <= ${shown} THEN s.name END) AS name, sum(s.usd) AS usd,
      sum(s.unpricedCalls) AS unpricedCalls
    FROM sums s JOIN places p USING (name) GROUP BY 1, 2 ORDER BY 2`
  return Effect.map(query(statement, parameters), (rows) => {
    const series = new Map<number, { readonly name: string; readonly amounts: Map<number, Amount> }>()
    for (const row of rows) {
      const place = numberOf(row["place"])
      const known = series.get(place) ?? { name: row["name"] ?? others, amounts: new Map<number, Amount>() }
      known.amounts.set(numberOf(row["bucket"]), {
        usd: usdOf(row["usd"]),
        unpricedCalls: numberOf(row["unpricedCalls"])
      })
      series.set(place, known)
    }
    const sorted = Array.from(series.values())
    if (stack === "outcome") {
      sorted.sort((one, other) => outcomeOrder.indexOf(one.name) - outcomeOrder.indexOf(other.name))
    }
    return {
      series: sorted.map(({ amounts, name }) => {
        const all = Array.from(amounts.values())
        return {
          name,
          usd: added(all.map(({ usd }) => usd)),
          unpricedCalls: all.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0)
        }
      }),
      at: (bucket: number) => {
        const found = sorted.map(({ amounts }) => amounts.get(bucket) ?? { usd: "0", unpricedCalls: 0 })
        return { usd: found.map(({ usd }) => usd), unpricedCalls: found.map(({ unpricedCalls }) => unpricedCalls) }
      }
    }
  })
}

interface Amount {
  readonly usd: string
  readonly unpricedCalls: number
}

const added = (amounts: Iterable<string>): string => {
  let sum = BigDecimal.make(0n, 0)
  for (const amount of amounts) sum = BigDecimal.sum(sum, BigDecimal.unsafeFromString(amount))
  return Cost.format(sum)
}
