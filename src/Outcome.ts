/**
 * The business outcome of the current run.
 */
import { type Clock, Effect, Either, type Tracer } from "effect"
import { clockOf } from "./fiber/CurrentFiber.js"
import { stamp } from "./lifecycle/RunAnnotations.js"
import { annotatedSpan, type RunScope, scopeOf } from "./lifecycle/RunScope.js"
import { RunContext } from "./RunContext.js"
import { type InvalidOutcome, make, type Outcome, type OutcomeDetails, unknownDetails } from "./run/OutcomeRecord.js"
import type { AttributeValue } from "./run/Run.js"
import type { RunStatus } from "./run/RunStatus.js"
import { propagationModeFor } from "./run/Settings.js"
import { Event } from "./wire/Wire.js"

export { InvalidOutcome, make, Outcome, type OutcomeDetails } from "./run/OutcomeRecord.js"
export { RunStatus } from "./run/RunStatus.js"

/**
 * Records what came of the current run, from any depth and any fiber of it. The last outcome counts, and no automatic outcome
 * replaces it. Only a `success` gives way, where the run itself does not end as a success. Fails with `InvalidOutcome`, which
 * names the detail that is wrong; without details it cannot fail. An outcome that comes after the run is over is logged as a
 * warning and not recorded.
 *
 * @example
 * ```ts
 * import { Botanu, Outcome } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1, confidence: 0.9 }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category outcomes
 */
export const emit: {
  (status: RunStatus): Effect.Effect<void, never, RunContext>
  (status: RunStatus, details: OutcomeDetails): Effect.Effect<void, InvalidOutcome, RunContext>
} = (status: RunStatus, details?: OutcomeDetails): Effect.Effect<void, never, RunContext> =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime((fiber) => {
      const outcome = make(status, details)
      // The error is in the type where there are details; without, only a cast can make a status wrong.
      if (Either.isLeft(outcome)) return outcome as Either.Either<never, never>
      const scope = scopeOf(fiber.currentContext, run)
      if (scope?.isClosed) return Effect.logWarning(`outcome "${status}" came after the run was over`)
      try {
        const span = annotatedSpan(scope, fiber)
        recordFor(outcome.right, scope, span, clockOf(fiber))
        // A run that was joined is not yet on a span that was open before.
        if (span !== undefined && !scope?.isOwned) stamp(span, run, propagationModeFor(fiber))
        const unknown = details && unknownDetails(details)
        return unknown === undefined ? Effect.void : Effect.logWarning(`outcome "${status}": ${unknown}`)
      } catch (error) {
        return Effect.logWarning(`the outcome was not recorded on the span: ${String(error)}`)
      }
    })
  )

const recordFor = (
  outcome: Outcome,
  scope: RunScope | undefined,
  span: Tracer.Span | undefined,
  clock: Clock.Clock
): void => {
  if (scope?.isOwned) scope.outcome = outcome
  if (span === undefined) return
  span.event(Event.outcomeEmitted, clock.unsafeCurrentTimeNanos(), eventAttributes(outcome))
  // A run that was joined is not completed here, so its span gets the outcome now.
  if (scope?.isOwned) return
  for (const [key, value] of Object.entries(outcome.toSpanAttributes())) span.attribute(key, value)
}

const eventAttributes = (outcome: Outcome): Record<string, AttributeValue> => {
  const attributes: Record<string, AttributeValue> = { status: outcome.status }
  if (outcome.valueType !== undefined) attributes["value_type"] = outcome.valueType
  if (outcome.valueAmount !== undefined) attributes["value_amount"] = outcome.valueAmount
  if (outcome.errorType !== undefined) attributes["error_type"] = outcome.errorType
  return attributes
}
