/**
 * What was cut off by the end of its process. What that consumed is not known, which is not zero: a usage without a price says so.
 */
import { Unpriced } from "../cost/Cost.js"
import { RecordedUsage } from "../cost/CostTotals.js"
import { make as makeUsage } from "../cost/UsageRecord.js"
import { zero } from "../cost/Usd.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"

/** A usage for each execution that was cut off. */
export const cutOff = (fiber: AnyFiber, operation: string, executions: number): ReadonlyArray<RecordedUsage> =>
  Array.from({ length: Math.max(0, executions) }, (_, index) => {
    const details = {
      kind: "other",
      provider: "unknown",
      operation,
      status: "interrupted",
      errorType: "process_lost",
      attempt: index + 1
    } as const
    const usage = makeUsage(details, {}, { time: nowOf(fiber) }, () => {})
    return new RecordedUsage({ usage, cost: new Unpriced({ reason: "no_usage", usd: zero }) })
  })
