/**
 * Where the usage of a call goes: the run in which it began, whichever fiber ends it.
 */
import type { Context, Tracer } from "effect"
import type { UsageDetails } from "../cost/UsageRecord.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { currentStep } from "../lifecycle/CurrentStep.js"
import { type RunScope, scopeOf } from "../lifecycle/RunScope.js"
import type { Run } from "../run/Run.js"
import { enclosingModelCall, type OpenCall } from "../tracking/OpenCall.js"
import { recordFor } from "../tracking/UsageRecorder.js"

export class CallSite {
  private constructor(
    readonly run: Run,
    readonly scope: RunScope | undefined,
    private readonly step: string | undefined,
    /** An enclosing tracked call, which may be the same call. */
    private readonly tracked: OpenCall | undefined
  ) {}

  /** None outside of a run. */
  static in(context: Context.Context<never>): CallSite | undefined {
    const run = currentRun(context)
    return run && new CallSite(run, scopeOf(context, run), currentStep(context)?.name, enclosingModelCall(context))
  }

  /** What `further` says comes before the details. */
  record(
    fiber: AnyFiber,
    span: Tracer.Span | undefined,
    details: UsageDetails,
    further: Partial<UsageDetails> = {}
  ): void {
    const { run, scope, step, tracked } = this
    const place = { run, scope, span, step }
    if (tracked === undefined) recordFor(fiber, place, details, further)
    else {
      const record = () => recordFor(fiber, place, details, further)
      tracked.absorb({ details: { ...details, ...further }, scope, record })
    }
  }
}
