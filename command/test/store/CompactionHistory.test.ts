/**
 * Ledgers that are written, compacted and pruned in any order, against the figures of the same lines in memory.
 */
import { mkdir, utimes, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Ledger } from "botanu-effect/ledger"
import { BusinessEvent, type RunRecord, Summary } from "botanu-effect/report"
import { BigDecimal, Effect, FastCheck, Layer, Stream } from "effect"
import { expect, it } from "vitest"
import { callFigures } from "../../src/query/CallFigures.js"
import { eventFigures, valueSums } from "../../src/query/EventFigures.js"
import { eventList } from "../../src/query/EventList.js"
import * as Findings from "../../src/query/Findings.js"
import * as GroupKey from "../../src/query/GroupKey.js"
import { LedgerMirror, layerDirectory } from "../../src/serve/LedgerMirror.js"
import { LedgerStore } from "../../src/store/LedgerStore.js"
import { botanu, linesOf, makeLedger } from "../botanu.js"
import { anyAmendment, anyBy, anyRecord, figuresOf, grouped, plain, sorted } from "../query/oracle.js"
import { reading } from "../stores.js"

const histories = Number(process.env["HISTORIES"] ?? 3)

type Line = RunRecord.RunRecord | Ledger.OutcomeAmendment

const isAmendment = (line: Line): line is Ledger.OutcomeAmendment => line instanceof Ledger.OutcomeAmendment

const days = ["2026-02-02", "2026-02-03", "2026-02-04", "2026-02-05"] as const

/** Writers that are gone, and one that is there. */
const writers = ["gone-a", "gone-b", "there"] as const

const anyStep = FastCheck.oneof(
  {
    weight: 4,
    arbitrary: FastCheck.record({
      step: FastCheck.constant("write" as const),
      day: FastCheck.constantFrom(...days),
      writer: FastCheck.constantFrom(...writers),
      lines: FastCheck.array(
        FastCheck.oneof({ weight: 4, arbitrary: anyRecord }, { weight: 1, arbitrary: anyAmendment }),
        { minLength: 1, maxLength: 12 }
      )
    })
  },
  { weight: 2, arbitrary: FastCheck.record({ step: FastCheck.constant("compact" as const) }) },
  {
    weight: 1,
    arbitrary: FastCheck.record({ step: FastCheck.constant("prune" as const), before: FastCheck.constantFrom(...days) })
  }
)

type Step = typeof anyStep extends FastCheck.Arbitrary<infer A> ? A : never

const anyHistory = FastCheck.array(anyStep, { minLength: 3, maxLength: 9 })

/** What is in a directory, in the order in which lines count, with the writer of each. */
const contentsOf = async (directory: string, written: ReadonlyMap<string, ReadonlyArray<Line>>) => {
  const { compacted, segments } = await Effect.runPromise(Effect.provide(Ledger.files(directory), NodeContext.layer))
  return days.flatMap((day) =>
    [
      ...compacted.filter((one) => one.day === day).flatMap(({ segments }) => segments.map(({ name }) => name)),
      ...segments.filter((one) => one.day === day).map(({ path }) => basename(path))
    ].flatMap((name) => {
      const lines = written.get(`${day}/${name}`)
      if (lines === undefined) throw new Error(`nobody wrote ${day}/${name}`)
      return lines.map((line) => ({ line, isThere: name.startsWith("there-") }))
    })
  )
}

/** Each run once: the last end, else the first start, which is lost where nobody is there who reported it. */
const runsOf = (contents: ReadonlyArray<{ readonly line: Line; readonly isThere: boolean }>) => {
  const byId = new Map<string, Array<{ readonly record: RunRecord.RunRecord; readonly isThere: boolean }>>()
  for (const { isThere, line } of contents) {
    if (isAmendment(line)) continue
    byId.set(line.run.runId, [...(byId.get(line.run.runId) ?? []), { record: line, isThere }])
  }
  return Array.from(byId.values(), (found) => {
    const ended = found.findLast(({ record }) => record.completed !== undefined)
    const [first] = found
    if (ended !== undefined || first === undefined) return (ended ?? found[0])?.record as RunRecord.RunRecord
    return { ...first.record, isLost: !found.some(({ isThere }) => isThere) }
  })
}

const statusOf = (event: BusinessEvent.BusinessEvent): string => {
  const { final } = event.chains.at(-1) ?? event.chains[0]
  return final.completed?.status ?? (final.isLost ? "lost" : "running")
}

interface Expected {
  readonly runs: ReadonlyArray<RunRecord.RunRecord>
  readonly events: ReadonlyArray<BusinessEvent.BusinessEvent>
}

/** Takes the steps of a history in a directory, and checks it after each that was no write, and after the last. */
const play = async (
  history: ReadonlyArray<Step>,
  directory: string,
  check: (expected: Expected) => Promise<void>
): Promise<void> => {
  const written = new Map<string, ReadonlyArray<Line>>()
  for (const [index, step] of history.entries()) {
    if (step.step === "write") {
      const name = `${step.day}/${step.writer}-${index + 1}.jsonl`
      await mkdir(join(directory, step.day), { recursive: true })
      const texts = step.lines.flatMap((line) => (isAmendment(line) ? linesOf([], [line]) : linesOf([line])))
      await writeFile(join(directory, name), texts.map((text) => `${text}\n`).join(""))
      if (step.writer !== "there") await utimes(join(directory, name), index, index)
      written.set(name, step.lines)
      if (index < history.length - 1) continue
    } else {
      const args = step.step === "compact" ? ["compact"] : ["prune", "--older-than", `${daysSince(step.before)}d`]
      const { code, err } = await botanu([...args, "--ledger", directory])
      expect([code, err]).toEqual([0, ""])
    }
    const contents = await contentsOf(directory, written)
    const runs = runsOf(contents)
    const amendments = contents.flatMap(({ line }) => (isAmendment(line) ? [line] : []))
    await check({ runs, events: BusinessEvent.fromRecords(runs, amendments) })
  }
}

const daysSince = (day: string): number => Math.floor(Date.now() / 86_400_000) - Date.parse(day) / 86_400_000

const timeout = 60_000 + histories * 20_000

it("has the figures of the lines that are there, whatever was compacted and pruned before", { timeout }, () =>
  FastCheck.assert(
    FastCheck.asyncProperty(anyHistory, anyBy, async (history, names) => {
      const directory = await makeLedger({})
      // The oracle of statuses knows no lost runs.
      const by = names.filter((name) => name !== "status")
      await play(history, directory, async ({ events, runs }) => {
        const found = await reading(
          directory,
          Effect.gen(function* () {
            const { allRecords } = yield* LedgerStore
            return {
              groups: yield* eventFigures(by.map(GroupKey.fromName)),
              statuses: yield* eventFigures([GroupKey.fromName("status")]),
              values: yield* valueSums([]),
              calls: yield* callFigures([]),
              list: yield* eventList({}, { sort: "start", limit: 100 }),
              records: Array.from(yield* Stream.runCollect(allRecords)).flat()
            }
          })
        )
        expect(sorted(found.groups.map(plain))).toEqual(
          sorted(
            by.length === 0
              ? [figuresOf([], Summary.of(events))]
              : grouped(events, by).map(({ group, keys }) => figuresOf(keys, Summary.of(group)))
          )
        )
        expect(new Map(found.statuses.map(({ events, keys }) => [keys[0], events]))).toEqual(
          events.reduce(
            (counts, event) => counts.set(statusOf(event), (counts.get(statusOf(event)) ?? 0) + 1),
            new Map<string, number>()
          )
        )
        expect(new Map(found.values.map(({ amount, valueType }) => [valueType, amount]))).toEqual(
          new Map(Array.from(Summary.of(events).values, ([type, sum]) => [type, BigDecimal.unsafeToNumber(sum)]))
        )
        expect(
          found.list
            .map((row) =>
              [row.eventId, row.customerId, BigDecimal.format(row.usd), BigDecimal.format(row.usdBeforeFinal)].join()
            )
            .sort()
        ).toEqual(
          events
            .map(({ cost, costBeforeFinal, customerId, eventId }) =>
              [eventId, customerId, BigDecimal.format(cost.usd), BigDecimal.format(costBeforeFinal.usd)].join()
            )
            .sort()
        )
        const calls = runs.flatMap(({ completed }) => completed?.usages ?? [])
        expect(found.calls.map(({ calls, usd }) => [calls, BigDecimal.format(usd)])).toEqual([
          [calls.length, BigDecimal.format(BigDecimal.sumAll(calls.map(({ cost }) => cost.usd)))]
        ])
        expect(found.records.map(({ run }) => run.runId).sort()).toEqual(runs.map(({ run }) => run.runId).sort())
        const findings = await reading(
          directory,
          Effect.all({
            runs: Findings.runCount,
            running: Findings.endless("running"),
            lost: Findings.endless("lost"),
            unpriced: Findings.unpriced
          })
        )
        const open = runs.filter(({ completed }) => completed === undefined)
        expect([findings.runs, findings.running.runs, findings.lost.runs]).toEqual([
          runs.length,
          open.filter(({ isLost }) => !isLost).length,
          open.filter(({ isLost }) => isLost).length
        ])
        expect(findings.unpriced.reduce((sum, { calls }) => sum + calls, 0)).toBe(
          calls.filter(({ cost }) => cost._tag === "Unpriced").length
        )
      })
    }),
    { numRuns: histories }
  )
)

/** The events of the page. */
const pageEvents = Effect.flatMap(LedgerMirror, ({ query }) =>
  query(
    `SELECT eventId, customerId, workflow, startMs, status, isAmended, valueAmount, runs, calls, unpricedCalls, usd, tries,
      usdBeforeFinal FROM events`,
    {}
  )
)

it("has the same events on the page", { timeout }, () =>
  FastCheck.assert(
    FastCheck.asyncProperty(anyHistory, async (history) => {
      const directory = await makeLedger({})
      await play(history, directory, async ({ events }) => {
        const found = await Effect.runPromise(
          Effect.provide(pageEvents, Layer.provide(layerDirectory({ ledger: directory }), NodeContext.layer))
        )
        const texts = (rows: ReadonlyArray<ReadonlyArray<unknown>>) =>
          rows.map((row) => row.map((value) => (value == null ? "" : String(value))).join("  ")).sort()
        const money = (usd: BigDecimal.BigDecimal) => BigDecimal.format(usd)
        expect(
          texts(
            found.map((row) => [
              ...["eventId", "customerId", "workflow", "startMs", "status", "isAmended", "valueAmount"].map(
                (name) => row[name]
              ),
              ...["runs", "calls", "unpricedCalls", "tries"].map((name) => Number(row[name])),
              ...["usd", "usdBeforeFinal"].map((name) => money(BigDecimal.unsafeFromString(row[name] ?? "")))
            ])
          )
        ).toEqual(
          texts(
            events.map((event) => [
              event.eventId,
              event.customerId,
              event.workflow,
              event.startTime.epochMillis,
              event.status,
              event.amendments.length > 0,
              event.outcome?.valueAmount,
              event.runs.length,
              event.cost.calls,
              event.cost.unpricedCalls,
              event.attempts,
              money(event.cost.usd),
              money(event.costBeforeFinal.usd)
            ])
          )
        )
      })
    }),
    { numRuns: histories }
  )
)
