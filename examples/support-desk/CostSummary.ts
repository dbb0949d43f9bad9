/**
 * What completed runs cost, for each workflow and each customer. An event costs what all of its runs cost: each attempt, and what
 * ran inside of it, wherever that was.
 */
import type { CompletedRun } from "botanu-effect"
import { BigDecimal } from "effect"
import { eventsOf, groupsOf } from "./Groups.js"
import { finality, outermost } from "./Lineage.js"

/** What some runs cost. */
export interface CostFigures {
  readonly events: number
  /** How many of them came to a successful outcome. */
  readonly successes: number
  readonly calls: number
  /** The calls whose cost is not known, or not all of it. */
  readonly unpricedCalls: number
  /** The sum of what is known. */
  readonly usd: BigDecimal.BigDecimal
}

export interface CostSummary {
  readonly total: CostFigures
  /** By the workflow that an event began with. */
  readonly workflows: ReadonlyArray<readonly [workflow: string, CostFigures]>
  readonly customers: ReadonlyArray<readonly [customerId: string, CostFigures]>
}

/** What runs cost, with workflows and customers in alphabetical order. */
export const summarize = (runs: ReadonlyArray<CompletedRun>): CostSummary => {
  const outermostOf = outermost(runs)
  const isFinal = finality(runs)
  const figuresOf = (some: ReadonlyArray<CompletedRun>): CostFigures => {
    const finals = some.filter((completed) => outermostOf(completed) === completed && isFinal(completed))
    return {
      events: eventsOf(some).length,
      successes: finals.filter(({ outcome }) => outcome?.status === "success").length,
      calls: sum(some, ({ totals }) => totals.calls),
      unpricedCalls: sum(some, ({ totals }) => totals.unpricedCalls),
      usd: usdOf(some)
    }
  }
  const figuresBy = (keyOf: (completed: CompletedRun) => string) =>
    groupsOf(runs, keyOf).map(([key, group]) => [key, figuresOf(group)] as const)
  return {
    total: figuresOf(runs),
    workflows: figuresBy((completed) => outermostOf(completed).run.workflow),
    customers: figuresBy(({ run }) => run.customerId)
  }
}

/** What is known of what runs cost together. */
export const usdOf = (runs: ReadonlyArray<CompletedRun>): BigDecimal.BigDecimal =>
  BigDecimal.sumAll(runs.map(({ totals }) => totals.usd))

const sum = (runs: ReadonlyArray<CompletedRun>, of: (completed: CompletedRun) => number): number =>
  runs.reduce((total, completed) => total + of(completed), 0)
