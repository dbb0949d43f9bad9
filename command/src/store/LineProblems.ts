/**
 * Lines of a ledger that are in no figure, and what is wrong with them.
 */
import type { Ledger } from "botanu-effect/ledger"

export const names = ["cut", "newer_version", "invalid"] as const

/** Lines with one problem, and the files that they are in. A compacted day that cannot be read counts as one. */
export interface LineProblem {
  readonly problem: (typeof names)[number]
  readonly lines: number
  readonly places: ReadonlyArray<string>
}

/** The name of what is wrong with a line that is not counted, in SQL. */
export const nameOfLine = "CASE WHEN v IS NULL THEN 'cut' WHEN v > 1 THEN 'newer_version' ELSE 'invalid' END"

/** What was found in segments, by the names of problems, and what compacted days say of themselves. */
export const summary = (
  found: ReadonlyArray<Omit<LineProblem, "problem"> & { readonly problem: string }>,
  compacted: ReadonlyArray<Ledger.CompactedDay>
): ReadonlyArray<LineProblem> =>
  names
    .map((problem) => {
      const inSegments = found.filter((one) => one.problem === problem)
      const days = compacted
        .map((day) => ({
          place: `${day.day}, compacted`,
          lines: problem === "cut" ? day.cutLines : Number(day.problem === problem)
        }))
        .filter(({ lines }) => lines > 0)
      return {
        problem,
        lines: [...inSegments, ...days].reduce((sum, { lines }) => sum + lines, 0),
        places: [
          ...Array.from(new Set(inSegments.flatMap(({ places }) => places))).sort(),
          ...days.map(({ place }) => place)
        ]
      }
    })
    .filter(({ lines }) => lines > 0)
