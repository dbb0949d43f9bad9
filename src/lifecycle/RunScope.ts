/**
 * The run in scope: beside its immutable record, all that changes while it is worked on in this process. It travels in the
 * fiber's context next to `RunContext`, so that what is said of a run at any depth finds it.
 */
import { Cause, Context, type DateTime, FiberId, FiberRef, type Tracer } from "effect"
import type { BudgetMeter } from "../cost/Budget.js"
import type { UsageTotals } from "../cost/CostTotals.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import type { FiberRegion } from "../fiber/FiberRegion.js"
import type { Outcome } from "../run/OutcomeRecord.js"
import type { Forwarded } from "../run/RemoteContext.js"
import type { AttributeValue, Run } from "../run/Run.js"

/** Why and when a run was cancelled. */
export interface Cancellation {
  readonly reason: string
  readonly at: DateTime.Utc
}

/** The work on a run: the fiber that does it, and the region of that fiber in which it does. */
export interface Work {
  readonly fiber: AnyFiber
  /** None where a joined run has nothing by which it could be stopped. */
  readonly region?: FiberRegion
  /** Whether the work ends when its caller is interrupted. */
  readonly isInterruptible: boolean
}

/** What stopped a run, where it was not its caller. */
export type StoppedBy = "cancellation" | "deadline" | "budget"

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
  /** The work on the run; none where it is done elsewhere. */
  work: Work | undefined = undefined
  private isDeadlineReached = false
  /** Work on the run in fibers that were not started by it. */
  private joined: Set<FiberRegion> | undefined = undefined
  private closedAs: Run | undefined = undefined

  constructor(
    readonly run: Run,
    /** The span that outcomes go to: the run's own, or the one that was current when the run was joined. */
    readonly span: Tracer.AnySpan | undefined,
    /** The enclosing run, as long as this one is not over. */
    public parent: RunScope | undefined,
    /** What came in with the run, or with an enclosing run, and goes out again. */
    readonly forwarded: Forwarded,
    /** Whether the run was started here; else it was joined, and is completed where it was started. */
    readonly isOwned: boolean
  ) {}

  /** Whether the run is over, so that nothing can be added to it. */
  get isClosed(): boolean {
    return this.closedAs !== undefined
  }

  /** Whether the work on the run is being stopped, or was. A run of which this is true does not end as a success. */
  get isCancelled(): boolean {
    if (this.stoppedBy !== undefined) return true
    if (this.closedAs !== undefined) return this.closedAs.cancelled
    return this.run.cancelled || this.isInterrupted
  }

  /** What stopped this run. The first counts. */
  get stoppedBy(): StoppedBy | undefined {
    if (this.isDeadlineReached) return "deadline"
    if (this.overBudgetAt !== undefined) return "budget"
    return this.cancellation === undefined ? undefined : "cancellation"
  }

  /** This run or the innermost enclosing one that was stopped. */
  get stopped(): RunScope | undefined {
    let scope: RunScope | undefined = this
    while (scope !== undefined && scope.stoppedBy === undefined) scope = scope.parent
    return scope
  }

  private get isInterrupted(): boolean {
    const { work } = this
    return work?.isInterruptible === true && !Cause.isEmpty(work.fiber.getFiberRef(FiberRef.interruptedCause))
  }

  /** Interrupts the work on the run, and not its caller. */
  interrupt(by: FiberId.FiberId): void {
    this.work?.region?.interrupt(by)
    this.interruptJoined(by)
  }

  private interruptJoined(by: FiberId.FiberId): void {
    for (const region of this.joined ?? []) region.interrupt(by)
  }

  /** Takes what a fiber does as work on the run too, until the function is called that this gives. */
  join(region: FiberRegion): () => void {
    this.joined ??= new Set()
    this.joined.add(region)
    return () => {
      this.joined?.delete(region)
    }
  }

  /** The deadline has come: stops this run, and the enclosing runs that have the same deadline, outermost first. */
  reachDeadline(): void {
    const { parent, run, work } = this
    if (parent?.run.deadline?.epochMillis === run.deadline?.epochMillis) parent?.reachDeadline()
    if (this.isClosed || this.isCancelled) return
    this.isDeadlineReached = true
    if (work !== undefined) this.interrupt(work.fiber.id())
  }

  /**
   * Marks the run as over, and lets go of what it held: daemons that start runs that start daemons would else keep all of
   * their ancestors alive.
   */
  close(run: Run): void {
    // A run that was stopped stops those who joined it, however it was. One that is done leaves them to themselves.
    if (this.joined !== undefined && this.isCancelled) this.interruptJoined(this.work?.fiber.id() ?? FiberId.none)
    this.closedAs = run
    this.work = undefined
    this.usageTotals = undefined
    this.parent = undefined
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
export const annotatedSpan = (scope: RunScope | undefined, fiber: AnyFiber): Tracer.Span | undefined => {
  const span = scope?.span?._tag === "Span" ? scope.span : fiber.currentSpan
  return span?._tag === "Span" ? span : undefined
}
