/**
 * The record of a run that is over: its status, and what came of it; and how both look on its span.
 */
import { type DateTime, Either, Exit, type Tracer } from "effect"
import { none } from "../cost/CostTotals.js"
import type { RunOptions } from "../run/NewRun.js"
import { make, Outcome, type OutcomeDetails } from "../run/OutcomeRecord.js"
import { type AttributeValue, cancellationAttributes, Run } from "../run/Run.js"
import type { RunStatus } from "../run/RunStatus.js"
import { type FieldsOf, makeUnsafe } from "../schema/SchemaRecord.js"
import { Attribute, Event } from "../wire/Wire.js"
import { CompletedRun } from "./CompletedRun.js"
import type { RunExit } from "./RunExit.js"
import type { RunScope } from "./RunScope.js"

/** How a run gets an outcome where none was emitted. */
export interface OutcomeOptions<A> {
  /**
   * Whether a run about which nothing was said gets its own status as outcome.
   * @default true
   */
  readonly autoOutcome?: boolean | undefined
  /** The outcome of a result, unless one was emitted. A pure function. */
  readonly outcome?: ((result: A) => OutcomeOfResult) | undefined
}

/** What the `outcome` option says of a result. */
export interface OutcomeOfResult extends OutcomeDetails {
  readonly status: RunStatus
}

/** The record, and what was wrong with the `outcome` option, if anything was. */
export const completedRun = <A>(
  scope: RunScope,
  ended: RunExit,
  { durationMs, endTime }: { readonly endTime: DateTime.Utc; readonly durationMs: number },
  exit: Exit.Exit<A, unknown>,
  options: RunOptions & OutcomeOptions<A>
): { readonly completed: CompletedRun; readonly problem: string | undefined } => {
  const { outcome, problem } = finalOutcome(scope, ended, exit, options)
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
  if (outcome !== undefined) fields.outcome = outcome
  if (ended.errorClass !== undefined) fields.errorClass = ended.errorClass
  if (reason !== undefined) fields.cancellationReason = reason
  if (scope.annotations !== undefined) fields.annotations = scope.annotations
  return { completed: makeUnsafe(CompletedRun, fields), problem }
}

const cancelledRun = ({ cancellation, interruptedAt, run }: RunScope, now: DateTime.Utc): Run =>
  makeUnsafe(Run, { ...run, cancelled: true, cancelledAt: cancellation?.at ?? interruptedAt ?? now })

/**
 * What was emitted last, else what the `outcome` option makes of the result, else the status of the run. A run that did not
 * end as a success does not report one.
 */
const finalOutcome = <A>(
  scope: RunScope,
  ended: RunExit,
  exit: Exit.Exit<A, unknown>,
  options: RunOptions & OutcomeOptions<A>
): { readonly outcome?: Outcome; readonly problem?: string } => {
  if (scope.outcome !== undefined) return { outcome: withoutFalseSuccess(scope.outcome, ended) }
  const automatic = options.autoOutcome === false ? {} : { outcome: outcomeOfExit(ended) }
  if (options.outcome === undefined || Exit.isFailure(exit)) return automatic
  const made = outcomeOfResult(options.outcome, exit.value)
  return Either.match(made, {
    onLeft: (problem) => ({
      ...automatic,
      problem: `the outcome option of workflow "${options.workflow}": ${problem}`
    }),
    onRight: (outcome) => ({ outcome })
  })
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

const outcomeOfResult = <A>(outcome: (result: A) => OutcomeOfResult, result: A): Either.Either<Outcome, string> =>
  Either.try({ try: () => outcome(result), catch: String }).pipe(
    Either.flatMap(({ status, ...details }) => Either.mapLeft(make(status, details), (invalid) => invalid.message))
  )

/** The end of the run on its span. */
export const describeOnSpan = (span: Tracer.Span, completed: CompletedRun, endNanos: bigint): void => {
  const { durationMs, errorClass, outcome, run, status, totals } = completed
  span.attribute(Attribute.durationMs, durationMs)
  const attributes = { ...cancellationAttributes(run), ...totals.toSpanAttributes(), ...outcome?.toSpanAttributes() }
  for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
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
