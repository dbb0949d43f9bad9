/**
 * How the executions of a durable workflow are made runs. The options are an annotation of the workflow.
 */
import type { Workflow } from "@effect/workflow"
import { Context, type Duration, Option, Schema, type Tracer } from "effect"
import { type Budget, BudgetExceeded } from "../cost/Budget.js"
import type { OutcomeOptions } from "../lifecycle/RunEnd.js"
import { DeadlineExceeded } from "../run/Deadline.js"
import { InvalidRunContext, type RunOptions } from "../run/NewRun.js"
import { fieldName, fieldSchema } from "./RunField.js"

/**
 * A value, or how it follows from the payload of an execution. The function is pure.
 *
 * @example
 * ```ts
 * import type { RunWorkflow } from "botanu-effect/workflow"
 *
 * const ofOrder: RunWorkflow.FromPayload<{ readonly orderId: string }, string> = ({ orderId }) => orderId
 * const constant: RunWorkflow.FromPayload<{ readonly orderId: string }, string> = "bigretail"
 * console.log(typeof ofOrder, constant)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type FromPayload<Payload, A> = A | ((payload: Payload) => A)

/**
 * How the executions of a durable workflow are made runs, and how these are bounded.
 *
 * @example
 * ```ts
 * import type { RunWorkflow } from "botanu-effect/workflow"
 *
 * const options: RunWorkflow.Options<{ readonly orderId: string; readonly shop: string }, void, "2 days", undefined> = {
 *   eventId: ({ orderId }) => orderId,
 *   customerId: ({ shop }) => shop,
 *   deadline: "2 days"
 * }
 * console.log(options.deadline)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Options<
  in out Payload,
  in A = never,
  out D extends Duration.DurationInput | undefined = Duration.DurationInput | undefined,
  out B extends Budget | undefined = Budget | undefined
> extends OutcomeOptions<A> {
  /** The business transaction that the execution is an attempt at. */
  readonly eventId: FromPayload<Payload, string>
  /** The customer that the event belongs to. */
  readonly customerId: FromPayload<Payload, string>
  /** The tenant, in a system of several. */
  readonly tenantId?: FromPayload<Payload, string | undefined>
  /**
   * The deployment environment.
   * @default `BOTANU_ENVIRONMENT`, else `DEPLOYMENT_ENVIRONMENT`, else `production`, where the execution begins
   */
  readonly environment?: FromPayload<Payload, string | undefined>
  /** The version of the workflow. */
  readonly version?: FromPayload<Payload, string | undefined>
  /**
   * How long the execution may take, from its first start, whatever processes it is in. When it is over the activity that is at
   * work is interrupted, an execution that sleeps is woken, and the workflow fails with `DeadlineExceeded`.
   */
  readonly deadline?: D | undefined
  /**
   * What the run may cost. When its recorded cost is more, the activity that is at work is interrupted and the workflow fails
   * with `BudgetExceeded`. `retries` has no meaning here: each execution has a budget of its own.
   */
  readonly budget?: B | undefined
  /**
   * The payload of the execution that this one is the next attempt after; none for a first attempt. Executions that are retried
   * need idempotency keys of their own: the engine answers a key that it knows with the result that it has.
   */
  readonly retryOf?: ((payload: Payload) => Payload | undefined) | undefined
  /**
   * The kind of the span of the run.
   * @default "server"
   */
  readonly spanKind?: Tracer.SpanKind | undefined
}

/** Options, whatever the workflow. */
export type AnyOptions = Options<unknown, never>

/** Where a workflow holds its options. */
export class CurrentOptions extends Context.Tag("botanu/RunWorkflow/Options")<CurrentOptions, AnyOptions>() {}

/** The options of a workflow; none of one whose executions are no runs. */
export const optionsOf = (workflow: Workflow.Any): AnyOptions | undefined =>
  Option.getOrUndefined(Context.getOption(workflow.annotations as Context.Context<never>, CurrentOptions))

/** The run that an execution with this payload is. */
export const requestOf = (workflow: Workflow.Any, options: AnyOptions, payload: unknown): RunOptions => {
  const { customerId, deadline, environment, eventId, tenantId, version } = options
  return {
    workflow: workflow.name,
    eventId: from(eventId, payload),
    customerId: from(customerId, payload),
    tenantId: from(tenantId, payload),
    environment: from(environment, payload),
    version: from(version, payload),
    deadline
  }
}

const from = <A>(option: FromPayload<unknown, A>, payload: unknown): A =>
  typeof option === "function" ? (option as (payload: unknown) => A)(payload) : option

const extendedWorkflows = new WeakMap<Workflow.Any, Workflow.Any>()

/**
 * The workflow as the engine gets it: its messages may carry one more field, and it may fail as a run does. Its name and its
 * idempotency keys stay as they are, and so do the messages of executions that were started without.
 */
export const extended = <W extends Workflow.Any>(workflow: W): W => {
  const known = extendedWorkflows.get(workflow)
  if (known !== undefined) return known as W
  const made = Object.assign(Object.create(Object.getPrototypeOf(workflow)), workflow, {
    payloadSchema: Schema.Struct({ ...workflow.payloadSchema.fields, [fieldName]: fieldSchema }),
    errorSchema: failureSchema(workflow.errorSchema)
  })
  extendedWorkflows.set(workflow, made)
  return made
}

/** How a workflow fails, and how a run does. */
export const failureSchema = (error: Schema.Schema.All): Schema.Schema.All =>
  Schema.Union(InvalidRunContext, DeadlineExceeded, BudgetExceeded, error as Schema.Schema.Any)
