/**
 * The figures of a report, against those that `botanu-effect/report` computes in memory, which shares no SQL with them.
 */
import { appendFile } from "node:fs/promises"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, type RunRecord, Summary } from "botanu-effect/report"
import { BigDecimal, Effect, FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import { Outcome } from "../../../src/index.js"
import { base, record } from "../../../test/report/records.js"
import { instant } from "../../../test/runs.js"
import { callFigures } from "../../src/query/CallFigures.js"
import { type EventFigures, eventFigures, valueSums } from "../../src/query/EventFigures.js"
import type { EventFilter } from "../../src/query/EventFilter.js"
import * as GroupKey from "../../src/query/GroupKey.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import { ledgerOf, linesOf, makeLedger } from "../botanu.js"
import { reading, stores } from "../stores.js"

/** A ledger takes 100 ms to read, a second where other work uses the machine. */
const timeout = 120_000

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

const day = 86_400

/** Runs of few ids, events and customers, so that they are nested, retried, reported twice, and go round in circles. */
const anyRecord = FastCheck.record({
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

const anyAmendment = FastCheck.record({
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

const anyContents = FastCheck.record({
  records: FastCheck.array(anyRecord, { maxLength: 40 }),
  // One at a time: of two at once the order of the lines counts, which PostgreSQL keeps only within one batch.
  amendments: FastCheck.uniqueArray(anyAmendment, { maxLength: 4, selector: ({ at }) => at.epochMillis })
})

const figuresOf = (keys: ReadonlyArray<string | undefined>, summary: Summary.Summary) => ({
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

const plain = ({ usdOfPartials: _, ...figures }: EventFigures) => ({
  ...figures,
  usd: BigDecimal.format(figures.usd),
  usdOfSuccesses: BigDecimal.format(figures.usdOfSuccesses),
  usdOfFailures: BigDecimal.format(figures.usdOfFailures)
})

const sorted = <A extends { readonly keys: unknown }>(groups: ReadonlyArray<A>): ReadonlyArray<A> =>
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

const grouped = (events: ReadonlyArray<BusinessEvent.BusinessEvent>, by: ReadonlyArray<string>) => {
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

const anyBy = FastCheck.uniqueArray(FastCheck.constantFrom(...Object.keys(oracle)), { minLength: 1, maxLength: 3 })

const callsOf = ({ completed, run }: RunRecord.RunRecord) =>
  (completed?.usages ?? []).map(({ cost, usage }) => ({
    run,
    cost,
    model: usage.responseModel ?? usage.model,
    step: usage.step ?? usage.operation
  }))

/** As JSON, where the order of keys says nothing. */
const plainly = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const all = stores()

describe.each(all)("the figures of $name", { timeout }, ({ ledgerOf, numRuns }) => {
  it("of events are those of the functions in memory, to the last digit", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(anyContents, anyBy, async ({ amendments, records }, by) => {
        const ledger = await ledgerOf(linesOf(records, amendments))
        const found = await reading(ledger, eventFigures(by.map(GroupKey.fromName)))
        const events = BusinessEvent.fromRecords(records, amendments)
        expect(sorted(found.map(plain))).toEqual(
          sorted(grouped(events, by).map(({ group, keys }) => figuresOf(keys, Summary.of(group))))
        )
        const values = await reading(ledger, valueSums([]))
        expect(new Map(values.map(({ amount, valueType }) => [valueType, amount]))).toEqual(
          new Map(Array.from(Summary.of(events).values, ([type, sum]) => [type, BigDecimal.unsafeToNumber(sum)]))
        )
      }),
      { numRuns }
    ))

  it("are those of the events that a filter keeps", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(anyContents, FastCheck.nat(3), async ({ amendments, records }, days) => {
        const ledger = await ledgerOf(linesOf(records, amendments))
        const since = new Date(base + days * 1000 * 3600).toISOString()
        const until = new Date(base + 2 * day * 1000).toISOString()
        const filter = { since, until, customer: "=cmd()", workflow: "Customer Support", outcome: "success" }
        const [found] = await reading(ledger, eventFigures([], filter))
        const kept = BusinessEvent.fromRecords(records, amendments).filter(
          ({ customerId, startTime, status, workflow }) =>
            startTime.epochMillis >= Date.parse(since) &&
            startTime.epochMillis < Date.parse(until) &&
            customerId === filter.customer &&
            workflow === filter.workflow &&
            status === "success"
        )
        expect(found === undefined ? undefined : plain(found)).toEqual(figuresOf([], Summary.of(kept)))
      }),
      { numRuns: Math.ceil(numRuns / 2) }
    ))

  it("of calls are sums over the calls of all runs, each run once", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(anyContents, async ({ amendments, records }) => {
        const ledger = await ledgerOf(linesOf(records, amendments))
        const found = await reading(ledger, callFigures(["customer", "model", "step"].map(GroupKey.fromName)))
        const groups = new Map<string, { calls: number; unpricedCalls: number; usd: BigDecimal.BigDecimal }>()
        const events = BusinessEvent.fromRecords(records, amendments)
        for (const { cost, model, run, step } of events.flatMap(({ runs }) => runs.flatMap(callsOf))) {
          const key = JSON.stringify([run.customerId, model, step])
          const known = groups.get(key) ?? { calls: 0, unpricedCalls: 0, usd: BigDecimal.make(0n, 0) }
          groups.set(key, {
            calls: known.calls + 1,
            unpricedCalls: known.unpricedCalls + (cost._tag === "Unpriced" ? 1 : 0),
            usd: BigDecimal.sum(known.usd, cost.usd)
          })
        }
        expect(
          sorted(
            found.map(({ calls, keys, unpricedCalls, usd }) => ({
              keys,
              calls,
              unpricedCalls,
              usd: BigDecimal.format(usd)
            }))
          )
        ).toEqual(
          sorted(
            Array.from(groups, ([key, { usd, ...counts }]) => ({
              keys: JSON.parse(key),
              ...counts,
              usd: BigDecimal.format(usd)
            }))
          )
        )
      }),
      { numRuns: Math.ceil(numRuns / 2) }
    ))

  it("come from the records of an event", () =>
    FastCheck.assert(
      FastCheck.asyncProperty(anyContents, async ({ amendments, records }) => {
        // All records of a run name its event.
        const known = new Map(records.map(({ run }) => [run.runId, run]))
        const steady = records.filter(({ run }) => {
          const { customerId, eventId } = known.get(run.runId) ?? run
          return run.eventId === eventId && run.customerId === customerId
        })
        const ledger = await ledgerOf(linesOf(steady, amendments))
        const found = await reading(
          ledger,
          Effect.flatMap(LedgerStore, (store) => store.records({ eventId: "ticket'3" }))
        )
        const expected = BusinessEvent.fromRecords(steady, amendments).filter(({ eventId }) => eventId === "ticket'3")
        expect(plainly(BusinessEvent.fromRecords(found.records, found.amendments))).toEqual(plainly(expected))
      }),
      { numRuns: Math.ceil(numRuns / 4) }
    ))

  it.each(["' OR 1=1 --", "x'; DROP TABLE runs; --", "$since", "%"])(
    "take a value of a filter for a value, and for no part of the statement: %j",
    async (value) => {
      const ledger = await ledgerOf(linesOf([record({ n: 1, end: 2 })]))
      const names = ["workflow", "customer", "tenant", "environment", "version", "outcome", "event", "search"]
      for (const name of names) {
        const filter: EventFilter = { [name]: value }
        expect(await reading(ledger, eventFigures([GroupKey.fromName("workflow")], filter)), name).toEqual([])
      }
      expect(await reading(ledger, eventFigures([GroupKey.fromName(value)]))).toMatchObject([
        { keys: [undefined], events: 1 }
      ])
    }
  )
})

describe.each(all)("the figures of many events in $name", { timeout }, ({ ledgerOf }) => {
  it("are right where many go on after their days were compacted, and others do not", async () => {
    const attempt = (number: number, event: number) =>
      record({
        n: number * 1000 + event,
        root: event,
        attempt: number,
        event: `ticket-${event}`,
        customer: event % 2 === 0 ? "bigretail" : "acme",
        start: number * day + event,
        end: number * day + 2 * event,
        status: event % number === 0 ? "success" : "failure",
        calls: [{ model: "quill-2", usd: `0.00${event}`, durationMs: number * 1000 + event }]
      })
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
    // A third of the lines is in each compacted day, and a third in a segment, where 600 of the events go on.
    const records = [
      ...range(1, 701).map((event) => attempt(1, event)),
      ...[...range(1, 601), ...range(701, 801)].map((event) => attempt(2, event)),
      ...[...range(1, 601), ...range(801, 901)].map((event) => attempt(3, event))
    ]
    const ledger = await ledgerOf(linesOf(records))
    const events = BusinessEvent.fromRecords(records)
    const by = ["customer", "outcome"]
    expect(sorted((await reading(ledger, eventFigures(by.map(GroupKey.fromName)))).map(plain))).toEqual(
      sorted(grouped(events, by).map(({ group, keys }) => figuresOf(keys, Summary.of(group))))
    )
    const [{ calls, p95Ms, usd } = {}] = await reading(ledger, callFigures([]))
    const durations = records.flatMap(({ completed }) =>
      (completed?.usages ?? []).map(({ usage }) => usage.durationMs ?? 0)
    )
    expect([calls, p95Ms, usd && BigDecimal.format(usd)]).toEqual([
      2100,
      Summary.percentile(
        durations.toSorted((one, other) => one - other),
        0.95
      ),
      BigDecimal.format(Summary.of(events).cost.usd)
    ])
  })
})

describe("a segment", () => {
  const lines = linesOf([record({ n: 1, end: 2, calls: [{ usd: "0.5" }] })])

  const eventsIn = (ledger: string) => reading(ledger, eventFigures([GroupKey.fromName("workflow")]))

  const leftOutOf = (ledger: string) =>
    reading(
      ledger,
      Effect.flatMap(LedgerStore, ({ linesLeftOut }) => linesLeftOut)
    )

  it("is read up to where a crash cut it", async () => {
    const cut = await ledgerOf([...lines, '{"v":1,"type":"completed","completed":{"run":{"runId":"019'])
    expect(await eventsIn(cut)).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(cut)).toBe(1)
  })

  it("may hold lines of a later version, which are left out", async () => {
    const later = await ledgerOf([...lines, '{"v":2,"type":"started","run":{"runId":"x"}}'])
    expect(await eventsIn(later)).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(later)).toBe(1)
  })

  it("may hold lines that are not valid, which are left out", async () => {
    const [line = ""] = linesOf([record({ n: 2, event: "ticket-7", end: 2 })])
    const broken = await ledgerOf([...lines, line.replace('"usd":"0"', '"usd":"much"'), '{"v":1}', "[]", "7"])
    expect(await eventsIn(broken)).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(broken)).toBe(4)
  })

  it("is read by its own name, in a directory of any name", async () => {
    const parent = await makeLedger({ "[a]*?'; --/2026-02-02/a-1.jsonl": lines.join("\n") })
    expect(await eventsIn(`${parent}/[a]*?'; --`)).toMatchObject([{ events: 1, runs: 1 }])
  })

  it("that grew is read again", async () => {
    const ledger = await ledgerOf(lines)
    const counts = await reading(
      ledger,
      Effect.gen(function* () {
        const { refresh } = yield* LedgerStore
        const before = yield* eventFigures([])
        const [another = ""] = linesOf([record({ n: 2, event: "ticket-7", end: 2 })])
        const same = yield* refresh
        yield* Effect.promise(() => appendFile(`${ledger}/2026-02-02/writer-1.jsonl`, `${another}\n`))
        const changed = yield* refresh
        const after = yield* eventFigures([])
        return [same, changed, before[0]?.events, after[0]?.events]
      })
    )
    expect(counts).toEqual([false, true, 1, 2])
  })
})
