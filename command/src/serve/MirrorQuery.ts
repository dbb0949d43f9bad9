/**
 * The lists of the page, single events, and what they are found by, as queries over the ledger in memory.
 */
import { Effect } from "effect"
import { callGroups, type Part, unpriced } from "./GroupQuery.js"
import type { Row } from "./LedgerMirror.js"
import { bucketOf } from "./OverviewQuery.js"
import type * as Page from "./PageApi.js"
import {
  type Answer,
  type Condition,
  conditionsOf,
  knownOf,
  numberOf,
  parametersOf,
  percentiles,
  type Query,
  sums,
  textOf,
  totalsOf,
  usdOf,
  whereOf
} from "./SelectedEvents.js"

/** The figures of all events that are meant. */
const figures = (query: Query, conditions: ReadonlyArray<Condition>): Answer<Page.Totals> =>
  Effect.map(
    Effect.all(
      [
        query(`SELECT ${sums} FROM events e WHERE ${whereOf(conditions)}`, parametersOf(conditions)),
        query(
          `SELECT ${percentiles} AS percentiles FROM events e JOIN durations d USING (event) WHERE ${whereOf(conditions)}`,
          parametersOf(conditions)
        )
      ],
      { concurrency: "unbounded" }
    ),
    ([[row = {}], [durations]]) => totalsOf(row, durations)
  )

/** More models and services than a page shows. */
const mostNames = 1000

/** Calls without a price, and what calls with a price were priced with. */
export const prices = (query: Query, selection: Page.Selection): Answer<Omit<Page.Prices, "repriced">> => {
  const conditions = conditionsOf(selection)
  return Effect.all(
    {
      totals: figures(query, conditions),
      unpriced: unpriced(query, conditions, mostNames),
      models: Effect.map(callGroups(query, "name", conditions, { offset: 0, limit: mostNames }), ({ groups }) => groups)
    },
    { concurrency: "unbounded" }
  )
}

/** Calls without a price, with what they consumed. */
export const unpricedUsages = (query: Query, selection: Page.Selection) => {
  const conditions = conditionsOf(selection)
  return Effect.map(
    query(
      `SELECT k.name, k.reason, CAST(u.usage AS VARCHAR) AS usage, u.usd, e.customerId, e.tenantId
      FROM unpriced u JOIN kinds k USING (kind) JOIN events e USING (event) WHERE ${whereOf(conditions)}`,
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
  attempts: "e.tries",
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

/** Such events as they are listed, beside the usual cost of their workflow. */
const listedOf = (events: string): string => `(SELECT e.*,
  CASE WHEN w.median > 0 AND e.status IS NOT NULL AND e.status NOT IN ('running', 'lost') AND NOT ${nothingKnown}
  THEN CAST(e.usd AS DOUBLE) / CAST(w.median AS DOUBLE) END AS toMedian
  FROM ${events} e LEFT JOIN workflows w USING (workflow)) e`

const listed = listedOf("events")

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

/** Some of the events, in an order. */
export const rows = (
  query: Query,
  selection: Page.Selection,
  order: Order,
  { limit, offset }: Part
): Answer<ReadonlyArray<Page.EventRow>> => {
  const conditions = conditionsOf(selection)
  const part = `WHERE ${whereOf(conditions)} ${orderOf(order)} LIMIT ${limit} OFFSET ${offset}`
  // What is not sorted by the usual cost is beside it only where it is listed.
  const statement =
    order.sort === "toMedian"
      ? `SELECT e.* FROM ${listed} ${part}`
      : `SELECT e.* FROM ${listedOf(`(SELECT e.* FROM events e ${part})`)} ${orderOf(order)}`
  return Effect.map(query(statement, parametersOf(conditions)), (rows) => rows.map(rowOf))
}

/** Events and their sums. */
export const events = (query: Query, selection: Page.Selection, order: Order, part: Part): Answer<Page.Events> =>
  Effect.gen(function* () {
    const conditions = conditionsOf(selection)
    const found = yield* Effect.all(
      {
        totals: figures(query, conditions),
        bars: histogram(query, selection, conditions),
        rows: rows(query, selection, order, part)
      },
      { concurrency: "unbounded" }
    )
    return {
      totals: found.totals,
      ...found.bars,
      offset: part.offset,
      rows: found.rows,
      without: found.totals.events > 0 ? [] : yield* withoutEach(query, conditions)
    }
  })

const histogram = (query: Query, selection: Page.Selection, conditions: ReadonlyArray<Condition>) =>
  Effect.gen(function* () {
    const where = whereOf(conditions)
    const parameters = parametersOf(conditions)
    let { since, until } = selection
    if (since === undefined || until === undefined) {
      const [span] = yield* query(
        `SELECT min(e.startMs) AS since, max(e.startMs) + 1 AS until FROM events e WHERE ${where}`,
        parameters
      )
      since ??= numberOf(span?.["since"])
      until ??= numberOf(span?.["until"])
    }
    const bucketMs = bucketOf(since, until)
    const bars = yield* query(
      `SELECT (e.startMs // ${bucketMs}) * ${bucketMs} AS startMs, count(*) FILTER (e.status = 'success') AS successes, count(*) AS events
      FROM events e WHERE ${where} GROUP BY 1 ORDER BY 1`,
      parameters
    )
    return {
      bucketMs,
      histogram: bars.map((row) => ({
        startMs: numberOf(row["startMs"]),
        successes: numberOf(row["successes"]),
        others: numberOf(row["events"]) - numberOf(row["successes"])
      }))
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
      UNION SELECT eventId, customerId FROM keys WHERE event IN (SELECT event FROM runs WHERE runId = $id)
      ORDER BY 1, 2 LIMIT 20`,
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
  const table = field === "model" || field === "step" ? "calls JOIN kinds USING (kind)" : "events"
  return Effect.map(
    query(
      `SELECT ${column} AS value, count(*) AS uses FROM ${table}
      WHERE ${column} IS NOT NULL AND contains(lower(${column}), lower($begin)) GROUP BY 1 ORDER BY uses DESC, 1 LIMIT 50`,
      { begin }
    ),
    (rows) => rows.map(({ value }) => value ?? "")
  )
}
