/**
 * How a run, or the business event that it worked on, may end.
 */
import { Schema } from "effect"

/** `success`, `failure`, `partial`, `timeout` or `canceled`. */
export const RunStatusSchema = Schema.Literal("success", "failure", "partial", "timeout", "canceled")
export type RunStatus = typeof RunStatusSchema.Type

/** The statuses by name. */
export const RunStatus = {
  SUCCESS: "success",
  FAILURE: "failure",
  PARTIAL: "partial",
  TIMEOUT: "timeout",
  CANCELED: "canceled"
} as const satisfies Record<string, RunStatus>
