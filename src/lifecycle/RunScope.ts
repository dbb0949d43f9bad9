/**
 * The run in scope: beside its immutable record, all that changes while it is worked on in this process. It travels in the
 * fiber's context next to `RunContext`, so that what is said of a run at any depth finds it.
 */
import { Cause, Context, type DateTime, type Fiber, type FiberId, FiberRef, type Tracer } from "effect"
import type { BudgetMeter } from "../cost/Budget.js"
import type { UsageTotals } from "../cost/CostTotals.js"
import type { Outcome } from "../run/OutcomeRecord.js"
import type { Forwarded } from "../run/RemoteContext.js"
import type { AttributeValue, Run } from "../run/Run.js"

/** Why and when a run was cancelled. */
export interface Cancellation {
  readonly reason: string
  readonly at: DateTime.Utc
}

export class RunScope {
  /** What the program said last. */
  outcome: Outcome | undefined = undefined
  cancellation: Cancellation | undefined = undefined
  /** What calls consumed and cost; none before the first. */
  usageTotals: UsageTotals | undefined = undefined
  /** What may be spent, where that is bounded. */
  budgetMeter: BudgetMeter | undefined = undefined
  /** When the cost passed the budget and the run was interrupted for it. */
  overBudgetAt: DateTime.Utc | undefined = undefined
  /** What the program said of the business that the run belongs to. */
  annotations: Readonly<Record<string, AttributeValue>> | undefined = undefined
  /** When an interruption from outside of the run arrived. */
  interruptedAt: DateTime.Utc | undefined = undefined
  /** The fiber that works on the run; none before it starts, and none where the run is owned elsewhere. */
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  /** How many runs of this process are around this one. */
  readonly depth: number
  private closedAs: Run | undefined = undefined

  constructor(
    readonly run: Run,
    /** The span that outcomes go to: the run's own, or the one that was current when the run was joined. */
    readonly span: Tracer.AnySpan | undefined,
    /** The run around this one, as long as this one is not over. */
    public parent: RunScope | undefined,
    /** What came in with the run, or with a run around it, and goes out again. */
    readonly forwarded: Forwarded,
    /** Whether the run was started here; else it was joined, and is completed by whoever started it. */
    readonly isOwned: boolean
  ) {
    this.depth = parent === undefined ? 0 : parent.depth + 1
  }

  /** Whether the run is over, so that nothing can be added to it. */
  get isClosed(): boolean {
    return this.closedAs !== undefined
  }

  /** Whether the work on the run is being stopped, or was. */
  get isCancelled(): boolean {
    if (this.closedAs !== undefined) return this.closedAs.cancelled
    if (this.run.cancelled || this.cancellation !== undefined) return true
    return this.fiber !== undefined && !Cause.isEmpty(this.fiber.getFiberRef(FiberRef.interruptedCause))
  }

  /** Interrupts the work on the run, and not its caller. */
  interrupt(by: FiberId.FiberId): void {
    this.fiber?.unsafeInterruptAsFork(by)
  }

  /**
   * Marks the run as over, and lets go of what it held: daemons that start runs that start daemons would else keep all of
   * their ancestors alive.
   */
  close(run: Run): void {
    this.closedAs = run
    this.fiber = undefined
    this.usageTotals = undefined
    this.parent = undefined
  }

  /** Whether the run was stopped before an instant at which it was still at its finalizers. */
  wasStoppedBefore(instant: DateTime.Utc): boolean {
    const stoppedAt = this.cancellation?.at ?? this.overBudgetAt
    return stoppedAt !== undefined && stoppedAt.epochMillis < instant.epochMillis
  }

  /** Why the run, or a run around it, was cancelled. */
  get cancellationReason(): string | undefined {
    if (this.cancellation !== undefined) return this.cancellation.reason
    for (let scope = this.parent; scope !== undefined; scope = scope.parent) {
      if (scope.cancellation !== undefined) return scope.cancellation.reason
      if (scope.overBudgetAt !== undefined) return "budget_exceeded"
    }
    return undefined
  }
}

/** Where a fiber's context holds the `RunScope`. */
export class CurrentRunScope extends Context.Tag("botanu/RunScope")<CurrentRunScope, RunScope>() {}

/** The scope that a context holds, if any. */
export const currentScope = (context: Context.Context<never>): RunScope | undefined =>
  context.unsafeMap.get(CurrentRunScope.key) as RunScope | undefined

/** The scope that a context holds for `run`; none where the run was provided without one. */
export const scopeOf = (context: Context.Context<never>, run: Run): RunScope | undefined => {
  const scope = currentScope(context)
  return scope?.run === run ? scope : undefined
}

/**
 * The span on which something is said of a run: its own, or the one under which it was joined. A run that was joined where no
 * span was open stands under its sender's, which is not here, so then it is the span that is open in the fiber.
 */
export const annotatedSpan = (
  scope: RunScope | undefined,
  fiber: Fiber.RuntimeFiber<unknown, unknown>
): Tracer.Span | undefined => {
  const span = scope?.span?._tag === "Span" ? scope.span : fiber.currentSpan
  return span?._tag === "Span" ? span : undefined
}
