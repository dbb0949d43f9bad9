/**
 * The runs of one order as a tree: the attempts at shipping it below the run that placed it.
 */

import { TerminalText } from "botanu-effect/report"
import type { Attempt } from "./Attempt.js"
import * as Figures from "./Figures.js"
import { inkOf } from "./StatusInk.js"
import { paint, type Screen, widest } from "./Terminal.js"

const { pad, visible } = TerminalText

/** The lines of the trees, one tree for each order. */
export const lines = (attempts: ReadonlyArray<Attempt>, screen: Screen): ReadonlyArray<string> => {
  const ids = new Set(attempts.map(({ run }) => run.runId))
  const isRoot = ({ run }: Attempt) => run.parentRunId === undefined || !ids.has(run.parentRunId)
  const below = (parents: ReadonlyArray<Attempt>, rail: string): ReadonlyArray<readonly [stem: string, text: string]> =>
    parents.flatMap((attempt, index) => {
      const isLast = index === parents.length - 1
      const children = attempts.filter(({ run }) => run.parentRunId === attempt.run.runId)
      return [
        [`${rail}${isLast ? "└─ " : "├─ "}${visible(attempt.run.workflow)}`, describe(attempt, screen)] as const,
        ...below(children, `${rail}${isLast ? "   " : "│  "}`)
      ]
    })
  return attempts.filter(isRoot).flatMap((root, index) => {
    const rows = below([root], "")
    const stemWidth = widest(rows.map(([stem]) => stem))
    return [
      ...(index === 0 ? [] : [""]),
      `The runs of event ${visible(root.run.eventId)}, customer ${visible(root.run.customerId)}:`,
      ...rows.map(([stem, text]) => `${pad(stem, stemWidth)}  ${text}`)
    ]
  })
}

const describe = (attempt: Attempt, screen: Screen): string => {
  const { completed, run } = attempt
  const end = pad(completed?.status ?? "no report", "no report".length)
  return [
    `attempt ${run.attempt}`,
    shortId(run.runId),
    paint(screen, completed === undefined ? "bold" : inkOf(completed.status), end),
    pad(completed === undefined ? "" : Figures.duration(completed.durationMs), 7, "right"),
    detailsOf(attempt).map(visible).join(", ")
  ].join("  ")
}

const detailsOf = ({ completed, process, run }: Attempt): ReadonlyArray<string> => [
  completed === undefined ? `${process} was killed` : process,
  ...(run.retryOfRunId === undefined ? [] : [`retry of ${shortId(run.retryOfRunId)}`]),
  ...(completed?.errorClass === undefined ? [] : [completed.errorClass])
]

/** What tells runs apart: they begin alike, with the time. */
const shortId = (runId: string): string => runId.slice(-8)
