/**
 * Saying what the current run consumes.
 */
import { Effect, Schedule, Schema } from "effect"
import { type Consumption, make, type UsageDetails } from "./cost/UsageRecord.js"
import { nowOf } from "./fiber/CurrentFiber.js"
import { currentStep } from "./lifecycle/CurrentStep.js"
import { scopeOf } from "./lifecycle/RunScope.js"
import { RunContext } from "./RunContext.js"
import type { FieldProblem } from "./schema/FieldText.js"
import { CurrentCall } from "./tracking/OpenCall.js"
import { addFor, isOverBudget } from "./tracking/UsageRecorder.js"

export { RecordedUsage } from "./cost/CostTotals.js"
export {
  type Consumption,
  type Quantity,
  Usage,
  type UsageDetails,
  UsageKind,
  UsageStatus
} from "./cost/UsageRecord.js"
export { CurrentCall } from "./tracking/OpenCall.js"
export type { CallOptions, Track, Trackable, Tracked } from "./tracking/TrackedCall.js"

/**
 * A usage was refused: `field` names the detail that is wrong, `problem` what was expected of it. Nothing was recorded.
 *
 * @example
 * ```ts
 * import { Botanu, Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Usage.record({ kind: "llm", provider: "openai", operation: "chat", inputTokens: -1 }).pipe(
 *   Effect.catchTag("InvalidUsage", (error: Usage.InvalidUsage) => Effect.log(error.field, error.problem)),
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidUsage extends Schema.TaggedError<InvalidUsage>()("InvalidUsage", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * Records what a call consumed to the current run, from any depth and any fiber of it, at the price of the `PriceBook` in
 * scope. Fails with `InvalidUsage` where a detail is not as it should be. Recorded after the run is over, it comes too late:
 * that is logged.
 *
 * @example
 * ```ts
 * import { Botanu, Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Usage.record({ kind: "llm", provider: "openai", operation: "chat", model: "quill-2", inputTokens: 1200 }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export const record = (details: UsageDetails): Effect.Effect<void, InvalidUsage, RunContext> =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime((fiber) => {
      const problems: Array<FieldProblem> = []
      const known = { time: nowOf(fiber), step: currentStep(fiber.currentContext)?.name }
      const usage = make(details, {}, known, (problem) => problems.push(problem))
      const [problem] = problems
      if (problem !== undefined) return Effect.fail(new InvalidUsage(problem))
      const scope = scopeOf(fiber.currentContext, run)
      addFor(fiber, { run, scope, step: known.step, span: undefined }, usage)
      return isOverBudget(scope) ? Effect.yieldNow() : Effect.void
    })
  )

/**
 * Reports what is known so far of what the enclosing tracked call consumes. Later details replace earlier ones, one by one. It
 * is recorded when the call ends, also where that is interrupted.
 *
 * A provider bills each try of a retry that it served. So a report in another iteration of `Effect.retry` or `Effect.repeat`
 * than the report before, or one with another `providerRequestId` or `attempt`, replaces nothing: the try before it becomes a
 * usage of its own. A function of what was reported so far is for calls that add up parts; what it gives always replaces.
 *
 * @example
 * ```ts
 * import { Botanu, Llm, Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const ask = Effect.as(Usage.report({ inputTokens: 1200, outputTokens: 214 }), "a draft")
 * const program = Llm.track(ask, { provider: "openai", model: "quill-2" }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category usage
 */
export const report = (
  details: Consumption | ((soFar: Consumption) => Consumption)
): Effect.Effect<void, never, CurrentCall> =>
  Effect.flatMap(CurrentCall, (call) =>
    Effect.withFiberRuntime((fiber) => {
      if (typeof details === "function") call.replace(details(call.soFar))
      else call.report(details, fiber.currentContext.unsafeMap.get(Schedule.CurrentIterationMetadata.key))
      return Effect.void
    })
  )
