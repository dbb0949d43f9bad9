/**
 * The failure of a run that spent its budget, or that began when a budget of its customer, tenant or workflow was spent.
 */
import { DateTime, Schema } from "effect"
import { Uuid } from "../run/RunId.js"
import { quote } from "../schema/FieldText.js"
import { optional } from "../schema/SchemaRecord.js"
import { format, Usd } from "./Usd.js"

/**
 * Whose cost a budget over time counts.
 *
 * @example
 * ```ts
 * import type { BudgetScope } from "botanu-effect"
 *
 * const scope: BudgetScope = "customer"
 * console.log(scope)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export const BudgetScope = Schema.Literal("customer", "tenant", "workflow")
export type BudgetScope = typeof BudgetScope.Type

/**
 * What is bounded, and in which period.
 *
 * @example
 * ```ts
 * import { BudgetPeriod } from "botanu-effect"
 * import { DateTime, Duration } from "effect"
 *
 * const day = new BudgetPeriod({
 *   scope: "customer",
 *   id: "bigretail",
 *   per: Duration.days(1),
 *   start: DateTime.unsafeMake("2026-11-23T00:00:00Z"),
 *   end: DateTime.unsafeMake("2026-11-24T00:00:00Z")
 * })
 * console.log(day.id)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export class BudgetPeriod extends Schema.Class<BudgetPeriod>("botanu/BudgetPeriod")({
  scope: BudgetScope,
  /** The id of the customer or tenant, or the name of the workflow. */
  id: Schema.String,
  /** The length of the period. JSON carries it in milliseconds. */
  per: Schema.DurationFromMillis,
  start: Schema.DateTimeUtc,
  /** The first instant after the period. */
  end: Schema.DateTimeUtc
}) {}

/**
 * A budget was exceeded. Without `period` it is the budget of the run, whose recorded cost passed it, so that the run was
 * interrupted. With `period` it is one of `Budget.layer`, which was exceeded when the run began; its body did not run.
 *
 * @example
 * ```ts
 * import { Botanu, type BudgetExceeded } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const program = Effect.succeed("a draft").pipe(
 *   Botanu.workflow("Customer Support", {
 *     eventId: "ticket-42",
 *     customerId: "bigretail",
 *     budget: { usd: "0.25", children: true, retries: true }
 *   }),
 *   Effect.catchTag("BudgetExceeded", (error: BudgetExceeded) => Effect.as(Effect.log(error.message), ""))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  runId: Uuid,
  workflow: Schema.String,
  budgetUsd: Usd,
  /** What is known of the cost, as the budget counts it. */
  spentUsd: Usd,
  /** Calls whose cost is not known, or not all of it. */
  unpricedCalls: Schema.Int,
  /** Whose budget it is: that of the `run`, or one of `Budget.layer`. */
  scope: Schema.optionalWith(Schema.Literal("run", ...BudgetScope.literals), { default: () => "run" }),
  /** The period of a budget of `Budget.layer`. */
  period: optional(BudgetPeriod)
}) {
  override get message(): string {
    const { budgetUsd, period, runId, spentUsd, unpricedCalls, workflow } = this
    const run = `run ${runId} of workflow "${workflow}"`
    const spent = `spent ${format(spentUsd)} USD of ${format(budgetUsd)}`
    const more = unpricedCalls === 0 ? "" : `, and what ${unpricedCalls} unpriced calls cost`
    if (period === undefined) return `${run} ${spent}${more}`
    const since = `from ${DateTime.formatIso(period.start)} to ${DateTime.formatIso(period.end)}`
    return `${run} did not begin: ${period.scope} ${quote(period.id)} ${spent} ${since}${more}`
  }
}
