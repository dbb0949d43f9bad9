/**
 * Effect metrics over all runs, by workflow and status.
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
 * How long runs took, in milliseconds, by workflow and status.
 *
 * @example
 * ```ts
 * import { Effect, Metric } from "effect"
 * import { RunMetrics } from "botanu-effect"
 *
 * const ofSupport = RunMetrics.runDurationMs.pipe(Metric.tagged("workflow", "support"))
 *
 * console.log(await Effect.runPromise(Metric.value(ofSupport)))
 * ```
 *
 * @since 0.1.0
 * @category metrics
 */
export const runDurationMs = Metric.histogram(
  "botanu_run_duration_ms",
  MetricBoundaries.exponential({ start: 1, factor: 2, count: 20 }),
  "Duration of completed runs in milliseconds, by workflow and status"
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
export const runCostUsd = Metric.counter("botanu_run_cost_usd", {
  description: "Known cost of completed runs in US dollars, by workflow and status",
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
