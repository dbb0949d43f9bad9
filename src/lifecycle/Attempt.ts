/**
 * One attempt at a workflow, from the validated run to its completion: the life of a run.
 */
import { Cause, Effect, Either, Exit, FiberRef, RuntimeFlags, type Tracer } from "effect"
import type { BudgetExceeded, BudgetMeter } from "../cost/Budget.js"
import * as RunFiber from "../fiber/ChildFiber.js"
import { type AnyFiber, clockOf, nowOf } from "../fiber/CurrentFiber.js"
import { withWrappedTracer } from "../fiber/TracerWrapper.js"
import * as Deadline from "../run/Deadline.js"
import { fromOptions, type InvalidRunContext, type RunRequest } from "../run/NewRun.js"
import { forwardedWith } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { propagationModeFor, withSettings } from "../run/Settings.js"
import { Event, runSpanName } from "../wire/Wire.js"
import { exportFor, exportStartFor } from "./ActiveExporters.js"
import { add, remove } from "./ActiveRuns.js"
import { completedRun, describeOnSpan, type OutcomeOptions } from "./Completion.js"
import { currentRun, withRun } from "./CurrentRun.js"
import { updateFor as updateMetricsFor } from "./MetricUpdate.js"
import { type AttributeEntry, annotated, businessEntries, withoutRun } from "./RunAnnotations.js"
import { classify, type RunExit } from "./RunExit.js"
import { type Cancellation, currentScope, RunScope } from "./RunScope.js"

/** What an attempt needs to know beside the run itself. */
export interface AttemptOptions<A> extends RunRequest, OutcomeOptions<A> {
  readonly spanKind?: Tracer.SpanKind | undefined
  /** What the attempt may spend. */
  readonly budgetMeter?: BudgetMeter | undefined
  /** Why the attempt was cancelled before it began. */
  readonly cancellation?: Cancellation | undefined
}

/** The attempt before: its run, and its span where it was made in this process. */
export interface Previous {
  readonly run: Run
  readonly span?: Tracer.AnySpan | undefined
}

/** How an attempt itself may fail. */
export type AttemptError = InvalidRunContext | Deadline.DeadlineExceeded | BudgetExceeded

/** Runs `body` as one attempt, and completes the run exactly once, whatever the exit. `onOpen` learns of the attempt. */
export const attempt = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  options: AttemptOptions<A>,
  previous: Previous | undefined,
  onOpen: (opened: Previous) => void
): Effect.Effect<A, E | AttemptError, R> =>
  Effect.withFiberRuntime((caller, { runtimeFlags }) =>
    withSettings(caller, (settings) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | AttemptError, R> => {
        const parent = currentRun(caller.currentContext)
        const run = fromOptions(caller, options, parent, previous?.run, settings)
        if (Either.isLeft(run)) return Effect.fail(run.left)
        return Effect.flatMap(openSpan(caller, run.right, options, previous), (span) => {
          const opened = open(caller, run.right, span, parent, previous, options.budgetMeter)
          opened.scope.cancellation ??= options.cancellation
          onOpen({ run: run.right, span })
          const worked = work(body, caller, opened, options, { restore, runtimeFlags })
          return Effect.flatMap(Effect.exit(worked), (exit) => complete(caller, opened, exit, options))
        })
      })
    )
  )

const openSpan = (
  caller: AnyFiber,
  run: Run,
  options: AttemptOptions<never>,
  previous: Previous | undefined
): Effect.Effect<Tracer.Span> => {
  const span = Effect.makeSpan(runSpanName(run.workflow), {
    kind: options.spanKind ?? "server",
    attributes: run.toSpanAttributes(),
    captureStackTrace: false,
    ...(previous?.span && { links: [{ _tag: "SpanLink", span: previous.span, attributes: {} }] })
  })
  if (currentScope(caller.currentContext) === undefined) return span
  // What the run around it puts on spans is not this run's.
  const annotations = withoutRun(caller.getFiberRef(FiberRef.currentTracerSpanAnnotations))
  return Effect.locally(span, FiberRef.currentTracerSpanAnnotations, annotations)
}

/** A run that has begun. */
interface Opened {
  readonly scope: RunScope
  readonly span: Tracer.Span
  readonly startNanos: bigint
  /** What is known from the start of the business that the run belongs to. */
  readonly business: ReadonlyArray<AttributeEntry>
  /** What went wrong while others were told of the run; to be logged when it is over. */
  readonly trouble: Array<string>
}

/** Tells others of the run. A tracer that throws is no reason for the program to fail. */
const notifySafely = ({ trouble }: Pick<Opened, "trouble">, telling: () => void): void => {
  try {
    telling()
  } catch (error) {
    trouble.push(`telling of a run failed: ${String(error)}`)
  }
}

const open = (
  caller: AnyFiber,
  run: Run,
  span: Tracer.Span,
  parent: Run | undefined,
  previous: Previous | undefined,
  account: BudgetMeter | undefined
): Opened => {
  const around = currentScope(caller.currentContext)
  const forwarded = around?.forwarded ?? forwardedWith(parent ?? previous?.run)
  const scope = new RunScope(run, span, around, forwarded, true)
  scope.budgetMeter = account
  scope.annotations = around?.annotations
  const startNanos = clockOf(caller).unsafeCurrentTimeNanos()
  add(scope)
  const business = scope.annotations === undefined ? [] : businessEntries(scope.annotations)
  const opened: Opened = { scope, span, startNanos, business, trouble: [] }
  notifySafely(opened, () => {
    span.event(Event.started, startNanos, { run_id: run.runId, workflow: run.workflow })
    for (const [key, value] of business) span.attribute(key, value)
  })
  notifySafely(opened, () => exportStartFor(run, caller))
  return opened
}

/**
 * The body in the fiber of the run, under its deadline. Where the run was received as cancelled, or is past its deadline, it
 * ends at once and the body does not run.
 */
const work = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  caller: AnyFiber,
  { business, scope }: Opened,
  options: AttemptOptions<A>,
  { restore, runtimeFlags }: Interruptibility
): Effect.Effect<A, E | Deadline.DeadlineExceeded | BudgetExceeded, R> =>
  Effect.suspend((): Effect.Effect<A, E | Deadline.DeadlineExceeded | BudgetExceeded, R> => {
    const { budgetMeter, run } = scope
    const { deadline } = run
    const now = () => nowOf(caller)
    const mayFail = options.deadline !== undefined
    if (run.cancelled || scope.cancellation || isInterrupted(caller, runtimeFlags)) return Effect.interrupt
    if (deadline !== undefined && run.isPastDeadline(now())) return Deadline.exceeded(run, deadline, mayFail)

    if (budgetMeter?.isExceeded) return Effect.fail(budgetMeter.exceeded(run))

    const { onLogs, onSpans } = annotated(caller, run, propagationModeFor(caller), business)
    const inFiber = Effect.withFiberRuntime<A, E, R>((fiber) => {
      scope.fiber = fiber
      return withWrappedTracer(fiber, body)
    })
    // What `body` requires is in the context of its caller.
    const fiber = RunFiber.start(inFiber as Effect.Effect<A, E>, caller, {
      context: withRun(caller.currentContext, scope, scope.span),
      runtimeFlags,
      spanAnnotations: onSpans,
      logAnnotations: onLogs,
      depth: scope.depth
    })
    // It may begin later, and is cancelled before that.
    scope.fiber = fiber
    const ended = RunFiber.result(fiber)
    // A body that is over by now needs no timer.
    if (fiber.unsafePoll() !== null) return ended
    const bounded =
      deadline === undefined
        ? ended
        : Deadline.enforce(ended, deadline, now(), () =>
            scope.wasStoppedBefore(deadline) ? Effect.interrupt : Deadline.exceeded(run, deadline, mayFail)
          )
    return RunFiber.awaitInterruptibly(fiber, restore(bounded), () => {
      scope.interruptedAt = now()
    })
  })

const isInterrupted = (caller: AnyFiber, flags: RuntimeFlags.RuntimeFlags): boolean =>
  RuntimeFlags.interruptible(flags) && !Cause.isEmpty(caller.getFiberRef(FiberRef.interruptedCause))

/** That of the caller, which is the body's too. */
interface Interruptibility {
  readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly runtimeFlags: RuntimeFlags.RuntimeFlags
}

/** Completes the run, tells everyone, and gives the exit that its caller sees. */
const complete = <A, E>(
  caller: AnyFiber,
  opened: Opened,
  workExit: Exit.Exit<A, E | Deadline.DeadlineExceeded | BudgetExceeded>,
  options: AttemptOptions<A>
): Effect.Effect<A, E | Deadline.DeadlineExceeded | BudgetExceeded> => {
  const { scope, span, startNanos, trouble } = opened
  const bodyExit = overBudgetAsFailure(scope, workExit)
  const endTime = nowOf(caller)
  const endNanos = clockOf(caller).unsafeCurrentTimeNanos()
  remove(scope)
  const ended = classify(scope, bodyExit, endTime, caller.currentContext)
  const durationMs = Number(endNanos - startNanos) / 1e6
  const { completed, problem } = completedRun(scope, ended, { endTime, durationMs }, bodyExit, options)
  if (problem !== undefined) trouble.push(problem)
  scope.close(completed.run)
  notifySafely(opened, () => describeOnSpan(span, completed, endNanos))
  updateMetricsFor(completed, caller)

  notifySafely(opened, () => exportFor(completed, caller))

  const exit = deadlineAsFailure(scope, ended, bodyExit, options)
  notifySafely(opened, () => span.end(endNanos, exit))
  return trouble.length === 0 ? exit : Effect.zipRight(Effect.logWarning(trouble.join("; ")), exit)
}

/**
 * A run that passed its budget fails, also where it was its last call that passed it, so that nothing was left to interrupt.
 */
const overBudgetAsFailure = <A, E>(
  { budgetMeter, overBudgetAt, run }: RunScope,
  exit: Exit.Exit<A, E>
): Exit.Exit<A, E | BudgetExceeded> =>
  budgetMeter !== undefined &&
  overBudgetAt !== undefined &&
  (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause))
    ? Exit.fail(budgetMeter.exceeded(run))
    : exit

/**
 * A deadline that a run shares with the run in its body may interrupt that one first, and so reach this one as an
 * interruption. Its caller sees the failure that the types promise, whichever timer came first.
 */
const deadlineAsFailure = <A, E>(
  { interruptedAt, run }: RunScope,
  ended: RunExit,
  exit: Exit.Exit<A, E>,
  options: AttemptOptions<A>
): Exit.Exit<A, E | Deadline.DeadlineExceeded> =>
  ended.status === "timeout" &&
  options.deadline !== undefined &&
  run.deadline !== undefined &&
  interruptedAt === undefined &&
  Exit.isInterrupted(exit)
    ? Exit.fail(Deadline.deadlineExceeded(run, run.deadline))
    : exit
