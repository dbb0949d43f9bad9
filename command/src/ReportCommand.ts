/**
 * `botanu report`: what events cost and what came of them, by group.
 */
import type { FileSystem, Path } from "@effect/platform"
import { Cost } from "botanu-effect"
import { Figures, Summary, TerminalText } from "botanu-effect/report"
import { BigDecimal, Clock, Effect, Either } from "effect"
import { CommandError, exitCodes } from "./CommandError.js"
import * as DelimitedText from "./DelimitedText.js"
import * as DuckDb from "./DuckDb.js"
import { segments } from "./LedgerDirectory.js"
import * as Period from "./Period.js"
import * as ReportQuery from "./ReportQuery.js"
import { Screen } from "./Screen.js"
import * as TextTable from "./TextTable.js"

export const sorts = ["spend", "failures", "per-success", "events", "key"] as const
export type Sort = (typeof sorts)[number]

export const formats = ["table", "json", "csv", "markdown"] as const
export type Format = (typeof formats)[number]

/** What a report is about, as the command line has it. */
export interface ReportOptions extends ReportQuery.Filter {
  readonly ledger: string
  /** Names of keys, with commas between them. */
  readonly by: string
  readonly sort: Sort
  readonly limit: number | undefined
  readonly format: Format
}

/** Prints the figures of each group. */
export const report = (
  options: ReportOptions
): Effect.Effect<void, CommandError, FileSystem.FileSystem | Path.Path | Screen> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { columns, print } = yield* Screen
      const by = yield* keysOf(options.by)
      const filter = yield* filterOf(options)
      if (options.limit !== undefined && options.limit < 1) {
        return yield* usage("--limit: expected a number from 1")
      }
      const files = (yield* segments(options.ledger)).map(({ path }) => path)
      const eventKeys = by.filter((key): key is ReportQuery.EventKey => !ReportQuery.isCallKey(key))
      const isOfCalls = eventKeys.length < by.length
      if (files.length === 0) {
        return yield* print([`${TerminalText.visible(options.ledger)}   empty: no run has been recorded`])
      }
      const database = yield* DuckDb.make
      const groups = isOfCalls
        ? (yield* ReportQuery.callFigures(database, files, by, filter)).map(ofCalls)
        : (yield* ReportQuery.eventFigures(database, files, eventKeys, filter)).map(ofEvents)
      const ordered = groups.sort(comparing(options.sort)).slice(0, options.limit)
      const rows = ordered.map((group) => [
        ...group.keys.map((key) => key ?? ""),
        ...Object.values(group.figures).map((figure) =>
          BigDecimal.isBigDecimal(figure) ? Cost.format(figure) : figure
        )
      ])
      const titles = [...by, ...(isOfCalls ? callTitles : eventTitles)]
      if (options.format === "json") {
        const objects = ordered.map(({ figures, keys }) => ({
          ...Object.fromEntries(by.map((key, index) => [key, keys[index] ?? null])),
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
      const leftOut = yield* ReportQuery.linesLeftOut(database, files)
      const total = isOfCalls
        ? undefined
        : (yield* ReportQuery.eventFigures(database, files, [], filter)).map(ofEvents)[0]
      const unpriced = ordered.some(({ unpricedCalls }) => unpricedCalls > 0)
      yield* print([
        [TerminalText.visible(options.ledger), periodOf(filter)].join("   "),
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
  )

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

const ofEvents = (found: ReportQuery.EventFigures): Group => {
  const { attempts, ended, events, p50Ms, p95Ms, runs, running, successes, unpricedCalls, usd } = found
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

const ofCalls = (found: ReportQuery.CallFigures): Group => {
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

const columnsOf = (by: ReadonlyArray<ReportQuery.Key>, groups: ReadonlyArray<Group>): Array<TextTable.Column> => {
  const labels = by.map((key, index) => ({
    title: key.charAt(0).toUpperCase() + key.slice(1),
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

const periodOf = ({ since, until }: ReportQuery.Filter): string => {
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

const keysOf = (text: string): Effect.Effect<ReadonlyArray<ReportQuery.Key>, CommandError> =>
  Effect.gen(function* () {
    const found: Array<ReportQuery.Key> = []
    for (const name of text.split(",").map((name) => name.trim())) {
      const key = ReportQuery.keys.find((key) => key === name)
      if (key === undefined) {
        const names = ReportQuery.keys.join(", ")
        return yield* usage(`--by: expected some of ${names}, got ${TerminalText.visible(JSON.stringify(name))}`)
      }
      if (!found.includes(key)) found.push(key)
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
