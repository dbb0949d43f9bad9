/**
 * `botanu compare`: a version or a period against another, with how sure the difference is.
 */
import { Figures, TerminalText } from "botanu-effect/report"
import { BigDecimal, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Comparison from "../query/Comparison.js"
import type { EventFilter } from "../query/EventFilter.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Change from "../terminal/Change.js"
import * as Paint from "../terminal/Paint.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import type * as TextTable from "../terminal/TextTable.js"
import { type EventOptions, filterOf, instantOf, quoted, usageError } from "./EventOptions.js"

/** Prints cost and outcomes of both sides. */
export const compare = (
  options: EventOptions & { readonly before: string; readonly after: string; readonly format: Rows.Format }
): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, print } = yield* Screen
    const { name } = yield* LedgerStore
    const filter = yield* filterOf(options)
    const before = yield* Comparison.sampleOf({ ...filter, ...(yield* sideOf("before", options.before)) })
    const after = yield* Comparison.sampleOf({ ...filter, ...(yield* sideOf("after", options.after)) })
    for (const [side, sample] of [
      ["before", before],
      ["after", after]
    ] as const) {
      if (sample.events === 0) {
        return yield* usageError(
          `--${side}: no event that is over in ${TerminalText.visible(name)} fits ${quoted(options[side])}`
        )
      }
    }
    const lines = linesOf(before, after)
    const paint = Paint.byJudgement(hasColour)
    const table: ReadonlyArray<TextTable.Column> = [
      { title: "", cells: lines.map(({ title }) => title) },
      { title: "Before", alignment: "right", cells: lines.map(({ before }) => before) },
      { title: "After", alignment: "right", cells: lines.map(({ after }) => after) },
      {
        title: "Change",
        alignment: "right",
        cells: lines.map(({ change }) => change),
        paint: (text, row) => paint(lines[row]?.judgement ?? "neither", text)
      },
      { title: "Difference, 95%", cells: lines.map(({ interval }) => interval) },
      { title: "", name: "verdict", cells: lines.map(({ verdict }) => verdict) }
    ]
    const unpriced = before.unpricedCalls + after.unpricedCalls
    yield* print([
      ...(options.format === "table"
        ? [
            `${TerminalText.visible(name)}   before: ${TerminalText.visible(options.before)}   after: ${TerminalText.visible(options.after)}`,
            ""
          ]
        : []),
      ...Rows.lines(
        options.format,
        table,
        lines.map(({ data }) => data),
        columns
      ),
      ...(options.format === "table" && unpriced > 0
        ? [
            `calls without a price, in no sum: ${Figures.count(before.unpricedCalls)} before, ${Figures.count(after.unpricedCalls)} after`
          ]
        : [])
    ])
  })

const period = /^(.+?)\.\.(.+)$/

/** A period such as `2026-11-01..2026-11-08`, else a version of a workflow. */
const sideOf = (name: "before" | "after", text: string): Effect.Effect<EventFilter, CommandError> =>
  Effect.gen(function* () {
    const [, from, to] = period.exec(text) ?? []
    if (from === undefined || to === undefined) {
      if (text.trim() === "") return yield* usageError(`--${name}: expected a version or a period such as 14d..7d`)
      return { version: text }
    }
    const [since, until] = [yield* instantOf(name, from), yield* instantOf(name, to)]
    if (since >= until)
      return yield* usageError(`--${name}: expected a period that starts before it ends, got ${quoted(text)}`)
    return { since, until }
  })

interface Line {
  readonly title: string
  readonly before: string
  readonly after: string
  readonly change: string
  readonly interval: string
  readonly verdict: string
  readonly judgement: "better" | "worse" | "neither"
  readonly data: Rows.DataRow
}

const linesOf = (before: Comparison.Sample, after: Comparison.Sample): ReadonlyArray<Line> => [
  lineOf(
    "Per success, USD",
    "usdPerSuccess",
    Comparison.perSuccess(before, after),
    usd,
    ["dearer", "cheaper"],
    "worse"
  ),
  lineOf("Per event, USD", "usdPerEvent", Comparison.perEvent(before, after), usd, ["dearer", "cheaper"], "worse"),
  lineOf("Success rate, %", "successRate", Comparison.successRate(before, after), rate, ["higher", "lower"], "better"),
  lineOf(
    "Attempts per event",
    "attemptsPerEvent",
    Comparison.attemptsPerEvent(before, after),
    plain,
    ["more", "fewer"],
    "worse"
  ),
  {
    title: "Events",
    before: Figures.count(before.events),
    after: Figures.count(after.events),
    change: Change.relative(after.events, before.events),
    interval: "",
    verdict: "",
    judgement: "neither",
    data: dataOf("events", {
      before: before.events,
      after: after.events,
      difference: after.events - before.events,
      interval: undefined
    })
  }
]

interface Unit {
  readonly text: (value: number) => string
  readonly change: (now: number | undefined, before: number | undefined) => string
}

const usd: Unit = {
  text: (value) => Figures.usd(BigDecimal.unsafeFromNumber(Number(value.toPrecision(12)))),
  change: Change.relative
}
const rate: Unit = { text: Figures.percent, change: Change.ofRate }
const plain: Unit = { text: (value) => value.toFixed(2), change: Change.relative }

const lineOf = (
  title: string,
  name: string,
  difference: Comparison.Difference,
  unit: Unit,
  [more, less]: readonly [string, string],
  moreIs: "better" | "worse"
): Line => {
  const { after, before, interval } = difference
  const isSure = Comparison.isSure(difference)
  const isMore = (difference.difference ?? 0) > 0
  const bound = (value: number) => `${value < 0 ? "−" : "+"}${unit.text(Math.abs(value))}`
  return {
    title,
    before: before === undefined ? "–" : unit.text(before),
    after: after === undefined ? "–" : unit.text(after),
    change: unit.change(after, before),
    interval: interval === undefined ? "not known" : `${bound(interval[0])} to ${bound(interval[1])}`,
    verdict: interval === undefined ? "too few events" : isSure ? (isMore ? more : less) : "may be chance",
    judgement: !isSure ? "neither" : isMore === (moreIs === "better") ? "better" : "worse",
    data: dataOf(name, difference)
  }
}

const dataOf = (figure: string, { after, before, difference, interval }: Comparison.Difference): Rows.DataRow => ({
  figure,
  before,
  after,
  difference,
  low: interval?.[0],
  high: interval?.[1]
})
