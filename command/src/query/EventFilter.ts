/**
 * Which events a statement is about.
 */
import type { EventColumn } from "../store/EventRelation.js"
import type { Parameter } from "../store/LedgerStore.js"

/** Events that have all of this. Absent: any. */
export interface EventFilter {
  /** Events that first started at this time or later, as an ISO instant in UTC with milliseconds. */
  readonly since?: string | undefined
  /** Events that first started before this time. */
  readonly until?: string | undefined
  readonly workflow?: string | undefined
  readonly customer?: string | undefined
  readonly tenant?: string | undefined
  readonly environment?: string | undefined
  /** The version of the workflow in which the event started. */
  readonly version?: string | undefined
  /** What came of it: an outcome, `running`, `lost`, or `none`. */
  readonly outcome?: string | undefined
  /** The id of the event. */
  readonly event?: string | undefined
  /** Part of the id of the event or of the customer, in any letter case. */
  readonly search?: string | undefined
}

/** A condition of SQL, and the values of its parameters. */
export interface Condition {
  readonly text: string
  /** The columns of events that it reads. */
  readonly columns: ReadonlyArray<EventColumn>
  readonly parameters: Readonly<Record<string, Parameter>>
}

const columns = {
  workflow: "workflow",
  customer: "customer_id",
  tenant: "tenant_id",
  environment: "environment",
  version: "workflow_version",
  event: "event_id"
} as const

/** The condition on a row of `events` that is called `e`. */
export const conditionOf = (filter: EventFilter): Condition => {
  const parts: Array<string> = []
  const parameters: Record<string, Parameter> = {}
  const read: Array<EventColumn> = []
  const add = (name: string, value: string | undefined, part: string, ...columns: ReadonlyArray<EventColumn>): void => {
    if (value === undefined) return
    parts.push(part)
    read.push(...columns)
    parameters[name] = value
  }
  add("since", filter.since, "e.start_time >= $since::timestamptz", "start_time")
  add("until", filter.until, "e.start_time < $until::timestamptz", "start_time")
  for (const [name, column] of Object.entries(columns)) {
    add(name, filter[name as keyof typeof columns], `e.${column} = $${name}::text`, column)
  }
  if (filter.outcome === "none") {
    parts.push("e.status IS NULL")
    read.push("status")
  } else add("outcome", filter.outcome, "e.status = $outcome::text", "status")
  add(
    "search",
    filter.search?.toLowerCase(),
    "(strpos(lower(e.event_id), $search::text) > 0 OR strpos(lower(e.customer_id), $search::text) > 0)",
    "event_id",
    "customer_id"
  )
  return { text: parts.length === 0 ? "true" : parts.join(" AND "), columns: read, parameters }
}
