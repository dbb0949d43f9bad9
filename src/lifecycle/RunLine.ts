/**
 * A completed run as one line of text for people.
 */
import { format } from "../cost/Usd.js"
import { quote } from "../schema/FieldText.js"
import type { CompletedRun } from "./CompletedRun.js"

/** Such as `run 01… of workflow "Support": success in 120 ms; event "ticket-42" of customer "acme"; 0.01 USD in 2 calls`. */
export const lineOf = ({ durationMs, errorClass, outcome, run, status, totals }: CompletedRun): string => {
  const error = errorClass === undefined ? "" : ` (${quote(errorClass)})`
  const attempt = run.attempt === 1 ? "" : `, attempt ${run.attempt}`
  const parts = [
    `run ${run.runId} of workflow ${quote(run.workflow)}${attempt}: ${status}${error} in ${Math.round(durationMs)} ms`,
    `event ${quote(run.eventId)} of customer ${quote(run.customerId)}`
  ]
  if (outcome !== undefined && outcome.status !== status) parts.push(`outcome ${outcome.status}`)
  if (outcome?.valueAmount !== undefined) parts.push(`${outcome.valueAmount} ${quote(outcome.valueType ?? "value")}`)
  if (totals.calls > 0) {
    const unpriced = totals.unpricedCalls === 0 ? "" : `, ${totals.unpricedCalls} of them unpriced`
    parts.push(`${format(totals.usd)} USD in ${totals.calls} ${totals.calls === 1 ? "call" : "calls"}${unpriced}`)
  }
  return parts.join("; ")
}
