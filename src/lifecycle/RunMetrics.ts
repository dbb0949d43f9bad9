/**
 * Effect metrics over all runs, by workflow and status. A series stands at zero from the start of the first run of its workflow,
 * so that a rate counts the first run too.
 */
import { Metric, MetricBoundaries } from "effect"

/**
 * Counts completed runs, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.runsTotal.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const runsTotal = Metric.counter("botanu_runs_total", {
  description: "Completed runs, by workflow and status",
  incremental: true
})

/**
 * How long runs took, in seconds, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.runDurationSeconds.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.2.0
 * @category metrics
 */
export const runDurationSeconds = Metric.histogram(
  "botanu_run_duration_seconds",
  MetricBoundaries.exponential({ start: 0.001, factor: 2, count: 20 }),
  "Duration of completed runs in seconds, by workflow and status"
)

/**
 * What is known of the cost of runs, in US dollars, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.runCostUsd.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const runCostUsd = Metric.counter("botanu_run_cost_usd_total", {
  description: "Known cost of completed runs in US dollars, by workflow and status",
  incremental: true
})

/**
 * Counts the calls of completed runs, of models and of other resources, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.callsTotal.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.2.0
 * @category metrics
 */
export const callsTotal = Metric.counter("botanu_calls_total", {
  description: "Calls of completed runs, by workflow and status",
  incremental: true
})

/**
 * Counts those of the calls whose cost is not known, or not all of it, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.unpricedCallsTotal.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.2.0
 * @category metrics
 */
export const unpricedCallsTotal = Metric.counter("botanu_unpriced_calls_total", {
  description: "Calls of completed runs whose cost is not wholly known, by workflow and status",
  incremental: true
})

/**
 * Counts runs that failed with `BudgetExceeded`, by workflow.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.budgetExceededTotal.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.2.0
 * @category metrics
 */
export const budgetExceededTotal = Metric.counter("botanu_budget_exceeded_total", {
  description: "Runs that failed with BudgetExceeded, by workflow",
  incremental: true
})

/**
 * Counts records that were not exported, by exporter and reason: `queue_full`, `failed`, `timeout` or `released`.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.exportsLostTotal.pipe(Metric.tagged("exporter", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.2.0
 * @category metrics
 */
export const exportsLostTotal = Metric.counter("botanu_exports_lost_total", {
  description: "Records that were not exported, by exporter and reason",
  incremental: true
})
