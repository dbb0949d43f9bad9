/**
 * An effect or a stream as one call: with a span, and a usage that is recorded when it ends, however it ends.
 */
import { Cause, type Chunk, Context, Effect, Exit, Function, Option, type Scope, Stream, Tracer } from "effect"
import { inBatch } from "../cost/ServiceTier.js"
import { type Consumption, hasQuantity, type UsageDetails } from "../cost/UsageRecord.js"
import { type AnyFiber, clockOf } from "../fiber/CurrentFiber.js"
import { warnFor } from "../fiber/FiberLog.js"
import { endWithRegion } from "../fiber/FiberRegion.js"
import { inContext } from "../fiber/LocalContext.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { currentStep } from "../lifecycle/CurrentStep.js"
import { type RunScope, scopeOf } from "../lifecycle/RunScope.js"
import type { Run } from "../run/Run.js"
import { callExitOf } from "./CallExit.js"
import { CurrentCall, currentCallIn, OpenCall } from "./OpenCall.js"
import { isOverBudget, recordFor } from "./UsageRecorder.js"

/**
 * What is tracked: an effect, or a stream.
 *
 * @example
 * ```ts
 * import type { Usage } from "botanu-effect"
 * import { Effect, Stream } from "effect"
 *
 * const calls: ReadonlyArray<Usage.Trackable<string, never, never>> = [Effect.succeed("a"), Stream.make("a", "b")]
 * console.log(calls.length)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Trackable<A = unknown, E = unknown, R = unknown> = Effect.Effect<A, E, R> | Stream.Stream<A, E, R>

/**
 * The same as a call. It requires `Needs`, and provides `CurrentCall` to what it does.
 *
 * @example
 * ```ts
 * import { Data, type Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const rows = Effect.succeed(["ticket-42"])
 * const tracked: Usage.Tracked<typeof rows, never> = Data.trackDatabase(rows, { system: "postgresql", operation: "SELECT" })
 * Effect.runPromise(tracked)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Tracked<Self, Needs = never> =
  Self extends Effect.Effect<infer A, infer E, infer R>
    ? Effect.Effect<A, E, Exclude<R, CurrentCall> | Needs>
    : Self extends Stream.Stream<infer A, infer E, infer R>
      ? Stream.Stream<A, E, Exclude<R, CurrentCall> | Needs>
      : never

/**
 * What a call says of itself.
 *
 * @example
 * ```ts
 * import { Botanu, Llm, type Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const options: Usage.CallOptions<string> = { usage: (text) => ({ outputTokens: text.length }) }
 * const program = Llm.track(Effect.succeed("a draft"), { provider: "openai", model: "quill-2", ...options }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions<in A = never, in E = never> {
  /**
   * What is known of what the call consumes, by its result, or by an element of its stream. Later details replace earlier
   * ones; `soFar` is what was said before. Where an element of a stream names another `providerRequestId`, what was said before is of an
   * answer before, which was consumed too: then it is a call of its own. A pure function.
   */
  readonly usage?: ((value: A, soFar: Consumption) => Consumption | undefined) | undefined
  /**
   * Whether an error says that the provider refused the call, so that nothing was served and nothing is to be paid.
   * @default whether the error, or its `response`, `cause` or `error`, has an HTTP `status` of 400 or above
   */
  readonly isRefused?: ((error: E) => boolean) | undefined
}

/**
 * Tracks effects and streams as calls of one kind, which `Details` describe and which require `Needs`.
 *
 * @example
 * ```ts
 * import { Data, type Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const track: Usage.Track<Data.DatabaseCall, never> = Data.trackDatabase
 * Effect.runPromise(track(Effect.succeed(["ticket-42"]), { system: "postgresql", operation: "SELECT" }))
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Track<Details, Needs = never> {
  <A0 = unknown, E0 = unknown>(
    options: Details & CallOptions<A0, E0>
  ): <Self extends Trackable<A0, E0>>(self: Self) => Tracked<Self, Needs>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    options: Details & CallOptions<A, E>
  ): Effect.Effect<A, E, Exclude<R, CurrentCall> | Needs>
  <A, E, R>(
    self: Stream.Stream<A, E, R>,
    options: Details & CallOptions<A, E>
  ): Stream.Stream<A, E, Exclude<R, CurrentCall> | Needs>
}

/** A call as the modules for its kinds describe it. */
export interface CallDescription {
  readonly details: UsageDetails
  /** Whether an integration may see the same call. */
  readonly isModelCall: boolean
  /** Whether what it consumed was served in a batch, where it names no other tier. */
  readonly isBatch?: boolean | undefined
  readonly spanName: string
  readonly spanKind: Tracer.SpanKind
  readonly attributes: Record<string, unknown>
}

/** Makes a `Track` of how a call is described. */
export const makeTrack = <Details, Needs>(
  describe: (details: Details, isStream: boolean) => CallDescription
): Track<Details, Needs> =>
  Function.dual(2, (self: Trackable, options: Details & AnyOptions): Trackable => {
    const isEffect = Effect.isEffect(self)
    const call = { ...describe(options, !isEffect), usage: options.usage, isRefused: options.isRefused }
    return isEffect ? trackEffect(self, call) : trackStream(self, call)
  }) as never

type AnyOptions = CallOptions<unknown, unknown>

interface DescribedCall extends CallDescription, AnyOptions {}

const trackEffect = <A, E, R>(self: Effect.Effect<A, E, R>, description: DescribedCall): Effect.Effect<A, E, R> => {
  const opened = openSpan(description)
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(opened, (span) =>
      Effect.withFiberRuntime<A, E, R>((fiber) => {
        const call = new CallSpan(fiber, span, description)
        return inContext(fiber, call.context(fiber.currentContext), restore(self), (fiber, exit) => {
          if (Exit.isSuccess(exit)) call.report(fiber, exit.value)
          return call.end(fiber, exit) ? Effect.zipRight(Effect.yieldNow(), exit) : exit
        })
      })
    )
  )
}

const trackStream = <A, E, R>(self: Stream.Stream<A, E, R>, description: DescribedCall): Stream.Stream<A, E, R> =>
  Stream.unwrapScoped(
    Effect.uninterruptible(
      Effect.flatMap(openSpan(description), (span) =>
        Effect.withFiberRuntime<Stream.Stream<A, E, R>, never, Scope.Scope>((starter) => {
          const call = new CallSpan(starter, span, description)
          // How the stream itself ended; nothing where its consumer took no more, or failed.
          let ended: Exit.Exit<void, E> | undefined
          const end = Effect.withFiberRuntime<void>((fiber) =>
            call.end(fiber, ended ?? Exit.interrupt(fiber.id())) ? Effect.yieldNow() : Effect.void
          )
          const own = Stream.tapErrorCause(self, (cause) =>
            Effect.sync(() => {
              ended = Exit.failCause(cause)
            })
          )
          const reported = Stream.mapChunksEffect(own, (chunk) =>
            Effect.withFiberRuntime<Chunk.Chunk<A>>((fiber) => {
              for (const element of chunk) call.reportElement(fiber, element)
              return Effect.succeed(chunk)
            })
          )
          const whole = Stream.concat(
            reported,
            Stream.execute(
              Effect.sync(() => {
                ended = Exit.void
              })
            )
          )
          const inside = Stream.mapInputContext(whole, (context: Context.Context<R>) => call.context<R>(context))
          return Effect.as(
            Effect.addFinalizer(() => end),
            inside
          )
        })
      )
    )
  )

const openSpan = ({ attributes, spanKind, spanName }: CallDescription): Effect.Effect<Tracer.Span> =>
  Effect.makeSpan(spanName, { kind: spanKind, attributes, captureStackTrace: false })

/** A call from its start to its end. Its usage is recorded on the run in which it began, whichever fiber ends it. */
class CallSpan {
  private readonly open: OpenCall
  /** None outside of a run. */
  private readonly run: Run | undefined
  private readonly scope: RunScope | undefined
  private readonly step: string | undefined

  constructor(
    starter: AnyFiber,
    private readonly span: Tracer.Span,
    private readonly description: DescribedCall
  ) {
    const { details, isModelCall } = description
    const context = starter.currentContext
    endWithRegion(starter)
    this.run = currentRun(context)
    this.scope = this.run && scopeOf(context, this.run)
    this.step = currentStep(context)?.name
    this.open = new OpenCall(details.kind, isModelCall, currentCallIn(context))
  }

  /** The context of what is done for the call. */
  context<R>(context: Context.Context<R>): Context.Context<R> {
    const services = new Map(context.unsafeMap)
    services.set(CurrentCall.key, this.open)
    services.set(Tracer.ParentSpan.key, this.span)
    return Context.unsafeMake(services)
  }

  /** Takes in what a result says of what was consumed. */
  report(fiber: AnyFiber, result: unknown): void {
    const said = this.saidBy(fiber, result)
    if (said !== undefined) this.open.replace(said)
  }

  /** Takes in what an element of a stream says of what was consumed. */
  reportElement(fiber: AnyFiber, element: unknown): void {
    const said = this.saidBy(fiber, element)
    if (said !== undefined) this.open.reportElement(said)
  }

  private saidBy(fiber: AnyFiber, value: unknown): Consumption | undefined {
    const { usage } = this.description
    try {
      return usage?.(value, this.open.soFar) ?? undefined
    } catch (error) {
      warnFor(fiber, `the usage option of "${this.description.spanName}" failed: ${String(error)}`)
      return undefined
    }
  }

  /** Ends the call, and says whether a budget is passed, so that the fiber is to give way. */
  end(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): boolean {
    const { description, open, run, scope, span, step } = this
    const { length: earlierTries } = open.earlierTries
    const further: Partial<UsageDetails> & Consumption = Object.assign(
      earlierTries === 0 ? {} : { attempt: earlierTries + 1 },
      open.soFar,
      callExitOf(exit),
      this.wasRefused(fiber, exit) && { requests: 0 }
    )
    const served = <Consumed extends Consumption>(consumed: Consumed): Consumed =>
      description.isBatch ? inBatch(consumed) : consumed
    const record = () => {
      for (const [index, earlier] of open.earlierTries.entries()) {
        recordFor(fiber, { run, scope, step, span: undefined }, description.details, {
          attempt: index + 1,
          ...served(earlier)
        })
      }
      recordFor(fiber, { run, scope, step, span }, description.details, served(further))
    }
    open.end({ details: further, scope, record })
    try {
      span.end(clockOf(fiber).unsafeCurrentTimeNanos(), exit)
    } catch {
      // A tracer that throws is no reason for the program to fail.
    }
    return isOverBudget(scope)
  }

  private wasRefused(fiber: AnyFiber, exit: Exit.Exit<unknown, unknown>): boolean {
    if (Exit.isSuccess(exit) || hasQuantity(this.open.soFar)) return false
    const error = Cause.failureOption(exit.cause)
    if (Option.isNone(error)) return false
    try {
      return (this.description.isRefused ?? hasErrorStatus)(error.value)
    } catch (thrown) {
      warnFor(fiber, `the isRefused option of "${this.description.spanName}" failed: ${String(thrown)}`)
      return false
    }
  }
}

/** Whether an error is an HTTP answer that refuses: of `@effect/platform` and of the providers' own clients. */
const hasErrorStatus = (error: unknown): boolean => {
  const status = statusIn(error) ?? holders.map((holder) => statusIn(memberOf(error, holder))).find(isStatus)
  return status !== undefined && status >= 400
}

/** Where errors keep what they are about: the answer, or the error of a promise. */
const holders = ["response", "error", "cause"] as const

const memberOf = (holder: unknown, name: (typeof holders)[number]): unknown =>
  typeof holder === "object" && holder !== null && name in holder
    ? (holder as Record<string, unknown>)[name]
    : undefined

const isStatus = (status: number | undefined): status is number => status !== undefined

const statusIn = (holder: unknown): number | undefined =>
  typeof holder === "object" && holder !== null && "status" in holder && typeof holder.status === "number"
    ? holder.status
    : undefined
