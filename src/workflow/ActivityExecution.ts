/**
 * The execution of an activity in a durable run. What is recorded meanwhile is stored with the result, so that it counts once and
 * outlives the process.
 */
import { type Activity, Workflow, type WorkflowEngine } from "@effect/workflow"
import { Effect, Exit, FiberRef, HashMap, Option, RuntimeFlags, Schema } from "effect"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { warnFor } from "../fiber/FiberLog.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import { Timer } from "../fiber/Timer.js"
import { wrappedServices, yieldAfter } from "../fiber/TracerWrapper.js"
import { withRun } from "../lifecycle/CurrentRun.js"
import { currentStep } from "../lifecycle/CurrentStep.js"
import { isRunAnnotation } from "../lifecycle/RunAnnotations.js"
import { RunScope } from "../lifecycle/RunScope.js"
import { textOf } from "../lifecycle/Trouble.js"
import { makeRunUnsafe } from "../run/Run.js"
import { make as makeId } from "../run/RunId.js"
import { noticingModelCalls } from "../tracking/UnrecordedModelCalls.js"
import { ActivityAttribute, Key } from "../wire/Wire.js"
import { cutOff } from "./CutOffUsages.js"
import type { DurableRun } from "./DurableRun.js"
import { once } from "./InternalActivity.js"
import type { PendingSpan } from "./PendingSpan.js"
import { type ActivityRecord, read, type StoppedBy, store } from "./StoredActivity.js"

type AnyActivity = Activity.Activity<Schema.Schema.Any, Schema.Schema.All, unknown>
type Result = Workflow.Result<unknown, unknown>
type Needs = WorkflowEngine.WorkflowInstance

/** Executes an activity in the engine that is wrapped, or reads its stored result. */
export const executeActivity = (
  durable: DurableRun,
  activity: AnyActivity,
  attempt: number
): Effect.Effect<Result, never, Needs> =>
  Effect.suspend(() => {
    const { engine } = durable.durable
    const { scope } = durable
    scope.activityBegan()
    const recording = { ...activity, exitSchema: storedExit, executeEncoded: execution(durable, activity, attempt) }
    return engine.activityExecute(recording as unknown as AnyActivity, attempt).pipe(
      Effect.flatMap((result) =>
        result._tag === "Suspended" ? Effect.succeed(result) : received(durable, activity, result.exit)
      ),
      Effect.ensuring(Effect.sync(() => scope.activityEnded())),
      // Gives way to the interruption of the body, where the activity was the last that it may do.
      Effect.tap(() => (scope.stoppedBy === undefined ? Effect.void : Effect.yieldNow()))
    ) as Effect.Effect<Result, never, Needs>
  })

/** Defects are read with the schema of the activity, once. */
const storedExit = Schema.ExitFromSelf({ success: Schema.Unknown, failure: Schema.Unknown, defect: Schema.Unknown })

const received = (
  durable: DurableRun,
  activity: AnyActivity,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<Result, never, unknown> =>
  Effect.withFiberRuntime((fiber) => {
    const stored = read(exit)
    const decoded = stored.stoppedBy === undefined ? exitOf(activity, stored.exit) : Effect.interrupt
    return Effect.zipRight(
      durable.receive(fiber, activity, stored),
      Effect.map(Effect.orDie(decoded), (exit) => new Workflow.Complete({ exit }))
    )
  })

/** Activities are mostly made where they are executed: the schema of their exit is compiled anew, that of their success is not. */
const exitOf = (activity: AnyActivity, exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit)
    ? Effect.map(Schema.decodeUnknown(activity.successSchema)(exit.value), Exit.succeed)
    : Schema.decode(activity.exitSchema)(exit as never)

const execution = (
  durable: DurableRun,
  activity: AnyActivity,
  attempt: number
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.flatMap(executionNumber(durable, activity, attempt), (number) =>
    Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
      const { isEnding, run } = durable
      const region = new FiberRegion(fiber)
      const collected = durable.collector()
      // An object of its own: who joins the run from within finds this scope by it.
      const scope = new RunScope(makeRunUnsafe({ ...run }), collected, undefined, durable.execution.forwarded, true)
      scope.annotations = durable.scope.annotations
      scope.budgetMeter = isEnding ? undefined : durable.scope.budgetMeter?.copy()
      scope.work = { fiber, region, isInterruptible: RuntimeFlags.interruptible(runtimeFlags) }
      durable.activityScopes.add(scope)
      describe(fiber, number, attempt)
      const { deadline } = run
      const timer =
        deadline === undefined || isEnding
          ? undefined
          : new Timer(fiber, deadline.epochMillis, () => scope.reachDeadline())
      const work = Effect.withFiberRuntime<unknown, unknown, unknown>((inner) => {
        if (timer !== undefined && run.isPastDeadline(nowOf(inner))) {
          scope.reachDeadline()
          return Exit.interrupt(inner.id())
        }
        return noticingModelCalls(inner, scope.run, activity.executeEncoded)
      })
      const worked = Effect.uninterruptibleMask((restore) =>
        inRegion(fiber, restore(work), {
          region,
          context: withRun(fiber.currentContext, scope, undefined),
          services: wrappedServices(fiber),
          ...annotationsFor(fiber),
          isOwnAnnotation: isRunAnnotation,
          endsChildren: () => true,
          onExit: (exit) => {
            timer?.stop()
            durable.activityScopes.delete(scope)
            return stored(fiber, { durable, activity, attempt, number, scope, collected }, exit)
          }
        })
      )
      return yieldAfter(fiber, worked)
    })
  )

interface Executed {
  readonly durable: DurableRun
  readonly activity: AnyActivity
  readonly attempt: number
  /** 1 for the first execution of this attempt. */
  readonly number: number
  readonly scope: RunScope
  readonly collected: PendingSpan | undefined
}

/** The exit of an activity as the engine stores it. */
const stored = (
  fiber: AnyFiber,
  executed: Executed,
  exit: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> => {
  const { activity, attempt, collected, durable, number, scope } = executed
  const { executionId } = durable.execution
  const { stoppedBy } = scope
  const own = scope.usageTotals?.usages ?? []
  const place = placeOf(activity, attempt)
  const known = durable.durable.unstored.take(executionId, place)
  const record: ActivityRecord = {
    usages: [...cutOff(fiber, activity.name, number - 1 - known.length), ...known.flat(), ...own],
    events: (collected?.events ?? []).map(({ attributes, name, time }) => ({
      name,
      time,
      ...(attributes && { attributes })
    })),
    ...(scope.outcome && { outcome: scope.outcome }),
    ...(scope.annotations !== undefined &&
      scope.annotations !== durable.scope.annotations && { annotations: scope.annotations })
  }
  const isInterrupted = Exit.isFailure(exit) && (stoppedBy === "deadline" || stoppedBy === "budget")
  scope.close(scope.run)
  try {
    const result = store(exit, record, isInterrupted ? (stoppedBy as StoppedBy) : undefined)
    if (Option.isSome(result)) return result.value
  } catch (error) {
    warnFor(fiber, `what activity "${activity.name}" recorded on its run cannot be stored: ${textOf(error)}`)
  }
  for (const usages of [...known, own]) durable.durable.unstored.add(executionId, place, usages)
  return exit
}

const placeOf = ({ name }: Activity.Any, attempt: number): string => `${name}/${attempt}`

/** What the fiber puts on spans and log lines, with the step: a compensation has only the annotations of the body. */
const annotationsFor = (fiber: AnyFiber) => {
  const step = currentStep(fiber.currentContext)
  if (step === undefined) return undefined
  const onSpans = fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations)
  const onLogs = fiber.getFiberRef(FiberRef.currentLogAnnotations)
  return { onSpans: HashMap.set(onSpans, Key.step, step.name), onLogs: HashMap.set(onLogs, Key.step, step.name) }
}

const describe = (fiber: AnyFiber, number: number, attempt: number): void => {
  const span = fiber.currentSpan
  const step = currentStep(fiber.currentContext)
  if (span?._tag !== "Span") return
  try {
    if (step !== undefined) span.attribute(Key.step, step.name)
    span.attribute(ActivityAttribute.execution, number)
    span.attribute(ActivityAttribute.attempt, attempt)
  } catch {
    // A tracer that throws is no reason for the program to fail.
  }
}

/** How often this attempt at an activity was begun, this time included. */
const executionNumber = (
  durable: DurableRun,
  activity: Activity.Any,
  attempt: number
): Effect.Effect<number, never, WorkflowEngine.WorkflowInstance> =>
  Effect.flatMap(wasBegunBefore(durable, activity, attempt), (isAgain) =>
    isAgain ? Effect.flatMap(makeId, (id) => numberOf(durable, placeOf(activity, attempt), id, 2)) : Effect.succeed(1)
  )

const wasBegunBefore = (durable: DurableRun, activity: Activity.Any, attempt: number): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { enteredAt, executionId, isFirstEntry, workflow } = durable.execution
    // The engine keeps an activity that it did not execute, for a later entry in this process. Others may have executed it meanwhile.
    if (durable.isOver && !durable.isEnding) return Effect.succeed(true)
    // The engine may interrupt an activity and execute it again in the same entry.
    if (!durable.begin(placeOf(activity, attempt))) return Effect.succeed(true)
    if (isFirstEntry) return Effect.succeed(false)
    const { name } = activity
    const address = { workflow: workflow.name, executionId, activity: name, attempt }
    return Effect.catchAllCause(durable.durable.history.wasRequestedBefore(address, enteredAt), (cause) =>
      Effect.as(Effect.logWarning(`whether activity "${name}" was executed before is not known`, cause), true)
    )
  })

/** The number of an execution that is not the first: the first that no execution before took. */
const numberOf = (
  durable: DurableRun,
  place: string,
  id: string,
  number: number
): Effect.Effect<number, never, WorkflowEngine.WorkflowInstance> =>
  once(durable.durable.engine, {
    name: `botanu/execution/${place}/${number}`,
    success: Schema.String,
    make: Effect.succeed(id)
  }).pipe(Effect.flatMap((taken) => (taken === id ? Effect.succeed(number) : numberOf(durable, place, id, number + 1))))
