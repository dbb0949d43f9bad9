/**
 * Attempts one after the other, and the waits between them. A workflow that waits for its next attempt is active: it is listed by
 * its last run, and can be cancelled.
 */
import { Cause, Clock, Effect, Exit, FiberId, Schedule } from "effect"
import { clockOf } from "../fiber/CurrentFiber.js"
import { FiberRegion } from "../fiber/FiberRegion.js"
import { inRegion } from "../fiber/RegionWork.js"
import type { Run } from "../run/Run.js"
import { type ActiveRun, add, remove, whileRetrying } from "./ActiveRuns.js"
import type { Cancellation } from "./RunScope.js"

/** When a failed attempt is followed by another, beside a `Schedule`: what `Effect.retry` takes. */
export interface RetryPolicy {
  readonly schedule?: Schedule.Schedule<unknown, unknown, unknown> | undefined
  readonly times?: number | undefined
  readonly while?: ((error: unknown) => boolean | Effect.Effect<boolean, unknown, unknown>) | undefined
  readonly until?: ((error: unknown) => boolean | Effect.Effect<boolean, unknown, unknown>) | undefined
}

export interface RetryOptions {
  readonly policy: Schedule.Schedule<unknown, unknown, unknown> | RetryPolicy
  /** Whether no attempt can mend an error. */
  readonly isFinal: (error: unknown) => boolean
  /** The run of the last attempt. */
  readonly lastRun: () => Run | undefined
}

/**
 * `attempt` and, while it fails and the policy has it so, the next one: what `Effect.retry` does. An attempt is given the
 * cancellation that came while it was waited for; it is the last one then.
 */
export const retry = <A, E, R>(
  attempt: (cancellation: Cancellation | undefined) => Effect.Effect<A, E, R>,
  { isFinal, lastRun, policy }: RetryOptions
): Effect.Effect<A, E, R> => {
  const retrying = Effect.flatMap(Schedule.driver(scheduleOf(policy)), (driver) => {
    const attempts: Effect.Effect<A, E, unknown> = Effect.catchAll(
      Effect.provideServiceEffect(attempt(undefined), Schedule.CurrentIterationMetadata, driver.iterationMeta),
      (error) => {
        const run = lastRun()
        if (isFinal(error) || run === undefined) return Effect.fail(error)
        const wait = new RetryWait(run)
        return Effect.matchEffect(wait.during(driver.next(error)), {
          onFailure: () => (wait.cancellation === undefined ? Effect.fail(error) : attempt(wait.cancellation)),
          onSuccess: () => (wait.cancellation === undefined ? attempts : attempt(wait.cancellation))
        })
      }
    )
    return attempts
  })
  // What the policy requires is in the type of the workflow.
  return whileRetrying(retrying as Effect.Effect<A, E, R>)
}

const scheduleOf = (
  policy: Schedule.Schedule<unknown, unknown, unknown> | RetryPolicy
): Schedule.Schedule<unknown, unknown, unknown> => {
  if (Schedule.isSchedule(policy)) return policy as Schedule.Schedule<unknown, unknown, unknown>
  const { schedule = Schedule.forever, times, until, while: whileTrue } = policy as RetryPolicy
  let result: Schedule.Schedule<unknown, unknown, unknown> = schedule
  if (whileTrue) result = Schedule.whileInputEffect(result, (error) => asEffect(whileTrue(error)))
  if (until) result = Schedule.untilInputEffect(result, (error) => asEffect(until(error)))
  return times === undefined ? result : Schedule.intersect(result, Schedule.recurs(times))
}

const asEffect = (
  answer: boolean | Effect.Effect<boolean, unknown, unknown>
): Effect.Effect<boolean, never, unknown> =>
  typeof answer === "boolean" ? Effect.succeed(answer) : Effect.orDie(answer)

/** A wait was cancelled before it was decided whether there is another attempt. */
const cancelled = Symbol("cancelled")
type Cancelled = typeof cancelled

/** A wait for the next attempt. */
class RetryWait implements ActiveRun {
  cancellation: Cancellation | undefined = undefined
  private readonly wakers = new Set<() => void>()
  private region: FiberRegion | undefined = undefined

  constructor(readonly run: Run) {}

  /** Interrupts the wait, and not its caller. In an uninterruptible region its sleeps end. */
  interrupt(by: FiberId.FiberId): void {
    this.region?.interrupt(by)
    for (const wake of this.wakers) wake()
  }

  /** `waiting`, which ends when the wait is cancelled. */
  during<A, E, R>(waiting: Effect.Effect<A, E, R>): Effect.Effect<A, E | Cancelled, R> {
    return Effect.withFiberRuntime((fiber) =>
      Effect.uninterruptibleMask((restore) => {
        const region = new FiberRegion(fiber)
        this.region = region
        add(this)
        return inRegion<A, E, R, A, E | Cancelled>(
          fiber,
          restore(Effect.withClock(waiting, this.cancellable(clockOf(fiber)))),
          {
            region,
            context: fiber.currentContext,
            isOwnAnnotation: () => false,
            endsChildren: () => this.cancellation !== undefined,
            onExit: (exit) => {
              remove(this)
              const isStopped = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
              return isStopped && this.cancellation !== undefined ? Exit.fail(cancelled) : exit
            }
          }
        )
      })
    )
  }

  private cancellable(clock: Clock.Clock): Clock.Clock {
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      currentTimeMillis: clock.currentTimeMillis,
      currentTimeNanos: clock.currentTimeNanos,
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      sleep: (duration) => this.untilCancelled(clock.sleep(duration))
    }
  }

  private untilCancelled(sleep: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.cancellation !== undefined) return resume(Effect.void)
      const timer = Effect.runFork(sleep)
      const end = () => {
        this.wakers.delete(end)
        timer.unsafeInterruptAsFork(FiberId.none)
        resume(Effect.void)
      }
      this.wakers.add(end)
      timer.addObserver(end)
      return Effect.sync(end)
    })
  }
}
