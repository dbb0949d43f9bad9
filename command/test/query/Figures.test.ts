/**
 * The figures of a report, against those that `botanu-effect/report` computes in memory, which shares no SQL with them.
 */
import { appendFile } from "node:fs/promises"
import { BusinessEvent, type RunRecord, Summary } from "botanu-effect/report"
import { BigDecimal, Effect, FastCheck } from "effect"
import { describe, expect, it } from "vitest"
import { base, record } from "../../../test/report/records.js"
import { callFigures } from "../../src/query/CallFigures.js"
import { eventFigures, valueSums } from "../../src/query/EventFigures.js"
import type { EventFilter } from "../../src/query/EventFilter.js"
import * as GroupKey from "../../src/query/GroupKey.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import { ledgerOf, linesOf, makeLedger } from "../botanu.js"
import { reading, stores } from "../stores.js"
import { anyBy, anyContents, day, figuresOf, grouped, plain, sorted } from "./oracle.js"

/** A ledger takes 100 ms to read, a second where other work uses the machine. */
const timeout = 120_000

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
