/**
 * How runs belong together: which took the place of which, and which are around others.
 */
import type { CompletedRun } from "botanu-effect"

/**
 * Whether a run counts: no later attempt took its place, nor that of a run around it. What an attempt yielded before another
 * was made would be counted twice otherwise.
 */
export const finality = (runs: ReadonlyArray<CompletedRun>): ((completed: CompletedRun) => boolean) => {
  const byId = new Map<string | undefined, CompletedRun>(runs.map((completed) => [completed.run.runId, completed]))
  const retried = new Set(runs.map(({ run }) => run.retryOfRunId))
  const isFinal = ({ run }: CompletedRun): boolean => {
    if (retried.has(run.runId)) return false
    const parent = byId.get(run.parentRunId)
    return parent === undefined || isFinal(parent)
  }
  return isFinal
}

/** The run that a run is inside of, with no other around it. */
export const outermost = (runs: ReadonlyArray<CompletedRun>): ((completed: CompletedRun) => CompletedRun) => {
  const byId = new Map<string | undefined, CompletedRun>(runs.map((completed) => [completed.run.runId, completed]))
  const outermostOf = (completed: CompletedRun): CompletedRun => {
    const parent = byId.get(completed.run.parentRunId)
    return parent === undefined ? completed : outermostOf(parent)
  }
  return outermostOf
}
