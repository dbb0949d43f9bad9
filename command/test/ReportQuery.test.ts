/**
 * The figures of a report, against those that `botanu-effect/report` computes in memory, which shares no SQL with them.
 */
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, type RunRecord, Summary } from "botanu-effect/report"
import { BigDecimal, Effect, FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import { Outcome } from "../../src/index.js"
import { base, record } from "../../test/report/records.js"
import { instant } from "../../test/runs.js"
import * as DuckDb from "../src/DuckDb.js"
import * as ReportQuery from "../src/ReportQuery.js"
import { linesOf, makeLedger } from "./botanu.js"

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
  start: FastCheck.integer({ min: 0, max: 3 * day }),
  took: optional(FastCheck.nat(100)),
  status: FastCheck.constantFrom(...statuses),
  outcome: FastCheck.constantFrom(...statuses, "none" as const),
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
  at: FastCheck.nat(3)
}).map(
  ({ at, customerId, eventId, status }) =>
    new Ledger.OutcomeAmendment({
      eventId,
      outcome: new Outcome.Outcome({ status }),
      by: "crm-sync",
      at: instant(base + at),
      ...(customerId !== undefined && { customerId })
    })
)

const anyContents = FastCheck.record({
  records: FastCheck.array(anyRecord, { maxLength: 40 }),
  amendments: FastCheck.array(anyAmendment, { maxLength: 4 })
})

const figuresOf = (keys: ReadonlyArray<string | undefined>, summary: Summary.Summary) => ({
  keys,
  events: summary.events,
  runs: summary.runs,
  attempts: summary.attempts,
  successes: summary.outcomes.success,
  ended: Object.values(summary.outcomes).reduce((sum, count) => sum + count),
  running: summary.running,
  usd: BigDecimal.format(summary.cost.usd),
  calls: summary.cost.calls,
  unpricedCalls: summary.cost.unpricedCalls,
  usdOfSuccesses: BigDecimal.format(summary.costOfSuccesses.usd),
  usdOfFailures: BigDecimal.format(summary.costOfFailures.usd),
  p50Ms: summary.p50Ms,
  p95Ms: summary.p95Ms
})

const plain = (figures: ReportQuery.EventFigures) => ({
  ...figures,
  usd: BigDecimal.format(figures.usd),
  usdOfSuccesses: BigDecimal.format(figures.usdOfSuccesses),
  usdOfFailures: BigDecimal.format(figures.usdOfFailures)
})

const sorted = <A extends { readonly keys: unknown }>(groups: ReadonlyArray<A>): ReadonlyArray<A> =>
  groups.toSorted((one, other) => (JSON.stringify(one.keys) < JSON.stringify(other.keys) ? -1 : 1))

/** What a key of a report is of an event in memory. */
const oracle: Record<ReportQuery.EventKey, (event: BusinessEvent.BusinessEvent) => string | undefined> = {
  workflow: ({ workflow }) => workflow,
  customer: ({ customerId }) => customerId,
  tenant: ({ chains }) => chains[0].attempts[0].run.tenantId,
  environment: ({ chains }) => chains[0].attempts[0].run.environment,
  day: ({ startTime }) => new Date(startTime.epochMillis).toISOString().slice(0, 10),
  outcome: ({ status }) => status,
  status: ({ chains }) => {
    const { completed } = (chains.at(-1) ?? chains[0]).final
    return completed?.status ?? "running"
  }
}

const expected = (events: ReadonlyArray<BusinessEvent.BusinessEvent>, by: ReadonlyArray<ReportQuery.EventKey>) => {
  const groups = new Map<string, Array<BusinessEvent.BusinessEvent>>()
  for (const event of events) {
    const key = JSON.stringify(by.map((name) => oracle[name](event) ?? null))
    groups.set(key, [...(groups.get(key) ?? []), event])
  }
  return Array.from(groups, ([key, group]) =>
    figuresOf(
      (JSON.parse(key) as ReadonlyArray<string | null>).map((part) => part ?? undefined),
      Summary.of(group)
    )
  )
}

const withDatabase = <A>(use: (database: DuckDb.DuckDb) => Promise<A>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(DuckDb.make, (database) => Effect.promise(() => use(database)))))

const segmentOf = async (lines: ReadonlyArray<string>, name = "writer-1.jsonl"): Promise<string> => {
  const file = `2026-02-02/${name}`
  return `${await makeLedger({ [file]: lines.join("\n") })}/${file}`
}

const anyBy = FastCheck.uniqueArray(FastCheck.constantFrom(...(Object.keys(oracle) as Array<ReportQuery.EventKey>)), {
  minLength: 1,
  maxLength: 3
})

describe("the figures of events", () => {
  it("are those of the functions in memory, to the last digit", () =>
    withDatabase((database) =>
      FastCheck.assert(
        FastCheck.asyncProperty(anyContents, anyBy, async ({ amendments, records }, by) => {
          const segment = await segmentOf(linesOf(records, amendments))
          const found = await Effect.runPromise(ReportQuery.eventFigures(database, [segment], by))
          expect(sorted(found.map(plain))).toEqual(sorted(expected(BusinessEvent.fromRecords(records, amendments), by)))
        }),
        { numRuns: 60 }
      )
    ))

  it("are those of the events that a filter keeps", () =>
    withDatabase((database) =>
      FastCheck.assert(
        FastCheck.asyncProperty(anyContents, FastCheck.nat(3), async ({ amendments, records }, days) => {
          const segment = await segmentOf(linesOf(records, amendments))
          const since = new Date(base + days * 1000 * 3600).toISOString()
          const until = new Date(base + 2 * day * 1000).toISOString()
          const filter = { since, until, customer: "=cmd()", workflow: "Customer Support", outcome: "success" }
          const [found] = await Effect.runPromise(ReportQuery.eventFigures(database, [segment], [], filter))
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
        { numRuns: 25 }
      )
    ))
})

describe("the figures of calls", () => {
  it("are sums over the calls of all runs, each run once", () =>
    withDatabase((database) =>
      FastCheck.assert(
        FastCheck.asyncProperty(anyContents, async ({ amendments, records }) => {
          const segment = await segmentOf(linesOf(records, amendments))
          const found = await Effect.runPromise(ReportQuery.callFigures(database, [segment], ["customer", "model"]))
          const groups = new Map<string, { calls: number; unpricedCalls: number; usd: BigDecimal.BigDecimal }>()
          const events = BusinessEvent.fromRecords(records, amendments)
          for (const { cost, model, run } of events.flatMap(({ runs }) => runs.flatMap(callsOf))) {
            const key = JSON.stringify([run.customerId, model])
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
        { numRuns: 30 }
      )
    ))
})

const callsOf = ({ completed, run }: RunRecord.RunRecord) =>
  (completed?.usages ?? []).map(({ cost, usage }) => ({ run, cost, model: usage.responseModel ?? usage.model }))

describe("a segment", () => {
  const lines = linesOf([record({ n: 1, end: 2, calls: [{ usd: "0.5" }] })])

  const leftOutOf = (segment: string) =>
    withDatabase((database) => Effect.runPromise(ReportQuery.linesLeftOut(database, [segment])))

  const eventsIn = (segments: ReadonlyArray<string>) =>
    withDatabase((database) => Effect.runPromise(ReportQuery.eventFigures(database, segments, ["workflow"])))

  it("is read up to where a crash cut it", async () => {
    const cut = await segmentOf([...lines, '{"v":1,"type":"completed","completed":{"run":{"runId":"019'])
    expect(await eventsIn([cut])).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(cut)).toBe(1)
  })

  it("may hold lines of a later version, which are left out", async () => {
    const later = await segmentOf([...lines, '{"v":2,"type":"started","run":{"runId":"x"}}'])
    expect(await eventsIn([later])).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(later)).toBe(1)
  })

  it("may hold lines that are not valid, which are left out", async () => {
    const [line = ""] = linesOf([record({ n: 2, event: "ticket-7", end: 2 })])
    const broken = await segmentOf([...lines, line.replace('"usd":"0"', '"usd":"much"'), '{"v":1}', "[]", "7"])
    expect(await eventsIn([broken])).toMatchObject([{ events: 1, runs: 1 }])
    expect(await leftOutOf(broken)).toBe(4)
  })

  it("is read by its own name, whatever pattern the name is", async () => {
    const [starred, plain] = [await segmentOf(lines, "[a]*?.jsonl"), await segmentOf(lines, "it's.jsonl")]
    expect(await eventsIn([starred])).toMatchObject([{ events: 1 }])
    expect(await eventsIn([starred, plain])).toMatchObject([{ events: 1, runs: 1 }])
  })
})

describe("a value of a filter", () => {
  it.each(["' OR 1=1 --", "x'; DROP TABLE runs; --", "$since", "\u0000"])("is no part of the statement: %j", (value) =>
    withDatabase(async (database) => {
      const segment = await segmentOf(linesOf([record({ n: 1, end: 2 })]))
      for (const name of ["workflow", "customer", "tenant", "environment", "outcome"]) {
        const filter = { [name]: value }
        const found = await Effect.runPromise(ReportQuery.eventFigures(database, [segment], ["workflow"], filter))
        expect(found, name).toEqual([])
      }
    })
  )
})
