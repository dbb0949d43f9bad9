/**
 * Jobs of BullMQ as runs: the part to copy. A job has no headers of its own, so they are in its data: those of the run that
 * added it, and those of the attempt that was begun last, for whoever gets the job after that.
 */
import {
  Botanu,
  BotanuConfig,
  DeadlineExceeded,
  type InvalidRunContext,
  Propagation,
  type Run,
  RunCancelled,
  type RunContext,
  type RunOptions
} from "botanu-effect"
import { type Job, type Processor, UnrecoverableError } from "bullmq"
import { Cause, type ConfigError, Effect, Exit, Layer, type ManagedRuntime, Option } from "effect"

/** What the data of a job says of runs. */
export interface JobHeaders {
  /** The run that added the job. */
  readonly headers?: Propagation.OutgoingHeaders
  /** The attempt that was begun last; whether it came to an end is not known. */
  readonly lastAttempt?: Propagation.OutgoingHeaders
}

/**
 * The settings of the environment, but in full mode, for both sides of the queue. In lean mode the number of an attempt, its
 * root and its parent do not travel: every redelivery would be attempt 2, with the attempt before as its root.
 */
export const fullPropagation: Layer.Layer<BotanuConfig.BotanuConfig, ConfigError.ConfigError> = Layer.effect(
  BotanuConfig.BotanuConfig,
  Effect.map(BotanuConfig.config, (settings) => ({ ...settings, propagationMode: "full" as const }))
)

/** The data of a job that the current run adds. */
export const data = <Data extends object>(work: Data): Effect.Effect<Data & JobHeaders, never, RunContext> =>
  Effect.map(Propagation.inject, (headers) => ({ ...work, headers }))

/**
 * Makes the work on a job a run: the first attempt as a child of the run that added the job, a redelivery as the attempt after
 * the one before, whichever process had that. Headers that cannot be read cost the lineage, never the work. Take `eventId` from
 * the data, so that it is the same in all attempts.
 *
 * Fails with `UnrecoverableError`, after which BullMQ does not try again, where the run that added the job has been cancelled
 * or its deadline has come.
 */
export const workflow =
  <Data extends JobHeaders>(job: Job<Data>, name: string, options: Omit<RunOptions, "workflow">) =>
  <A, E, R>(
    work: Effect.Effect<A, E, R>
  ): Effect.Effect<
    A,
    E | InvalidRunContext | DeadlineExceeded | RunCancelled | UnrecoverableError,
    Exclude<R, RunContext>
  > =>
    Effect.gen(function* () {
      const sender = yield* Propagation.extract(job.data.headers ?? {})
      const previous = yield* lastAttempt(job)
      const isOfThisWork = (run: Run) => run.workflow === name && run.eventId === options.eventId
      return yield* Effect.zipRight(leaveHeaders(job), work).pipe(
        Botanu.workflow(name, { ...options, retryOf: Option.getOrUndefined(Option.filter(previous, isOfThisWork)) }),
        Botanu.resume(sender),
        Effect.mapError((error) => (isEndOf(sender, error) ? new UnrecoverableError(error.message) : error))
      )
    })

/** The run of the attempt that was begun last, if there was one. */
export const lastAttempt = (job: Job<JobHeaders>): Effect.Effect<Option.Option<Run>> =>
  Propagation.extract(job.data.lastAttempt ?? {})

/** What BullMQ calls for each job. The `AbortSignal` of `worker.cancelJob` interrupts the work, whose run is then canceled. */
export const processor =
  <Data, A, E, R>(
    runtime: ManagedRuntime.ManagedRuntime<R, unknown>,
    work: (job: Job<Data>) => Effect.Effect<A, E, R>
  ): Processor<Data, A> =>
  // BullMQ makes a signal only for a function that names all three.
  async (job, _token, signal) => {
    const exit = await runtime.runPromiseExit(work(job), signal && { signal })
    if (Exit.isSuccess(exit)) return exit.value
    // The error itself: BullMQ looks at its class.
    throw Cause.squash(exit.cause)
  }

/** Puts the headers of this attempt into the job. Before the work begins: after a crash there is nobody to do it. */
const leaveHeaders = <Data extends JobHeaders>(job: Job<Data>): Effect.Effect<void, never, RunContext> =>
  Propagation.inject.pipe(
    Effect.flatMap((headers) => Effect.tryPromise(() => job.updateData({ ...job.data, lastAttempt: headers }))),
    Effect.catchAll(({ error }) => Effect.logWarning(`job ${job.id} will not know of this attempt`, error))
  )

const isEndOf = (sender: Option.Option<Run>, error: unknown): error is RunCancelled | DeadlineExceeded =>
  Option.isSome(sender) &&
  (error instanceof RunCancelled || error instanceof DeadlineExceeded) &&
  error.runId === sender.value.runId
