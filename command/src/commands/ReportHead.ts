/**
 * The first lines of a report: what a success cost now, and in the period before.
 */
import { Figures, Summary, TerminalText } from "botanu-effect/report"
import { BigDecimal } from "effect"
import { type EventFigures, ended, type ValueSum } from "../query/EventFigures.js"
import * as Change from "../terminal/Change.js"
import * as TextTable from "../terminal/TextTable.js"
import { unpricedText } from "./ReportGroup.js"

/** The figures of a period, and what its events were worth. */
export interface PeriodFigures {
  readonly figures: EventFigures
  readonly values: ReadonlyArray<ValueSum>
}

type Judgement = "better" | "worse" | "neither"

/** Colours a text by whether a change is for the better. */
export type Paint = (judgement: Judgement, text: string) => string

interface Line {
  readonly name: string
  readonly now: string
  readonly unpriced?: number
  readonly change?: string
  readonly before?: string
  /** Whether more is better or worse; neither where it is not given. */
  readonly more?: "better" | "worse"
  readonly note?: string
}

/** The table of the figures; without the columns of the period before where there is none. */
export const lines = (
  now: PeriodFigures,
  before: PeriodFigures | undefined,
  paint: Paint,
  width: number
): ReadonlyArray<string> => {
  const all = columnsOf(linesOf(now, before, true), before !== undefined, paint)
  const isTooWide = TextTable.widthOf(all) > width
  return TextTable.lines(isTooWide ? columnsOf(linesOf(now, before, false), before !== undefined, paint) : all, width)
}

const columnsOf = (lines: ReadonlyArray<Line>, hasBefore: boolean, paint: Paint): ReadonlyArray<TextTable.Column> => {
  const changes: ReadonlyArray<TextTable.Column> = [
    {
      title: "Change",
      alignment: "right",
      cells: lines.map(({ change = "" }) => change),
      paint: (text, row) => paint(judgementOf(lines[row] as Line), text)
    },
    { title: "Before", alignment: "right", cells: lines.map(({ before = "" }) => before) }
  ]
  return [
    { title: "", cells: lines.map(({ name }) => name) },
    { title: "Now", alignment: "right", cells: lines.map(({ now }) => now) },
    { title: "", isNote: true, cells: lines.map(({ unpriced = 0 }) => unpricedText(unpriced)) },
    ...(hasBefore ? changes : []),
    { title: "", name: "parts", cells: lines.map(({ note = "" }) => note) }
  ]
}

const judgementOf = ({ change = "", more }: Line): Judgement => {
  const isMore = change.startsWith("+") || change.endsWith("×") || change === "new"
  if (more === undefined || !(isMore || change.startsWith("−"))) return "neither"
  return (more === "better") === isMore ? "better" : "worse"
}

const linesOf = (now: PeriodFigures, before: PeriodFigures | undefined, hasPartials: boolean): ReadonlyArray<Line> => {
  const { figures, values } = now
  const { events, successes, unpricedCalls, usd, usdOfFailures, usdOfPartials, usdOfSuccesses } = figures
  const amounts = (name: string, of: (figures: EventFigures) => BigDecimal.BigDecimal | undefined): Line => {
    const [one, other] = [of(figures), before && of(before.figures)]
    return {
      name,
      now: one === undefined ? "–" : amountText(one),
      ...(before !== undefined && {
        change: Change.relative(numberOf(one), numberOf(other)),
        before: other === undefined ? "–" : amountText(other)
      })
    }
  }
  const perSuccess = (amount: BigDecimal.BigDecimal) => {
    const each = Summary.divided(amount, successes)
    return each === undefined ? "" : amountText(each)
  }
  const parts = [
    `${perSuccess(usdOfSuccesses)} in successes`,
    `${perSuccess(usdOfFailures)} failures`,
    ...(!hasPartials || BigDecimal.isZero(usdOfPartials) ? [] : [`${perSuccess(usdOfPartials)} partial`])
  ]
  const [rate, rateBefore] = [rateOf(figures), before && rateOf(before.figures)]
  return [
    {
      ...amounts("Per success, USD", (of) => Summary.divided(of.usd, of.successes)),
      unpriced: unpricedCalls,
      more: "worse",
      note: successes === 0 ? `none of ${Figures.count(events)} succeeded` : parts.join(", ")
    },
    { ...amounts("Spend, USD", (of) => of.usd), unpriced: unpricedCalls },
    {
      ...amounts("Failures, USD", (of) => of.usdOfFailures),
      more: "worse",
      note: BigDecimal.isZero(usd) ? "" : `${Figures.percent(shareOf(usdOfFailures, usd))}% of spend`
    },
    {
      name: "Events",
      now: Figures.count(events),
      ...(before !== undefined && {
        change: Change.relative(events, before.figures.events),
        before: Figures.count(before.figures.events)
      })
    },
    {
      name: "Success rate, %",
      now: rate === undefined ? "–" : Figures.percent(rate),
      more: "better",
      ...(before !== undefined && {
        change: Change.ofRate(rate, rateBefore),
        before: rateBefore === undefined ? "–" : Figures.percent(rateBefore)
      })
    },
    ...values.slice(0, mostValues).map(({ amount, valueType }): Line => {
      const earlier = before?.values.find((other) => other.valueType === valueType)?.amount ?? 0
      return {
        name: valueType === "" ? "value" : TerminalText.truncate(TerminalText.visible(valueType), 24),
        note: valueType === "" ? "" : "value",
        now: Figures.count(amount),
        more: "better",
        ...(before !== undefined && { change: Change.relative(amount, earlier), before: Figures.count(earlier) })
      }
    }),
    ...(values.length > mostValues
      ? [{ name: `${values.length - mostValues} more values`, now: "", note: "all of them: --format json" }]
      : [])
  ]
}

const mostValues = 5

const rateOf = (figures: EventFigures): number | undefined =>
  ended(figures) === 0 ? undefined : figures.successes / ended(figures)

const numberOf = (amount: BigDecimal.BigDecimal | undefined): number | undefined =>
  amount === undefined ? undefined : BigDecimal.unsafeToNumber(amount)

const shareOf = (part: BigDecimal.BigDecimal, whole: BigDecimal.BigDecimal): number =>
  BigDecimal.unsafeToNumber(part) / BigDecimal.unsafeToNumber(whole)

const amountText = Figures.usd
