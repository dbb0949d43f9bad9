/**
 * A ledger that several versions of the record have written: the figures are those of its runs, whatever version wrote them.
 */
import { mkdir, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, Summary } from "botanu-effect/report"
import { LedgerSql } from "botanu-effect/sql"
import { BigDecimal, Effect, Layer, Schedule } from "effect"
import { describe, expect, it } from "vitest"
import { lines as generated } from "../../../bench/ledger/GeneratedLedger.js"
import { logging } from "../../../test/observed.js"
import { record } from "../../../test/report/records.js"
import { clientOf, useServer } from "../../../test/sql/database.js"
import { isInstalled } from "../../../test/sql/PostgresServer.js"
import { callFigures } from "../../src/query/CallFigures.js"
import { eventFigures } from "../../src/query/EventFigures.js"
import * as GroupKey from "../../src/query/GroupKey.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import { botanu, linesOf, makeLedger } from "../botanu.js"
import { reading } from "../stores.js"

type Json = { [name: string]: unknown }

const today = [
  // Without a call.
  ...linesOf([record({ n: 1, event: "callless", end: 2 })]).map((line) => JSON.parse(line) as Json),
  ...Array.from(generated({ seed: 11, runs: 300, days: 2 }), ({ line }) => JSON.parse(JSON.stringify(line)) as Json)
]

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const mapped = (value: unknown, change: (object: Json, name: string) => Json, name = ""): unknown =>
  Array.isArray(value)
    ? value.map((one) => mapped(one, change, name))
    : isObject(value)
      ? change(
          Object.fromEntries(Object.entries(value).map(([name, field]) => [name, mapped(field, change, name)])),
          name
        )
      : value

/** As the first version wrote a line: it knew no trace and no step, and a run without a call had neither list nor sums. */
const asBefore = (line: Json): Json =>
  mapped(line, (object, name) => {
    const { traceId: _, ...completed } = object
    if (name === "usage") {
      const { step: _, ...usage } = object
      return usage
    }
    if (name !== "completed") return object
    const { totals, usages, ...rest } = completed as { totals: unknown; usages: ReadonlyArray<unknown> }
    return usages.length === 0 ? rest : { ...rest, totals, usages }
  }) as Json

/** As a later version may write it without another number: with fields that this one does not know, everywhere. */
const withMore = (line: Json): Json =>
  mapped(line, (object, name) =>
    ["annotations", "metadata", "other", "toolCalls"].includes(name)
      ? object
      : { ...object, later: { than: ["this", { version: 1 }] }, laterText: "\u202e", runs: 7 }
  ) as Json

/** As a version with another number writes it: what its fields mean is not known. */
const asNext = (line: Json): Json =>
  mapped({ ...line, v: 2 }, (object, name) =>
    name === "totals" ? { ...object, usd: "999", currency: "EUR" } : object
  ) as Json

const shapes = [asBefore, (line: Json) => line, withMore]
const next = today.filter(({ type }, index) => type === "completed" && index % 10 === 0).map(asNext)
const mixed = [
  ...today.map((line, index) => (shapes[index % shapes.length] ?? asBefore)(line)),
  ...next,
  { v: 2, type: "adjusted", of: "something else" }
]
const leftOut = next.length + 1

const textOf = (lines: ReadonlyArray<Json>): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("")

const contentsOf = async (lines: ReadonlyArray<Json>): Promise<Ledger.Contents> => {
  const directory = await makeLedger({ "2026-02-02/writer-1.jsonl": textOf(lines) })
  return Effect.runPromise(Effect.provide(Ledger.read(directory), NodeContext.layer))
}

/** What the functions in memory say of a ledger: by customer, and of all calls. */
const oracleOf = ({ amendments, records }: Ledger.Contents) => {
  const events = BusinessEvent.fromRecords(records, amendments)
  const customers = Array.from(new Set(events.map(({ customerId }) => customerId))).sort()
  return customers.map((customer) => {
    const {
      attempts,
      cost,
      events: count,
      outcomes,
      p95Ms,
      runs
    } = Summary.of(events.filter(({ customerId }) => customerId === customer))
    return [customer, count, runs, attempts, outcomes.success, BigDecimal.format(cost.usd), cost.calls, p95Ms]
  })
}

const figuresIn = (location: string) =>
  reading(
    location,
    Effect.gen(function* () {
      const figures = yield* eventFigures([GroupKey.fromName("customer")])
      const calls = yield* callFigures([])
      const { linesLeftOut } = yield* LedgerStore
      return {
        events: figures
          .map(({ attempts, calls, events, keys: [customer = ""], p95Ms, runs, successes, usd }) => [
            customer,
            events,
            runs,
            attempts,
            successes,
            BigDecimal.format(usd),
            calls,
            p95Ms
          ])
          .sort(([one = ""], [other = ""]) => (one < other ? -1 : 1)),
        calls: calls.map(({ calls }) => calls),
        leftOut: yield* linesLeftOut
      }
    })
  )

const callsOf = (events: ReadonlyArray<ReadonlyArray<unknown>>) => events.reduce((sum, row) => sum + Number(row[6]), 0)

describe("a ledger that several versions have written", { timeout: 60_000 }, () => {
  it("is read by the library: what a later number says is counted and left out", async () => {
    expect(mixed.filter(({ completed }) => isObject(completed) && completed["totals"] === undefined)).not.toEqual([])
    const contents = await contentsOf(mixed)
    expect(oracleOf(contents)).toEqual(oracleOf(await contentsOf(today)))
    expect(contents.problems.map(({ problem }) => problem)).toEqual(Array(leftOut).fill("newer_version"))
  })

  it("is reported from a directory, and stays as it is when it is compacted", async () => {
    const directory = await makeLedger({ "2026-02-02/writer-1.jsonl": textOf(mixed) })
    await utimes(join(directory, "2026-02-02", "writer-1.jsonl"), 0, 0)
    const expected = oracleOf(await contentsOf(today))
    const figures = { events: expected, calls: [callsOf(expected)], leftOut }
    expect(await figuresIn(directory)).toEqual(figures)
    expect((await botanu(["doctor", "--ledger", directory])).out).toMatch(
      new RegExp(`lines of a later version +${leftOut} `)
    )
    expect((await botanu(["compact", "--ledger", directory])).out).toContain(
      `${leftOut} lines cannot be read by this version`
    )
    expect(await figuresIn(directory)).toEqual(figures)
  })

  it("is reported from compacted days, whose lines are as they were written", async () => {
    const expected = oracleOf(await contentsOf(today))
    const lines = mixed.slice(0, -leftOut)
    const directory = await makeLedger({ "2026-02-02/writer-1.jsonl": textOf(lines) })
    await utimes(join(directory, "2026-02-02", "writer-1.jsonl"), 0, 0)
    expect((await botanu(["compact", "--ledger", directory])).code).toBe(0)
    expect(await figuresIn(directory)).toEqual({ events: expected, calls: [callsOf(expected)], leftOut: 0 })
  })
})

describe.runIf(isInstalled)("a database", { timeout: 60_000 }, () => {
  const server = useServer()

  it("takes what several versions have left in a directory, and keeps what a later number says", async () => {
    const expected = oracleOf(await contentsOf(today))
    const url = await server().newDatabase()
    const spill = await makeLedger({})
    await mkdir(join(spill, "2026-02-02"))
    const segment = join(spill, "2026-02-02", "019abc12-def3-7890-abcd-0000000000ff-1.jsonl")
    await writeFile(segment, textOf(mixed))
    await utimes(segment, 0, 0)
    const logged: Array<string> = []
    const replayed = Effect.repeat(Ledger.segments(spill), {
      until: (segments) => segments.length === 0,
      schedule: Schedule.spaced("50 millis")
    })
    await Effect.runPromise(
      replayed.pipe(
        Effect.provide(Layer.provide(LedgerSql.layer({ spill }), clientOf(url))),
        Effect.provide([NodeContext.layer, logging(logged)])
      )
    )
    expect(await figuresIn(url)).toEqual({ events: expected, calls: [callsOf(expected)], leftOut: 0 })
    const refused = await Effect.runPromise(Effect.provide(Ledger.read(join(spill, "refused")), NodeContext.layer))
    expect([refused.records.length, refused.problems.length]).toEqual([0, leftOut])
    expect(logged.join("\n")).toContain("a later version wrote a record")
  })
})
