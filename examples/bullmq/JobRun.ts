/**
 * Jobs of BullMQ as runs: the part to copy. A job has no headers of its own, so they are in its data: those of the run that
 * added it, and those of the attempt that was begun last, for whoever gets the job after that.
 */
import {
  Delivery,
  type InvalidRunContext,
  Propagation,
  type Run,
  type RunContext,
  type RunOptions
} from "botanu-effect"
import type { Job, Processor } from "bullmq"
import { Cause, Effect, Exit, type ManagedRuntime, type Option } from "effect"

/** What the data of a job says of runs. */
export interface JobHeaders {
  /** The run that added the job. */
  readonly headers?: Propagation.OutgoingHeaders
  /** The attempt that was begun last; whether it came to an end is not known. */
  readonly lastAttempt?: Propagation.OutgoingHeaders
}

/** The data of a job that the current run adds. */
export const data = <Data extends object>(work: Data): Effect.Effect<Data & JobHeaders, never, RunContext> =>
  Effect.map(Propagation.inject, (headers) => ({ ...work, headers }))

/**
 * Makes the work on a job a run: the first attempt as a child of the run that added the job, a redelivery as the attempt after
 * the one before, whichever process had that. Take `eventId` from the data, so that it is the same in all attempts.
 */
export const workflow =
  <Data extends JobHeaders>(job: Job<Data>, name: string, options: Omit<RunOptions, "workflow" | "deadline">) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | InvalidRunContext, Exclude<R, RunContext>> =>
    work.pipe(
      Delivery.workflow(name, {
        ...options,
        sender: job.data.headers,
        lastAttempt: job.data.lastAttempt,
        keep: (headers) => Effect.tryPromise(() => job.updateData({ ...job.data, lastAttempt: headers }))
      })
    )

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
