/**
 * What figures can be grouped by.
 */
import type { Dialect } from "../store/Dialect.js"
import type { Parameter, Relation } from "../store/LedgerStore.js"

const eventKeys = {
  workflow: () => "e.workflow",
  version: () => "e.workflow_version",
  customer: () => "e.customer_id",
  tenant: () => "e.tenant_id",
  environment: () => "e.environment",
  day: ({ day }: Dialect) => day("e.start_time"),
  outcome: () => "e.status",
  status: () => "e.run_status"
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
  readonly parameters: Readonly<Record<string, Parameter>>
}

/** How rows are grouped by these keys. */
export const groupingOf = (by: ReadonlyArray<GroupKey>, dialect: Dialect): Grouping => {
  const joins: Array<string> = []
  const parameters: Record<string, Parameter> = {}
  const expressions = by.map((key, index) => {
    if (key.of === "event") return eventKeys[key.name](dialect)
    if (key.of === "call") return callKeys[key.name]
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
    parameters
  }
}
