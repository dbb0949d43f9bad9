/**
 * What figures can be grouped by.
 */
import type { Dialect } from "../store/Dialect.js"
import type { EventColumn } from "../store/EventRelation.js"
import type { Parameter, Relation } from "../store/LedgerStore.js"

const eventKeys = {
  workflow: "workflow",
  version: "workflow_version",
  customer: "customer_id",
  tenant: "tenant_id",
  environment: "environment",
  day: "start_time",
  outcome: "status",
  status: "run_status"
} as const

const callKeys = {
  model: "coalesce(u.response_model, u.model)",
  provider: "u.provider",
  /** The step of the run, else what the call did. */
  step: "coalesce(u.step, u.operation)"
} as const

/** Something of an event, something of a call, or an annotation of the runs of an event. */
export type GroupKey =
  | { readonly of: "event"; readonly name: keyof typeof eventKeys }
  | { readonly of: "call"; readonly name: keyof typeof callKeys }
  | { readonly of: "annotation"; readonly name: string }

/** The names that are no annotations. */
export const names: ReadonlyArray<string> = [...Object.keys(eventKeys), ...Object.keys(callKeys)]

/** The key of a name. A name that is not known is that of an annotation. */
export const fromName = (name: string): GroupKey =>
  Object.hasOwn(eventKeys, name)
    ? { of: "event", name: name as keyof typeof eventKeys }
    : Object.hasOwn(callKeys, name)
      ? { of: "call", name: name as keyof typeof callKeys }
      : { of: "annotation", name }

/** The parts of a statement that groups rows of `events e`, and of `usages u` where a key is of calls. */
export interface Grouping {
  /** `expression AS key0, ` and so on. */
  readonly selected: string
  /** `key0, key1`; empty without a key. */
  readonly keys: string
  /** Joins for annotations. */
  readonly joins: string
  readonly from: ReadonlyArray<Relation>
  /** The columns of events that it reads. */
  readonly columns: ReadonlyArray<EventColumn>
  readonly parameters: Readonly<Record<string, Parameter>>
}

/** How rows are grouped by these keys. */
export const groupingOf = (by: ReadonlyArray<GroupKey>, dialect: Dialect): Grouping => {
  const joins: Array<string> = []
  const columns: Array<EventColumn> = []
  const parameters: Record<string, Parameter> = {}
  const expressions = by.map((key, index) => {
    if (key.of === "event") {
      columns.push(eventKeys[key.name])
      const column = `e.${eventKeys[key.name]}`
      return key.name === "day" ? dialect.day(column) : column
    }
    if (key.of === "call") return callKeys[key.name]
    columns.push("event_id", "customer_id")
    // Of several runs of an event with the annotation, the first counts.
    joins.push(`LEFT JOIN (
      SELECT event_id, customer_id, ${dialect.first("value", ["start_time", "run_id"])} AS value
      FROM annotations WHERE name = $annotation${index}::text GROUP BY event_id, customer_id
    ) a${index} ON a${index}.event_id = e.event_id AND a${index}.customer_id = e.customer_id`)
    parameters[`annotation${index}`] = key.name
    return `a${index}.value`
  })
  return {
    selected: expressions.map((expression, index) => `${expression} AS key${index}, `).join(""),
    keys: by.map((_, index) => `key${index}`).join(", "),
    joins: joins.join(" "),
    from: joins.length === 0 ? [] : ["annotations"],
    columns,
    parameters
  }
}
