/**
 * Completed runs, and what exporters lost of them, in the metrics.
 */
import { type Fiber, FiberRef, MetricLabel } from "effect"
import { toNumber } from "../cost/Usd.js"
import type { RunStatus } from "../run/RunStatus.js"
import type { CompletedRun } from "./CompletedRun.js"
import { exportsLostTotal, runCostUsd, runDurationMs, runsTotal } from "./RunMetrics.js"

/** Updates the metrics, under the labels of the fiber too. */
export const updateFor = (completed: CompletedRun, fiber: Fiber.RuntimeFiber<unknown, unknown>): void => {
  const own = labelsOf(completed.run.workflow, completed.status)
  const outer = fiber.getFiberRef(FiberRef.currentMetricLabels)
  const labels = outer.length === 0 ? own : [...outer, ...own]
  runsTotal.unsafeUpdate(1, labels)
  runDurationMs.unsafeUpdate(completed.durationMs, labels)
  if (completed.totals.calls > 0) runCostUsd.unsafeUpdate(toNumber(completed.totals.usd), labels)
}

/** Why a record was not exported. */
export type ExportLoss = "queue_full" | "failed" | "timeout" | "released"

/** Counts records that an exporter lost. */
export const updateLost = (exporter: string, reason: ExportLoss, count: number): void =>
  exportsLostTotal.unsafeUpdate(count, [MetricLabel.make("exporter", exporter), MetricLabel.make("reason", reason)])

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
