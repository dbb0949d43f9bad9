/**
 * Warnings about what came in from outside, which must not fill the log however much of it there is.
 */
import { Cause, type Clock, Effect } from "effect"
import { clockOf } from "./CurrentFiber.js"

/** What is to be reported. There are few kinds; of each, the log gets at most one report a second. */
export interface Report {
  readonly kind: string
  readonly text: string
  readonly cause?: Cause.Cause<unknown> | undefined
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
    const logged = loggedByClock.get(clock) ?? new Map<string, Logged>()
    loggedByClock.set(clock, logged)
    const now = clock.unsafeCurrentTimeMillis()
    const lines = reports.flatMap((report) => due(logged, `${subject}/${report.kind}`, report, now))
    if (lines.length === 0) return Effect.void
    const causes = lines.reduce(
      (sum, { cause }) => Cause.parallel(sum, cause ?? Cause.empty),
      Cause.empty as Cause.Cause<unknown>
    )
    const text = `${subject}: ${lines.map(({ text }) => text).join("; ")}`
    return Cause.isEmpty(causes) ? Effect.logWarning(text) : Effect.logWarning(text, causes)
  })

const loggedOnceByClock = new WeakMap<Clock.Clock, Set<string>>()

/** Logs a warning of a kind the first time, and never again. */
export const warnOnce = (subject: string, { kind, text }: Report): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    const clock = clockOf(fiber)
    const logged = loggedOnceByClock.get(clock) ?? new Set<string>()
    loggedOnceByClock.set(clock, logged)
    const key = `${subject}/${kind}`
    if (logged.has(key)) return Effect.void
    logged.add(key)
    return Effect.logWarning(`${subject}: ${text}`)
  })

const due = (logged: Map<string, Logged>, kind: string, report: Report, now: number): ReadonlyArray<Report> => {
  const last = logged.get(kind)
  if (last !== undefined && Math.abs(now - last.at) < intervalMillis) {
    last.leftOut += 1
    return []
  }
  logged.set(kind, { at: now, leftOut: 0 })
  if (last === undefined || last.leftOut === 0) return [report]
  return [{ ...report, text: `${report.text} (${last.leftOut} more like it were not logged)` }]
}
