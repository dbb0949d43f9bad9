/**
 * One entry into the body of a durable execution. The engine enters it from the top whenever the execution goes on: what is recorded
 * of the run is put together anew from stored results, and the run is completed by the entry that ends the execution.
 */
import { type Activity, DurableClock, DurableDeferred, Workflow, type WorkflowEngine } from "@effect/workflow"
import {
  Cause,
  Context,
  type DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  type FiberId,
  RuntimeFlags,
  Schema,
  Scope,
  type Tracer
} from "effect"
import type { BudgetMeter } from "../cost/Budget.js"
import { type RecordedUsage, UsageTotals } from "../cost/CostTotals.js"
import { type AnyFiber, clockOf, nowOf } from "../fiber/CurrentFiber.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { Timer } from "../fiber/Timer.js"
import { wrappedServices, yieldAfter } from "../fiber/TracerWrapper.js"
import { flushFor } from "../lifecycle/ActiveExporters.js"
import { type ActiveRun, add, remove } from "../lifecycle/ActiveRuns.js"
import type { ActivityHistory } from "../lifecycle/ActivityHistory.js"
import { complete } from "../lifecycle/Completion.js"
import { withRun } from "../lifecycle/CurrentRun.js"
import { annotated, businessEntries, isRunAnnotation } from "../lifecycle/RunAnnotations.js"
import type { OutcomeOptions } from "../lifecycle/RunEnd.js"
import { exitForCaller, overBudgetAsFailure } from "../lifecycle/RunExit.js"
import type { RunScope } from "../lifecycle/RunScope.js"
import { attempted, type Trouble, textOf } from "../lifecycle/Trouble.js"
import type { RunOptions } from "../run/NewRun.js"
import type { Forwarded } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { make as makeRunId } from "../run/RunId.js"
import { propagationModeFor } from "../run/Settings.js"
import { noticingModelCalls } from "../tracking/UnrecordedModelCalls.js"
import { stop } from "../tracking/UsageRecorder.js"
import { Event, runSpanName } from "../wire/Wire.js"
import * as BodyUsages from "./BodyUsages.js"
import { cutOff } from "./CutOffUsages.js"
import { EntryScope } from "./EntryScope.js"
import { PendingSpan } from "./PendingSpan.js"
import type { AnyOptions } from "./RunOptions.js"
import { begunAt, type SpanPlace } from "./RunSpan.js"
import type { Stored } from "./StoredActivity.js"
import type { UnstoredUsages } from "./UnstoredUsages.js"

/** What entries of all executions share. */
export interface Durable {
  /** The engine that is wrapped. */
  readonly engine: WorkflowEngine.WorkflowEngine["Type"]
  readonly unstored: UnstoredUsages
  readonly history: ActivityHistory["Type"]
}

/** What is known of an execution when its body is entered. */
export interface Execution {
  readonly workflow: Workflow.Any
  readonly executionId: string
  readonly options: AnyOptions
  readonly request: RunOptions
  readonly run: Run
  readonly budgetMeter: BudgetMeter | undefined
  /** None where the run is not traced. */
  readonly place: SpanPlace | undefined
  readonly forwarded: Forwarded
  /** Whether the run began in this entry, so that nothing of the execution was requested before. */
  readonly isFirstEntry: boolean
  readonly enteredAt: DateTime.Utc
  readonly instance: WorkflowEngine.WorkflowInstance["Type"]
}

/** The reason why an execution was cancelled, which reaches it in whatever process it goes on. */
export const Cancellation = DurableDeferred.make("botanu/cancel", { success: Schema.String })

/** Where the context of a durable execution holds the entry. */
export class CurrentDurableRun extends Context.Tag("botanu/RunWorkflow/DurableRun")<CurrentDurableRun, DurableRun>() {}

/** The entry that a fiber works in, if any. */
export const currentDurableRun = (context: Context.Context<never>): DurableRun | undefined =>
  context.unsafeMap.get(CurrentDurableRun.key) as DurableRun | undefined

type Exits = Exit.Exit<unknown, unknown>
type Body = Effect.Effect<
  unknown,
  unknown,
  WorkflowEngine.WorkflowEngine | WorkflowEngine.WorkflowInstance | Scope.Scope
>

export class DurableRun implements ActiveRun {
  readonly run: Run
  readonly scope: EntryScope
  /** Whether the body is over, and what it left to do is done. */
  isEnding = false
  /** Whether the execution went on without this entry. */
  isOver = false
  cancellation: ActiveRun["cancellation"] = undefined
  /** Scopes of the activities that are at work. */
  readonly activityScopes = new Set<RunScope>()
  readonly span: PendingSpan | undefined
  private readonly startNanos: bigint
  /** What was recorded in activities, or in entries before. */
  private readonly fromResults = new Set<RecordedUsage>()
  /** What the body consumed in entries that this process knows of, by their ids. */
  private readonly entries = new Map<string, ReadonlyArray<RecordedUsage>>()
  /** Activities whose execution began in this entry. */
  private readonly begun = new Set<string>()

  constructor(
    readonly durable: Durable,
    readonly execution: Execution,
    private readonly cancel: (reason: string) => void
  ) {
    const { budgetMeter, forwarded, place, run } = execution
    this.run = run
    this.startNanos = BigInt(run.startTime.epochMillis) * 1_000_000n
    this.span = place && new PendingSpan(runSpanName(run.workflow), place.own, this.startNanos)
    this.span?.event(Event.started, this.startNanos, { run_id: run.runId, workflow: run.workflow })
    this.scope = new EntryScope(run, this.span, undefined, forwarded, true)
    this.scope.budgetMeter = budgetMeter
  }

  /** A span that collects what is recorded on the run while an activity is executed. */
  collector(): PendingSpan | undefined {
    const { place, run } = this.execution
    return place && new PendingSpan(runSpanName(run.workflow), place.own, this.startNanos)
  }

  /** `Botanu.cancel` in this process is the engine's interruption. */
  interrupt(_by: FiberId.FiberId): void {
    this.cancel(this.cancellation?.reason ?? "cancelled")
  }

  scopeOf(run: Run): RunScope | undefined {
    for (const scope of this.activityScopes) if (scope.run === run) return scope
    return this.scope.run === run ? this.scope : undefined
  }

  /** The work of the body in this entry. It does not complete the run: `end` does, when the engine has the exit. */
  work(body: Body): Effect.Effect<unknown, unknown, WorkflowEngine.WorkflowInstance> {
    return Effect.withFiberRuntime<unknown, unknown, WorkflowEngine.WorkflowInstance>((outer) =>
      Effect.uninterruptibleMask((restore) => {
        add(this)
        this.takeEntries()
        // A fiber of its own: an entry that suspends interrupts it, and may be at its deadline.
        return Effect.flatMap(Effect.fork(restore(this.inside(body))), (inner) =>
          Effect.flatMap(
            Effect.exit(Effect.onInterrupt(restore(Fiber.await(inner)), () => Fiber.interrupt(inner))),
            (exit) => {
              this.scope.work = undefined
              return Exit.isSuccess(exit) ? this.leave(outer, exit.value) : Effect.zipRight(this.pause(), exit)
            }
          )
        )
      })
    ) as never
  }

  private inside(body: Body): Effect.Effect<unknown, unknown, never> {
    return Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
      const { run, scope } = this
      const region = new FiberRegion(fiber)
      scope.work = { fiber, region, isInterruptible: RuntimeFlags.interruptible(runtimeFlags) }
      const { deadline } = run
      // At the deadline of an entry that was woken by it, the body is entered: it has compensations to register.
      const timer =
        deadline === undefined || run.isPastDeadline(nowOf(fiber))
          ? undefined
          : new Timer(fiber, deadline.epochMillis, () => scope.reachDeadline())
      const worked = Effect.uninterruptibleMask((restore) =>
        inRegion(
          fiber,
          restore(Effect.withFiberRuntime((inner) => noticingModelCalls(inner, run, body))) as Effect.Effect<
            unknown,
            unknown
          >,
          {
            region,
            context: this.context(fiber.currentContext),
            services: wrappedServices(fiber),
            ...annotated(fiber, run, propagationModeFor(fiber)),
            isOwnAnnotation: isRunAnnotation,
            endsChildren: () => true,
            onExit: (exit) => {
              timer?.stop()
              return exit
            }
          }
        )
      )
      return yieldAfter(fiber, worked)
    })
  }

  private context(outer: Context.Context<never>): Context.Context<never> {
    return Context.add(withRun(outer, this.scope, this.span), CurrentDurableRun, this) as Context.Context<never>
  }

  /** What the engine sees of the exit of the body. */
  private leave(fiber: AnyFiber, exit: Exits): Effect.Effect<unknown, unknown, WorkflowEngine.WorkflowInstance> {
    const { instance, options } = this.execution
    const { scope } = this
    const caller = { fiberId: fiber.id(), mayFail: options.deadline !== undefined }
    const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    if (!isInterrupted || scope.stoppedBy !== undefined) {
      const seen = overBudgetAsFailure(scope, exitForCaller(scope, exit, caller))
      if (scope.stoppedBy !== undefined && seen !== exit) instance.suspended = false
      return seen
    }
    if (!instance.suspended) return Effect.zipRight(this.pause(), exit)
    return Effect.flatMap(this.isAtDeadline(fiber), (isAtDeadline) => {
      if (!isAtDeadline) return Effect.zipRight(Effect.zipRight(this.wakeAtDeadline(fiber), this.pause()), exit)
      instance.suspended = false
      scope.reachDeadline()
      return exitForCaller(scope, exit, caller)
    })
  }

  private isAtDeadline(fiber: AnyFiber): Effect.Effect<boolean, never, WorkflowEngine.WorkflowInstance> {
    const { run } = this
    if (run.deadline === undefined) return Effect.succeed(false)
    if (run.isPastDeadline(nowOf(fiber))) return Effect.succeed(true)
    // The clocks of two machines differ. One that rang has the last word.
    return Effect.map(
      this.durable.engine.deferredResult(deadlineClock(Duration.zero).deferred),
      (rang) => rang !== undefined
    )
  }

  private wakeAtDeadline(fiber: AnyFiber): Effect.Effect<void> {
    const { executionId, workflow } = this.execution
    const { deadline } = this.run
    if (deadline === undefined) return Effect.void
    const clock = deadlineClock(Duration.millis(Math.max(0, deadline.epochMillis - nowOf(fiber).epochMillis)))
    return this.durable.engine.scheduleClock(workflow, { executionId, clock })
  }

  /** The entry is over, and the run is not. */
  private pause(): Effect.Effect<void, never, WorkflowEngine.WorkflowInstance> {
    remove(this)
    this.isOver = true
    const { execution, run } = this
    const { engine, history, unstored } = this.durable
    const { executionId, instance } = execution
    const outside = this.ownUsages
    const keep = (id: string): void => {
      if (outside.length > 0) this.entries.set(id, outside)
      for (const [id, usages] of this.entries) unstored.addEntry(executionId, id, usages)
    }
    if (outside.length === 0) return Effect.sync(() => keep(""))
    const isStored = instance.suspended && history.endsWithProcess !== true
    const warning = Effect.logWarning(
      `run ${run.runId} of workflow "${run.workflow}" made ${outside.length} calls outside of activities before it was suspended. ` +
        `It makes them again when it goes on, and they count again${isStored ? "" : ". They are known in this process only"}`
    )
    return Effect.flatMap(makeRunId, (id) => {
      keep(id)
      return Effect.zipRight(warning, isStored ? BodyUsages.add(engine, { id, usages: outside }) : Effect.void)
    })
  }

  /** What was recorded outside of activities in this entry. */
  private get ownUsages(): ReadonlyArray<RecordedUsage> {
    return (this.scope.usageTotals?.usages ?? []).filter((usage) => !this.fromResults.has(usage))
  }

  /** What the body consumed in entries before, as far as this process knows. */
  private takeEntries(): void {
    for (const [id, usages] of this.durable.unstored.takeEntries(this.execution.executionId)) {
      this.entries.set(id, usages)
      for (const usage of usages) this.addStored(usage)
    }
  }

  /** What the body consumed in entries in other processes. A body without calls of its own had none there. */
  private get entriesElsewhere(): Effect.Effect<void, never, WorkflowEngine.WorkflowInstance> {
    const { entries, execution, run } = this
    const { engine, history } = this.durable
    if (execution.isFirstEntry || history.endsWithProcess === true || this.ownUsages.length === 0) return Effect.void
    return BodyUsages.all(engine).pipe(
      Effect.flatMap((stored) =>
        Effect.withFiberRuntime<void>((fiber) => {
          // An entry that was suspended stored what it consumed. Where none did, one was cut off.
          if (stored.length === 0 && entries.size === 0) {
            for (const usage of cutOff(fiber, run.workflow, 1)) this.addStored(usage)
          }
          for (const { id, usages } of stored) {
            if (!entries.has(id)) for (const usage of usages ?? []) this.addStored(usage)
          }
          return Effect.void
        })
      ),
      Effect.catchAllCause((cause) =>
        Effect.logWarning(
          `what run ${run.runId} of workflow "${run.workflow}" called outside of activities is not known`,
          cause
        )
      )
    )
  }

  /** Whether an activity is begun for the first time in this entry. */
  begin(place: string): boolean {
    if (this.begun.has(place)) return false
    this.begun.add(place)
    return true
  }

  /** Takes in what was recorded while an activity was executed, in this entry or before. */
  receive(fiber: AnyFiber, activity: Activity.Any, { record, stoppedBy }: Stored): Effect.Effect<void> {
    const { scope } = this
    let warning: Effect.Effect<void> = Effect.void
    if (record._tag === "Left") {
      warning = Effect.logWarning(`what activity "${activity.name}" recorded on its run cannot be read: ${record.left}`)
    } else if (record.right !== undefined) {
      const { annotations, events, outcome, usages } = record.right
      for (const usage of usages) this.addStored(usage)
      if (outcome !== undefined) scope.outcome = outcome
      for (const { attributes, name, time } of events) this.span?.event(name, time, attributes)
      if (annotations !== undefined) {
        scope.annotations = { ...scope.annotations, ...annotations }
        for (const [key, value] of businessEntries(annotations)) this.span?.attribute(key, value)
      }
    }
    if (!this.isEnding) {
      if (stoppedBy === "deadline") scope.reachDeadline()
      if (scope.budgetMeter?.isExceeded === true) stop(fiber, scope)
    }
    return warning
  }

  private addStored(usage: RecordedUsage): void {
    this.fromResults.add(usage)
    this.addUsage(usage)
  }

  private addUsage(usage: RecordedUsage): void {
    const { scope } = this
    scope.usageTotals ??= new UsageTotals()
    scope.usageTotals.add(usage)
    scope.budgetMeter?.spend(usage.cost)
    // It was logged where it was spent.
    scope.budgetMeter?.takeWarning()
  }

  /** Ends the entry with the exit of the execution: what was left to be undone is undone, and the run is completed. */
  end(exit: Exits, held: Scope.CloseableScope): Effect.Effect<void, never, WorkflowEngine.WorkflowInstance> {
    // The engine ends a workflow whose process shuts down like one that was interrupted, and goes on with it elsewhere.
    if (!this.isFinal(exit))
      return Effect.zipRight(
        Scope.close(held, Exit.void),
        Effect.sync(() => remove(this))
      )
    this.isEnding = true
    this.scope.work = undefined
    return Scope.close(held, exit).pipe(
      Effect.zipRight(this.entriesElsewhere),
      Effect.zipRight(this.cancellationReason),
      Effect.flatMap((reason) => Effect.withFiberRuntime<void>((fiber) => this.complete(fiber, exit, reason))),
      Effect.ensuring(Effect.sync(() => remove(this)))
    )
  }

  private isFinal(exit: Exits): boolean {
    const { instance, workflow } = this.execution
    if (Exit.isSuccess(exit)) return true
    if (Cause.isInterruptedOnly(exit.cause)) return instance.interrupted
    return !Cause.isDie(exit.cause) || Context.get(workflow.annotations, Workflow.CaptureDefects)
  }

  private get cancellationReason(): Effect.Effect<string | undefined, never, WorkflowEngine.WorkflowInstance> {
    if (!this.execution.instance.interrupted) return Effect.succeed(undefined)
    return Effect.map(this.durable.engine.deferredResult(Cancellation), (known) =>
      known !== undefined && Exit.isSuccess(known) ? known.value : undefined
    )
  }

  private complete(fiber: AnyFiber, exit: Exits, reason: string | undefined): Effect.Effect<void> {
    const { executionId, options, request } = this.execution
    const { scope, span } = this
    // An entry that was suspended may be the one that ends.
    for (const [id, usages] of this.durable.unstored.takeEntries(executionId)) {
      if (!this.entries.has(id)) for (const usage of usages) this.addUsage(usage)
    }
    for (const usage of this.durable.unstored.takeAll(executionId)) this.addUsage(usage)
    if (reason !== undefined) scope.cancellation = { reason, at: nowOf(fiber) }
    const trouble: Trouble = []
    // The clock of the machine on which the run began may be ahead.
    const now = clockOf(fiber).unsafeCurrentTimeNanos()
    const startNanos = this.startNanos < now ? this.startNanos : now
    return Effect.flatMap(this.realSpan(startNanos, trouble), (real) => {
      attempted(trouble, "recording a run on its span", () => span?.copyTo(real))
      const opened = { scope, span: real, startNanos, business: [], trouble }
      const { autoOutcome, outcome } = options as OutcomeOptions<unknown>
      const completed = complete<unknown, unknown>(fiber, opened, exit, { ...request, autoOutcome, outcome })
      return Effect.zipRight(Effect.exit(completed), flushFor(fiber))
    })
  }

  private realSpan(startNanos: bigint, trouble: Trouble): Effect.Effect<Tracer.Span> {
    const { options, place } = this.execution
    const { run } = this
    const none = Effect.withTracerEnabled(
      Effect.makeSpan(runSpanName(run.workflow), { captureStackTrace: false }),
      false
    )
    if (place === undefined) return none
    return Effect.catchAllCause(begunAt(run, options.spanKind ?? "server", place, startNanos), (cause) => {
      trouble.push(`making the span of a run failed: ${textOf(Cause.squash(cause))}`)
      return none
    })
  }
}

const deadlineClock = (duration: Duration.Duration): DurableClock.DurableClock =>
  DurableClock.make({ name: "botanu/deadline", duration })
