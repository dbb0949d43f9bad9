/**
 * A workflow: an Effect program whose every execution is a run. Users know this module as `Botanu`.
 */
import { type Duration, Effect, Either, type Schedule, Stream, type Tracer, type Types, type Utils } from "effect"
import { type Budget, BudgetExceeded, BudgetMeter, type ValidBudget, validate } from "./cost/Budget.js"
import { withinBudgets } from "./cost/PeriodBudget.js"
import * as Attempt from "./lifecycle/Attempt.js"
import { currentRun } from "./lifecycle/CurrentRun.js"
import { lostLineage } from "./lifecycle/IncomingRun.js"
import { retry } from "./lifecycle/Retry.js"
import type { OutcomeOptions } from "./lifecycle/RunRecord.js"
import type { Cancellation } from "./lifecycle/RunScope.js"
import { streamRun } from "./lifecycle/StreamRun.js"
import type { RunContext } from "./RunContext.js"
import { type CallSite, callSiteOf } from "./run/CallSite.js"
import type { DeadlineExceeded } from "./run/Deadline.js"
import { InvalidRunContext, invalidRequest, type RunOptions, type RunRequest } from "./run/NewRun.js"
import { remoteSpanOf } from "./run/RemoteContext.js"
import type { Run } from "./run/Run.js"
import { noticingModelCalls } from "./tracking/UnrecordedModelCalls.js"

export { annotate } from "./BusinessContext.js"
export { detached, type NeedsNoRun } from "./Detached.js"
export { activeRuns, awaitIdle, cancel } from "./lifecycle/ActiveRuns.js"
export type { OutcomeOfResult } from "./lifecycle/RunRecord.js"
export { emit as emitOutcome } from "./Outcome.js"
export { type ResumeError, type ResumeOptions, resume } from "./Resume.js"
export { type Step, step } from "./Step.js"

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
 * How the runs of a workflow are made, bounded and retried.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const options: Botanu.WorkflowOptions<string, never, never, undefined, undefined> = {
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
  in A = never,
  in E = never,
  out R = unknown,
  out D extends Duration.DurationInput | undefined = Duration.DurationInput | undefined,
  out B extends Budget | undefined = Budget | undefined
> extends Omit<RunOptions, "workflow" | "deadline">,
    OutcomeOptions<A> {
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
  out D extends Duration.DurationInput | undefined = Duration.DurationInput | undefined,
  out B extends Budget | undefined = Budget | undefined
> extends Omit<WorkflowOptions<void, unknown, never, D, B>, "retry"> {
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
export type RunOf<Self, D, B> =
  Self extends Effect.Effect<infer A, infer E, infer R>
    ? Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext>>
    : Self extends Stream.Stream<infer A, infer E, infer R>
      ? Stream.Stream<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext>>
      : never

/**
 * Makes every execution of an effect a run: with an id, a span, a deadline, a status and an outcome. `RunContext` is provided
 * to it. Fails with `InvalidRunContext` before anything starts where an option is not as it should be.
 *
 * The effect works in the fiber of its caller, and nothing else of it changes. Fibers that it forks end with the run.
 * `Botanu.cancel` interrupts the run and not its caller.
 *
 * A stream is a run, too: from its first pull until it ends, or until its consumer stops, which makes it `canceled` with the reason
 * `consumer_stopped`. A stream takes no `retry`. Its options are `StreamOptions`.
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
  <
    A0 = unknown,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    name: string,
    options: Omit<WorkflowOptions<A0, never, never, D, B>, "retry"> & { readonly retry?: undefined }
  ): <Self extends Runnable<A0>>(self: Self) => RunOf<Self, D, B>
  <
    A0 = unknown,
    E0 = unknown,
    R0 = never,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    name: string,
    options: WorkflowOptions<A0, E0 | LimitError<D, B>, R0, D, B>
  ): <A extends A0, E extends E0, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
  <
    A,
    E,
    R,
    R0 = never,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    effect: Effect.Effect<A, E, R>,
    name: string,
    options: WorkflowOptions<Types.NoInfer<A>, Types.NoInfer<E> | LimitError<D, B>, R0, D, B>
  ): Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
  <
    A,
    E,
    R,
    const D extends Duration.DurationInput | undefined = undefined,
    const B extends Budget | undefined = undefined
  >(
    stream: Stream.Stream<A, E, R>,
    name: string,
    options: StreamOptions<D, B>
  ): Stream.Stream<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext>>
} = ((...args: [string, AnyOptions] | [AnyWork, string, AnyOptions]) => {
  const callSite = callSiteOf(workflow as never)
  return args.length === 2
    ? (work: AnyWork) => runOf(work, args[0], args[1], callSite)
    : runOf(args[0], args[1], args[2], callSite)
}) as never

// The outcome option of a stream has no result to read.
type Runnable<A0> =
  | Effect.Effect<A0, unknown, unknown>
  | ([undefined] extends [A0] ? Stream.Stream<unknown, unknown, unknown> : never)

type AnyOptions = WorkflowOptions<unknown, unknown, never>
type AnyWork = Effect.Effect<unknown> | Stream.Stream<unknown>

// In its types an effect is a stream, too.
const runOf = (
  work: AnyWork,
  name: string,
  options: AnyOptions,
  callSite: CallSite
): AnyWork | Stream.Stream<unknown, unknown> =>
  Effect.isEffect(work) ? (run(work, name, options, callSite) as never) : runStream(work, name, options, callSite)

const runStream = (
  body: Stream.Stream<unknown>,
  name: string,
  { budget, retry: _, retryOf, ...options }: AnyOptions,
  callSite: CallSite
): Stream.Stream<unknown, unknown> => {
  const request = { ...options, workflow: name, callSite }
  const checked = Effect.withFiberRuntime<void, unknown>((fiber) => {
    const run = currentRun(fiber.currentContext)
    return run === undefined ? Effect.void : withinBudgets(fiber, run, Effect.void)
  })
  const previous = retryOf && { run: retryOf, span: remoteSpanOf(retryOf) }
  const ran = streamRun(Stream.concat(Stream.execute(checked), body), () => {
    const valid = budget && validate(budget)
    if (valid !== undefined && Either.isLeft(valid)) return Either.left(invalidRequest(request, valid.left))
    return Either.right([{ ...request, budgetMeter: accountFor(valid?.right)() }, previous])
  })
  const warning = retryOf && lostLineage(retryOf)
  return warning === undefined ? ran : Stream.concat(Stream.execute(warning), ran)
}

const run = (
  body: Effect.Effect<unknown>,
  name: string,
  options: AnyOptions,
  callSite: CallSite
): Effect.Effect<unknown, unknown> => {
  const warning = options.retryOf && lostLineage(options.retryOf)
  const attempted = attempts(body, { ...options, workflow: name, callSite })
  return warning === undefined ? attempted : Effect.zipRight(warning, attempted)
}

const attempts = (
  work: Effect.Effect<unknown>,
  { budget, retry: policy, retryOf, ...attemptOptions }: AnyOptions & RunRequest
): Effect.Effect<unknown, unknown> => {
  const body = begun(work)
  const first = retryOf && { run: retryOf, span: remoteSpanOf(retryOf) }
  if (budget === undefined && policy === undefined) return Attempt.attempt(body, attemptOptions, first, ignore)
  return Effect.suspend(() => {
    const checked = budget && validate(budget)
    if (checked !== undefined && Either.isLeft(checked))
      return Effect.fail(invalidRequest(attemptOptions, checked.left))
    const account = accountFor(checked?.right)
    let previous: Attempt.Previous | undefined = first
    const attempt = (cancellation?: Cancellation) =>
      Effect.suspend(() =>
        Attempt.attempt(body, { ...attemptOptions, budgetMeter: account(), cancellation }, previous, (opened) => {
          previous = opened
        })
      )
    if (policy === undefined) return attempt()
    const isFinal = (error: unknown) =>
      error instanceof InvalidRunContext ||
      (error instanceof BudgetExceeded &&
        (error.scope !== "run" || checked?.right.retries === true) &&
        error.runId === previous?.run.runId)
    return retry(attempt, { policy, isFinal, lastRun: () => previous?.run })
  })
}

const ignore = () => {}

/** The work on a run, unless a budget over time is exceeded when it begins. Its failure is in no type, as its layer is not. */
const begun = (work: Effect.Effect<unknown>): Effect.Effect<unknown> =>
  Effect.withFiberRuntime((fiber) => {
    const run = currentRun(fiber.currentContext)
    return run === undefined
      ? work
      : (withinBudgets(fiber, run, noticingModelCalls(fiber, run, work)) as Effect.Effect<unknown>)
  })

/** What the next attempt may spend: what is left of the one account, or all of a new one. */
const accountFor = (budget: ValidBudget | undefined): (() => BudgetMeter | undefined) => {
  if (budget === undefined) return () => undefined
  const shared = new BudgetMeter(budget)
  return () => (budget.retries ? shared : new BudgetMeter(budget))
}

/**
 * A value, or how it follows from the arguments of the function.
 *
 * @example
 * ```ts
 * import type { Botanu } from "botanu-effect"
 *
 * const constant: Botanu.FromArguments<[id: string], string> = "bigretail"
 * const computed: Botanu.FromArguments<[id: string], string> = (id) => `ticket-${id}`
 * console.log(constant, typeof computed)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type FromArguments<Args extends ReadonlyArray<unknown>, A> = A | ((...args: Args) => A)

/**
 * The options of a workflow, with ids that may follow from the arguments.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const options: Botanu.FunctionOptions<[id: string], unknown, never, never, undefined, undefined> = {
 *   eventId: (id) => id,
 *   customerId: "bigretail"
 * }
 * const answer = Botanu.fn("Customer Support", options)((id: string) => Effect.log(`answering ${id}`))
 * Effect.runPromise(answer("ticket-42"))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface FunctionOptions<
  Args extends ReadonlyArray<unknown>,
  in A = never,
  in E = never,
  out R = unknown,
  out D extends Duration.DurationInput | undefined = Duration.DurationInput | undefined,
  out B extends Budget | undefined = Budget | undefined
> extends Omit<WorkflowOptions<A, E, R, D, B>, keyof ArgumentOptions<Args>>,
    ArgumentOptions<Args> {}

interface ArgumentOptions<Args extends ReadonlyArray<unknown>> {
  readonly eventId: FromArguments<Args, string>
  readonly customerId: FromArguments<Args, string>
  readonly tenantId?: FromArguments<Args, string | undefined>
  readonly environment?: FromArguments<Args, string | undefined>
  readonly version?: FromArguments<Args, string | undefined>
  readonly retryOf?: FromArguments<Args, Run | undefined>
}

/**
 * A function whose every call is a run of a workflow, in the manner of `Effect.fn`: the body is a generator, or gives an
 * effect; ids may be functions of the arguments.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const answer = Botanu.fn("Customer Support", {
 *   eventId: (ticket: { id: string; org: string }) => ticket.id,
 *   customerId: (ticket) => ticket.org
 * })(function* (ticket) {
 *   yield* Effect.log(`answering ${ticket.id}`)
 * })
 *
 * Effect.runPromise(answer({ id: "ticket-42", org: "bigretail" }))
 * ```
 *
 * @since 0.1.0
 * @category workflows
 */
export const fn: <
  Args extends ReadonlyArray<unknown>,
  A0 = unknown,
  E0 = unknown,
  R0 = never,
  const D extends Duration.DurationInput | undefined = undefined,
  const B extends Budget | undefined = undefined
>(
  name: string,
  options: FunctionOptions<Args, A0, E0 | LimitError<D, B>, R0, D, B>
) => {
  <Eff extends Yielded<E0>, A extends A0, Rest extends readonly [...Args, ...ReadonlyArray<unknown>]>(
    body: (...args: Rest) => Generator<Eff, A, never>
  ): (
    ...args: Rest
  ) => Effect.Effect<A, ErrorOf<Eff> | InvalidRunContext | LimitError<D, B>, Exclude<ContextOf<Eff>, RunContext> | R0>
  <A extends A0, E extends E0, R, Rest extends readonly [...Args, ...ReadonlyArray<unknown>]>(
    body: (...args: Rest) => Effect.Effect<A, E, R>
  ): (...args: Rest) => Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R, RunContext> | R0>
} = ((name: string, options: FunctionOptions<ReadonlyArray<unknown>, unknown, unknown, never>) => {
  const callSite = callSiteOf(fn as never)
  return (body: Body) =>
    (...args: ReadonlyArray<unknown>) =>
      Effect.suspend(() => run(callBody(body, args), name, applyToArguments(options, args), callSite))
}) as never

type Yielded<E> = Utils.YieldWrap<Effect.Effect<unknown, E, unknown>>
type ErrorOf<Eff> = [Eff] extends [never]
  ? never
  : [Eff] extends [Utils.YieldWrap<Effect.Effect<infer _A, infer E, infer _R>>]
    ? E
    : never
type ContextOf<Eff> = [Eff] extends [never]
  ? never
  : [Eff] extends [Utils.YieldWrap<Effect.Effect<infer _A, infer _E, infer R>>]
    ? R
    : never

type Body = (
  ...args: ReadonlyArray<unknown>
) => Effect.Effect<unknown> | Generator<Utils.YieldWrap<Effect.Effect<unknown>>, unknown, never>

// Each attempt calls the body anew: a generator runs once.
const callBody = (body: Body, args: ReadonlyArray<unknown>): Effect.Effect<unknown> =>
  Effect.suspend(() => {
    const result = body(...args)
    return Effect.isEffect(result) ? result : Effect.gen(() => result)
  })

const applyToArguments = (
  options: FunctionOptions<ReadonlyArray<unknown>, unknown, unknown, never>,
  args: ReadonlyArray<unknown>
): AnyOptions => {
  const apply = <A>(option: FromArguments<ReadonlyArray<unknown>, A>): A =>
    typeof option === "function" ? (option as (...args: ReadonlyArray<unknown>) => A)(...args) : option
  return {
    ...options,
    eventId: apply(options.eventId),
    customerId: apply(options.customerId),
    tenantId: apply(options.tenantId),
    environment: apply(options.environment),
    version: apply(options.version),
    retryOf: apply(options.retryOf)
  }
}
