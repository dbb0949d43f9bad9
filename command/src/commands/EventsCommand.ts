/**
 * `botanu events`: events one by one; `botanu failures`: what failed most, and what it cost.
 */
import { Cost } from "botanu-effect"
import { Figures, TerminalText } from "botanu-effect/report"
import { BigDecimal, Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import { type EventRow, eventList, failureGroups, type Sort } from "../query/EventList.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as Paint from "../terminal/Paint.js"
import * as Rows from "../terminal/Rows.js"
import { Screen } from "../terminal/Screen.js"
import type * as TextTable from "../terminal/TextTable.js"
import { checkLimit, type EventOptions, filterOf } from "./EventOptions.js"
import { unpricedText } from "./ReportGroup.js"

const defaultLimit = 50

/** Prints events. */
export const events = (
  options: EventOptions & { readonly sort: Sort; readonly limit: number | undefined; readonly format: Rows.Format }
): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, print } = yield* Screen
    const { name } = yield* LedgerStore
    yield* checkLimit(options.limit)
    const filter = { ...(yield* filterOf(options)), search: options.search }
    const limit = options.limit ?? defaultLimit
    const rows = yield* eventList(filter, { sort: options.sort, limit: limit + 1 })
    const shown = rows.slice(0, limit)
    if (options.format === "table" && shown.length === 0) {
      return yield* print([`${TerminalText.visible(name)}   no event: leave a filter out`])
    }
    yield* print([
      ...Rows.lines(options.format, columnsOf(shown, Paint.byStatus(hasColour)), shown.map(dataOf), columns),
      ...(options.format === "table" && rows.length > limit ? [`the first ${limit}: --limit shows more`] : [])
    ])
  })

const columnsOf = (
  rows: ReadonlyArray<EventRow>,
  paint: ReturnType<typeof Paint.byStatus>
): ReadonlyArray<TextTable.Column> => {
  const places = Math.max(2, Figures.usdPlaces(rows.map(({ usd }) => usd)))
  return [
    { title: "Event", cells: rows.map(({ eventId }) => Rows.cell(eventId)) },
    {
      title: "Outcome",
      cells: rows.map(({ isAmended, status }) => `${status ?? "none"}${isAmended ? "*" : ""}`),
      paint: (text, row) => {
        const status = rows[row]?.status
        return status === undefined ? text : paint(status, text)
      }
    },
    { title: "Cost", unit: "USD", alignment: "right", cells: rows.map((row) => costText(row, places)) },
    { title: "", isNote: true, cells: rows.map(({ unpricedCalls }) => unpricedText(unpricedCalls)) },
    { title: "Started", unit: "UTC", cells: rows.map(({ startTime }) => Rows.instant(startTime)) },
    { title: "Workflow", cells: rows.map(({ workflow }) => Rows.cell(workflow, 24)) },
    { title: "Customer", cells: rows.map(({ customerId }) => Rows.cell(customerId, 24)) },
    { title: "Attempts", alignment: "right", cells: rows.map(({ attempts }) => Figures.count(attempts)) },
    {
      title: "Took",
      alignment: "right",
      cells: rows.map(({ tookMs }) => (tookMs === undefined ? "–" : Figures.duration(tookMs)))
    }
  ]
}

const costText = ({ unpricedCalls, usd }: EventRow, places: number): string =>
  unpricedCalls > 0 && BigDecimal.isZero(usd) ? "no price" : Figures.fixed(usd, places)

const dataOf = ({ usd, usdBeforeFinal, ...row }: EventRow): Rows.DataRow => ({
  ...row,
  usd: Cost.format(usd),
  usdBeforeFinal: Cost.format(usdBeforeFinal)
})

/** Prints failed events by workflow and reason. */
export const failures = (
  options: EventOptions & { readonly limit: number | undefined; readonly format: Rows.Format }
): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, hasColour, print } = yield* Screen
    const { name } = yield* LedgerStore
    yield* checkLimit(options.limit)
    const all = yield* failureGroups(yield* filterOf(options))
    const groups = all.slice(0, options.limit ?? defaultLimit)
    if (options.format === "table" && groups.length === 0) {
      return yield* print([`${TerminalText.visible(name)}   no event has failed`])
    }
    const places = Math.max(2, Figures.usdPlaces(groups.map(({ usd }) => usd)))
    const paint = Paint.byStatus(hasColour)
    const table: ReadonlyArray<TextTable.Column> = [
      { title: "Workflow", cells: groups.map(({ workflow }) => Rows.cell(workflow)) },
      {
        title: "Ended",
        cells: groups.map(({ status }) => status),
        paint: (text, row) => paint((groups[row]?.status ?? "failure") as "failure", text)
      },
      {
        title: "Why",
        cells: groups.map(({ reason, status }) =>
          Rows.cell(reason ?? (status === "timeout" ? "deadline" : "not recorded"))
        )
      },
      { title: "Events", alignment: "right", cells: groups.map(({ events }) => Figures.count(events)) },
      { title: "Cost", unit: "USD", alignment: "right", cells: groups.map(({ usd }) => Figures.fixed(usd, places)) },
      { title: "", isNote: true, cells: groups.map(({ unpricedCalls }) => unpricedText(unpricedCalls)) },
      {
        title: "Attempts",
        unit: "per event",
        alignment: "right",
        cells: groups.map(({ attempts, events }) => (attempts / events).toFixed(2))
      },
      { title: "Last", unit: "UTC", cells: groups.map(({ lastTime }) => Rows.instant(lastTime)) },
      { title: "Last event", cells: groups.map(({ lastEventId }) => Rows.cell(lastEventId)) }
    ]
    const data = groups.map(({ usd, ...group }) => ({ ...group, usd: Cost.format(usd) }))
    yield* print([
      ...Rows.lines(options.format, table, data, columns),
      ...(options.format === "table" && all.length > groups.length
        ? [`the first ${groups.length}: --limit shows more`]
        : [])
    ])
  })
