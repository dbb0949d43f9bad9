/**
 * The end of a run as its record and its span show it: its status, and what came of it.
 */
import { type DateTime, Either, Exit, type Tracer } from "effect"
import { none } from "../cost/CostTotals.js"
import type { RunOptions } from "../run/NewRun.js"
import { type InvalidOutcome, make, Outcome, type OutcomeDetails, unknownDetails } from "../run/OutcomeRecord.js"
import { type AttributeValue, cancellationAttributes, makeRunUnsafe, type Run } from "../run/Run.js"
import type { RunStatus } from "../run/RunStatus.js"
import { type FieldsOf, makeUnsafe } from "../schema/SchemaRecord.js"
import { Attribute, Event } from "../wire/Wire.js"
import { CompletedRun } from "./CompletedRun.js"
import type { RunExit } from "./RunExit.js"
import type { RunScope } from "./RunScope.js"
import { attempted, type Trouble } from "./Trouble.js"

/** How a run gets an outcome where none was emitted. */
export interface OutcomeOptions<A, O extends OutcomeOfResult = OutcomeOfResult> {
  /**
   * Whether a run about which nothing was said gets its own status as outcome.
   * @default true
   */
  readonly autoOutcome?: boolean | undefined
  /** The outcome of a result, unless one was emitted. A pure function. */
  readonly outcome?: ((result: A) => O) | undefined
}

/**
 * What the `outcome` option says of a result.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const outcomeOf = (answered: number): Botanu.OutcomeOfResult => ({
 *   status: answered === 3 ? "success" : "partial",
 *   valueType: "questions_answered",
 *   valueAmount: answered
 * })
 * const program = Effect.succeed(2).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail", outcome: outcomeOf })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface OutcomeOfResult extends OutcomeDetails {
  /** The status of the outcome. */
  readonly status: RunStatus
  /** The details are properties beside the status, not of an object of their own. */
  readonly details?: never
}

/** The record of a run. What is wrong with the `outcome` option goes to `trouble`. */
export const completedRun = <A>(
  scope: RunScope,
  ended: RunExit,
  { durationMs, endTime }: { readonly endTime: DateTime.Utc; readonly durationMs: number },
  exit: Exit.Exit<A, unknown>,
  options: RunOptions & OutcomeOptions<A>,
  trouble: Trouble
): CompletedRun => {
  const outcome = finalOutcome(scope, ended, exit, options, trouble)
  // A run that failed while it was being cancelled still says why.
  const reason = ended.reason ?? scope.cancellation?.reason
  const isCancelled = ended.status === "canceled" || scope.cancellation !== undefined
  const fields: FieldsOf<typeof CompletedRun> = {
    run: isCancelled ? cancelledRun(scope, endTime) : scope.run,
    status: ended.status,
    endTime,
    durationMs,
    usages: scope.usageTotals?.usages ?? [],
    totals: scope.usageTotals?.totals ?? none
  }
  const traceId = attempted(trouble, "reading the trace of a run", () => scope.span?.traceId)
  if (traceId !== undefined && isTraceId(traceId)) fields.traceId = traceId
  if (outcome !== undefined) fields.outcome = outcome
  if (ended.errorClass !== undefined) fields.errorClass = ended.errorClass
  if (reason !== undefined) fields.cancellationReason = reason
  if (scope.annotations !== undefined) fields.annotations = scope.annotations
  return makeUnsafe(CompletedRun, fields)
}

// A tracer that is off makes spans with other ids.
const isTraceId = (text: string): boolean => text.length === 32 && /^[0-9a-f]{32}$/.test(text)

const cancelledRun = ({ run, stopped }: RunScope, now: DateTime.Utc): Run =>
  makeRunUnsafe({ ...run, cancelled: true, cancelledAt: stopped?.cancellation?.at ?? stopped?.overBudgetAt ?? now })

/**
 * What was emitted last, else what the `outcome` option makes of the result, else the status of the run. A run that did not
 * end as a success does not report one.
 */
const finalOutcome = <A>(
  scope: RunScope,
  ended: RunExit,
  exit: Exit.Exit<A, unknown>,
  options: RunOptions & OutcomeOptions<A>,
  trouble: Trouble
): Outcome | undefined => {
  if (scope.outcome !== undefined) return withoutFalseSuccess(scope.outcome, ended)
  const { outcome } = options
  if (outcome !== undefined && Exit.isSuccess(exit)) {
    const what = `the outcome option of workflow "${options.workflow}"`
    const made = attempted(trouble, what, () => outcomeOfResult(outcome(exit.value), what, trouble))
    if (made !== undefined && Either.isRight(made)) return made.right
    if (made !== undefined) trouble.push(`${what}: ${made.left.message}`)
  }
  return options.autoOutcome === false ? undefined : outcomeOfExit(ended)
}

const withoutFalseSuccess = (outcome: Outcome, ended: RunExit): Outcome =>
  outcome.status === "success" && ended.status !== "success"
    ? makeUnsafe(Outcome, { ...outcomeFields(ended), ...outcome, status: ended.status })
    : outcome

const outcomeOfExit = (ended: RunExit): Outcome => makeUnsafe(Outcome, outcomeFields(ended))

const outcomeFields = ({ errorClass, reason, status }: RunExit) => ({
  status,
  ...(errorClass !== undefined && { errorType: errorClass }),
  ...(reason !== undefined && { reason })
})

const outcomeOfResult = (
  { status, ...details }: OutcomeOfResult,
  what: string,
  trouble: Trouble
): Either.Either<Outcome, InvalidOutcome> => {
  const unknown = unknownDetails(details)
  if (unknown !== undefined) trouble.push(`${what}: ${unknown}`)
  return make(status, details)
}

const annotate = (span: Tracer.Span, attributes: Record<string, AttributeValue>): void => {
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
}

/** The end of the run on its span. */
export const describeOnSpan = (span: Tracer.Span, completed: CompletedRun, endNanos: bigint): void => {
  const { durationMs, errorClass, outcome, run, status, totals } = completed
  span.attribute(Attribute.durationMs, durationMs)
  if (run.cancelled) annotate(span, cancellationAttributes(run))
  if (totals.calls > 0) annotate(span, totals.toSpanAttributes())
  if (outcome !== undefined) annotate(span, outcome.toSpanAttributes())
  const event: Record<string, AttributeValue> = {
    run_id: run.runId,
    workflow: run.workflow,
    status,
    duration_ms: durationMs
  }
  if (errorClass !== undefined) event["error_class"] = errorClass
  if (outcome?.valueType !== undefined) event["value_type"] = outcome.valueType
  if (outcome?.valueAmount !== undefined) event["value_amount"] = outcome.valueAmount
  span.event(Event.completed, endNanos, event)
}
