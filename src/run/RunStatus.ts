/**
 * How a run, or the business event that it worked on, may end. `lifecycle/RunExit.ts` decides which it is.
 */
import { Schema } from "effect"

/** The Schema of a status. */
export const RunStatusSchema = Schema.Literal("success", "failure", "partial", "timeout", "canceled")

export type RunStatus = typeof RunStatusSchema.Type

/**
 * How a run or the business event that it worked on ended: `success`, `failure`, `partial`, `timeout` or `canceled`. The constant
 * holds the statuses by name. `partial` occurs only as an outcome.
 *
 * @example
 * ```ts
 * import { RunStatus } from "botanu-effect"
 *
 * const status: RunStatus = RunStatus.PARTIAL
 * console.log(status)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export const RunStatus = {
  SUCCESS: "success",
  FAILURE: "failure",
  PARTIAL: "partial",
  TIMEOUT: "timeout",
  CANCELED: "canceled"
} as const satisfies Record<string, RunStatus>
