/**
 * The report of a job: what was done, a table of what came of it, and some events in detail. Pure.
 */
import type { CompletedRun } from "botanu-effect"
import * as Figures from "./Figures.js"
import * as RunTree from "./RunTree.js"
import { inkOf } from "./StatusInk.js"
import { statuses, summarize } from "./Summary.js"
import * as SummaryTable from "./SummaryTable.js"
import type { Tally } from "./Tally.js"
import { paint, type Screen } from "./Terminal.js"

export interface Job {
  readonly tally: Tally
  readonly elapsedMs: number
  /** The signal that stopped the job, where one did. */
  readonly stoppedBy?: string | undefined
  /** The service that had a run. */
  readonly serviceOf?: RunTree.ServiceOf | undefined
}

/** The report as text. */
export const render = (runs: ReadonlyArray<CompletedRun>, job: Job, screen: Screen): string =>
  [...headlines(job, screen), ...(runs.length === 0 ? [] : ["", ...details(runs, job, screen)])].join("\n")

const headlines = ({ elapsedMs, stoppedBy, tally }: Job, screen: Screen): ReadonlyArray<string> => {
  const ends = statuses
    .filter((status) => tally.outcomes[status] > 0)
    .map((status) => paint(screen, inkOf(status), `${Figures.amount(tally.outcomes[status])} ${status}`))
  const done = `${Figures.amount(tally.finished)} of ${Figures.count(tally.read, "ticket")} done in ${Figures.duration(elapsedMs)}`
  const lines = [ends.length === 0 ? `${done}.` : `${done}: ${ends.join(", ")}.`]
  if (stoppedBy !== undefined) {
    const inWork = tally.started - tally.finished
    lines.unshift(`Stopped by ${stoppedBy}; ${Figures.count(inWork, "ticket")} in work canceled.`)
  }
  if (tally.badLines > 0) lines.push(`${Figures.count(tally.badLines, "line")} left out: no valid ticket.`)
  return lines
}

const details = (runs: ReadonlyArray<CompletedRun>, job: Job, screen: Screen): ReadonlyArray<string> => [
  ...SummaryTable.lines(summarize(runs), screen),
  "",
  ...legend.map((line) => paint(screen, "dim", line)),
  ...RunTree.shownEvents(runs, job.serviceOf).flatMap((event) => ["", ...RunTree.lines(event, screen, job.serviceOf)])
]

const legend = [
  "Runs: each attempt is one. Attempts: the most that one event took.",
  "Outcomes and value: of final attempts. p50, p95: duration of a run."
]
