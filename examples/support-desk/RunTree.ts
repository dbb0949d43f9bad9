/**
 * The runs of one event as a tree: attempts beside each other, what ran inside of them beneath.
 */
import type { CompletedRun } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import { BigDecimal } from "effect"
import { usdOf } from "./CostSummary.js"
import * as Figures from "./Figures.js"
import { type Event, eventsOf } from "./Groups.js"
import { inkOf } from "./StatusInk.js"
import { paint, type Screen, widest, wrap } from "./Terminal.js"

const { pad, truncate, visible, width } = TerminalText

/** The service that had a run, where that is known. */
export type ServiceOf = (runId: string) => string | undefined

/**
 * The events that show the most: one with many runs, retries and ends of many kinds; one that was cancelled in one service and
 * so in another; one whose deadline came in both; and one that passed its budget.
 */
export const shownEvents = (
  runs: ReadonlyArray<CompletedRun>,
  serviceOf: ServiceOf = () => undefined
): ReadonlyArray<Event> => {
  const events = eventsOf(runs)
  const richest = events.reduce<Event>((best, event) => (richness(event) > richness(best) ? event : best), [])
  const crossed = (status: CompletedRun["status"]) =>
    events.find((event) => {
      const ended = event.filter((completed) => completed.status === status)
      return new Set(ended.map(({ run }) => serviceOf(run.runId))).size > 1
    })
  const overBudget = events.find((event) => event.some(({ errorClass }) => errorClass === "BudgetExceeded"))
  return [...new Set([richest, crossed("canceled"), crossed("timeout"), overBudget])].filter(
    (event) => event !== undefined
  )
}

const richness = (event: Event): number => {
  const retries = event.filter(({ run }) => run.retryOfRunId !== undefined)
  const ends = new Set(event.map(({ outcome, status }) => outcome?.status ?? status))
  return event.length + retries.length + 2 * ends.size
}

/** The lines of the tree, below a line that names the event. */
export const lines = (event: Event, screen: Screen, serviceOf: ServiceOf = () => undefined): ReadonlyArray<string> => {
  const [first] = event
  if (first === undefined) return []
  const branches = branchesOf(event)
  const stems = branches.map(({ completed, rail }) => rail + visible(completed.run.workflow))
  const stemWidth = Math.min(longestStem, widest(stems))
  const { customerId, eventId } = first.run
  return [
    `The runs of event ${visible(eventId)}, customer ${[visible(customerId), costOf(event)].filter(Boolean).join(", ")}:`,
    ...branches.flatMap((branch) => branchLines(branch, stemWidth, screen, serviceOf))
  ]
}

const longestStem = 30

interface Branch {
  readonly completed: CompletedRun
  /** What leads to the run. */
  readonly rail: string
  /** What goes on below it. */
  readonly railBelow: string
}

const branchesOf = (event: ReadonlyArray<CompletedRun>): ReadonlyArray<Branch> => {
  const ids = new Set<string | undefined>(event.map(({ run }) => run.runId))
  const children = new Map<string | undefined, Array<CompletedRun>>()
  const inOrder = [...event].sort((one, other) => (one.run.runId < other.run.runId ? -1 : 1))
  for (const completed of inOrder) {
    const parent = ids.has(completed.run.parentRunId) ? completed.run.parentRunId : undefined
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [completed])
    else siblings.push(completed)
  }
  const below = (parent: string | undefined, rail: string): ReadonlyArray<Branch> =>
    (children.get(parent) ?? []).flatMap((completed, index, siblings) => {
      const isLast = index === siblings.length - 1
      const railBelow = rail + (isLast ? "   " : "│  ")
      const branch = { completed, rail: rail + (isLast ? "└─ " : "├─ "), railBelow }
      return [branch, ...below(completed.run.runId, railBelow)]
    })
  return below(undefined, "")
}

const branchLines = (
  branch: Branch,
  stemWidth: number,
  screen: Screen,
  serviceOf: ServiceOf
): ReadonlyArray<string> => {
  const { durationMs, run, status } = branch.completed
  const stem = truncate(visible(run.workflow), stemWidth - width(branch.rail))
  const shown = (statusText: string) =>
    [
      branch.rail + pad(stem, stemWidth - width(branch.rail)),
      `attempt ${run.attempt}`,
      shortId(run.runId),
      statusText,
      pad(Figures.duration(durationMs), 7, "right")
    ].join("  ")
  const statusText = pad(status, "canceled".length)
  const line = shown(paint(screen, inkOf(status), statusText))
  const details = [serviceOf(run.runId), detailsOf(branch.completed)].filter(Boolean).join(", ")
  if (details === "") return [line]
  const rail = `${branch.railBelow}   `
  return width(shown(statusText)) + 2 + width(details) <= screen.columns
    ? [`${line}  ${details}`]
    : [line, ...wrap(details.split(" "), rail, rail, screen)]
}

/** What tells runs apart: they begin alike, with the time. */
const shortId = (runId: string): string => runId.slice(-8)

const detailsOf = (completed: CompletedRun): string => {
  const { errorClass, outcome, run, status } = completed
  const details: Array<string> = []
  if (run.retryOfRunId !== undefined) details.push(`retry of ${shortId(run.retryOfRunId)}`)
  if (errorClass !== undefined) details.push(errorClass)
  if (outcome !== undefined && outcome.status !== status) details.push(`outcome ${outcome.status}`)
  if (outcome?.valueAmount !== undefined) {
    details.push(`${Figures.amount(outcome.valueAmount)} ${outcome.valueType ?? ""}`.trimEnd())
  }
  if (outcome?.reason !== undefined) details.push(outcome.reason)
  return [details.map(visible).join(", "), costOf([completed])].filter(Boolean).join(", ")
}

/** What some runs cost, where they called for anything. */
const costOf = (runs: ReadonlyArray<CompletedRun>): string => {
  if (runs.every(({ totals }) => totals.calls === 0)) return ""
  const usd = usdOf(runs)
  const unpriced = runs.reduce((sum, { totals }) => sum + totals.unpricedCalls, 0)
  const known = unpriced === 0 || !BigDecimal.isZero(usd) ? [`${Figures.usd(usd)} USD`] : []
  return [...known, ...(unpriced === 0 ? [] : [Figures.count(unpriced, "unpriced call")])].join(" and ")
}
