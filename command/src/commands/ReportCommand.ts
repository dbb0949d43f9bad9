/**
 * `botanu report`: what events cost and what came of them, by group.
 */
import { Cost } from "botanu-effect"
import { Figures, Summary, TerminalText } from "botanu-effect/report"
import { BigDecimal, Clock, Effect, Either } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"
import * as Period from "../Period.js"
import { type CallFigures, callFigures } from "../query/CallFigures.js"
import { annotationNames, type EventFigures, ended as endedOf, eventFigures } from "../query/EventFigures.js"
import type { EventFilter } from "../query/EventFilter.js"
import * as Findings from "../query/Findings.js"
import * as GroupKey from "../query/GroupKey.js"
import { LedgerStore } from "../store/LedgerStore.js"
import * as DelimitedText from "../terminal/DelimitedText.js"
import { Screen } from "../terminal/Screen.js"
import * as TextTable from "../terminal/TextTable.js"

export const sorts = ["spend", "failures", "per-success", "events", "key"] as const
export type Sort = (typeof sorts)[number]

export const formats = ["table", "json", "csv", "markdown"] as const
export type Format = (typeof formats)[number]

/** What a report is about, as the command line has it. */
export interface ReportOptions extends EventFilter {
  /** Names of keys, with commas between them. */
  readonly by: string
  readonly sort: Sort
  readonly limit: number | undefined
  readonly format: Format
}

/** Prints the figures of each group. */
export const report = (options: ReportOptions): Effect.Effect<void, CommandError, LedgerStore | Screen> =>
  Effect.gen(function* () {
    const { columns, print } = yield* Screen
    const by = yield* keysOf(options.by)
    const filter = yield* filterOf(options)
    if (options.limit !== undefined && options.limit < 1) {
      return yield* usage("--limit: expected a number from 1")
    }
    const store = yield* LedgerStore
    const isOfCalls = by.some((key) => key.of === "call")
    if ((yield* Findings.runCount) === 0) {
      return yield* print([`${TerminalText.visible(store.name)}   empty: no run has been recorded`])
    }
    const groups = isOfCalls
      ? (yield* callFigures(by, filter)).map(ofCalls)
      : (yield* eventFigures(by, filter)).map(ofEvents)
    const ordered = groups.sort(comparing(options.sort)).slice(0, options.limit)
    const rows = ordered.map((group) => [
      ...group.keys.map((key) => key ?? ""),
      ...Object.values(group.figures).map((figure) => (BigDecimal.isBigDecimal(figure) ? Cost.format(figure) : figure))
    ])
    const titles = [...by.map(({ name }) => name), ...(isOfCalls ? callTitles : eventTitles)]
    if (options.format === "json") {
      const objects = ordered.map(({ figures, keys }) => ({
        ...Object.fromEntries(by.map(({ name }, index) => [name, keys[index] ?? null])),
        ...Object.fromEntries(
          Object.entries(figures).map(([name, figure]) => [
            name,
            BigDecimal.isBigDecimal(figure) ? Cost.format(figure) : (figure ?? null)
          ])
        )
      }))
      // Inside a text of JSON the escape of a character is the character.
      return yield* print(JSON.stringify(objects, undefined, 2).split("\n").map(TerminalText.visible))
    }
    if (options.format === "csv") return yield* print(DelimitedText.csv(titles, rows))
    if (options.format === "markdown") {
      return yield* print(
        DelimitedText.markdown(
          titles,
          rows.map((row) => row.map((cell) => (typeof cell === "string" ? TerminalText.visible(cell) : cell)))
        )
      )
    }
    const leftOut = yield* store.linesLeftOut
    const total = isOfCalls ? undefined : (yield* eventFigures([], filter)).map(ofEvents)[0]
    const unpriced = ordered.some(({ unpricedCalls }) => unpricedCalls > 0)
    yield* print([
      [TerminalText.visible(store.name), periodOf(filter)].join("   "),
      "",
      ...(total === undefined ? [] : [...headOf(total.figures), ""]),
      ...TextTable.lines(
        columnsOf(by, total === undefined ? ordered : [...ordered, { ...total, keys: [plural(groups.length)] }]),
        columns
      ),
      ...(options.limit !== undefined && groups.length > options.limit
        ? [`${options.limit} of ${groups.length} groups: --limit shows more`]
        : []),
      ...(unpriced ? ["+n?  that many calls have no price and are in no sum: botanu doctor"] : []),
      ...(leftOut === 0
        ? []
        : [`lines that cannot be read, and are in no sum: ${Figures.count(leftOut)}. See: botanu doctor`])
    ])
  })

type Figure = number | BigDecimal.BigDecimal | undefined

/** A row of a report, as other programs read it, in the order of the titles. */
interface Group {
  readonly keys: ReadonlyArray<string | undefined>
  readonly figures: Readonly<Record<string, Figure>>
  readonly events: number
  readonly spend: BigDecimal.BigDecimal
  readonly failures: BigDecimal.BigDecimal
  readonly perSuccess: BigDecimal.BigDecimal | undefined
  readonly unpricedCalls: number
  /** The cells of the row on a terminal. */
  readonly cells: ReadonlyArray<{ readonly title: string; readonly unit: string; readonly figure: Figure }>
}

const eventTitles = [
  "events",
  "runs",
  "attempts",
  "successes",
  "ended",
  "running",
  "usd",
  "unpricedCalls",
  "usdOfSuccesses",
  "usdOfFailures",
  "usdPerEvent",
  "usdPerSuccess",
  "p50Ms",
  "p95Ms"
]

const callTitles = ["calls", "events", "failed", "inputTokens", "outputTokens", "usd", "unpricedCalls", "p95Ms"]

const ofEvents = (found: EventFigures): Group => {
  const ended = endedOf(found)
  const { attempts, events, p50Ms, p95Ms, runs, running, successes, unpricedCalls, usd } = found
  const perSuccess = Summary.divided(usd, successes)
  return {
    keys: found.keys,
    figures: {
      events,
      runs,
      attempts,
      successes,
      ended,
      running,
      usd,
      unpricedCalls,
      usdOfSuccesses: found.usdOfSuccesses,
      usdOfFailures: found.usdOfFailures,
      usdPerEvent: Summary.divided(usd, events),
      usdPerSuccess: perSuccess,
      p50Ms,
      p95Ms
    },
    events,
    spend: usd,
    failures: found.usdOfFailures,
    perSuccess,
    unpricedCalls,
    cells: [
      { title: "Events", unit: "", figure: events },
      { title: "Success", unit: "%", figure: ended === 0 ? undefined : (successes / ended) * 100 },
      { title: "Attempts", unit: "per event", figure: events === 0 ? undefined : attempts / events },
      { title: "p95", unit: "s", figure: p95Ms === undefined ? undefined : p95Ms / 1000 },
      { title: "Spend", unit: "USD", figure: usd },
      { title: "Failures", unit: "USD", figure: found.usdOfFailures },
      { title: "Per success", unit: "USD", figure: perSuccess }
    ]
  }
}

const ofCalls = (found: CallFigures): Group => {
  const { calls, events, failed, inputTokens, outputTokens, p95Ms, unpricedCalls, usd } = found
  return {
    keys: found.keys,
    figures: { calls, events, failed, inputTokens, outputTokens, usd, unpricedCalls, p95Ms },
    events,
    spend: usd,
    failures: BigDecimal.make(0n, 0),
    perSuccess: undefined,
    unpricedCalls,
    cells: [
      { title: "Calls", unit: "", figure: calls },
      { title: "Events", unit: "", figure: events },
      { title: "Failed", unit: "", figure: failed },
      { title: "Tokens", unit: "in", figure: inputTokens },
      { title: "Tokens", unit: "out", figure: outputTokens },
      { title: "p95", unit: "s", figure: p95Ms === undefined ? undefined : p95Ms / 1000 },
      { title: "Spend", unit: "USD", figure: usd }
    ]
  }
}

const decimals: Readonly<Record<string, number>> = { "%": 1, "per event": 2, s: 1 }

const columnsOf = (by: ReadonlyArray<GroupKey.GroupKey>, groups: ReadonlyArray<Group>): Array<TextTable.Column> => {
  const labels = by.map(({ name }, index) => ({
    title: name.charAt(0).toUpperCase() + name.slice(1),
    cells: groups.map(({ keys }) => label(index < keys.length ? (keys[index] ?? "none") : ""))
  }))
  const figures = (groups[0]?.cells ?? []).flatMap(({ title, unit }, index): ReadonlyArray<TextTable.Column> => {
    const column = groups.map(({ cells }) => cells[index]?.figure)
    const places = Figures.usdPlaces(column.filter(BigDecimal.isBigDecimal))
    const textOf = (figure: Figure, { unpricedCalls }: Group): string => {
      if (figure === undefined) return "–"
      if (!BigDecimal.isBigDecimal(figure)) {
        const digits = decimals[unit]
        return digits === undefined ? Figures.count(figure) : figure.toFixed(digits)
      }
      if (title === "Spend" && unpricedCalls > 0 && BigDecimal.isZero(figure)) return "no price"
      return Figures.fixed(figure, places)
    }
    const cells = groups.map((group, row) => textOf(column[row], group))
    const numbers: TextTable.Column = { title, unit, alignment: "right", cells }
    if (title !== "Spend") return [numbers]
    const unknown = groups.map(({ unpricedCalls }) => (unpricedCalls === 0 ? "" : `+${Figures.count(unpricedCalls)}?`))
    return [numbers, { title: "", cells: unknown, isNote: true }]
  })
  return [...labels, ...figures]
}

const label = (text: string): string => TerminalText.truncate(TerminalText.visible(text), 32)

const headOf = (figures: Group["figures"]): ReadonlyArray<string> => {
  const { ended, events, successes, unpricedCalls, usd, usdOfFailures, usdPerSuccess } = figures
  const amount = (value: Figure): string => (BigDecimal.isBigDecimal(value) ? Figures.usd(value) : "–")
  const unknown = unpricedCalls === 0 ? "" : ` +${Figures.count(Number(unpricedCalls))}?`
  const row = (name: string, value: string, note = "") =>
    `${name.padEnd(18)}${TerminalText.pad(value, 12, "right")}${note}`
  return [
    row("Per success, USD", amount(usdPerSuccess), successes === 0 ? `   none of ${events} succeeded` : unknown),
    row("Spend, USD", amount(usd), unknown),
    row("Failures, USD", amount(usdOfFailures)),
    row("Events", Figures.count(Number(events))),
    row("Success rate, %", ended === 0 ? "–" : Figures.percent(Number(successes) / Number(ended)))
  ]
}

const periodOf = ({ since, until }: EventFilter): string => {
  const minute = (instant: string) => instant.slice(0, 16).replace("T", " ")
  if (since === undefined && until === undefined) return "all days, UTC"
  return `${since === undefined ? "" : `from ${minute(since)} `}${until === undefined ? "" : `to ${minute(until)} `}UTC`
}

const plural = (count: number): string => `${Figures.count(count)} group${count === 1 ? "" : "s"}`

/** The largest first, but keys by name. A group that has nothing known may be anything: it comes first. */
const comparing = (sort: Sort) => {
  const amountOf = (group: Group): BigDecimal.BigDecimal | undefined =>
    sort === "per-success" ? group.perSuccess : sort === "failures" ? group.failures : group.spend
  const byKey = (one: Group, other: Group) => (JSON.stringify(one.keys) < JSON.stringify(other.keys) ? -1 : 1)
  return (one: Group, other: Group): number => {
    if (sort === "key") return byKey(one, other)
    if (sort === "events") return other.events - one.events || byKey(one, other)
    const [left, right] = [amountOf(one), amountOf(other)]
    if (left === undefined || right === undefined) {
      return left === right ? byKey(one, other) : left === undefined ? -1 : 1
    }
    return BigDecimal.Order(right, left) || byKey(one, other)
  }
}

const usage = (message: string): CommandError => new CommandError({ message, exitCode: exitCodes.usage })

const keysOf = (text: string): Effect.Effect<ReadonlyArray<GroupKey.GroupKey>, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const found = Array.from(new Set(text.split(",").map((name) => name.trim())), GroupKey.fromName)
    const unknown = found.filter((key) => key.of === "annotation")
    const annotations = unknown.length === 0 ? [] : yield* annotationNames
    for (const { name } of unknown) {
      if (annotations.includes(name)) continue
      const known = [...GroupKey.names, ...annotations].map(TerminalText.visible).join(", ")
      return yield* usage(`--by: expected some of ${known}, got ${TerminalText.visible(JSON.stringify(name))}`)
    }
    return found
  })

const filterOf = ({ customer, environment, outcome, since, tenant, until, workflow }: ReportOptions) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const time = (name: string, text: string | undefined) =>
      text === undefined
        ? Effect.succeed(undefined)
        : Either.mapLeft(Period.parse(text, now), (expected) =>
            usage(`--${name}: ${expected}, got ${TerminalText.visible(JSON.stringify(text))}`)
          )
    return {
      workflow,
      customer,
      tenant,
      environment,
      outcome,
      since: yield* time("since", since),
      until: yield* time("until", until)
    }
  })
