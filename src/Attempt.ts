/**
 * One attempt at a workflow, from the validated run to its completion: the life of a run.
 */
import {
  Clock,
  Context,
  DateTime,
  Effect,
  Either,
  Exit,
  type Fiber,
  FiberRef,
  FiberRefs,
  type RuntimeFlags,
  Tracer
} from "effect"
import { unsafeAdd, unsafeRemove } from "./ActiveRuns.js"
import { unsafePropagationMode } from "./BotanuConfig.js"
import { CompletedRun } from "./CompletedRun.js"
import * as Deadline from "./Deadline.js"
import { fromOptions, type InvalidRunContext, type RunOptions } from "./NewRun.js"
import * as Outcome from "./Outcome.js"
import { type AttributeValue, Run } from "./Run.js"
import { currentRun, RunContext } from "./RunContext.js"
import { classify, type RunExit } from "./RunExit.js"
import { unsafeExport } from "./RunExporter.js"
import * as RunFiber from "./RunFiber.js"
import * as RunMetrics from "./RunMetrics.js"
import { annotated, CurrentRunScope, foreignOf, RunScope, withoutRun } from "./RunScope.js"
import type { RunStatus } from "./RunStatus.js"
import { Attribute, Event, runSpanName } from "./Wire.js"

/** What an attempt needs to know beside the run itself. */
export interface AttemptOptions<A> extends RunOptions {
  readonly spanKind?: Tracer.SpanKind | undefined
  readonly autoOutcome?: boolean | undefined
  readonly outcome?: ((result: A) => OutcomeOfResult) | undefined
}

/** What the `outcome` option says of a result. */
export interface OutcomeOfResult extends Outcome.OutcomeDetails {
  readonly status: RunStatus
}

/** The attempt before: its run, and its span where it was made in this process. */
export interface Previous {
  readonly run: Run
  readonly span?: Tracer.AnySpan | undefined
}

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Runs `body` as one attempt, and completes the run exactly once, whatever the exit. `onOpen` learns of the attempt. */
export const attempt = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  options: AttemptOptions<A>,
  previous: Previous | undefined,
  onOpen: (opened: Previous) => void
): Effect.Effect<A, E | InvalidRunContext | Deadline.DeadlineExceeded, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((caller) => {
      const parent = currentRun(caller.currentContext)
      const run = fromOptions(caller, options, parent, previous?.run)
      if (Either.isLeft(run)) return Effect.fail(run.left)
      return Effect.flatMap(openSpan(caller, run.right, options, previous), (span) => {
        const opened = open(caller, run.right, span, parent, previous)
        onOpen({ run: run.right, span })
        return Effect.flatMap(Effect.exit(restore(work(body, opened.scope, options))), (exit) =>
          complete(caller, opened, exit, options)
        )
      })
    })
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
  if (!caller.currentContext.unsafeMap.has(CurrentRunScope.key)) return span
  // What the run around it puts on spans is not this run's.
  const annotations = withoutRun(caller.getFiberRef(FiberRef.currentTracerSpanAnnotations))
  return Effect.locally(span, FiberRef.currentTracerSpanAnnotations, annotations)
}

/** A run that has begun. */
interface Opened {
  readonly scope: RunScope
  readonly span: Tracer.Span
  readonly startNanos: bigint
}

const open = (
  caller: AnyFiber,
  run: Run,
  span: Tracer.Span,
  parent: Run | undefined,
  previous: Previous | undefined
): Opened => {
  const around = caller.currentContext.unsafeMap.get(CurrentRunScope.key) as RunScope | undefined
  const foreign = around?.foreign ?? foreignOf(parent ?? previous?.run)
  const scope = new RunScope(run, span, around, foreign, true)
  const startNanos = clockOf(caller).unsafeCurrentTimeNanos()
  unsafeAdd(scope)
  span.event(Event.started, startNanos, { run_id: run.runId, workflow: run.workflow })
  return { scope, span, startNanos }
}

/** The body in the fiber of the run, under its deadline. */
const work = <A, E, R>(
  body: Effect.Effect<A, E, R>,
  scope: RunScope,
  options: AttemptOptions<A>
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> =>
  Effect.withFiberRuntime((caller, { runtimeFlags }) => {
    const clock = clockOf(caller)
    const now = () => DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
    const inFiber = Effect.withFiberRuntime<A, E | Deadline.DeadlineExceeded, R>((fiber) => {
      scope.fiber = fiber
      return Deadline.enforce(body, scope.run, { now: now(), mayFail: options.deadline !== undefined })
    })
    const inheritance = inside(caller, scope, runtimeFlags)
    // What `body` requires is in the context of its caller.
    const fiber = RunFiber.start(inFiber as Effect.Effect<A, E | Deadline.DeadlineExceeded>, inheritance)
    return RunFiber.join(fiber, () => {
      scope.interruptedAt = now()
    })
  })

/** What the fiber of the run starts with: the run in its context, and on its spans and log lines. */
const inside = (caller: AnyFiber, scope: RunScope, runtimeFlags: RuntimeFlags.RuntimeFlags): RunFiber.Inheritance => {
  const services = new Map(caller.currentContext.unsafeMap)
  services.set(RunContext.key, scope.run)
  services.set(CurrentRunScope.key, scope)
  services.set(Tracer.ParentSpan.key, scope.span)
  const { onLogs, onSpans } = annotated(caller, scope.run, unsafePropagationMode(caller))
  const callerId = caller.id()
  const fiberRefs = FiberRefs.updateManyAs(caller.getFiberRefs(), {
    entries: [
      [FiberRef.currentTracerSpanAnnotations, [[callerId, onSpans]]],
      [FiberRef.currentLogAnnotations, [[callerId, onLogs]]]
    ]
  })
  return { context: Context.unsafeMake(services), fiberRefs, runtimeFlags }
}

/** Completes the run, tells everyone, and gives the exit that its caller sees. */
const complete = <A, E>(
  caller: AnyFiber,
  { scope, span, startNanos }: Opened,
  bodyExit: Exit.Exit<A, E | Deadline.DeadlineExceeded>,
  options: AttemptOptions<A>
): Effect.Effect<A, E | Deadline.DeadlineExceeded> => {
  scope.completed = true
  unsafeRemove(scope)
  const clock = clockOf(caller)
  const endTime = DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
  const endNanos = clock.unsafeCurrentTimeNanos()
  const ended = classify(scope, bodyExit, endTime)
  // A run that failed while it was being cancelled still says why.
  const reason = ended.reason ?? scope.cancellation?.reason
  const { outcome, problem } = finalOutcome(scope, ended, bodyExit, options)
  const completed = new CompletedRun(
    {
      run: ended.status === "canceled" || scope.cancellation ? cancelledRun(scope, endTime) : scope.run,
      status: ended.status,
      ...(outcome && { outcome }),
      ...(ended.errorClass !== undefined && { errorClass: ended.errorClass }),
      ...(reason !== undefined && { cancellationReason: reason }),
      endTime,
      durationMs: Number(endNanos - startNanos) / 1e6
    },
    true
  )
  describeOnSpan(span, completed, endNanos)
  RunMetrics.unsafeUpdate(completed, caller)

  const exit = deadlineAsFailure(scope, ended, bodyExit, options)
  const finish = Effect.suspend(() => {
    span.end(endNanos, exit)
    return exit
  })
  const exported = unsafeExport(completed, caller)
  const told = problem === undefined ? exported : Effect.zipRight(Effect.logWarning(problem), exported ?? Effect.void)
  return told === undefined ? finish : Effect.zipRight(told, finish)
}

const cancelledRun = (scope: RunScope, now: DateTime.Utc): Run =>
  new Run({ ...scope.run, cancelled: true, cancelledAt: scope.cancellation?.at ?? scope.interruptedAt ?? now }, true)

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

/**
 * What was emitted last, else what the `outcome` option makes of the result, else the status of the run. A run that did not
 * end as a success does not report one.
 */
const finalOutcome = <A>(
  scope: RunScope,
  ended: RunExit,
  exit: Exit.Exit<A, unknown>,
  options: AttemptOptions<A>
): { readonly outcome?: Outcome.Outcome; readonly problem?: string } => {
  if (scope.outcome !== undefined) return { outcome: withoutFalseSuccess(scope.outcome, ended) }
  const automatic = options.autoOutcome === false ? {} : { outcome: outcomeOfExit(ended) }
  if (options.outcome === undefined || Exit.isFailure(exit)) return automatic
  const made = outcomeOfResult(options.outcome, exit.value)
  return Either.match(made, {
    onLeft: (problem) => ({
      ...automatic,
      problem: `the outcome option of workflow "${options.workflow}": ${problem}`
    }),
    onRight: (outcome) => ({ outcome })
  })
}

const withoutFalseSuccess = (outcome: Outcome.Outcome, ended: RunExit): Outcome.Outcome =>
  outcome.status === "success" && ended.status !== "success"
    ? new Outcome.Outcome({ ...outcomeFields(ended), ...outcome, status: ended.status }, true)
    : outcome

const outcomeOfExit = (ended: RunExit): Outcome.Outcome => new Outcome.Outcome(outcomeFields(ended), true)

const outcomeFields = ({ errorClass, reason, status }: RunExit) => ({
  status,
  ...(errorClass !== undefined && { errorType: errorClass }),
  ...(reason !== undefined && { reason })
})

const outcomeOfResult = <A>(
  outcome: (result: A) => OutcomeOfResult,
  result: A
): Either.Either<Outcome.Outcome, string> =>
  Either.try({ try: () => outcome(result), catch: String }).pipe(
    Either.flatMap(({ status, ...details }) =>
      Either.mapLeft(Outcome.make(status, details), (invalid) => invalid.message)
    )
  )

const describeOnSpan = (span: Tracer.Span, completed: CompletedRun, endNanos: bigint): void => {
  const { durationMs, errorClass, outcome, run, status } = completed
  span.attribute(Attribute.durationMs, durationMs)
  if (run.cancelled) {
    span.attribute(Attribute.cancelled, true)
    if (run.cancelledAt !== undefined) span.attribute(Attribute.cancelledAt, run.cancelledAt.epochMillis / 1000)
  }
  if (outcome !== undefined) {
    for (const [key, value] of Object.entries(outcome.toSpanAttributes())) span.attribute(key, value)
  }
  const event: Record<string, AttributeValue> = {
    run_id: run.runId,
    workflow: run.workflow,
    status,
    duration_ms: durationMs
  }
  if (errorClass !== undefined) event["error_class"] = errorClass
  if (outcome?.valueType !== undefined) event["value_type"] = outcome.valueType
  if (outcome?.valueAmount !== undefined) event["value_amount"] = outcome.valueAmount
  span.event(Event.completed, endNanos, event)
}

const clockOf = (fiber: AnyFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)
