/**
 * A workflow engine whose executions are runs.
 */
import { type Workflow, WorkflowEngine } from "@effect/workflow"
import { DateTime, Effect, Either, Exit, Option, Runtime, Schema, Scope } from "effect"
import { BudgetExceeded, BudgetMeter, validate } from "../cost/Budget.js"
import { withinBudgets } from "../cost/PeriodBudget.js"
import { inNoRun } from "../Detached.js"
import { exportStartFor, flushFor } from "../lifecycle/ActiveExporters.js"
import { attempted, logged, type Trouble } from "../lifecycle/Trouble.js"
import { fromOptions, InvalidRunContext, invalidRequest } from "../run/NewRun.js"
import { forwardedWith, withoutLimits } from "../run/RemoteContext.js"
import { makeRunUnsafe, Run } from "../run/Run.js"
import { make as makeRunId, Uuid } from "../run/RunId.js"
import { withSettings } from "../run/Settings.js"
import { optional } from "../schema/SchemaRecord.js"
import { executeActivity } from "./ActivityExecution.js"
import { Cancellation, currentDurableRun, type Durable, DurableRun } from "./DurableRun.js"
import { withHeldScope } from "./HeldScope.js"
import { once } from "./InternalActivity.js"
import { fieldName, incoming, outgoing, type Sender } from "./RunField.js"
import { type AnyOptions, extended, optionsOf, requestOf } from "./RunOptions.js"
import { place, SpanPlace } from "./RunSpan.js"

type Engine = WorkflowEngine.WorkflowEngine["Type"]
type Instance = WorkflowEngine.WorkflowInstance
type AnyWorkflow = Workflow.Workflow<string, Workflow.AnyStructSchema, Schema.Schema.Any, Schema.Schema.All>
type Body = Effect.Effect<unknown, unknown, never>

/** The engine, with a run for each execution of a workflow that has options for it. Other workflows are as they were. */
export const wrap = (durable: Durable): Engine => {
  const { engine } = durable
  const seenByEngine = <W extends Workflow.Any>(workflow: W): W =>
    optionsOf(workflow) === undefined ? workflow : extended(workflow)
  const wrapped: Engine = {
    ...engine,
    register: ((workflow: AnyWorkflow, execute: (payload: unknown, executionId: string) => Body) => {
      const options = optionsOf(workflow)
      if (options === undefined) return engine.register(workflow, execute)
      return engine.register(extended(workflow), (received: unknown, executionId: string) => {
        const { [fieldName]: field, ...own } = received as Record<string, unknown>
        const payload: unknown = workflow.payloadSchema.make(own)
        const body = Effect.suspend(() => execute(payload, executionId))
        return inNoRun(enter(durable, wrapped, { workflow, options, executionId, payload, field }, body)) as Body
      })
    }) as never,
    execute: ((workflow: AnyWorkflow, options: { readonly executionId: string; readonly payload: object }) =>
      optionsOf(workflow) === undefined
        ? engine.execute(workflow, options)
        : Effect.flatMap(outgoing, (field) =>
            engine.execute(extended(workflow), { ...options, payload: { ...options.payload, [fieldName]: field } })
          )) as never,
    poll: (workflow, executionId) => engine.poll(seenByEngine(workflow), executionId),
    interrupt: (workflow, executionId) => engine.interrupt(seenByEngine(workflow), executionId),
    resume: (workflow, executionId) => engine.resume(seenByEngine(workflow), executionId),
    scheduleClock: (workflow, options) => engine.scheduleClock(seenByEngine(workflow), options),
    activityExecute: ((activity: never, attempt: number) =>
      Effect.withFiberRuntime((fiber) => {
        const run = currentDurableRun(fiber.currentContext)
        return run === undefined ? engine.activityExecute(activity, attempt) : executeActivity(run, activity, attempt)
      })) as never
  }
  return wrapped
}

/** Interrupts an execution, for a reason that its run will have. */
export const cancel = (
  engine: Engine,
  workflow: Workflow.Any,
  executionId: string,
  reason: string
): Effect.Effect<void> =>
  Effect.zipRight(
    engine.deferredDone(Cancellation, {
      workflowName: workflow.name,
      executionId,
      deferredName: Cancellation.name,
      exit: Exit.succeed(reason)
    }),
    engine.interrupt(workflow, executionId)
  )

/** What the engine enters a body with. */
interface Entry {
  readonly workflow: AnyWorkflow
  readonly options: AnyOptions
  readonly executionId: string
  readonly payload: unknown
  readonly field: unknown
}

const enter = (
  durable: Durable,
  wrapped: Engine,
  entry: Entry,
  body: Body
): Effect.Effect<unknown, unknown, Instance> =>
  Effect.gen(function* () {
    const { executionId, options, payload, workflow } = entry
    const { engine } = durable
    const enteredAt = yield* DateTime.now
    const instance = yield* WorkflowEngine.WorkflowInstance
    const sender = yield* incoming(entry.field)
    const { isFirstEntry, stored } = yield* begun(durable, entry, sender, enteredAt)
    const { refused, run, span } = stored
    const budget = options.budget && Either.getOrUndefined(validate(options.budget))
    // What runs after the body needs what is there before it.
    const runtime = yield* Effect.runtime<Instance>()
    const entered = new DurableRun(
      durable,
      {
        workflow: extended(workflow),
        executionId,
        options,
        request: requestOf(workflow, options, payload),
        run,
        budgetMeter: budget && new BudgetMeter(budget),
        place: span,
        forwarded: forwardedWith(sender.run),
        isFirstEntry,
        enteredAt,
        instance
      },
      (reason) => {
        Runtime.runFork(runtime)(cancel(engine, extended(workflow), executionId, reason))
      }
    )
    const held = yield* Scope.make()
    yield* Scope.addFinalizerExit(instance.scope, (exit) => Effect.provide(entered.end(exit, held), runtime))
    const seen = refused === undefined ? body : Effect.fail(refused)
    return yield* entered.work(
      seen.pipe(
        Effect.provideService(WorkflowEngine.WorkflowEngine, wrapped),
        Effect.provideService(
          WorkflowEngine.WorkflowInstance,
          withHeldScope(instance, held, entered.scope, entered.span)
        )
      )
    )
  })

/** What is known of a run from its start: made once in an execution. */
const StoredRun = Schema.Struct({
  run: Run,
  span: optional(SpanPlace),
  /** A budget over time that was exceeded when the run began. */
  refused: optional(BudgetExceeded)
})
type StoredRun = typeof StoredRun.Type

/** The name of the activity that begins a run. It is stored: it stays. */
const beginning = "botanu/run"

const begun = (
  { engine, history }: Durable,
  entry: Entry,
  sender: Sender,
  enteredAt: DateTime.Utc
): Effect.Effect<{ readonly stored: StoredRun; readonly isFirstEntry: boolean }, InvalidRunContext, Instance> =>
  Effect.gen(function* () {
    // An id that is not the sender's is stored first: what is exported of a run must not be of an id that a crash forgets.
    const runId = sender.runId ?? (yield* once(engine, { name: "botanu/run-id", success: Uuid, make: makeRunId }))
    let isFirstEntry = false
    const make = Effect.suspend(() => {
      isFirstEntry = true
      return begin(engine, entry, sender, runId)
    })
    const stored = yield* once(engine, { name: beginning, success: StoredRun, error: InvalidRunContext, make })
    if (!isFirstEntry) return { stored, isFirstEntry }
    // A process that was killed may have gone on before its result was stored.
    const address = { workflow: entry.workflow.name, executionId: entry.executionId, activity: beginning, attempt: 1 }
    const isAgain = yield* Effect.catchAllCause(history.wasRequestedBefore(address, enteredAt), () =>
      Effect.succeed(true)
    )
    return { stored, isFirstEntry: !isAgain }
  })

const begin = (
  engine: Engine,
  entry: Entry,
  sender: Sender,
  runId: Uuid
): Effect.Effect<StoredRun, InvalidRunContext> =>
  Effect.flatMap(previousOf(engine, entry), (previous) =>
    Effect.withFiberRuntime((fiber) =>
      withSettings(fiber, (settings) => {
        const { options, payload, workflow } = entry
        const request = requestOf(workflow, options, payload)
        const budget = options.budget && validate(options.budget)
        if (budget !== undefined && Either.isLeft(budget)) return Effect.fail(invalidRequest(request, budget.left))
        const parent = sender.run && withoutLimits(sender.run)
        const made = fromOptions(fiber, request, parent, previous?.run, settings)
        if (Either.isLeft(made)) return Effect.fail(made.left)
        const run = makeRunUnsafe({ ...made.right, runId, ...(previous === undefined && { rootRunId: runId }) })
        const trouble: Trouble = []
        const span = Effect.catchAllCause(
          place(run, options.spanKind ?? "server", sender.span ?? fiber.currentSpan, previous?.span?.own),
          () => Effect.succeed(undefined)
        )
        return Effect.flatMap(span, (span) => {
          attempted(trouble, "exporting the start of a run", () => exportStartFor(run, fiber))
          return Effect.zipRight(
            Effect.zipRight(logged(trouble), flushFor(fiber)),
            Effect.map(
              Effect.either(withinBudgets(fiber, run, Effect.void)),
              (within): StoredRun => ({
                run,
                ...(span && { span }),
                ...(Either.isLeft(within) && { refused: within.left })
              })
            )
          )
        })
      })
    )
  )

/** The run of the execution that this one is the next attempt after. Where it is not known, that costs the lineage and not the work. */
const previousOf = (
  engine: Engine,
  { executionId, options, payload, workflow }: Entry
): Effect.Effect<StoredRun | undefined> =>
  Effect.gen(function* () {
    const previousPayload = options.retryOf?.(payload)
    if (previousPayload === undefined) return undefined
    const previousId = yield* workflow.executionId(previousPayload as never)
    const unknown = (why: string) =>
      Effect.as(
        Effect.logWarning(
          `workflow "${workflow.name}": the attempt before execution ${executionId} is not known: ${why}`
        ),
        undefined
      )
    if (previousId === executionId) return yield* unknown("retryOf gives a payload of the same execution")
    const result = yield* Effect.option(
      Effect.sandbox(engine.poll(extended(workflow), previousId) as Effect.Effect<unknown>)
    )
    if (Option.isNone(result) || result.value === undefined) return yield* unknown("it was not started, or is at work")
    const instance = WorkflowEngine.WorkflowInstance.initial(extended(workflow), previousId)
    const stored = once(engine, {
      name: beginning,
      success: StoredRun,
      error: InvalidRunContext,
      make: Effect.fail(new InvalidRunContext({ field: "retryOf", problem: "expected an execution that is a run" }))
    })
    const found = yield* stored.pipe(
      Effect.provideService(WorkflowEngine.WorkflowInstance, instance),
      Effect.timeout("10 seconds"),
      Effect.option
    )
    return Option.isSome(found) ? found.value : yield* unknown("it is not a run")
  })
