/**
 * What all runs of a customer, of a tenant or of a workflow may cost in a period.
 */
import {
  BigDecimal,
  type Cause,
  DateTime,
  Duration,
  Effect,
  Fiber,
  FiberRef,
  Function,
  GlobalValue,
  HashSet,
  Layer,
  Option,
  Runtime,
  Schema,
  type Scope
} from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import type { Run } from "../run/Run.js"
import { quote } from "../schema/FieldText.js"
import { BudgetExceeded, BudgetPeriod, BudgetScope } from "./BudgetExceeded.js"
import { BudgetStore, type BudgetStoreService, checkSpending, inProcess, keyOf } from "./BudgetStore.js"
import type { Cost } from "./Cost.js"
import { expectedAmount, fromNonNegative, type UsdInput } from "./Usd.js"

/**
 * What may be spent, by whom, and in how long.
 *
 * @example
 * ```ts
 * import { Budget, type PeriodBudget } from "botanu-effect"
 *
 * const daily: PeriodBudget = { scope: "customer", usd: "20", per: "1 day" }
 * export const budgets = Budget.layer(daily)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface PeriodBudget {
  /** Whose runs count together: those of one customer, of one tenant, or of one workflow. */
  readonly scope: BudgetScope
  /** In US dollars. A run that begins when more was spent in the period fails. */
  readonly usd: UsdInput
  /**
   * The length of the period. Periods follow each other without a gap, from 1970-01-01T00:00:00Z on: one of `"1 day"` is a day
   * in UTC, one of `"1 hour"` a full hour. From a millisecond to a million days.
   */
  readonly per: Duration.DurationInput
}

/**
 * A budget was refused: `field` names the option that is wrong, `problem` what was expected of it.
 *
 * @example
 * ```ts
 * import { Budget, type InvalidBudget } from "botanu-effect"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.scoped(Layer.build(Budget.layer({ scope: "customer", usd: "-1", per: "1 day" }))).pipe(
 *   Effect.catchTag("InvalidBudget", (error: InvalidBudget) => Effect.log(error.field, error.problem))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category errors
 */
export class InvalidBudget extends Schema.TaggedError<InvalidBudget>()("InvalidBudget", {
  field: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.problem}`
  }
}

/**
 * Bounds what the runs of each customer, tenant or workflow cost in a period. A run that begins when more was spent fails with
 * `BudgetExceeded`, which names the scope and the period; it is on record as a failure, its body does not run, and it is not
 * retried. Runs that are under way go on: `budget` on a workflow bounds those. Layers that are merged hold together. A run
 * without a tenant is not bound by the budgets of tenants.
 *
 * `BudgetExceeded` is in the type of a workflow only where that has a `budget` of its own; `Budget.catchExceeded` catches it in
 * any case.
 *
 * What is spent is counted in the `BudgetStore` in scope. Where that fails or takes too long, a warning is logged, and the run
 * begins. Fails with `InvalidBudget` where the layer is built.
 *
 * @example
 * ```ts
 * import { Botanu, Budget, Usage } from "botanu-effect"
 * import { Console, Effect } from "effect"
 *
 * const ask = Usage.record({ kind: "other", provider: "search", operation: "query", usd: "0.60" }).pipe(
 *   Botanu.workflow("Research", { eventId: "question-3", customerId: "bigretail" })
 * )
 *
 * const program = Effect.zipRight(ask, Effect.zipRight(ask, ask)).pipe(
 *   Budget.catchExceeded(({ message }) => Console.log(message)),
 *   Effect.provide(Budget.layer({ scope: "customer", usd: 1, per: "1 day" }))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer = (budget: PeriodBudget): Layer.Layer<never, InvalidBudget> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const { per, scope, usd } = yield* validate(budget)
      const limit = new Limit(scope, usd, per, yield* BudgetStore)
      yield* Effect.addFinalizer(() => limit.settle)
      yield* activate(limit)
    })
  )

/**
 * Handles `BudgetExceeded`, of the budget of a run and of a budget over time, which no type names.
 *
 * @since 0.2.0
 * @category error handling
 */
export const catchExceeded: {
  <A2, E2, R2>(
    handle: (error: BudgetExceeded) => Effect.Effect<A2, E2, R2>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A | A2, Exclude<E, BudgetExceeded> | E2, R | R2>
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    handle: (error: BudgetExceeded) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A | A2, Exclude<E, BudgetExceeded> | E2, R | R2>
} = Function.dual(
  2,
  <A, E, R, A2, E2, R2>(
    self: Effect.Effect<A, E, R>,
    handle: (error: BudgetExceeded) => Effect.Effect<A2, E2, R2>
  ): Effect.Effect<A | A2, E | E2, R | R2> =>
    Effect.catchAll(self, (error): Effect.Effect<A2, E | E2, R2> => {
      const failure: unknown = error
      return failure instanceof BudgetExceeded ? handle(failure) : Effect.fail(error)
    })
)

interface ValidPeriodBudget {
  readonly scope: BudgetScope
  readonly usd: BigDecimal.BigDecimal
  readonly per: Duration.Duration
}

const validate = (budget: PeriodBudget): Effect.Effect<ValidPeriodBudget, InvalidBudget> => {
  const { scope } = budget
  if (!BudgetScope.literals.includes(scope)) {
    return invalid("scope", `expected one of ${BudgetScope.literals.join(", ")}, got ${quote(scope)}`)
  }
  const usd = fromNonNegative(budget.usd)
  if (usd === undefined) return invalid("usd", `expected ${expectedAmount}, got ${quote(budget.usd)}`)
  const per = Duration.decodeUnknown(budget.per).pipe(
    Option.filter((duration) => Duration.toMillis(duration) >= 1 && Duration.lessThanOrEqualTo(duration, longest))
  )
  return Option.match(per, {
    onNone: () => invalid("per", `expected a duration from a millisecond to a million days, got ${quote(budget.per)}`),
    onSome: (per) => Effect.succeed({ scope, usd, per })
  })
}

/** The end of a longer period may be no date. */
const longest = Duration.days(1_000_000)

const invalid = (field: string, problem: string) => new InvalidBudget({ field, problem })

/** How long a run that begins, and the release of the layer, wait for the store. */
const patience = Duration.seconds(5)

/** How long the store may take to count a usage. What it never answered would fill the memory. */
const longestAdding = Duration.seconds(30)

type Adding = Fiber.RuntimeFiber<void>

/** A budget, as long as its layer lasts. */
class Limit {
  /** What the store has not yet taken in, by period. */
  private readonly pending = new Map<string, Set<Adding>>()

  constructor(
    readonly scope: BudgetScope,
    readonly usd: BigDecimal.BigDecimal,
    readonly per: Duration.Duration,
    readonly store: BudgetStoreService
  ) {}

  /** The period of a run at an instant; none where the run has no tenant and those are bounded. */
  periodOf(run: Run, { epochMillis }: DateTime.Utc): BudgetPeriod | undefined {
    const id = idOf(run, this.scope)
    if (id === undefined) return undefined
    const millis = Duration.toMillis(this.per)
    const start = Math.floor(epochMillis / millis) * millis
    return new BudgetPeriod({
      scope: this.scope,
      id,
      per: this.per,
      start: DateTime.unsafeMake(start),
      end: DateTime.unsafeMake(start + millis)
    })
  }

  add(fiber: AnyFiber, period: BudgetPeriod, { _tag, usd }: Cost): void {
    const uncounted = (why: unknown) =>
      Effect.logWarning(`the budget of ${period.scope} ${quote(period.id)} could not be counted`, why)
    const added = Effect.suspend(() =>
      this.store.add(period, { usd, unpricedCalls: _tag === "Unpriced" ? 1 : 0 })
    ).pipe(Effect.catchAllCause(uncounted))
    const runtime = Runtime.make({
      context: fiber.currentContext,
      runtimeFlags: Runtime.defaultRuntimeFlags,
      fiberRefs: fiber.getFiberRefs()
    })
    const fork = Runtime.runFork(runtime)
    const adding = fork(added)
    if (adding.unsafePoll() !== null) return
    const key = keyOf(period)
    const pending = this.pending.get(key) ?? new Set()
    this.pending.set(key, pending.add(adding))
    const settled = () => {
      pending.delete(adding)
      if (pending.size === 0 && this.pending.get(key) === pending) this.pending.delete(key)
    }
    adding.addObserver(settled)
    const givenUp = Effect.suspend(() => {
      settled()
      return Effect.zipRight(
        Fiber.interruptFork(adding),
        uncounted(`it took more than ${Duration.format(longestAdding)}`)
      )
    })
    fork(
      Effect.asVoid(Fiber.await(adding)).pipe(
        Effect.timeoutTo({ duration: longestAdding, onSuccess: () => Effect.void, onTimeout: () => givenUp }),
        Effect.flatten
      )
    )
  }

  /** What the store has not yet taken in of a period. */
  pendingIn(period: BudgetPeriod): ReadonlyArray<Adding> {
    return this.pending.size === 0 ? [] : Array.from(this.pending.get(keyOf(period)) ?? [])
  }

  /** Fails where the budget is exceeded. Any of the limits may have counted what was spent in the period. */
  check(run: Run, period: BudgetPeriod, limits: Iterable<Limit>): Effect.Effect<void, BudgetExceeded> {
    const asked = Effect.suspend(() => {
      const pending = Array.from(limits).flatMap((limit) => limit.pendingIn(period))
      // What this process has spent counts in any case.
      return pending.length === 0
        ? this.store.spent(period)
        : Effect.zipRight(Fiber.awaitAll(pending), this.store.spent(period))
    })
    const answered = this.store === inProcess ? asked : inTime(Effect.flatMap(asked, checkSpending))
    const spent = answered.pipe(
      Effect.map(Option.some),
      Effect.catchAllCause((cause) =>
        Effect.as(
          Effect.logWarning(`the budget of ${period.scope} ${quote(period.id)} could not be read`, cause),
          Option.none()
        )
      )
    )
    return Effect.flatMap(spent, (spending) => {
      if (Option.isNone(spending) || BigDecimal.lessThanOrEqualTo(spending.value.usd, this.usd)) return Effect.void
      const { runId, workflow } = run
      const { unpricedCalls, usd: spentUsd } = spending.value
      return new BudgetExceeded({
        runId,
        workflow,
        budgetUsd: this.usd,
        spentUsd,
        unpricedCalls,
        scope: this.scope,
        period
      })
    })
  }

  /** Waits for the store to take in what was spent. */
  get settle(): Effect.Effect<void> {
    const pending = () => Array.from(this.pending.values()).flatMap((addings) => Array.from(addings))
    return Effect.suspend(() =>
      this.pending.size === 0
        ? Effect.void
        : Effect.timeoutTo(Effect.interruptible(Fiber.awaitAll(pending())), {
            duration: patience,
            onSuccess: () => Effect.void,
            onTimeout: () =>
              Effect.logWarning(`the budget store did not count ${pending().length} usages of a ${this.scope} in time`)
          }).pipe(Effect.flatten)
    )
  }
}

/** A store that hangs is not waited for, even where what it does cannot be interrupted. */
const inTime = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | Cause.TimeoutException> =>
  work.pipe(Effect.disconnect, Effect.interruptible, Effect.timeout(patience))

const idOf = (run: Run, scope: BudgetScope): string | undefined => {
  if (scope === "customer") return run.customerId
  return scope === "tenant" ? run.tenantId : run.workflow
}

const currentLimits = GlobalValue.globalValue("botanu/PeriodBudget", () =>
  FiberRef.unsafeMakeHashSet<Limit>(HashSet.empty())
)

const activate = (limit: Limit): Effect.Effect<void, never, Scope.Scope> =>
  Effect.locallyScopedWith(currentLimits, HashSet.add(limit))

/** Counts what a call of a run cost against the budgets in scope: once in each store, whichever layers name the same. */
export const spendFor = (fiber: AnyFiber, run: Run, cost: Cost): void => {
  const limits = fiber.getFiberRef(currentLimits)
  if (HashSet.size(limits) === 0 || (cost._tag === "Priced" && BigDecimal.isZero(cost.usd))) return
  const counted: Array<readonly [BudgetStoreService, BudgetPeriod]> = []
  for (const limit of limits) {
    const period = limit.periodOf(run, nowOf(fiber))
    if (period === undefined || counted.some(([store, other]) => store === limit.store && isSame(period, other)))
      continue
    counted.push([limit.store, period])
    limit.add(fiber, period, cost)
  }
}

const isSame = (one: BudgetPeriod, other: BudgetPeriod): boolean =>
  one.scope === other.scope && Duration.equals(one.per, other.per)

/** `body`, the work on a run, unless a budget in scope is exceeded. */
export const withinBudgets = <A, E, R>(
  fiber: AnyFiber,
  run: Run,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E | BudgetExceeded, R> => {
  const limits = fiber.getFiberRef(currentLimits)
  if (HashSet.size(limits) === 0) return body
  const checks = Array.from(limits, (limit) => {
    const period = limit.periodOf(run, nowOf(fiber))
    return period === undefined ? Effect.void : limit.check(run, period, limits)
  })
  return Effect.zipRight(Effect.all(checks, { discard: true }), body)
}
