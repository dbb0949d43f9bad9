/**
 * Completed runs, and what exporters lost of them, in the metrics.
 */
import { type Fiber, FiberRef, Metric, MetricLabel } from "effect"
import { toNumber } from "../cost/Usd.js"
import type { RunStatus } from "../run/RunStatus.js"
import type { CompletedRun } from "./CompletedRun.js"
import {
  budgetExceededTotal,
  callsTotal,
  exportsLostTotal,
  runCostUsd,
  runDurationSeconds,
  runsTotal,
  unpricedCallsTotal
} from "./RunMetrics.js"

/** Makes the series of a workflow, at zero, where this is its first run under the labels of the fiber. */
export const registerFor = (workflow: string, fiber: AnyFiber): void => {
  labelsOf(workflow, fiber.getFiberRef(FiberRef.currentMetricLabels))
}

/** Updates the metrics, under the labels of the fiber too. */
export const updateFor = (completed: CompletedRun, fiber: AnyFiber): void => {
  const { durationMs, errorClass, run, status, totals } = completed
  const labels = labelsOf(run.workflow, fiber.getFiberRef(FiberRef.currentMetricLabels))
  const ofStatus = labels.byStatus[status]
  runsTotal.unsafeUpdate(1, ofStatus)
  runDurationSeconds.unsafeUpdate(durationMs / 1000, ofStatus)
  if (errorClass === "BudgetExceeded") budgetExceededTotal.unsafeUpdate(1, labels.ofWorkflow)
  if (totals.calls === 0) return
  callsTotal.unsafeUpdate(totals.calls, ofStatus)
  if (totals.unpricedCalls > 0) unpricedCallsTotal.unsafeUpdate(totals.unpricedCalls, ofStatus)
  runCostUsd.unsafeUpdate(toNumber(totals.usd), ofStatus)
}

/** Why a record was not exported. */
export type ExportLoss = (typeof exportLosses)[number]

const exportLosses = ["queue_full", "failed", "timeout", "released"] as const

/** Makes the series of an exporter, at zero. */
export const registerExporter = (exporter: string): void => {
  for (const reason of exportLosses) updateLost(exporter, reason, 0)
}

/** Counts records that an exporter lost. */
export const updateLost = (exporter: string, reason: ExportLoss, count: number): void =>
  exportsLostTotal.unsafeUpdate(count, [MetricLabel.make("exporter", exporter), MetricLabel.make("reason", reason)])

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

interface WorkflowLabels {
  readonly ofWorkflow: Labels
  readonly byStatus: Readonly<Record<RunStatus, Labels>>
}

// An array that is met again saves the metric a look-up. Bounded, should workflow names ever be made up by data.
const maxRemembered = 1000

const remembered = new Map<string, WorkflowLabels>()

const labelsOf = (workflow: string, outer: Labels): WorkflowLabels => {
  const key = outer.length === 0 ? workflow : JSON.stringify([workflow, ...outer.map(({ key, value }) => [key, value])])
  const known = remembered.get(key)
  if (known !== undefined) return known
  const ofWorkflow = [...outer, MetricLabel.make("workflow", workflow)]
  const withStatus = (status: RunStatus) => [...ofWorkflow, MetricLabel.make("status", status)]
  const labels: WorkflowLabels = {
    ofWorkflow,
    byStatus: {
      success: withStatus("success"),
      failure: withStatus("failure"),
      partial: withStatus("partial"),
      timeout: withStatus("timeout"),
      canceled: withStatus("canceled")
    }
  }
  if (remembered.size < maxRemembered) remembered.set(key, labels)
  register(labels)
  return labels
}

// `partial` is the status of an outcome, and never of a run.
const ends = ["success", "failure", "timeout", "canceled"] as const

const register = ({ byStatus, ofWorkflow }: WorkflowLabels): void => {
  budgetExceededTotal.unsafeUpdate(0, ofWorkflow)
  for (const status of ends) {
    const labels = byStatus[status]
    for (const counter of [runsTotal, runCostUsd, callsTotal, unpricedCallsTotal]) counter.unsafeUpdate(0, labels)
    Metric.taggedWithLabels(runDurationSeconds, labels).register()
  }
}
