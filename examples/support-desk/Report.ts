/**
 * The report of a job: what was done, a table of what came of it, and some events in detail. Pure.
 */
import type { CompletedRun } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import * as CostSummary from "./CostSummary.js"
import * as CostTable from "./CostTable.js"
import * as Figures from "./Figures.js"
import * as RunTree from "./RunTree.js"
import { inkOf } from "./StatusInk.js"
import { statuses, summarize } from "./Summary.js"
import * as SummaryTable from "./SummaryTable.js"
import type { Tally } from "./Tally.js"
import { paint, type Screen, wrap } from "./Terminal.js"

const { visible } = TerminalText

export interface Job {
  readonly tally: Tally
  readonly elapsedMs: number
  /** The signal that stopped the job, where one did. */
  readonly stoppedBy?: string | undefined
  /** The service that had a run. */
  readonly serviceOf?: RunTree.ServiceOf | undefined
  /** What the services warned of. */
  readonly warnings?: ReadonlyArray<string> | undefined
}

/** The report as text. */
export const render = (runs: ReadonlyArray<CompletedRun>, job: Job, screen: Screen): string =>
  [...headlines(job, screen), ...(runs.length === 0 ? [] : ["", ...details(runs, job, screen)])].join("\n")

const headlines = ({ elapsedMs, stoppedBy, tally, warnings = [] }: Job, screen: Screen): ReadonlyArray<string> => {
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
  for (const warning of warnings.slice(0, mostWarnings)) {
    lines.push(...wrap(visible(warning).split(" "), "", "  ", screen).map((line) => paint(screen, "yellow", line)))
  }
  const more = warnings.length - mostWarnings
  if (more > 0) lines.push(paint(screen, "yellow", `${Figures.count(more, "more warning")}.`))
  return lines
}

const mostWarnings = 5

const details = (runs: ReadonlyArray<CompletedRun>, job: Job, screen: Screen): ReadonlyArray<string> => [
  ...SummaryTable.lines(summarize(runs), screen),
  "",
  ...legend.map((line) => paint(screen, "dim", line)),
  ...costs(runs, screen),
  ...RunTree.shownEvents(runs, job.serviceOf).flatMap((event) => ["", ...RunTree.lines(event, screen, job.serviceOf)])
]

const legend = [
  "Runs: each attempt is one. Attempts: the most that one event took.",
  "Outcomes and value: of final attempts. p50, p95: duration of a run."
]

/** Nothing where nothing was called that costs. */
const costs = (runs: ReadonlyArray<CompletedRun>, screen: Screen): ReadonlyArray<string> => {
  const summary = CostSummary.summarize(runs)
  const { calls, unpricedCalls } = summary.total
  if (calls === 0) return []
  return [
    "",
    ...CostTable.lines(summary, screen),
    "",
    ...[...costLegend, ...unpriced(runs, unpricedCalls, screen)].map((line) => paint(screen, "dim", line))
  ]
}

const costLegend = [
  "Sum: exact, over all runs of an event, its retries and what ran inside of them.",
  "Per success: all of it, for each event that ended so. Shares are rounded."
]

const unpriced = (runs: ReadonlyArray<CompletedRun>, calls: number, screen: Screen): ReadonlyArray<string> =>
  calls === 0
    ? []
    : wrap(`${Figures.count(calls, "unpriced call")}, not in the sums: ${reasonsIn(runs)}.`.split(" "), "", "", screen)

const reasons = [
  ["unknown_model", "without a price for the model"],
  ["no_price_for_kind", "without a price for a part of it"],
  ["no_usage", "of unknown usage"]
] as const

const reasonsIn = (runs: ReadonlyArray<CompletedRun>): string =>
  reasons
    .map(
      ([reason, text]) => [text, runs.reduce((sum, { totals }) => sum + (totals.unpriced?.[reason] ?? 0), 0)] as const
    )
    .filter(([, number]) => number > 0)
    .map(([text, number]) => `${Figures.amount(number)} ${text}`)
    .join(", ")
