/**
 * Durable executions as runs: an execution of `@effect/workflow` is one run, however many processes it goes through.
 */
import { type Workflow, WorkflowEngine } from "@effect/workflow"
import { Context, type Duration, Effect, Function, Layer, type Schema, type Scope } from "effect"
import type { Budget } from "../cost/Budget.js"
import { ActivityHistory } from "../lifecycle/ActivityHistory.js"
import type { RunContext } from "../RunContext.js"
import type { InvalidRunContext } from "../run/NewRun.js"
import type { LimitError } from "../Workflow.js"
import { cancel as cancelExecution, wrap } from "./RunEngine.js"
import { CurrentOptions, failureSchema, type Options } from "./RunOptions.js"
import { UnstoredUsages } from "./UnstoredUsages.js"

export { type ActivityAddress, ActivityHistory } from "../lifecycle/ActivityHistory.js"
export type { FromPayload, Options } from "./RunOptions.js"

/**
 * An engine whose executions are runs. `layer` provides it beside the engine, so that a program without the layer does not
 * compile.
 *
 * @example
 * ```ts
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Effect } from "effect"
 *
 * Effect.runPromise(Effect.provide(RunWorkflow.RunEngine, RunWorkflow.layerMemory))
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class RunEngine extends Context.Tag("botanu/RunWorkflow/RunEngine")<RunEngine, object>() {}

/**
 * How a workflow fails whose executions are runs, with the limits that it has.
 *
 * @example
 * ```ts
 * import type { RunWorkflow } from "botanu-effect/workflow"
 * import type { Schema } from "effect"
 *
 * type OutOfStock = RunWorkflow.Failure<Schema.Literal<["out of stock"]>, undefined, undefined>
 * const describe = (failure: OutOfStock["Type"]) => (typeof failure === "string" ? failure : failure.message)
 * console.log(describe("out of stock"))
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type Failure<Error extends Schema.Schema.All, D, B> = Schema.Schema<
  Error["Type"] | InvalidRunContext | LimitError<D, B>,
  unknown,
  Error["Context"]
>

/**
 * A durable workflow whose executions are runs. Its body may use `RunContext`, and it needs an engine with `layer`.
 *
 * @example
 * ```ts
 * import { Workflow } from "@effect/workflow"
 * import { Outcome } from "botanu-effect"
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Schema } from "effect"
 *
 * const payload = Schema.Struct({ orderId: Schema.String })
 * type Failure = RunWorkflow.Failure<typeof Schema.Never, undefined, undefined>
 *
 * const Fulfil: RunWorkflow.RunWorkflow<"Fulfil Order", typeof payload, typeof Schema.Void, Failure> = RunWorkflow.asRun(
 *   Workflow.make({ name: "Fulfil Order", payload, idempotencyKey: ({ orderId }) => orderId }),
 *   { eventId: ({ orderId }) => orderId, customerId: "bigretail" }
 * )
 * export const FulfilLive = Fulfil.toLayer(() => Outcome.emit("success"))
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface RunWorkflow<
  Name extends string,
  Payload extends Workflow.AnyStructSchema,
  Success extends Schema.Schema.Any,
  Error extends Schema.Schema.All
> extends Omit<
    Workflow.Workflow<Name, Payload, Success, Error>,
    "execute" | "toLayer" | "annotate" | "annotateContext"
  > {
  /** Executes the workflow. The run in which that is done is the parent of the execution's run. */
  readonly execute: <const Discard extends boolean = false>(
    payload: Parameters<Workflow.Workflow<Name, Payload, Success, Error>["execute"]>[0],
    options?: { readonly discard?: Discard }
  ) => Effect.Effect<
    Discard extends true ? string : Success["Type"],
    Discard extends true ? never : Error["Type"],
    RunEngine | WorkflowEngine.WorkflowEngine | Payload["Context"] | Success["Context"] | Error["Context"]
  >
  /** Registers the workflow. Its body works in the run of the execution. */
  readonly toLayer: <R>(
    execute: (payload: Payload["Type"], executionId: string) => Effect.Effect<Success["Type"], Error["Type"], R>
  ) => Layer.Layer<
    never,
    never,
    | RunEngine
    | WorkflowEngine.WorkflowEngine
    | Exclude<
        R,
        | RunContext
        | WorkflowEngine.WorkflowEngine
        | WorkflowEngine.WorkflowInstance
        | Workflow.Execution<Name>
        | Scope.Scope
      >
    | Payload["Context"]
    | Success["Context"]
    | Error["Context"]
  >
}

/**
 * Makes every execution of a durable workflow a run: made once, with the same id, start and lineage in whatever processes it goes
 * on, one `started` and one `completed`. Its parent is the run that executed it. The payload and the idempotency keys of the
 * workflow stay as they are, so executions that were started before go on.
 *
 * In the body and in activities `RunContext`, `Outcome.emit`, `Botanu.annotate` and `Llm.track` work as in any run. What an activity
 * consumed and recorded is part of its stored result: it counts once, whatever happens to the process after that. Call models and
 * services in activities: what the body itself calls is called, and counts, again whenever it goes on.
 *
 * The engine's interruption makes the run `canceled`; the shutdown of a process does not, and completes nothing.
 *
 * @example
 * ```ts
 * import { Activity, Workflow } from "@effect/workflow"
 * import { Llm } from "botanu-effect"
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Effect, Layer, Schema } from "effect"
 *
 * const Answer = RunWorkflow.asRun(
 *   Workflow.make({
 *     name: "Answer Ticket",
 *     payload: { ticketId: Schema.String, customerId: Schema.String },
 *     idempotencyKey: ({ ticketId }) => ticketId,
 *     success: Schema.String
 *   }),
 *   { eventId: ({ ticketId }) => ticketId, customerId: ({ customerId }) => customerId, deadline: "1 day" }
 * )
 *
 * const draft = Activity.make({
 *   name: "draft",
 *   success: Schema.String,
 *   execute: Effect.succeed("Dear Jo").pipe(
 *     Llm.track({ provider: "openai", model: "quill-2", usage: () => ({ inputTokens: 1200, outputTokens: 214 }) })
 *   )
 * })
 *
 * const AnswerLive = Answer.toLayer(() => draft)
 * const live = Layer.provideMerge(AnswerLive, RunWorkflow.layerMemory)
 *
 * const program = Answer.execute({ ticketId: "ticket-42", customerId: "bigretail" })
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // Dear Jo
 * ```
 *
 * @since 0.2.0
 * @category workflows
 */
export const asRun: {
  <
    Payload extends Workflow.AnyStructSchema,
    Success extends Schema.Schema.Any,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    options: Options<Payload["Type"], Success["Type"], D, B>
  ): <Name extends string, Error extends Schema.Schema.All>(
    workflow: Workflow.Workflow<Name, Payload, Success, Error>
  ) => RunWorkflow<Name, Payload, Success, Failure<Error, D, B>>
  <
    Name extends string,
    Payload extends Workflow.AnyStructSchema,
    Success extends Schema.Schema.Any,
    Error extends Schema.Schema.All,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    workflow: Workflow.Workflow<Name, Payload, Success, Error>,
    options: Options<Payload["Type"], Success["Type"], D, B>
  ): RunWorkflow<Name, Payload, Success, Failure<Error, D, B>>
} = Function.dual(
  2,
  (
    workflow: Workflow.Workflow<string, Workflow.AnyStructSchema, Schema.Schema.Any, Schema.Schema.All>,
    options: Options<unknown, unknown>
  ) => {
    const annotated = workflow.annotate(CurrentOptions, options)
    return { ...annotated, errorSchema: failureSchema(workflow.errorSchema) }
  }
)

/**
 * Makes the executions of an engine runs, where their workflows have `asRun`. Other workflows are as they were.
 *
 * It requires an `ActivityHistory`, which finds what a crash cut off: on a cluster that of `botanu-effect/cluster`. Provide
 * exporters, tracers and prices to the layers of the engine too: it works in fibers of its own.
 *
 * @example
 * ```ts
 * import { WorkflowEngine } from "@effect/workflow"
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Layer } from "effect"
 *
 * export const engine = RunWorkflow.layer.pipe(
 *   Layer.provide(RunWorkflow.layerNoHistory),
 *   Layer.provideMerge(WorkflowEngine.layerMemory)
 * )
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<
  WorkflowEngine.WorkflowEngine | RunEngine,
  never,
  WorkflowEngine.WorkflowEngine | ActivityHistory
> = Layer.effectContext(
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const history = yield* ActivityHistory
    const wrapped = wrap({ engine, history, unstored: new UnstoredUsages() })
    return Context.make(WorkflowEngine.WorkflowEngine, wrapped).pipe(Context.add(RunEngine, {}))
  })
)

/**
 * For an engine whose executions end with the process: no activity was begun before.
 *
 * @example
 * ```ts
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Layer } from "effect"
 *
 * export const runEngine = Layer.provide(RunWorkflow.layer, RunWorkflow.layerNoHistory)
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerNoHistory: Layer.Layer<ActivityHistory> = Layer.succeed(ActivityHistory, {
  wasRequestedBefore: () => Effect.succeed(false),
  endsWithProcess: true
})

/**
 * The engine in memory of `@effect/workflow`, with executions that are runs, for tests and for programs that need no durability.
 *
 * @example
 * ```ts
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Effect } from "effect"
 *
 * Effect.runPromise(Effect.provide(RunWorkflow.RunEngine, RunWorkflow.layerMemory))
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const layerMemory: Layer.Layer<WorkflowEngine.WorkflowEngine | RunEngine> = layer.pipe(
  Layer.provide(layerNoHistory),
  Layer.provide(WorkflowEngine.layerMemory)
)

/**
 * Interrupts an execution, in whatever process it is, and records the reason: its run completes as `canceled` with it. The
 * interruption is the engine's. It takes effect where the body suspends next, and what was done is compensated. Nothing happens
 * where the execution is over. `Botanu.cancel` does the same for a run that is at work in this process, by the id of the run.
 *
 * @example
 * ```ts
 * import { Workflow } from "@effect/workflow"
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Effect, Schema } from "effect"
 *
 * const Fulfil = RunWorkflow.asRun(
 *   Workflow.make({ name: "Fulfil Order", payload: { orderId: Schema.String }, idempotencyKey: ({ orderId }) => orderId }),
 *   { eventId: ({ orderId }) => orderId, customerId: "bigretail" }
 * )
 *
 * export const cancelOrder = (orderId: string) =>
 *   Effect.flatMap(Fulfil.executionId({ orderId }), (id) => RunWorkflow.cancel(Fulfil, id, "the customer changed her mind"))
 * ```
 *
 * @since 0.2.0
 * @category runs
 */
export const cancel = (
  workflow: Workflow.Any,
  executionId: string,
  reason: string
): Effect.Effect<void, never, WorkflowEngine.WorkflowEngine | RunEngine> =>
  Effect.flatMap(WorkflowEngine.WorkflowEngine, (engine) => cancelExecution(engine, workflow, executionId, reason))
