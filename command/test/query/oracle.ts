/**
 * Runs of any kind, and what reports are of them: the figures that `botanu-effect/report` computes in memory, which shares no SQL with
 * the command.
 */
import { Ledger } from "botanu-effect/ledger"
import type { BusinessEvent, Summary } from "botanu-effect/report"
import { BigDecimal, FastCheck } from "effect"
import { Outcome } from "../../../src/index.js"
import { base, record } from "../../../test/report/records.js"
import { instant } from "../../../test/runs.js"
import type { EventFigures } from "../../src/query/EventFigures.js"

const statuses = ["success", "failure", "partial", "timeout", "canceled"] as const

const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })

const defined = <A extends object>(value: A) =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [Key in keyof A]: Exclude<A[Key], undefined>
  }

const anyUsd = FastCheck.bigInt({ min: 0n, max: 10n ** 22n }).map((value) => {
  const digits = String(value).padStart(19, "0")
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`
})

const anyCall = FastCheck.record({
  model: FastCheck.constantFrom("quill-2", "nova-2", "'; DROP TABLE runs; --"),
  step: optional(FastCheck.constantFrom("classify", "draft reply")),
  usd: optional(anyUsd),
  durationMs: optional(FastCheck.nat(5000)),
  status: FastCheck.constantFrom("success", "failure", "interrupted")
})

export const day = 86_400

/** Runs of few ids, events and customers, so that they are nested, retried, reported twice, and go round in circles. */
export const anyRecord = FastCheck.record({
  n: FastCheck.integer({ min: 1, max: 25 }),
  parent: optional(FastCheck.integer({ min: 1, max: 25 })),
  root: FastCheck.integer({ min: 1, max: 25 }),
  attempt: FastCheck.integer({ min: 1, max: 4 }),
  event: FastCheck.constantFrom("ticket-1", "ticket-2", "ticket'3"),
  customer: FastCheck.constantFrom("bigretail", "=cmd()"),
  workflow: FastCheck.constantFrom("Customer Support", "Refund Review"),
  version: optional(FastCheck.constantFrom("1.0.0", "1.1.0")),
  tenant: optional(FastCheck.constantFrom("acme", "globex")),
  start: FastCheck.integer({ min: 0, max: 3 * day }),
  took: optional(FastCheck.nat(100)),
  status: FastCheck.constantFrom(...statuses),
  outcome: FastCheck.constantFrom(...statuses, "none" as const),
  details: FastCheck.constantFrom({}, { valueType: "tickets", valueAmount: 2 }, { valueAmount: 0.5 }),
  annotations: optional(
    FastCheck.constantFrom({ team: "support" }, { team: "finance", tier: 2 }, { tier: 1.5, vip: true })
  ),
  calls: FastCheck.array(anyCall, { maxLength: 3 })
}).map(({ took, calls, ...fields }) =>
  record({
    ...defined(fields),
    ...(took !== undefined && { end: fields.start + took }),
    calls: calls.map(defined)
  } as Parameters<typeof record>[0])
)

export const anyAmendment = FastCheck.record({
  eventId: FastCheck.constantFrom("ticket-1", "ticket-2", "ticket-9"),
  customerId: optional(FastCheck.constantFrom("bigretail", "=cmd()")),
  status: FastCheck.constantFrom(...statuses),
  valueAmount: optional(FastCheck.constantFrom(3)),
  at: FastCheck.nat(3)
}).map(
  ({ at, customerId, eventId, status, valueAmount }) =>
    new Ledger.OutcomeAmendment({
      eventId,
      outcome: new Outcome.Outcome({ status, ...(valueAmount !== undefined && { valueAmount }) }),
      by: "crm-sync",
      at: instant(base + at),
      ...(customerId !== undefined && { customerId })
    })
)

export const anyContents = FastCheck.record({
  records: FastCheck.array(anyRecord, { maxLength: 40 }),
  // One at a time: of two at once the order of the lines counts, which PostgreSQL keeps only within one batch.
  amendments: FastCheck.uniqueArray(anyAmendment, { maxLength: 4, selector: ({ at }) => at.epochMillis })
})

export const figuresOf = (keys: ReadonlyArray<string | undefined>, summary: Summary.Summary) => ({
  keys,
  events: summary.events,
  runs: summary.runs,
  attempts: summary.attempts,
  successes: summary.outcomes.success,
  failures: summary.outcomes.failure,
  partials: summary.outcomes.partial,
  timeouts: summary.outcomes.timeout,
  canceled: summary.outcomes.canceled,
  running: summary.running,
  lost: summary.lost,
  usd: BigDecimal.format(summary.cost.usd),
  calls: summary.cost.calls,
  unpricedCalls: summary.cost.unpricedCalls,
  usdOfSuccesses: BigDecimal.format(summary.costOfSuccesses.usd),
  usdOfFailures: BigDecimal.format(summary.costOfFailures.usd),
  p50Ms: summary.p50Ms,
  p95Ms: summary.p95Ms
})

export const plain = ({ usdOfPartials: _, ...figures }: EventFigures) => ({
  ...figures,
  usd: BigDecimal.format(figures.usd),
  usdOfSuccesses: BigDecimal.format(figures.usdOfSuccesses),
  usdOfFailures: BigDecimal.format(figures.usdOfFailures)
})

export const sorted = <A extends { readonly keys: unknown }>(groups: ReadonlyArray<A>): ReadonlyArray<A> =>
  groups.toSorted((one, other) => (JSON.stringify(one.keys) < JSON.stringify(other.keys) ? -1 : 1))

const annotationOf =
  (name: string) =>
  ({ runs }: BusinessEvent.BusinessEvent): string | undefined => {
    const values = runs.map(({ completed }) => completed?.annotations?.[name])
    const value = values.find((value) => value !== undefined)
    return value === undefined ? undefined : String(value)
  }

/** What a key of a report is of an event in memory. */
const oracle: Readonly<Record<string, (event: BusinessEvent.BusinessEvent) => string | undefined>> = {
  workflow: ({ workflow }) => workflow,
  version: ({ chains }) => chains[0].attempts[0].run.workflowVersion,
  customer: ({ customerId }) => customerId,
  tenant: ({ chains }) => chains[0].attempts[0].run.tenantId,
  environment: ({ chains }) => chains[0].attempts[0].run.environment,
  day: ({ startTime }) => new Date(startTime.epochMillis).toISOString().slice(0, 10),
  outcome: ({ status }) => status,
  status: ({ chains }) => {
    const { completed } = (chains.at(-1) ?? chains[0]).final
    return completed?.status ?? "running"
  },
  team: annotationOf("team"),
  tier: annotationOf("tier"),
  vip: annotationOf("vip")
}

export const grouped = (events: ReadonlyArray<BusinessEvent.BusinessEvent>, by: ReadonlyArray<string>) => {
  const groups = new Map<string, Array<BusinessEvent.BusinessEvent>>()
  for (const event of events) {
    const key = JSON.stringify(by.map((name) => oracle[name]?.(event) ?? null))
    groups.set(key, [...(groups.get(key) ?? []), event])
  }
  return Array.from(groups, ([key, group]) => ({
    keys: (JSON.parse(key) as ReadonlyArray<string | null>).map((part) => part ?? undefined),
    group
  }))
}

export const anyBy = FastCheck.uniqueArray(FastCheck.constantFrom(...Object.keys(oracle)), {
  minLength: 1,
  maxLength: 3
})
