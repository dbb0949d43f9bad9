/**
 * Where the usage of a call goes: the run in which it began, whoever ends it.
 */
import type { Context, Tracer } from "effect"
import { modelCallAround, type OpenCall } from "../Call.js"
import type { AnyFiber } from "../FiberClock.js"
import type { Run } from "../Run.js"
import { currentRun } from "../RunContext.js"
import { type RunScope, scopeOf } from "../RunScope.js"
import { unsafeRecord } from "../RunUsage.js"
import type { UsageDetails } from "../UsageRecord.js"

export class CallSite {
  private constructor(
    readonly run: Run,
    readonly scope: RunScope | undefined,
    /** A tracked call around this one, which may be one and the same. */
    private readonly tracked: OpenCall | undefined
  ) {}

  /** None outside of a run. */
  static in(context: Context.Context<never>): CallSite | undefined {
    const run = currentRun(context)
    return run && new CallSite(run, scopeOf(context, run), modelCallAround(context))
  }

  /** What `further` says comes before the details. */
  record(
    fiber: AnyFiber,
    span: Tracer.Span | undefined,
    details: UsageDetails,
    further: Partial<UsageDetails> = {}
  ): void {
    const { run, scope, tracked } = this
    const place = { run, scope, span }
    if (tracked === undefined) unsafeRecord(fiber, place, details, further)
    else {
      const record = () => unsafeRecord(fiber, place, details, further)
      tracked.absorb({ details: { ...details, ...further }, scope, record })
    }
  }
}
