/**
 * How a call ended.
 */
import { Cause, Exit } from "effect"
import type { UsageStatus } from "../cost/UsageRecord.js"
import { errorClass } from "../lifecycle/RunExit.js"

/** How a call ended, and with what kind of error, where it failed. */
export interface CallExit {
  readonly status: UsageStatus
  readonly errorType?: string
}

const success: CallExit = { status: "success" }

/** A failure counts before an interruption, as in a run. */
export const callExitOf = (exit: Exit.Exit<unknown, unknown>): CallExit => {
  if (Exit.isSuccess(exit)) return success
  if (Cause.isInterruptedOnly(exit.cause)) return { status: "interrupted" }
  return { status: "failure", errorType: errorClass(Cause.squash(exit.cause)) }
}
