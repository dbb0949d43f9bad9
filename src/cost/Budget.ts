/**
 * What a run may cost.
 */
import { BigDecimal, Either, type Layer } from "effect"
import type { Uuid } from "../run/RunId.js"
import { type FieldProblem, quote } from "../schema/FieldText.js"
import { BudgetExceeded } from "./BudgetExceeded.js"
import type { Cost } from "./Cost.js"
import { catchExceeded, type InvalidBudget, layer, type PeriodBudget } from "./PeriodBudget.js"
import { expectedAmount, format, fromNonNegative, type UsdInput, zero } from "./Usd.js"

export { BudgetExceeded, BudgetPeriod, type BudgetScope } from "./BudgetExceeded.js"
export { BudgetStore, type BudgetStoreService, type Spending } from "./BudgetStore.js"
export { InvalidBudget, type PeriodBudget } from "./PeriodBudget.js"

/**
 * What a run may cost, and whose cost counts.
 *
 * @example
 * ```ts
 * import { Botanu, type Budget } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const budget: Budget = { usd: "0.25", children: true, retries: false, warnAt: 0.8 }
 * const program = Effect.succeed("a draft").pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail", budget })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  /** In US dollars. The run is interrupted when its recorded cost is more. */
  readonly usd: UsdInput
  /** Whether the cost of runs that are started inside of the run, in this process, counts too. */
  readonly children: boolean
  /**
   * Whether all attempts share the budget. Then an attempt that passed it is not retried; otherwise each has all of it, and
   * `BudgetExceeded` is retried like any failure.
   */
  readonly retries: boolean
  /** The share, above 0 and at most 1, at which a warning is logged, once. */
  readonly warnAt?: number | undefined
}

/**
 * Budgets over time: `Budget.layer` bounds what all runs of a customer, of a tenant or of a workflow cost in a period, and
 * `Budget.catchExceeded` handles the runs that it refuses.
 *
 * @since 0.2.0
 * @category layers
 */
export const Budget: {
  readonly layer: (budget: PeriodBudget) => Layer.Layer<never, InvalidBudget>
  readonly catchExceeded: typeof catchExceeded
} = { layer, catchExceeded }

/** What was spent of a budget. */
export class BudgetMeter {
  private readonly limit: BigDecimal.BigDecimal
  private readonly warning: BigDecimal.BigDecimal | undefined
  private spent = zero
  private unpricedCalls = 0
  private hasWarned = false

  constructor(readonly budget: ValidBudget) {
    this.limit = budget.usd
    this.warning = budget.warnAt === undefined ? undefined : BigDecimal.multiply(budget.usd, budget.warnAt)
  }

  /** Another meter, of which as much was spent. */
  copy(): BudgetMeter {
    return Object.assign(new BudgetMeter(this.budget), this)
  }

  spend(cost: Cost): void {
    this.spent = BigDecimal.sum(this.spent, cost.usd)
    if (cost._tag === "Unpriced") this.unpricedCalls += 1
  }

  get isExceeded(): boolean {
    return BigDecimal.greaterThan(this.spent, this.limit)
  }

  /** A warning that is due and was not given before. */
  takeWarning(): string | undefined {
    if (this.warning === undefined || this.hasWarned || BigDecimal.lessThan(this.spent, this.warning)) return undefined
    this.hasWarned = true
    return `spent ${format(this.spent)} USD of its budget of ${format(this.limit)}`
  }

  exceeded({ runId, workflow }: { readonly runId: Uuid; readonly workflow: string }): BudgetExceeded {
    const { limit, spent, unpricedCalls } = this
    return new BudgetExceeded({ runId, workflow, budgetUsd: limit, spentUsd: spent, unpricedCalls })
  }
}

/** A budget whose values are as they should be. */
export interface ValidBudget {
  readonly usd: BigDecimal.BigDecimal
  readonly children: boolean
  readonly retries: boolean
  readonly warnAt: BigDecimal.BigDecimal | undefined
}

/** A budget, checked; or what is wrong with it. */
export const validate = (budget: Budget): Either.Either<ValidBudget, FieldProblem> => {
  const usd = fromNonNegative(budget.usd)
  if (usd === undefined) return wrong("budget.usd", `expected ${expectedAmount}, got ${quote(budget.usd)}`)
  for (const field of ["children", "retries"] as const) {
    if (typeof budget[field] !== "boolean") {
      return wrong(`budget.${field}`, `expected true or false, got ${quote(budget[field])}`)
    }
  }
  const { children, retries } = budget
  if (budget.warnAt === undefined) return Either.right({ usd, children, retries, warnAt: undefined })
  const warnAt = fromNonNegative(budget.warnAt)
  return warnAt === undefined || BigDecimal.isZero(warnAt) || budget.warnAt > 1
    ? wrong("budget.warnAt", `expected a share above 0 and at most 1, got ${quote(budget.warnAt)}`)
    : Either.right({ usd, children, retries, warnAt })
}

const wrong = (field: string, problem: string): Either.Either<never, FieldProblem> => Either.left({ field, problem })
