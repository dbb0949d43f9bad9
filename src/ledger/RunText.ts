/**
 * A completed run as JSON, field by field: what `LineText` makes of it in half of its time. Fields stand in the order of the
 * schema. A property test compares the two, so that no field is forgotten.
 */
import type { Charge, Cost, PriceSource } from "../cost/Cost.js"
import type { CostTotals, RecordedUsage } from "../cost/CostTotals.js"
import type { CompletedRun } from "../lifecycle/CompletedRun.js"
import type { Run } from "../run/Run.js"
import { amount, instant, number, of, quoted } from "./LineText.js"

/** The text of a run. */
export const ofRun = (run: Run): string => {
  let text = `{"runId":${quoted(run.runId)},"workflow":${quoted(run.workflow)},"eventId":${quoted(run.eventId)},"customerId":${quoted(run.customerId)},"environment":${quoted(run.environment)}`
  if (run.workflowVersion !== undefined) text += `,"workflowVersion":${quoted(run.workflowVersion)}`
  if (run.tenantId !== undefined) text += `,"tenantId":${quoted(run.tenantId)}`
  if (run.parentRunId !== undefined) text += `,"parentRunId":${quoted(run.parentRunId)}`
  text += `,"rootRunId":${quoted(run.rootRunId)},"attempt":${number(run.attempt)}`
  if (run.retryOfRunId !== undefined) text += `,"retryOfRunId":${quoted(run.retryOfRunId)}`
  text += `,"startTime":${instant(run.startTime.epochMillis)}`
  if (run.deadline !== undefined) text += `,"deadline":${instant(run.deadline.epochMillis)}`
  text += run.cancelled ? `,"cancelled":true` : `,"cancelled":false`
  if (run.cancelledAt !== undefined) text += `,"cancelledAt":${instant(run.cancelledAt.epochMillis)}`
  return `${text}}`
}

/** The text of a completed run. */
export const ofCompleted = (completed: CompletedRun): string => {
  let text = `{"run":${ofRun(completed.run)},"status":${quoted(completed.status)}`
  if (completed.outcome !== undefined) text += `,"outcome":${of(completed.outcome)}`
  if (completed.errorClass !== undefined) text += `,"errorClass":${quoted(completed.errorClass)}`
  if (completed.cancellationReason !== undefined)
    text += `,"cancellationReason":${quoted(completed.cancellationReason)}`
  text += `,"endTime":${instant(completed.endTime.epochMillis)},"durationMs":${number(completed.durationMs)}`
  if (completed.traceId !== undefined) text += `,"traceId":${quoted(completed.traceId)}`
  text += `,"usages":${listOf(completed.usages, ofRecorded)},"totals":${ofTotals(completed.totals)}`
  if (completed.repriced !== undefined) text += `,"repriced":${of(completed.repriced)}`
  if (completed.annotations !== undefined) text += `,"annotations":${of(completed.annotations)}`
  return `${text}}`
}

const listOf = <A>(values: ReadonlyArray<A>, textOf: (value: A) => string): string => {
  let text = "["
  for (let index = 0; index < values.length; index++) {
    text += index === 0 ? textOf(values[index] as A) : `,${textOf(values[index] as A)}`
  }
  return `${text}]`
}

const ofRecorded = ({ cost, usage }: RecordedUsage): string => `{"usage":${of(usage)},"cost":${ofCost(cost)}}`

const ofCost = (cost: Cost): string => {
  let text = `{"_tag":${quoted(cost._tag)}`
  if (cost._tag === "Unpriced") {
    text += `,"reason":${quoted(cost.reason)}`
    if (cost.missing !== undefined) text += `,"missing":${of(cost.missing)}`
  }
  return `${text},"usd":${amount(cost.usd)},"charges":${listOf(cost.charges, ofCharge)}}`
}

const ofCharge = ({ meter, price, quantity, unit, unitPrice, usd }: Charge): string =>
  `{"meter":${quoted(meter)},"quantity":${number(quantity)},"unit":${quoted(unit)},"unitPrice":${amount(unitPrice)},"usd":${amount(usd)},"price":${ofPrice(price)}}`

const ofPrice = (price: PriceSource): string => {
  let text = `{"source":${quoted(price.source)}`
  if (price.entry !== undefined) text += `,"entry":${quoted(price.entry)}`
  if (price.tier !== undefined) text += `,"tier":${quoted(price.tier)}`
  if (price.aboveInputTokens !== undefined) text += `,"aboveInputTokens":${number(price.aboveInputTokens)}`
  if (price.region !== undefined) text += `,"region":${quoted(price.region)}`
  if (price.from !== undefined) text += `,"from":${instant(price.from.epochMillis)}`
  return `${text}}`
}

const ofTotals = (totals: CostTotals): string => {
  let text = `{"usd":${amount(totals.usd)},"inputTokens":${number(totals.inputTokens)},"outputTokens":${number(totals.outputTokens)},"calls":${number(totals.calls)},"unpricedCalls":${number(totals.unpricedCalls)}`
  if (totals.unpriced !== undefined) text += `,"unpriced":${of(totals.unpriced)}`
  return `${text}}`
}
