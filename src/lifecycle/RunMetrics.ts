/**
 * Effect metrics over all runs, by workflow and status.
 */
import { type Fiber, FiberRef, Metric, MetricBoundaries, MetricLabel } from "effect"
import { toNumber } from "../cost/Usd.js"
import type { RunStatus } from "../run/RunStatus.js"
import type { CompletedRun } from "./CompletedRun.js"

/** Counts completed runs. */
export const runsTotal = Metric.counter("botanu_runs_total", {
  description: "Completed runs, by workflow and status",
  incremental: true
})

/** How long runs took, in milliseconds. */
export const runDurationMs = Metric.histogram(
  "botanu_run_duration_ms",
  MetricBoundaries.exponential({ start: 1, factor: 2, count: 20 }),
  "Duration of completed runs in milliseconds, by workflow and status"
)

/** What is known of the cost of runs, in US dollars. */
export const runCostUsd = Metric.counter("botanu_run_cost_usd", {
  description: "Known cost of completed runs in US dollars, by workflow and status",
  incremental: true
})

/** @internal Updates the metrics, under the labels of the fiber too. */
export const updateFor = (completed: CompletedRun, fiber: Fiber.RuntimeFiber<unknown, unknown>): void => {
  const own = labelsOf(completed.run.workflow, completed.status)
  const outer = fiber.getFiberRef(FiberRef.currentMetricLabels)
  const labels = outer.length === 0 ? own : [...outer, ...own]
  runsTotal.unsafeUpdate(1, labels)
  runDurationMs.unsafeUpdate(completed.durationMs, labels)
  if (completed.totals.calls > 0) runCostUsd.unsafeUpdate(toNumber(completed.totals.usd), labels)
}

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

// An array that is met again saves the metric a look-up. Bounded, should workflow names ever be made up by data.
const maxRemembered = 1000
const remembered = new Map<string, Labels>()

const labelsOf = (workflow: string, status: RunStatus): Labels => {
  const key = `${status} ${workflow}`
  const known = remembered.get(key)
  if (known !== undefined) return known
  const labels = [MetricLabel.make("workflow", workflow), MetricLabel.make("status", status)]
  if (remembered.size < maxRemembered) remembered.set(key, labels)
  return labels
}
