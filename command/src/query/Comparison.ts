/**
 * Two sets of events against each other, with how sure the differences are.
 */
import { Effect } from "effect"
import type { CommandError } from "../CommandError.js"
import * as Cells from "../store/Cells.js"
import { LedgerStore } from "../store/LedgerStore.js"
import { conditionOf, type EventFilter } from "./EventFilter.js"

/** Sums over the events of one side. Running and lost events are not in them. */
export interface Sample {
  readonly events: number
  readonly successes: number
  readonly unpricedCalls: number
  readonly usd: number
  readonly usdSquared: number
  readonly usdOfSuccesses: number
  readonly attempts: number
  readonly attemptsSquared: number
}

/** A figure of both sides: the difference, after less before, and where it is with a certainty of 95%. */
export interface Difference {
  readonly before: number | undefined
  readonly after: number | undefined
  readonly difference: number | undefined
  readonly interval: readonly [low: number, high: number] | undefined
}

/** The sums of the events that a filter keeps and that are over. */
export const sampleOf = (filter: EventFilter): Effect.Effect<Sample, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { query } = yield* LedgerStore
    const condition = conditionOf(filter)
    const usd = "e.usd::double precision"
    const [row] = yield* query({
      from: ["events"],
      columns: { events: ["status", "unpriced_calls", "usd", "attempts", ...condition.columns] },
      text: `SELECT count(*) AS events, count(*) FILTER (WHERE e.status = 'success') AS successes,
          sum(e.unpriced_calls) AS unpriced_calls, sum(${usd}) AS usd, sum(${usd} * ${usd}) AS usd_squared,
          sum(${usd}) FILTER (WHERE e.status = 'success') AS usd_of_successes,
          sum(e.attempts) AS attempts, sum(e.attempts * e.attempts) AS attempts_squared
        FROM events e WHERE e.status NOT IN ('running', 'lost') AND ${condition.text}`,
      parameters: condition.parameters
    })
    return {
      events: Cells.count(row?.events),
      successes: Cells.count(row?.successes),
      unpricedCalls: Cells.count(row?.unpriced_calls),
      usd: Cells.count(row?.usd),
      usdSquared: Cells.count(row?.usd_squared),
      usdOfSuccesses: Cells.count(row?.usd_of_successes),
      attempts: Cells.count(row?.attempts),
      attemptsSquared: Cells.count(row?.attempts_squared)
    }
  })

/** The 97.5% point of the standard normal distribution. */
const z = 1.959963984540054

/** What an event cost, in US dollars. Welch's interval, by the normal distribution. */
export const perEvent = (before: Sample, after: Sample): Difference =>
  difference(meanOf(before.usd, before.usdSquared, before.events), meanOf(after.usd, after.usdSquared, after.events))

/** Attempts for an event, likewise. */
export const attemptsPerEvent = (before: Sample, after: Sample): Difference =>
  difference(
    meanOf(before.attempts, before.attemptsSquared, before.events),
    meanOf(after.attempts, after.attemptsSquared, after.events)
  )

/** What a success cost, in US dollars: a ratio of sums, with the variance of the delta method. */
export const perSuccess = (before: Sample, after: Sample): Difference => difference(ratioOf(before), ratioOf(after))

/** Successes of all events, from 0 to 1. Newcombe's interval, made of those of Wilson. */
export const successRate = (before: Sample, after: Sample): Difference => {
  const [one, other] = [wilson(before), wilson(after)]
  if (one === undefined || other === undefined) {
    return { before: one?.rate, after: other?.rate, difference: undefined, interval: undefined }
  }
  const difference = other.rate - one.rate
  const low = difference - Math.hypot(other.rate - other.low, one.high - one.rate)
  const high = difference + Math.hypot(other.high - other.rate, one.rate - one.low)
  return { before: one.rate, after: other.rate, difference, interval: [low, high] }
}

/** Whether the interval leaves out that there is no difference. */
export const isSure = ({ interval }: Difference): boolean =>
  interval !== undefined && (interval[0] > 0 || interval[1] < 0)

interface Estimate {
  readonly value: number
  /** `undefined` for less than two events. */
  readonly variance: number | undefined
}

const difference = (before: Estimate | undefined, after: Estimate | undefined): Difference => {
  if (before === undefined || after === undefined) {
    return { before: before?.value, after: after?.value, difference: undefined, interval: undefined }
  }
  const difference = after.value - before.value
  const margin =
    before.variance === undefined || after.variance === undefined
      ? undefined
      : z * Math.sqrt(before.variance + after.variance)
  return {
    before: before.value,
    after: after.value,
    difference,
    interval: margin === undefined ? undefined : [difference - margin, difference + margin]
  }
}

const meanOf = (sum: number, squares: number, count: number): Estimate | undefined => {
  if (count === 0) return undefined
  const mean = sum / count
  return {
    value: mean,
    variance: count < 2 ? undefined : Math.max(0, squares - count * mean * mean) / (count - 1) / count
  }
}

const ratioOf = ({ events, successes, usd, usdOfSuccesses, usdSquared }: Sample): Estimate | undefined => {
  if (successes === 0) return undefined
  const ratio = usd / successes
  // The sum of (cost - ratio * success) squared; the mean of that difference is 0.
  const squares = usdSquared - 2 * ratio * usdOfSuccesses + ratio * ratio * successes
  const rate = successes / events
  return {
    value: ratio,
    variance: events < 2 ? undefined : Math.max(0, squares) / (events - 1) / events / (rate * rate)
  }
}

const wilson = ({ events, successes }: Sample) => {
  if (events === 0) return undefined
  const rate = successes / events
  const middle = rate + (z * z) / (2 * events)
  const margin = z * Math.sqrt((rate * (1 - rate)) / events + (z * z) / (4 * events * events))
  const whole = 1 + (z * z) / events
  return { rate, low: (middle - margin) / whole, high: (middle + margin) / whole }
}
