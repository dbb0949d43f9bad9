/**
 * The figures of the page, as queries over the ledger in memory.
 */
import { Cost } from "botanu-effect"
import { Summary } from "botanu-effect/report"
import { BigDecimal, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import type { Parameter } from "../store/DuckDb.js"
import type { LedgerMirror, Row } from "./LedgerMirror.js"
import type * as Page from "./PageApi.js"

type Query = LedgerMirror["Type"]["query"]
type Answer<A> = Effect.Effect<A, CommandError>

/** A condition on events, and the values in it. */
interface Condition {
  readonly field: string
  readonly sql: string
  readonly parameters: Readonly<Record<string, Parameter>>
}

const conditionsOf = (selection: Page.Selection): ReadonlyArray<Condition> => {
  const found: Array<Condition> = []
  const add = (
    field: keyof Page.Selection,
    sql: string,
    value: Parameter = (selection[field] ?? null) as Parameter
  ) => {
    if (selection[field] !== undefined) found.push({ field, sql, parameters: { [field]: value } })
  }
  const hasCall = (condition: string) =>
    `EXISTS (SELECT 1 FROM calls c WHERE c.eventId = e.eventId AND c.customerId = e.customerId AND ${condition})`
  add("since", "e.startMs >= CAST($since AS BIGINT)")
  add("until", "e.startMs < CAST($until AS BIGINT)")
  add("workflow", "e.workflow = $workflow")
  add("customer", "e.customerId = $customer")
  add("tenant", "e.tenantId = $tenant")
  add("environment", "e.environment = $environment")
  add("outcome", "list_contains($outcome, coalesce(e.status, 'none'))", (selection.outcome ?? "").split(","))
  add("model", hasCall("c.name = $model"))
  add("step", hasCall("c.step = $step"))
  add("reason", "e.reason = $reason")
  add("value", "e.valueType = $value")
  add("attempts", "len(e.attempts) >= CAST($attempts AS BIGINT)")
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
      OR contains(lower(e.workflow), lower($search)) OR (e.eventId, e.customerId) IN
        (SELECT (r.eventId, r.customerId) FROM runs r WHERE r.runId = $search))`
  )
  return found
}

const whereOf = (conditions: ReadonlyArray<Condition>): string =>
  conditions.length === 0 ? "true" : conditions.map(({ sql }) => sql).join(" AND ")

const parametersOf = (conditions: ReadonlyArray<Condition>): Readonly<Record<string, Parameter>> =>
  Object.assign({}, ...conditions.map(({ parameters }) => parameters))

const failed = "e.status IN ('failure', 'timeout', 'canceled')"

const totals = `count(*) AS events, sum(len(e.attempts)) AS attempts, sum(e.runs) AS runs,
  count(*) FILTER (e.status = 'success') AS successes, count(*) FILTER (${failed}) AS failures,
  count(*) FILTER (e.status = 'partial') AS partials,
  count(*) FILTER (e.status IS NOT NULL AND e.status NOT IN ('running', 'lost')) AS ended,
  count(*) FILTER (e.status = 'running') AS running, sum(e.usd) AS usd,
  sum(e.usd) FILTER (e.status = 'success') AS usdOfSuccesses, sum(e.usd) FILTER (${failed}) AS usdOfFailures,
  sum(e.usd) FILTER (e.status = 'partial') AS usdOfPartials, sum(e.usdBeforeFinal) AS usdBeforeFinal,
  sum(e.calls) AS calls, sum(e.unpricedCalls) AS unpricedCalls`

const durations = "list_sort(flatten(list(e.durations)))"

/** The smallest value that is not below this share of the values. */
const percentileOf = (sorted: string, share: number): string =>
  `list_extract(${sorted}, ceil(len(${sorted})::DOUBLE * ${share}::DOUBLE)::BIGINT)`

/** Figures by keys; no key is one group of all. Percentiles are of all outermost runs of the group. */
const totalsBy = (keys: ReadonlyArray<string>, from: string, where: string): string => {
  const names = keys.map((_, index) => `key${index}`)
  const selected = keys.map((key, index) => `${key} AS key${index}, `).join("")
  return `SELECT * EXCLUDE (durations), ${percentileOf("durations", 0.5)} AS p50Ms, ${percentileOf("durations", 0.95)} AS p95Ms
  FROM (SELECT ${selected}${totals}, ${durations} AS durations FROM ${from} WHERE ${where}
    ${keys.length === 0 ? "" : `GROUP BY ${names.join(", ")}`})`
}

const numberOf = (value: unknown): number => Number(value ?? 0)
const knownOf = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value))
const textOf = (value: unknown): string | null => (value === null || value === undefined ? null : String(value))

/** An exact amount without needless zeros. */
const usdOf = (value: unknown): string => {
  const text = String(value ?? "0")
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text
}

const totalsOf = (row: Row): Page.Totals => {
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
    usdPerSuccess: perSuccess === undefined ? null : Cost.format(perSuccess),
    calls: numberOf(row["calls"]),
    unpricedCalls: numberOf(row["unpricedCalls"]),
    p50Ms: knownOf(row["p50Ms"]),
    p95Ms: knownOf(row["p95Ms"])
  }
}

const hour = 3_600_000
const day = 24 * hour

/** Buckets of an hour up to two days, else of a day. */
const bucketOf = (sinceMs: number, untilMs: number): number => (untilMs - sinceMs <= 2 * day ? hour : day)

const shownSeries = 5
const shownGroups = 6

const byUsd = (one: { readonly usd: string }, other: { readonly usd: string }): number =>
  BigDecimal.Order(BigDecimal.unsafeFromString(other.usd), BigDecimal.unsafeFromString(one.usd))

const added = (amounts: Iterable<string>): string => {
  let sum = BigDecimal.make(0n, 0)
  for (const amount of amounts) sum = BigDecimal.sum(sum, BigDecimal.unsafeFromString(amount))
  return Cost.format(sum)
}

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
    const { since: sinceMs, until: untilMs } = selection
    const beforeSinceMs = sinceMs - (untilMs - sinceMs)
    const bucketMs = bucketOf(sinceMs, untilMs)
    const now = conditionsOf(selection)
    const before = conditionsOf({ ...selection, since: beforeSinceMs, until: sinceMs })
    const where = whereOf(now)
    const parameters = parametersOf(now)
    const startOf = (from: number) => `(e.startMs - ${from}) // ${bucketMs}`
    const buckets = Math.max(1, Math.ceil((untilMs - sinceMs) / bucketMs))

    const [all] = yield* query(totalsBy([], "events e", where), parameters)
    const [allBefore] = yield* query(totalsBy([], "events e", whereOf(before)), parametersOf(before))
    const byBucket = yield* query(totalsBy([startOf(sinceMs)], "events e", where), parameters)
    const byBucketBefore = yield* query(
      `SELECT ${startOf(beforeSinceMs)} AS bucket, sum(e.usd) AS usd, count(*) FILTER (e.status = 'success') AS successes
      FROM events e WHERE ${whereOf(before)} GROUP BY bucket`,
      parametersOf(before)
    )
    const stacked = yield* query(stackQuery(stack, startOf(sinceMs), where), parameters)
    const groupsOf = (key: string) =>
      Effect.gen(function* () {
        const groups = yield* query(`${totalsBy([key], "events e", where)} ORDER BY usd DESC, key0`, parameters)
        const names = groups.slice(0, shownGroups)
        const groupsBefore = yield* query(
          totalsBy([key], "events e", `${whereOf(before)} AND list_contains($names, ${key})`),
          { ...parametersOf(before), names: names.map(({ key0 }) => key0 ?? "") }
        )
        const earlier = new Map(groupsBefore.map((row) => [row["key0"], totalsOf(row)]))
        return {
          count: groups.length,
          groups: names.map(
            (row): Page.Group => ({
              name: row["key0"] ?? "",
              now: totalsOf(row),
              before: earlier.get(row["key0"]) ?? null
            })
          )
        }
      })
    const customers = yield* groupsOf("e.customerId")
    const workflows = yield* groupsOf("e.workflow")
    const models = yield* callTotals(query, "coalesce(c.model, c.name)", "c.model IS NOT NULL OR c.isUnpriced", now)
    const steps = yield* callTotals(query, "c.step", "c.step IS NOT NULL", now)
    const reasons = yield* query(
      `SELECT e.status AS status, coalesce(e.reason, e.status) AS reason, e.workflow AS workflow, count(*) AS events, sum(e.usd) AS usd
      FROM events e WHERE ${where} AND ${failed} GROUP BY ALL ORDER BY usd DESC, events DESC, reason, workflow`,
      parameters
    )
    const values = yield* query(
      // What failed has no value, and is paid for it: the cost is that of all events of the workflows that emit the value.
      `SELECT v.valueType AS name, sum(v.amount) AS amount, sum(w.usd) AS usd
      FROM (SELECT e.workflow AS workflow, e.valueType AS valueType, sum(e.valueAmount) AS amount
        FROM events e WHERE ${where} AND e.valueAmount IS NOT NULL GROUP BY ALL) v
      JOIN (SELECT e.workflow AS workflow, sum(e.usd) AS usd FROM events e WHERE ${where} GROUP BY ALL) w USING (workflow)
      WHERE v.amount > 0 GROUP BY v.valueType ORDER BY usd DESC, name`,
      parameters
    )
    const series = seriesOf(stacked, stack)
    const totalsAt = new Map(byBucket.map((row) => [numberOf(row["key0"]), totalsOf(row)]))
    const stackedAt = new Map<number, Map<string, string>>()
    for (const row of stacked) {
      const at = numberOf(row["bucket"])
      const known = stackedAt.get(at) ?? new Map<string, string>()
      known.set(row["name"] ?? "", usdOf(row["usd"]))
      stackedAt.set(at, known)
    }
    const named = new Set(series.map(({ name }) => name))
    const beforeAt = new Map(byBucketBefore.map((row) => [numberOf(row["bucket"]), row]))
    return {
      sinceMs,
      untilMs,
      beforeSinceMs,
      bucketMs,
      now: totalsOf(all ?? {}),
      before: numberOf(allBefore?.["events"]) === 0 ? null : totalsOf(allBefore ?? {}),
      series,
      buckets: Array.from({ length: buckets }, (_, index) => ({
        startMs: sinceMs + index * bucketMs,
        totals: totalsAt.get(index) ?? totalsOf({}),
        usd: series.map(({ name }) => {
          const amounts = stackedAt.get(index) ?? new Map<string, string>()
          return name === others
            ? added(Array.from(amounts).flatMap(([key, usd]) => (named.has(key) && key !== others ? [] : [usd])))
            : (amounts.get(name) ?? "0")
        })
      })),
      bucketsBefore: Array.from({ length: buckets }, (_, index) => ({
        usd: usdOf(beforeAt.get(index)?.["usd"]),
        successes: numberOf(beforeAt.get(index)?.["successes"])
      })),
      reasons: reasons.slice(0, shownGroups).map((row) => ({
        status: row["status"] ?? "",
        reason: row["reason"] ?? "",
        workflow: row["workflow"] ?? "",
        events: numberOf(row["events"]),
        usd: usdOf(row["usd"])
      })),
      unpriced: (yield* unpriced(query, now)).slice(0, shownGroups),
      values: values.map((row) => ({
        name: row["name"] ?? "value",
        amount: numberOf(row["amount"]),
        usd: usdOf(row["usd"])
      })),
      customers: customers.groups,
      workflows: workflows.groups,
      models: models.slice(0, shownGroups),
      steps: steps.slice(0, shownGroups),
      counts: {
        customers: customers.count,
        workflows: workflows.count,
        models: models.length,
        steps: steps.length,
        reasons: reasons.length
      }
    }
  })

/** The cost of each series and bucket. */
const stackQuery = (stack: Page.Stack, bucket: string, where: string): string => {
  const keys = { workflow: "e.workflow", outcome: "coalesce(e.status, 'none')", customer: "e.customerId" }
  if (stack !== "model") {
    return `SELECT ${bucket} AS bucket, ${keys[stack]} AS name, sum(e.usd) AS usd FROM events e WHERE ${where} GROUP BY ALL`
  }
  return `SELECT ${bucket} AS bucket, c.name AS name, sum(c.usd) AS usd FROM events e
    JOIN calls c USING (eventId, customerId) WHERE ${where} GROUP BY ALL`
}

const seriesOf = (rows: ReadonlyArray<Row>, stack: Page.Stack): Page.Overview["series"] => {
  const sums = new Map<string, Array<string>>()
  for (const row of rows) {
    const name = row["name"] ?? ""
    const known = sums.get(name)
    if (known === undefined) sums.set(name, [usdOf(row["usd"])])
    else known.push(usdOf(row["usd"]))
  }
  const series = Array.from(sums, ([name, amounts]) => ({ name, usd: added(amounts) }))
  if (stack === "outcome") {
    return series.sort((one, other) => outcomeOrder.indexOf(one.name) - outcomeOrder.indexOf(other.name))
  }
  const sorted = series.sort((one, other) => byUsd(one, other) || (one.name < other.name ? -1 : 1))
  if (sorted.length <= shownSeries) return sorted
  const rest = sorted.slice(shownSeries)
  return [...sorted.slice(0, shownSeries), { name: others, usd: added(rest.map(({ usd }) => usd)) }]
}

const callTotals = (
  query: Query,
  key: string,
  which: string,
  conditions: ReadonlyArray<Condition>
): Answer<ReadonlyArray<Page.CallTotals>> =>
  Effect.map(
    query(
      `SELECT ${key} AS name, sum(c.usd) AS usd, count(*) AS calls, count(*) FILTER (c.isUnpriced) AS unpricedCalls,
        sum(c.tokens) AS tokens, quantile_disc(c.durationMs, 0.95) AS p95Ms
      FROM calls c SEMI JOIN (SELECT e.eventId, e.customerId FROM events e WHERE ${whereOf(conditions)}) w
        USING (eventId, customerId) WHERE ${which} GROUP BY ALL ORDER BY 2 DESC, 3 DESC, 1`,
      parametersOf(conditions)
    ),
    (rows) =>
      rows.map((row) => ({
        name: row["name"] ?? "",
        usd: usdOf(row["usd"]),
        calls: numberOf(row["calls"]),
        unpricedCalls: numberOf(row["unpricedCalls"]),
        tokens: numberOf(row["tokens"]),
        p95Ms: knownOf(row["p95Ms"])
      }))
  )

/** Numbers of a usage that say how the call went, and not how much it consumed. */
const notQuantities: ReadonlySet<string> = new Set(["durationMs", "attempt", "requests"])

const unpriced = (query: Query, conditions: ReadonlyArray<Condition>): Answer<ReadonlyArray<Page.Unpriced>> =>
  Effect.gen(function* () {
    const where = whereOf(conditions)
    const calls = `FROM calls c SEMI JOIN (SELECT e.eventId, e.customerId FROM events e WHERE ${where}) w
      USING (eventId, customerId) WHERE c.isUnpriced`
    const rows = yield* query(
      `SELECT c.name AS name, c.provider AS provider, c.reason AS reason, array_to_string(coalesce(c.missing, []), ',') AS missing,
        count(*) AS calls, count(DISTINCT (c.eventId, c.customerId)) AS events, sum(c.usd) AS usd
      ${calls} GROUP BY ALL ORDER BY calls DESC, name`,
      parametersOf(conditions)
    )
    const quantities = yield* query(
      `SELECT name, provider, reason, missing, quantity, sum(amount) AS amount FROM (
        SELECT name, provider, reason, missing, quantity, TRY_CAST(json_extract_string(usage, quantity) AS DOUBLE) AS amount
        FROM (SELECT c.name AS name, c.provider AS provider, c.reason AS reason, c.usage AS usage,
          array_to_string(coalesce(c.missing, []), ',') AS missing, unnest(json_keys(c.usage)) AS quantity ${calls})
        WHERE json_type(usage, quantity) IN ('UBIGINT', 'BIGINT', 'DOUBLE'))
      GROUP BY ALL`,
      parametersOf(conditions)
    )
    const keyOf = (row: Row) => JSON.stringify([row["name"], row["provider"], row["reason"], row["missing"]])
    const sums = new Map<string, Record<string, number>>()
    for (const row of quantities) {
      if (notQuantities.has(row["quantity"] ?? "")) continue
      const known = sums.get(keyOf(row)) ?? {}
      known[row["quantity"] ?? ""] = numberOf(row["amount"])
      sums.set(keyOf(row), known)
    }
    return rows.map((row) => ({
      name: row["name"] ?? "",
      provider: row["provider"] ?? "",
      reason: row["reason"] ?? "",
      missing: (row["missing"] ?? "").split(",").filter((meter) => meter !== ""),
      calls: numberOf(row["calls"]),
      events: numberOf(row["events"]),
      quantities: sums.get(keyOf(row)) ?? {},
      usd: usdOf(row["usd"])
    }))
  })

/** Calls without a price, and what calls with a price were priced with. */
export const prices = (query: Query, selection: Page.Selection): Answer<Omit<Page.Prices, "repriced">> =>
  Effect.gen(function* () {
    const conditions = conditionsOf(selection)
    const [all] = yield* query(totalsBy([], "events e", whereOf(conditions)), parametersOf(conditions))
    return {
      totals: totalsOf(all ?? {}),
      unpriced: yield* unpriced(query, conditions),
      models: yield* callTotals(query, "c.name", "true", conditions)
    }
  })

/** Calls without a price, with what they consumed. */
export const unpricedUsages = (query: Query, selection: Page.Selection) => {
  const conditions = conditionsOf(selection)
  return Effect.map(
    query(
      `SELECT c.name AS name, c.reason AS reason, CAST(c.usage AS VARCHAR) AS usage, c.usd AS usd, e.customerId AS customerId, e.tenantId AS tenantId
      FROM calls c JOIN events e USING (eventId, customerId) WHERE c.isUnpriced AND ${whereOf(conditions)}`,
      parametersOf(conditions)
    ),
    (rows) =>
      rows.map((row) => ({
        name: row["name"] ?? "",
        reason: row["reason"] ?? "",
        usage: row["usage"] ?? "null",
        usd: usdOf(row["usd"]),
        customerId: row["customerId"] ?? "",
        tenantId: textOf(row["tenantId"]) ?? undefined
      }))
  )
}

/** How a list of events is sorted. */
export interface Order {
  readonly sort?: Page.SortKey | undefined
  readonly order?: "ascending" | "descending" | undefined
}

const sortColumns: Readonly<Record<Page.SortKey, string>> = {
  outcome: "coalesce(e.status, 'none')",
  event: "e.eventId",
  workflow: "e.workflow",
  customer: "e.customerId",
  started: "e.startMs",
  attempts: "len(e.attempts)",
  duration: "e.durationMs",
  calls: "e.calls",
  beforeFinal: "e.usdBeforeFinal",
  cost: "e.usd",
  toMedian: "e.toMedian"
}

/** Events with nothing known of their cost may be anything: they come first. */
const nothingKnown = "(e.usd = 0 AND e.unpricedCalls > 0)"

const orderOf = ({ order = "descending", sort = "started" }: Order): string => {
  const direction = order === "ascending" ? "ASC" : "DESC"
  const first = sort === "cost" && order === "descending" ? `${nothingKnown} DESC, ` : ""
  return `ORDER BY ${first}${sortColumns[sort]} ${direction} NULLS LAST, e.startMs DESC, e.eventId, e.customerId`
}

const listed = `(SELECT e.*, CASE WHEN w.median > 0 AND e.status IS NOT NULL AND e.status NOT IN ('running', 'lost') AND NOT ${nothingKnown}
  THEN CAST(e.usd AS DOUBLE) / CAST(w.median AS DOUBLE) END AS toMedian
  FROM events e LEFT JOIN workflows w USING (workflow)) e`

const rowOf = (row: Row): Page.EventRow => ({
  eventId: row["eventId"] ?? "",
  customerId: row["customerId"] ?? "",
  workflow: row["workflow"] ?? "",
  environment: row["environment"] ?? "",
  tenantId: textOf(row["tenantId"]),
  startMs: numberOf(row["startMs"]),
  durationMs: knownOf(row["durationMs"]),
  status: textOf(row["status"]),
  isAmended: (row["isAmended"] as unknown) === true,
  reason: textOf(row["reason"]),
  valueType: textOf(row["valueType"]),
  valueAmount: knownOf(row["valueAmount"]),
  attempts: (row["attempts"] as unknown as ReadonlyArray<string> | null) ?? [],
  runs: numberOf(row["runs"]),
  calls: numberOf(row["calls"]),
  unpricedCalls: numberOf(row["unpricedCalls"]),
  usd: usdOf(row["usd"]),
  usdBeforeFinal: usdOf(row["usdBeforeFinal"]),
  unpricedBeforeFinal: numberOf(row["unpricedBeforeFinal"]),
  toMedian: knownOf(row["toMedian"])
})

/** Events and their sums. */
export const events = (
  query: Query,
  selection: Page.Selection,
  order: Order,
  offset: number,
  limit: number
): Answer<Page.Events> =>
  Effect.gen(function* () {
    const conditions = conditionsOf(selection)
    const where = whereOf(conditions)
    const parameters = parametersOf(conditions)
    const rows = yield* query(
      `SELECT e.* FROM ${listed} WHERE ${where} ${orderOf(order)} LIMIT ${limit} OFFSET ${offset}`,
      parameters
    )
    const [all] = yield* query(totalsBy([], "events e", where), parameters)
    const [span] = yield* query(
      `SELECT min(e.startMs) AS since, max(e.startMs) + 1 AS until FROM events e WHERE ${where}`,
      parameters
    )
    const sinceMs = selection.since ?? numberOf(span?.["since"])
    const untilMs = selection.until ?? numberOf(span?.["until"])
    const bucketMs = bucketOf(sinceMs, untilMs)
    const histogram = yield* query(
      `SELECT (e.startMs // ${bucketMs}) * ${bucketMs} AS startMs, count(*) FILTER (e.status = 'success') AS successes, count(*) AS events
      FROM events e WHERE ${where} GROUP BY 1 ORDER BY 1`,
      parameters
    )
    const found = totalsOf(all ?? {})
    return {
      totals: found,
      bucketMs,
      histogram: histogram.map((row) => ({
        startMs: numberOf(row["startMs"]),
        successes: numberOf(row["successes"]),
        others: numberOf(row["events"]) - numberOf(row["successes"])
      })),
      offset,
      rows: rows.map(rowOf),
      without: found.events > 0 ? [] : yield* withoutEach(query, conditions)
    }
  })

const withoutEach = (query: Query, conditions: ReadonlyArray<Condition>): Answer<Page.Events["without"]> => {
  // A period is one part of a selection.
  const partOf = ({ field }: Condition) => (field === "since" || field === "until" ? "period" : field)
  const parts = Array.from(new Set(conditions.map(partOf)))
  return Effect.forEach(parts, (field) => {
    const left = conditions.filter((condition) => partOf(condition) !== field)
    return Effect.map(
      query(`SELECT count(*) AS events FROM events e WHERE ${whereOf(left)}`, parametersOf(left)),
      ([row]) => ({ field, events: numberOf(row?.["events"]) })
    )
  })
}

/** One event as it is in a list, with the usual cost of its workflow. */
export const eventRow = (query: Query, eventId: string, customerId: string) =>
  Effect.map(
    query(
      `SELECT e.*, w.median AS median, w.p95 AS p95 FROM ${listed} LEFT JOIN workflows w USING (workflow)
      WHERE e.eventId = $eventId AND e.customerId = $customerId`,
      { eventId, customerId }
    ),
    ([row]) =>
      row === undefined
        ? undefined
        : {
            event: rowOf(row),
            median: row["median"] === null ? null : usdOf(row["median"]),
            p95: row["p95"] === null ? null : usdOf(row["p95"])
          }
  )

/** Where an event is in a list. */
export const position = (
  query: Query,
  key: { readonly eventId: string; readonly customerId: string },
  selection: Page.Selection,
  order: Order
): Answer<Page.Position> =>
  Effect.gen(function* () {
    const conditions = conditionsOf(selection)
    const [row] = yield* query(
      `SELECT * FROM (
        SELECT e.eventId AS eventId, e.customerId AS customerId, row_number() OVER w AS at, count(*) OVER () AS total,
          lag(e.eventId) OVER w AS previousEvent, lag(e.customerId) OVER w AS previousCustomer,
          lead(e.eventId) OVER w AS nextEvent, lead(e.customerId) OVER w AS nextCustomer
        FROM ${listed} WHERE ${whereOf(conditions)} WINDOW w AS (${orderOf(order)})
      ) WHERE eventId = $eventId AND customerId = $customerId`,
      { ...parametersOf(conditions), ...key }
    )
    const keyAt = (event: unknown, customer: unknown) =>
      event === null || event === undefined ? null : { eventId: String(event), customerId: String(customer) }
    return {
      index: row === undefined ? null : numberOf(row["at"]),
      total: numberOf(row?.["total"]),
      previous: keyAt(row?.["previousEvent"], row?.["previousCustomer"]),
      next: keyAt(row?.["nextEvent"], row?.["nextCustomer"])
    }
  })

/** What an id is of. */
export const find = (query: Query, id: string): Answer<Page.Found> =>
  Effect.gen(function* () {
    const keys = (rows: ReadonlyArray<Row>) =>
      rows.map(({ customerId, eventId }) => ({ eventId: eventId ?? "", customerId: customerId ?? "" }))
    const events = yield* query(
      `SELECT eventId, customerId FROM events WHERE eventId = $id
      UNION SELECT eventId, customerId FROM runs WHERE runId = $id ORDER BY 1, 2 LIMIT 20`,
      { id }
    )
    const [customer] = yield* query("SELECT 1 AS one FROM events WHERE customerId = $id LIMIT 1", { id })
    return {
      events: keys(events),
      isCustomer: customer !== undefined,
      similar:
        events.length > 0 || id === ""
          ? []
          : keys(
              yield* query(
                "SELECT eventId, customerId FROM events WHERE starts_with(eventId, $id) ORDER BY 1, 2 LIMIT 5",
                { id }
              )
            )
    }
  })

const valueColumns = {
  workflow: "workflow",
  customer: "customerId",
  tenant: "tenantId",
  environment: "environment",
  reason: "reason",
  value: "valueType",
  model: "name",
  step: "step"
} as const

/** Values of a field that begin with a text, or hold it, the most used first. */
export const values = (
  query: Query,
  field: keyof typeof valueColumns,
  begin: string
): Answer<ReadonlyArray<string>> => {
  const column = valueColumns[field]
  const table = field === "model" || field === "step" ? "calls" : "events"
  return Effect.map(
    query(
      `SELECT ${column} AS value, count(*) AS uses FROM ${table}
      WHERE ${column} IS NOT NULL AND contains(lower(${column}), lower($begin)) GROUP BY 1 ORDER BY uses DESC, 1 LIMIT 50`,
      { begin }
    ),
    (rows) => rows.map(({ value }) => value ?? "")
  )
}
