/**
 * What completed runs add up to, for each workflow and each of its customers.
 */
import { type CompletedRun, RunStatus } from "botanu-effect"
import { groupsOf } from "./Groups.js"
import { finality } from "./Lineage.js"

export const statuses: ReadonlyArray<RunStatus> = Object.values(RunStatus)

/** The figures of some runs. */
export interface Figures {
  readonly events: number
  readonly runs: number
  /** The most attempts that one event took. */
  readonly attempts: number
  /** How many final runs had an outcome of each status. */
  readonly outcomes: ReadonlyMap<RunStatus, number>
  /** The value of final runs, by its type. */
  readonly values: ReadonlyMap<string, number>
  readonly p50Ms: number
  readonly p95Ms: number
}

export interface WorkflowSummary {
  readonly workflow: string
  readonly total: Figures
  readonly customers: ReadonlyArray<{ readonly customerId: string; readonly figures: Figures }>
}

/** The figures of each workflow and its customers, in alphabetical order. */
export const summarize = (runs: ReadonlyArray<CompletedRun>): ReadonlyArray<WorkflowSummary> => {
  const isFinal = finality(runs)
  return groupsOf(runs, ({ run }) => run.workflow).map(([workflow, ofWorkflow]) => ({
    workflow,
    total: figuresOf(ofWorkflow, isFinal),
    customers: groupsOf(ofWorkflow, ({ run }) => run.customerId).map(([customerId, ofCustomer]) => ({
      customerId,
      figures: figuresOf(ofCustomer, isFinal)
    }))
  }))
}

const figuresOf = (runs: ReadonlyArray<CompletedRun>, isFinal: (completed: CompletedRun) => boolean): Figures => {
  const outcomes = new Map<RunStatus, number>()
  const values = new Map<string, number>()
  for (const { outcome } of runs.filter(isFinal)) {
    if (outcome === undefined) continue
    add(outcomes, outcome.status, 1)
    if (outcome.valueAmount !== undefined) add(values, outcome.valueType ?? "", outcome.valueAmount)
  }
  const durations = runs.map(({ durationMs }) => durationMs).sort((one, other) => one - other)
  return {
    events: new Set(runs.map(({ run }) => run.eventId)).size,
    runs: runs.length,
    attempts: runs.reduce((most, { run }) => Math.max(most, run.attempt), 0),
    outcomes,
    values,
    p50Ms: percentile(durations, 0.5),
    p95Ms: percentile(durations, 0.95)
  }
}

const add = <Key>(sums: Map<Key, number>, key: Key, value: number) => sums.set(key, (sums.get(key) ?? 0) + value)

/** The smallest value that is not below this share of the sorted values. */
export const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.ceil(sorted.length * share) - 1] ?? 0
