/**
 * Warnings about what came in from outside, which must not fill the log however much of it there is.
 */
import { type Clock, Effect } from "effect"
import { clockOf } from "./CurrentFiber.js"

/** What is to be reported. There are few kinds; of each, the log gets at most one report a second. */
export interface Report {
  readonly kind: string
  readonly text: string
}

const intervalMillis = 1000

interface Logged {
  at: number
  /** How many reports of this kind were left out since. */
  leftOut: number
}

// By clock, so that the time of one test is not that of another.
const loggedByClock = new WeakMap<Clock.Clock, Map<string, Logged>>()

/**
 * Logs one warning about `subject` with all reports whose kind was not reported in the last second. A report says how many of
 * its kind were left out before it.
 */
export const warn = (subject: string, reports: ReadonlyArray<Report>): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    const clock = clockOf(fiber)
    const told = loggedByClock.get(clock) ?? new Map<string, Logged>()
    loggedByClock.set(clock, told)
    const now = clock.unsafeCurrentTimeMillis()
    const texts = reports.flatMap((report) => due(told, `${subject}/${report.kind}`, report.text, now))
    return texts.length === 0 ? Effect.void : Effect.logWarning(`${subject}: ${texts.join("; ")}`)
  })

const due = (told: Map<string, Logged>, kind: string, text: string, now: number): ReadonlyArray<string> => {
  const last = told.get(kind)
  if (last !== undefined && Math.abs(now - last.at) < intervalMillis) {
    last.leftOut += 1
    return []
  }
  told.set(kind, { at: now, leftOut: 0 })
  return [last === undefined || last.leftOut === 0 ? text : `${text} (${last.leftOut} more like it were not logged)`]
}
