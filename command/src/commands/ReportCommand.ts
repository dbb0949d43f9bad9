/**
 * `botanu report`: what events cost and what came of them, by group.
 */
import { Cost } from "botanu-effect"
import { Figures, TerminalText } from "botanu-effect/report"
import { BigDecimal, Clock, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Period from "../Period.js"
import { callFigures } from "../query/CallFigures.js"
import { annotationNames, eventFigures, startTimes, valueSums } from "../query/EventFigures.js"
import type { EventFilter } from "../query/EventFilter.js"
import * as GroupKey from "../query/GroupKey.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as DelimitedText from "../terminal/DelimitedText.js"
import * as Paint from "../terminal/Paint.js"
import type * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import * as TextTable from "../terminal/TextTable.js"
import { checkLimit, type EventOptions, filterOf, quoted, usageError } from "./EventOptions.js"
import * as ReportGroup from "./ReportGroup.js"
import * as ReportHead from "./ReportHead.js"

/** What a report is about, as the command line has it. */
export interface ReportOptions extends EventOptions {
  /** Names of keys, with commas between them. */
  readonly by: string
  readonly sort: ReportGroup.Sort | undefined
  readonly limit: number | undefined
  readonly format: Rows.Format
}

/** Prints the figures of each group. */
export const report = (options: ReportOptions): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { print } = yield* Screen
    yield* checkLimit(options.limit)
    const filter = yield* filterOf(options)
    const by = yield* keysOf(options.by)
    const names = by.map(({ name }) => name)
    const isOfCalls = by.some((key) => key.of === "call")
    const all = isOfCalls
      ? (yield* callFigures(by, filter)).map(ReportGroup.ofCalls)
      : (yield* eventFigures(by, filter)).map(ReportGroup.ofEvents(yield* valueSums(by, filter)))
    const sort = options.sort ?? (names[0] === "day" ? "key" : "spend")
    const groups = all.sort(ReportGroup.comparing(sort)).slice(0, options.limit)
    if (options.format === "table") return yield* printTable({ by, isOfCalls, filter, groups, count: all.length })
    yield* print(options.format === "json" ? jsonOf(names, groups) : rowsAs(options.format, names, groups, isOfCalls))
  })

/** The texts of figures, exact. */
const exact = (figure: ReportGroup.Figure): string | number | undefined =>
  BigDecimal.isBigDecimal(figure) ? Cost.format(figure) : figure

const jsonOf = (names: ReadonlyArray<string>, groups: ReadonlyArray<ReportGroup.Group>): ReadonlyArray<string> => {
  const objects = groups.map(({ figures, keys, values }) => ({
    ...Object.fromEntries(names.map((name, index) => [name, keys[index] ?? null])),
    ...Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, exact(figure) ?? null])),
    ...(Object.keys(values).length > 0 && { values })
  }))
  // Inside a text of JSON the escape of a character is the character.
  return JSON.stringify(objects, undefined, 2).split("\n").map(TerminalText.visible)
}

const rowsAs = (
  format: "csv" | "markdown",
  names: ReadonlyArray<string>,
  groups: ReadonlyArray<ReportGroup.Group>,
  isOfCalls: boolean
): ReadonlyArray<string> => {
  const figures = Object.keys(groups[0]?.figures ?? {})
  const titles = [...names, ...figures, ...(isOfCalls ? [] : ["values"])]
  const rows = groups.map((group) => [
    ...group.keys.map((key) => key ?? ""),
    ...figures.map((name) => exact(group.figures[name])),
    ...(isOfCalls
      ? []
      : [
          Object.entries(group.values)
            .map(([type, amount]) => `${type} ${amount}`)
            .join("; ")
        ])
  ])
  return format === "csv"
    ? DelimitedText.csv(titles, rows)
    : DelimitedText.markdown(
        titles,
        rows.map((row) => row.map((cell) => (typeof cell === "string" ? TerminalText.visible(cell) : cell)))
      )
}

interface TableOptions {
  readonly by: ReadonlyArray<GroupKey.GroupKey>
  readonly isOfCalls: boolean
  readonly filter: EventFilter
  readonly groups: ReadonlyArray<ReportGroup.Group>
  /** How many groups there are without a limit. */
  readonly count: number
}

const printTable = ({ by, count, filter, groups, isOfCalls }: TableOptions) =>
  Effect.gen(function* () {
    const { columns, hasColour, print } = yield* Screen
    const { linesLeftOut, name } = yield* LedgerStore
    const now = yield* Clock.currentTimeMillis
    const started = yield* startTimes(filter)
    if (started === undefined) {
      const isEmpty = (yield* startTimes()) === undefined
      const why = isEmpty ? "empty: no run has been recorded" : `no event${described(filter)}: leave a filter out`
      return yield* print([`${TerminalText.visible(name)}   ${why}`])
    }
    const end = Period.endOfDay(now)
    const period =
      filter.since === undefined
        ? undefined
        : { since: filter.since, until: filter.until ?? (filter.since < end ? end : filter.since) }
    const earlier = period === undefined ? undefined : Period.before(period)
    const figuresOf = (filter: EventFilter) =>
      Effect.gen(function* () {
        const [figures] = yield* eventFigures([], filter)
        return figures === undefined ? undefined : { figures, values: yield* valueSums([], filter) }
      })
    const current = yield* figuresOf(filter)
    const before = earlier === undefined ? undefined : yield* figuresOf({ ...filter, ...earlier })
    const total = isOfCalls
      ? (yield* callFigures([], filter)).map(ReportGroup.ofCalls)[0]
      : current && ReportGroup.ofEvents(current.values)(current.figures)
    const leftOut = yield* linesLeftOut
    const isUnpriced = [...groups, total].some((group) => (group?.unpricedCalls ?? 0) > 0)
    const last =
      (filter.until ?? end) > new Date(now).toISOString() && started[1] >= new Date(now).toISOString().slice(0, 10)
    yield* print([
      [
        TerminalText.visible(name),
        `${period === undefined ? Period.format(daysOf(started)) : Period.format(period)} UTC${earlier === undefined ? "" : `, against ${Period.format(earlier, false)}`}`,
        ...(last ? ["today is still coming in"] : []),
        ...(described(filter) === "" ? [] : [described(filter).trim()])
      ].join("   "),
      ...(current === undefined ? [] : ReportHead.lines(current, before, Paint.byJudgement(hasColour), columns)),
      "",
      ...TextTable.lines(
        ReportGroup.columnsOf(
          by.map(({ name }) => name),
          total === undefined ? groups : [...groups, { ...total, keys: [plural(count, by)] }]
        ),
        columns
      ),
      ...(groups.length < count ? [`${groups.length} of ${plural(count, by)}: --limit shows more`] : []),
      ...(isUnpriced ? ["+n?  that many calls have no price and are in no sum: botanu doctor"] : []),
      ...(leftOut === 0
        ? []
        : [`lines that cannot be read, and are in no sum: ${Figures.count(leftOut)}. See: botanu doctor`])
    ])
  })

const daysOf = ([first, last]: readonly [string, string]): Period.Period => ({
  since: `${first.slice(0, 10)}T00:00:00.000Z`,
  until: Period.endOfDay(Date.parse(last))
})

/** What a filter keeps besides a time. */
const described = ({ customer, environment, outcome, tenant, version, workflow }: EventFilter): string =>
  Object.entries({ workflow, version, customer, tenant, environment, outcome })
    .map(([name, value]) => (value === undefined ? "" : ` ${name} ${TerminalText.visible(value)}`))
    .join("")

const plural = (count: number, by: ReadonlyArray<GroupKey.GroupKey>): string => {
  const [key] = by
  const noun = by.length === 1 && key !== undefined && key.of !== "annotation" ? key.name : "group"
  return `${Figures.count(count)} ${count === 1 ? noun : noun === "status" ? "statuses" : `${noun}s`}`
}

const keysOf = (text: string): Effect.Effect<ReadonlyArray<GroupKey.GroupKey>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const found = Array.from(new Set(text.split(",").map((name) => name.trim())), GroupKey.fromName)
    const unknown = found.filter((key) => key.of === "annotation")
    const annotations = unknown.length === 0 ? [] : yield* annotationNames
    for (const { name } of unknown) {
      if (annotations.includes(name)) continue
      const known = [...GroupKey.names, ...annotations].map(TerminalText.visible).join(", ")
      return yield* usageError(`--by: expected some of ${known}, got ${quoted(name)}`)
    }
    return found
  })
