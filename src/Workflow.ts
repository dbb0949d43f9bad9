/**
 * A workflow: an Effect program whose every execution is a run. Users know this module as `Botanu`.
 */
import type { Effect, Stream, Types } from "effect"
import type { OutcomeOfResult } from "./lifecycle/RunEnd.js"
import type { RunContext } from "./RunContext.js"
import { callSiteOf } from "./run/CallSite.js"
import type { InvalidRunContext } from "./run/NewRun.js"
import { requestOf, runOf, type Work } from "./tracking/WorkflowRun.js"
import type {
  KnownOutcome,
  LimitError,
  MaybeBudget,
  MaybeDeadline,
  RunOf,
  StreamOptions,
  WorkflowOptions
} from "./WorkflowOptions.js"

export { annotate } from "./BusinessContext.js"
export { detached, type NeedsNoRun } from "./Detached.js"
export { activeRuns, awaitIdle, cancel } from "./lifecycle/ActiveRuns.js"
export type { OutcomeOfResult } from "./lifecycle/RunEnd.js"
export { emit as emitOutcome } from "./Outcome.js"
export { type ResumeError, type ResumeOptions, resume } from "./Resume.js"
export { type Step, step } from "./Step.js"
export { type FromArguments, type FunctionOptions, fn } from "./WorkflowFunction.js"
export type {
  BudgetError,
  DeadlineError,
  LimitError,
  RetryOptions,
  RunOf,
  StreamOptions,
  WorkflowOptions
} from "./WorkflowOptions.js"

/**
 * Makes every execution of an effect a run: with an id, a span, a deadline, a status and an outcome. `RunContext` is provided
 * to it. Fails with `InvalidRunContext` before anything starts where an option is not as it should be.
 *
 * The effect works in the fiber of its caller, and nothing else of it changes. Fibers that it forks end with the run.
 * `Botanu.cancel` interrupts the run and not its caller.
 *
 * A stream is a run, too: from its first pull until it ends, or until its consumer stops, which makes it `canceled` with the reason
 * `consumer_stopped`. A stream takes no `retry`. Its options are `StreamOptions`; the `outcome` option goes with the form that takes the
 * stream first.
 *
 * In a pipe, `outcome` and the predicates of `retry` know the result and the errors of the effect before it.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect, Schedule } from "effect"
 *
 * const program = Effect.succeed("a draft").pipe(
 *   Botanu.workflow("Customer Support", {
 *     eventId: "ticket-42",
 *     customerId: "bigretail",
 *     deadline: "30 seconds",
 *     retry: Schedule.recurs(2)
 *   })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect, Stream } from "effect"
 *
 * const tokens = Stream.make("Dear", "Jo").pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(Stream.runForEach(tokens, (token) => Effect.log(token)))
 * ```
 *
 * @since 0.1.0
 * @category workflows
 */
export const workflow: {
  <const D extends MaybeDeadline = undefined, const B extends MaybeBudget = undefined>(
    name: string,
    options: Omit<WorkflowOptions<never, never, never, D, B>, "outcome" | "retry"> & {
      readonly outcome?: Absent<(result: never) => OutcomeOfResult>
      readonly retry?: undefined
    }
  ): <Self extends Effect.Effect<unknown, unknown, unknown> | Stream.Stream<unknown, unknown, unknown>>(
    self: Self
  ) => RunOf<Self, D, B>
  <
    A0 = unknown,
    E0 = unknown,
    R0 = never,
    const D extends MaybeDeadline = undefined,
    const B extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    name: string,
    options: WorkflowOptions<A0, E0 | LimitError<D, B>, R0, D, B, O>
  ): <A extends A0, E extends E0, R>(
    // Twice, so that in a pipe the options are inferred from the effect.
    effect: Effect.Effect<A, E, R> & Effect.Effect<A0, E0, unknown>
  ) => Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
  <
    A,
    E,
    R,
    R0 = never,
    const D extends MaybeDeadline = undefined,
    const B extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    effect: Effect.Effect<A, E, R>,
    name: string,
    options: WorkflowOptions<Types.NoInfer<A>, Types.NoInfer<E> | LimitError<D, B>, R0, D, B, O>
  ): Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
  <
    A,
    E,
    R,
    const D extends MaybeDeadline = undefined,
    const B extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    stream: Stream.Stream<A, E, R>,
    name: string,
    options: StreamOptions<D, B, O>
  ): Stream.Stream<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext>>
} = ((...args: [string, AnyOptions] | [Work, string, AnyOptions]) => {
  const callSite = callSiteOf(workflow as never)
  const run = (work: Work, name: string, options: AnyOptions) => runOf(work, requestOf(name, options, callSite))
  return args.length === 2 ? (work: Work) => run(work, args[0], args[1]) : run(args[0], args[1], args[2])
}) as never

/** What nobody can give: it only says what the types of literals in it are. */
type Absent<A> = A & { readonly absent: never }

type AnyOptions = WorkflowOptions<unknown, unknown, never>
