/**
 * Groups of a report as rows: for a terminal, and for other programs.
 */
import { Figures, Summary, TerminalText } from "botanu-effect/report"
import { BigDecimal } from "effect"
import type { CallFigures } from "../query/CallFigures.js"
import { type EventFigures, ended, type ValueSum } from "../query/EventFigures.js"
import type * as TextTable from "../terminal/TextTable.js"

/** A figure: a count, a rate or a duration, or an amount of US dollars; `undefined` where it is not known. */
export type Figure = number | BigDecimal.BigDecimal | undefined

/** A row of a report. */
export interface Group {
  readonly keys: ReadonlyArray<string | undefined>
  /** What other programs read, by name. */
  readonly figures: Readonly<Record<string, Figure>>
  /** Sums of value by type. */
  readonly values: Readonly<Record<string, number>>
  /** The columns on a terminal. */
  readonly cells: ReadonlyArray<Cell>
  readonly spend: BigDecimal.BigDecimal
  readonly unpricedCalls: number
}

interface Cell {
  readonly title: string
  readonly unit: string
  readonly figure: Figure
}

/** What groups can be sorted by, with the figure of it. */
export const sorts = {
  spend: "usd",
  failures: "usdOfFailures",
  "per-success": "usdPerSuccess",
  events: "events",
  "success-rate": "successRate",
  attempts: "attemptsPerEvent",
  p95: "p95Ms",
  unpriced: "unpricedCalls",
  calls: "calls",
  key: undefined
} as const
export type Sort = keyof typeof sorts

/** A group of events. */
export const ofEvents =
  (values: ReadonlyArray<ValueSum>) =>
  (found: EventFigures): Group => {
    const { attempts, events, p50Ms, p95Ms, successes, unpricedCalls, usd } = found
    const over = ended(found)
    const successRate = over === 0 ? undefined : successes / over
    const attemptsPerEvent = events === 0 ? undefined : attempts / events
    const usdPerSuccess = Summary.divided(usd, successes)
    const own = JSON.stringify(found.keys)
    return {
      keys: found.keys,
      figures: {
        events,
        runs: found.runs,
        attempts,
        attemptsPerEvent,
        successes,
        failures: found.failures,
        partials: found.partials,
        timeouts: found.timeouts,
        canceled: found.canceled,
        running: found.running,
        lost: found.lost,
        successRate,
        p50Ms,
        p95Ms,
        calls: found.calls,
        unpricedCalls,
        usd,
        usdOfSuccesses: found.usdOfSuccesses,
        usdOfFailures: found.usdOfFailures,
        usdOfPartials: found.usdOfPartials,
        usdPerEvent: Summary.divided(usd, events),
        usdPerSuccess
      },
      values: Object.fromEntries(
        values
          .filter(({ keys }) => JSON.stringify(keys) === own)
          .map(({ amount, valueType }) => [valueType === "" ? "value" : valueType, amount])
      ),
      cells: [
        { title: "Events", unit: "", figure: events },
        { title: "Success", unit: "%", figure: successRate === undefined ? undefined : successRate * 100 },
        { title: "Attempts", unit: "per event", figure: attemptsPerEvent },
        { title: "p95", unit: "s", figure: p95Ms === undefined ? undefined : p95Ms / 1000 },
        { title: "Spend", unit: "USD", figure: usd },
        { title: "Failures", unit: "USD", figure: found.usdOfFailures },
        { title: "Per success", unit: "USD", figure: usdPerSuccess }
      ],
      spend: usd,
      unpricedCalls
    }
  }

/** A group of calls. */
export const ofCalls = (found: CallFigures): Group => {
  const { calls, events, failed, inputTokens, outputTokens, p95Ms, unpricedCalls, usd } = found
  return {
    keys: found.keys,
    figures: { calls, events, failed, inputTokens, outputTokens, p95Ms, unpricedCalls, usd },
    values: {},
    cells: [
      { title: "Calls", unit: "", figure: calls },
      { title: "Events", unit: "", figure: events },
      { title: "Failed", unit: "", figure: failed },
      { title: "Tokens", unit: "in", figure: inputTokens },
      { title: "Tokens", unit: "out", figure: outputTokens },
      { title: "p95", unit: "s", figure: p95Ms === undefined ? undefined : p95Ms / 1000 },
      { title: "Spend", unit: "USD", figure: usd }
    ],
    spend: usd,
    unpricedCalls
  }
}

/** The largest first, but keys by name. A group whose figure is not known may be anything: it comes first. */
export const comparing = (sort: Sort) => {
  const figure = sorts[sort]
  const byKey = (one: Group, other: Group): number => {
    for (const [index, key] of one.keys.entries()) {
      const [left, right] = [key ?? "", other.keys[index] ?? ""]
      if (left !== right) return left < right ? -1 : 1
    }
    return 0
  }
  return (one: Group, other: Group): number => {
    if (figure === undefined) return byKey(one, other)
    const [left, right] = [knownOf(one, figure), knownOf(other, figure)]
    if (left === undefined || right === undefined) {
      return left === right ? byKey(one, other) : left === undefined ? -1 : 1
    }
    return BigDecimal.Order(right, left) || byKey(one, other)
  }
}

/** A sum that lacks all of its calls is not known. */
const knownOf = (group: Group, name: string): BigDecimal.BigDecimal | undefined => {
  const figure = group.figures[name]
  if (figure === undefined) return undefined
  if (!BigDecimal.isBigDecimal(figure)) return BigDecimal.unsafeFromNumber(figure)
  return group.unpricedCalls > 0 && BigDecimal.isZero(group.spend) ? undefined : figure
}

const decimals: Readonly<Record<string, number>> = { "%": 1, "per event": 2, s: 1 }

/** The columns of groups. `names` are those of the keys. */
export const columnsOf = (
  names: ReadonlyArray<string>,
  groups: ReadonlyArray<Group>
): ReadonlyArray<TextTable.Column> => {
  const labels = names.map((name, index) => ({
    title: label(name.charAt(0).toUpperCase() + name.slice(1)),
    cells: groups.map(({ keys }) => label(index < keys.length ? (keys[index] ?? "none") : ""))
  }))
  const figures = (groups[0]?.cells ?? []).flatMap(({ title, unit }, index): ReadonlyArray<TextTable.Column> => {
    const column = groups.map(({ cells }) => cells[index]?.figure)
    const places = columnPlaces(column.filter(BigDecimal.isBigDecimal))
    const textOf = (figure: Figure, { unpricedCalls }: Group): string => {
      if (figure === undefined) return "–"
      if (!BigDecimal.isBigDecimal(figure)) {
        const digits = decimals[unit]
        return digits === undefined ? Figures.count(figure) : figure.toFixed(digits)
      }
      if (title === "Spend" && unpricedCalls > 0 && BigDecimal.isZero(figure)) return "no price"
      const text = Figures.fixed(figure, places)
      // What is less than the last decimal is not nothing.
      return !BigDecimal.isZero(figure) && /^[0.]+$/.test(text) ? `<${text.slice(0, -1)}1` : text
    }
    const cells = groups.map((group, row) => textOf(column[row], group))
    const numbers: TextTable.Column = { title, unit, alignment: "right", cells }
    if (title !== "Spend") return [numbers]
    const unknown = groups.map(({ unpricedCalls }) => unpricedText(unpricedCalls))
    return [numbers, { title: "", cells: unknown, isNote: true }]
  })
  return [...labels, ...figures]
}

/** How many calls have no price, as it stands at a sum. */
export const unpricedText = (calls: number): string => (calls === 0 ? "" : `+${Figures.count(calls)}?`)

/** How many decimals a column of amounts has: cents are always shown. */
const columnPlaces = (amounts: ReadonlyArray<BigDecimal.BigDecimal>): number => Math.max(2, Figures.usdPlaces(amounts))

const label = (text: string): string => TerminalText.truncate(TerminalText.visible(text), 32)
