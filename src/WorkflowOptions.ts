/**
 * The options of workflows, and what they make of the types of the work.
 */
import type { Duration, Effect, Schedule, Stream, Tracer } from "effect"
import type { Budget, BudgetExceeded } from "./cost/Budget.js"
import type { OutcomeOfResult, OutcomeOptions } from "./lifecycle/RunEnd.js"
import type { RunContext } from "./RunContext.js"
import type { DeadlineExceeded } from "./run/Deadline.js"
import type { InvalidRunContext, RunOptions } from "./run/NewRun.js"
import type { Run } from "./run/Run.js"

/** The `deadline` option, or none. */
export type MaybeDeadline = Duration.DurationInput | undefined

/** The `budget` option, or none. */
export type MaybeBudget = Budget | undefined

/** An outcome whose properties are all known: one that is misspelt would be lost. */
export type KnownOutcome<O> = OutcomeOfResult & { readonly [K in Exclude<keyof O, keyof OutcomeOfResult>]: never }

/**
 * When a failed attempt is followed by another: what `Effect.retry` takes beside a `Schedule`.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const twice: Botanu.RetryOptions<string, never> = { times: 2, while: (error) => error !== "spam" }
 * const program = Effect.fail("the model is busy").pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail", retry: twice }),
 *   Effect.catchAll((error) => Effect.log(error))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions<in E, out R> {
  /** When the next attempt comes. It ends the attempts where it is done. */
  readonly schedule?: Schedule.Schedule<unknown, E, R> | undefined
  /** The most attempts after the first. */
  readonly times?: number | undefined
  /** Attempts go on only while this is true of the failure. */
  readonly while?: ((error: E) => boolean | Effect.Effect<boolean, never, R>) | undefined
  /** Attempts end once this is true of the failure. */
  readonly until?: ((error: E) => boolean | Effect.Effect<boolean, never, R>) | undefined
}

/**
 * How the runs of a workflow are made, bounded and retried. Without type arguments: the options of any workflow, which may have a
 * deadline and a budget.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const options: Botanu.WorkflowOptions<string> = {
 *   eventId: "ticket-42",
 *   customerId: "bigretail",
 *   tenantId: "acme",
 *   outcome: (draft) => ({ status: draft === "" ? "failure" : "success" })
 * }
 * Effect.runPromise(Effect.succeed("a draft").pipe(Botanu.workflow("Customer Support", options)))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowOptions<
  in A = unknown,
  in E = unknown,
  out R = never,
  out D extends MaybeDeadline = MaybeDeadline,
  out B extends MaybeBudget = MaybeBudget,
  out O extends OutcomeOfResult = OutcomeOfResult
> extends Omit<RunOptions, "workflow" | "deadline">,
    OutcomeOptions<A, O> {
  /**
   * How long an attempt may take. When it is over the body is interrupted and the workflow fails with `DeadlineExceeded`. An
   * earlier deadline of the enclosing run comes first.
   */
  readonly deadline?: D | undefined
  /**
   * What the run may cost. When its recorded cost is more, the body is interrupted and the workflow fails with
   * `BudgetExceeded`.
   */
  readonly budget?: B | undefined
  /**
   * After which failures the body is tried again, as a run of its own. `InvalidRunContext`, interruption and defects are not
   * retried.
   */
  readonly retry?: Schedule.Schedule<unknown, E, R> | RetryOptions<E, R> | undefined
  /** The run that this one is the next attempt after, for work that was delivered again; of the same event. */
  readonly retryOf?: Run | undefined
  /**
   * The kind of the span of the run.
   * @default "server"
   */
  readonly spanKind?: Tracer.SpanKind | undefined
}

/**
 * How the runs of a stream are made and bounded. A stream is not retried.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Stream } from "effect"
 *
 * const options: Botanu.StreamOptions<undefined, undefined> = { eventId: "ticket-42", customerId: "bigretail" }
 * const tokens = Botanu.workflow(Stream.make("Dear", "Jo"), "Customer Support", options)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface StreamOptions<
  out D extends MaybeDeadline = MaybeDeadline,
  out B extends MaybeBudget = MaybeBudget,
  out O extends OutcomeOfResult = OutcomeOfResult
> extends Omit<WorkflowOptions<void, never, never, D, B, O>, "retry"> {
  /** A stream is not retried: its consumer already has what the attempt before gave. */
  readonly retry?: undefined
}

/**
 * `DeadlineExceeded` where a deadline is given.
 *
 * @example
 * ```ts
 * import type { Botanu, DeadlineExceeded } from "botanu-effect"
 *
 * const isInChannel: [DeadlineExceeded] extends [Botanu.DeadlineError<"30 seconds">] ? true : false = true
 * const isNotInChannel: [Botanu.DeadlineError<undefined>] extends [never] ? true : false = true
 * console.log(isInChannel, isNotInChannel)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type DeadlineError<D> = [D] extends [undefined] ? never : DeadlineExceeded

/**
 * `BudgetExceeded` where a budget is given.
 *
 * @example
 * ```ts
 * import type { Botanu } from "botanu-effect"
 *
 * const isNotInChannel: [Botanu.BudgetError<undefined>] extends [never] ? true : false = true
 * console.log(isNotInChannel)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type BudgetError<B> = [B] extends [undefined] ? never : BudgetExceeded

/**
 * How a workflow fails that passes its deadline or its budget, where it has one.
 *
 * @example
 * ```ts
 * import type { Botanu, DeadlineExceeded } from "botanu-effect"
 *
 * const isInChannel: [DeadlineExceeded] extends [Botanu.LimitError<"30 seconds", undefined>] ? true : false = true
 * console.log(isInChannel)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type LimitError<D, B> = DeadlineError<D> | BudgetError<B>

/**
 * What makes a run of an effect or a stream gives: one of the same kind, which may fail as a run does.
 *
 * @example
 * ```ts
 * import type { Botanu, InvalidRunContext } from "botanu-effect"
 * import type { Stream } from "effect"
 *
 * type Tokens = Botanu.RunOf<Stream.Stream<string>, undefined, undefined>
 * const isStream: [Tokens] extends [Stream.Stream<string, InvalidRunContext>] ? true : false = true
 * console.log(isStream)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type RunOf<Self, D, B, R0 = never> = [Self] extends [Effect.Effect<infer A, infer E, infer R>]
  ? Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
  : [Self] extends [Stream.Stream<infer A, infer E, infer R>]
    ? Stream.Stream<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext>>
    : never
