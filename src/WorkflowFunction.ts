/**
 * Functions whose every call is a run.
 */
import { Effect, Predicate, Stream, type Types, type Utils } from "effect"
import type { OutcomeOfResult } from "./lifecycle/RunEnd.js"
import { type CallSite, callSiteOf } from "./run/CallSite.js"
import type { Run } from "./run/Run.js"
import { quote } from "./schema/FieldText.js"
import { requestOf, runOf, type Work } from "./tracking/WorkflowRun.js"
import type { KnownOutcome, LimitError, MaybeBudget, MaybeDeadline, RunOf, WorkflowOptions } from "./WorkflowOptions.js"

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
 * const options: Botanu.FunctionOptions<[id: string]> = {
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
  in A = unknown,
  in E = unknown,
  out R = never,
  out D extends MaybeDeadline = MaybeDeadline,
  out B extends MaybeBudget = MaybeBudget,
  out O extends OutcomeOfResult = OutcomeOfResult
> extends Omit<WorkflowOptions<A, E, R, D, B, O>, keyof ArgumentOptions<Args>>,
    ArgumentOptions<Args> {}

interface ArgumentOptions<Args extends ReadonlyArray<unknown>> {
  readonly eventId: FromArguments<Args, string>
  readonly customerId: FromArguments<Args, string>
  readonly tenantId?: FromArguments<Args, string | undefined>
  readonly environment?: FromArguments<Args, string | undefined>
  readonly version?: FromArguments<Args, string | undefined>
  readonly retryOf?: FromArguments<Args, Run | undefined>
}

/** The same without `retry`, which a stream does not have. */
type WithoutRetry<
  Args extends ReadonlyArray<unknown>,
  A,
  D extends MaybeDeadline,
  B extends MaybeBudget,
  O extends OutcomeOfResult
> = Omit<FunctionOptions<Args, A, never, never, D, B, O>, "retry"> & { readonly retry?: undefined }

/**
 * A function whose every call is a run of a workflow, in the manner of `Effect.fn`: the body is a generator, or gives an effect or a
 * stream; it has the `this` of the call. What follows the body is a pipe, whose functions have the arguments too; it is a part of the
 * run. Ids may be functions of the arguments. The stack of an error shows where the function was made and where it was called.
 *
 * With the body first, `outcome` and the predicates of `retry` know the result and the errors of the body.
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const answer = Botanu.fn("Customer Support", {
 *   eventId: (ticket: { id: string; org: string }) => ticket.id,
 *   customerId: (ticket) => ticket.org
 * })(
 *   function* (ticket) {
 *     yield* Effect.log(`answering ${ticket.id}`)
 *     return "a draft"
 *   },
 *   (draft, ticket) => Effect.annotateLogs(draft, { ticket: ticket.id })
 * )
 *
 * Effect.runPromise(answer({ id: "ticket-42", org: "bigretail" }))
 * ```
 *
 * @example
 * ```ts
 * import { Botanu } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const count = Botanu.fn(
 *   function* (ticket: { id: string; org: string }) {
 *     yield* Effect.log(`answering ${ticket.id}`)
 *     return 3
 *   },
 *   "Customer Support",
 *   {
 *     eventId: (ticket) => ticket.id,
 *     customerId: (ticket) => ticket.org,
 *     outcome: (answered) => ({ status: "success", valueType: "questions_answered", valueAmount: answered })
 *   }
 * )
 *
 * Effect.runPromise(count({ id: "ticket-42", org: "bigretail" }))
 * ```
 *
 * @since 0.1.0
 * @category workflows
 */
export const fn: {
  <
    Ids extends ReadonlyArray<unknown>,
    A0 = unknown,
    const D0 extends MaybeDeadline = undefined,
    const B0 extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    name: string,
    options: WithoutRetry<Ids, A0, D0, B0, O>
  ): FunctionOf<Ids, Runnable<A0>, D0, B0, never>
  <
    Ids extends ReadonlyArray<unknown>,
    A0 = unknown,
    E0 = unknown,
    R0 = never,
    const D0 extends MaybeDeadline = undefined,
    const B0 extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    name: string,
    options: FunctionOptions<Ids, A0, E0 | LimitError<D0, B0>, R0, D0, B0, O>
  ): FunctionOf<Ids, Effect.Effect<A0, E0, unknown>, D0, B0, R0>
  <
    Args extends ReadonlyArray<unknown>,
    Made extends AnyEffect,
    R0 = never,
    const D0 extends MaybeDeadline = undefined,
    const B0 extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    body: (...args: Args) => Made,
    name: string,
    options: FunctionOptions<
      Types.NoInfer<Args>,
      ResultOf<WorkOf<Types.NoInfer<Made>>>,
      FailureOf<WorkOf<Types.NoInfer<Made>>> | LimitError<D0, B0>,
      R0,
      D0,
      B0,
      O
    >
  ): (...args: Args) => RunOf<WorkOf<Made>, D0, B0, R0>
  <
    Args extends ReadonlyArray<unknown>,
    A,
    E,
    R,
    const D0 extends MaybeDeadline = undefined,
    const B0 extends MaybeBudget = undefined,
    const O extends KnownOutcome<O> = OutcomeOfResult
  >(
    body: (...args: Args) => Stream.Stream<A, E, R>,
    name: string,
    options: WithoutRetry<Types.NoInfer<Args>, void, D0, B0, O>
  ): (...args: Args) => RunOf<Stream.Stream<A, E, R>, D0, B0>
} = ((...args: [string, AnyOptions] | [Body, string, AnyOptions]) => {
  const definition = callSiteOf(fn as never)
  return args.length === 2
    ? (body: Body, ...pipeables: ReadonlyArray<AnyPipeable>) =>
        functionOf({ body, pipeables, name: args[0], options: args[1], definition })
    : functionOf({ body: args[0], pipeables: [], name: args[1], options: args[2], definition })
}) as never

/** Takes the body, and what follows it in a pipe. */
interface FunctionOf<Ids extends ReadonlyArray<unknown>, W, D0, B0, R0> {
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade>(
    body: (...args: Args) => Made & Expected<WorkOf<Made>, W>
  ): (...args: Args) => RunOf<WorkOf<Made>, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>
  ): (...args: Args) => RunOf<A, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>
  ): (...args: Args) => RunOf<B, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>
  ): (...args: Args) => RunOf<C, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C, D extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>
  ): (...args: Args) => RunOf<D, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C, D, E extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>,
    e: Pipeable<D, Args, E>
  ): (...args: Args) => RunOf<E, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C, D, E, F extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>,
    e: Pipeable<D, Args, E>,
    f: Pipeable<E, Args, F>
  ): (...args: Args) => RunOf<F, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C, D, E, F, G extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>,
    e: Pipeable<D, Args, E>,
    f: Pipeable<E, Args, F>,
    g: Pipeable<F, Args, G>
  ): (...args: Args) => RunOf<G, D0, B0, R0>
  <Args extends readonly [...Ids, ...ReadonlyArray<unknown>], Made extends AnyMade, A, B, C, D, E, F, G, H extends W>(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>,
    e: Pipeable<D, Args, E>,
    f: Pipeable<E, Args, F>,
    g: Pipeable<F, Args, G>,
    h: Pipeable<G, Args, H>
  ): (...args: Args) => RunOf<H, D0, B0, R0>
  <
    Args extends readonly [...Ids, ...ReadonlyArray<unknown>],
    Made extends AnyMade,
    A,
    B,
    C,
    D,
    E,
    F,
    G,
    H,
    I extends W
  >(
    body: (...args: Args) => Made,
    a: Pipeable<WorkOf<Made>, Args, A>,
    b: Pipeable<A, Args, B>,
    c: Pipeable<B, Args, C>,
    d: Pipeable<C, Args, D>,
    e: Pipeable<D, Args, E>,
    f: Pipeable<E, Args, F>,
    g: Pipeable<F, Args, G>,
    h: Pipeable<G, Args, H>,
    i: Pipeable<H, Args, I>
  ): (...args: Args) => RunOf<I, D0, B0, R0>
}

type Pipeable<Input, Args extends ReadonlyArray<unknown>, Output> = (
  input: Input,
  ...args: Types.NoInfer<Args>
) => Output

type AnyEffect =
  | Effect.Effect<unknown, unknown, unknown>
  | Generator<Utils.YieldWrap<Effect.Effect<unknown, unknown, unknown>>, unknown, never>
type AnyMade = AnyEffect | Stream.Stream<unknown, unknown, unknown>

/** The work that a body gives. */
type WorkOf<Made> = [Made] extends [Generator<infer Eff, infer A, never>]
  ? Effect.Effect<A, ErrorOf<Eff>, ContextOf<Eff>>
  : Made
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
type ResultOf<W> = [W] extends [Effect.Effect<infer A, infer _E, infer _R>] ? A : never
type FailureOf<W> = [W] extends [Effect.Effect<infer _A, infer E, infer _R>] ? E : never

/** What a type is to be as well, where it is not what was expected. */
type Expected<A, B> = [A] extends [B] ? unknown : B

// The outcome option of a stream has no result to read.
type Runnable<A0> =
  | Effect.Effect<A0, unknown, unknown>
  | ([undefined] extends [A0] ? Stream.Stream<unknown, unknown, unknown> : never)

type AnyOptions = FunctionOptions<ReadonlyArray<unknown>, unknown, unknown, never>
type Body = (
  ...args: ReadonlyArray<unknown>
) => Work | Generator<Utils.YieldWrap<Effect.Effect<unknown>>, unknown, never>
type AnyPipeable = (work: Work, ...args: ReadonlyArray<unknown>) => Work

interface Definition {
  readonly body: Body
  readonly pipeables: ReadonlyArray<AnyPipeable>
  readonly name: string
  readonly options: AnyOptions
  /** Where the function was made. */
  readonly definition: CallSite
}

const functionOf = ({ body, definition, name, options, pipeables }: Definition) => {
  // The name and the length of a function are shown where it is inspected.
  const called = {
    [name](this: unknown, ...args: ReadonlyArray<unknown>): Work {
      const callSite = callSiteOf(called as never)
      const make = () => workOf(body, pipeables, this, args)
      let first: Work | undefined = make()
      // Each attempt calls the body anew, but for the first: the call shows whether it gives a stream.
      const next = (): Work => {
        const work = first ?? make()
        first = undefined
        return work
      }
      const request = () => requestOf(name, optionsOf(options, this, args), callSite, definition)
      if (!Effect.isEffect(first)) return Stream.suspend(() => runOf(Stream.suspend(next), request()))
      const nextEffect = () => next() as Effect.Effect<unknown, unknown>
      return Effect.suspend(() => runOf(Effect.suspend(nextEffect), request()))
    }
  }[name] as (...args: ReadonlyArray<unknown>) => Work
  return Object.defineProperty(called, "length", { value: body.length, configurable: true })
}

/** What the body gives, after its pipe. What throws meanwhile is a defect of the run. */
const workOf = (
  body: Body,
  pipeables: ReadonlyArray<AnyPipeable>,
  self: unknown,
  args: ReadonlyArray<unknown>
): Work => {
  try {
    const made: unknown = body.apply(self, [...args])
    if (isWork(made)) return piped(made, pipeables, args)
    if (isGenerator(made)) return piped(Effect.gen(() => made) as Effect.Effect<unknown>, pipeables, args)
    return Effect.die(
      new TypeError(`the body: expected it to give an effect, a stream or a generator, got ${quote(made)}`)
    )
  } catch (error) {
    return Effect.die(error)
  }
}

const piped = (work: Work, pipeables: ReadonlyArray<AnyPipeable>, args: ReadonlyArray<unknown>): Work =>
  pipeables.reduce((work, pipeable) => pipeable(work, ...args), work)

const isWork = (made: unknown): made is Work =>
  Effect.isEffect(made) || Predicate.hasProperty(made, Stream.StreamTypeId)

const isGenerator = (made: unknown): made is Generator<Utils.YieldWrap<Effect.Effect<unknown>>, unknown, never> =>
  Predicate.hasProperty(made, Symbol.iterator) && Predicate.hasProperty(made, "next")

const optionsOf = (options: AnyOptions, self: unknown, args: ReadonlyArray<unknown>) => {
  const apply = <A>(option: FromArguments<ReadonlyArray<unknown>, A>): A =>
    typeof option === "function" ? (option as (...args: ReadonlyArray<unknown>) => A).apply(self, [...args]) : option
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
