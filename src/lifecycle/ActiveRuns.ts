/**
 * The runs that are alive in this process, by id.
 */
import { type DateTime, type Duration, Effect, type FiberId, GlobalValue } from "effect"
import { nowOf } from "../fiber/CurrentFiber.js"
import type { Run } from "../run/Run.js"
import type { RunScope } from "./RunScope.js"

/** Work on a run, or a wait for the attempt after it. */
export interface ActiveRun {
  readonly run: Run
  /** Why and when it was cancelled. */
  cancellation: { readonly reason: string; readonly at: DateTime.Utc } | undefined
  /** Stops the work, or the wait, and not the caller. */
  interrupt(by: FiberId.FiberId): void
  /** What is recorded of this record of the run, where that is kept apart from the run itself; none where it is over. */
  scopeOf?(run: Run): RunScope | undefined
}

/**
 * What the list has of a run; nothing where it is over. A map of V8 that often changes keeps what was in it alive for many collections:
 * this, and not all that the run works on.
 */
interface Listed {
  active: ActiveRun | undefined
}

interface Registry {
  readonly runs: Map<string, Listed>
  /** Workflows with attempts that may be followed by others. */
  readonly retrying: Set<object>
  /** Called whenever a run or a workflow is over. */
  readonly onEnd: Set<() => void>
}

const { onEnd, retrying, runs } = GlobalValue.globalValue(
  "botanu/ActiveRuns",
  (): Registry => ({ runs: new Map(), retrying: new Set(), onEnd: new Set() })
)

/**
 * The runs that were started in this process and are not over. A workflow that waits for its next attempt is listed by the run of its
 * last one.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu } from "botanu-effect"
 *
 * const program = Botanu.workflow(Botanu.activeRuns, "Support", { eventId: "ticket-42", customerId: "bigretail" })
 *
 * const [run] = await Effect.runPromise(program)
 * console.log(run?.workflow) // Support
 * ```
 *
 * @since 0.1.0
 * @category runs
 */
export const activeRuns: Effect.Effect<ReadonlyArray<Run>> = Effect.sync(() =>
  Array.from(runs.values()).flatMap(({ active }) => active?.run ?? [])
)

/**
 * Cancels a run that is alive in this process. Its work is interrupted, and it completes as `canceled` with this reason when its
 * finalizers are done, which is not waited for. Its caller sees an interruption, without being interrupted itself. A workflow that
 * waits for its next attempt does not wait any longer: that attempt is recorded as `canceled` with this reason, and its body does not
 * run. Gives whether the run was found. The first reason counts.
 *
 * @example
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import { Botanu } from "botanu-effect"
 *
 * const program = Effect.gen(function* () {
 *   const ids = { eventId: "ticket-42", customerId: "bigretail" }
 *   const fiber = yield* Effect.fork(Botanu.workflow(Effect.never, "Support", ids))
 *   yield* Effect.yieldNow()
 *   const [run] = yield* Botanu.activeRuns
 *   const isFound = yield* Botanu.cancel(run?.runId ?? "", "the customer closed the ticket")
 *   const exit = yield* Fiber.await(fiber)
 *   return [isFound, exit._tag]
 * })
 *
 * console.log(await Effect.runPromise(program)) // [ true, 'Failure' ]
 * ```
 *
 * @since 0.1.0
 * @category runs
 */
export const cancel = (runId: string, reason: string): Effect.Effect<boolean> =>
  Effect.withFiberRuntime((fiber) => {
    const active = activeRun(runId)
    if (active === undefined) return Effect.succeed(false)
    active.cancellation ??= { reason, at: nowOf(fiber) }
    active.interrupt(fiber.id())
    return Effect.succeed(true)
  })

/**
 * Waits until no run is active in this process and no workflow waits for its next attempt, for as long as the limit has it. Gives
 * whether that is so. In a run it waits for that run too, and so for the whole limit.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Botanu } from "botanu-effect"
 *
 * const program = Effect.gen(function* () {
 *   const ids = { eventId: "ticket-42", customerId: "bigretail" }
 *   yield* Effect.forkDaemon(Botanu.workflow(Effect.sleep("20 millis"), "Support", ids))
 *   yield* Effect.yieldNow()
 *   return yield* Botanu.awaitIdle("5 seconds")
 * })
 *
 * console.log(await Effect.runPromise(program)) // true
 * ```
 *
 * @since 0.2.0
 * @category runs
 */
export const awaitIdle = (limit: Duration.DurationInput): Effect.Effect<boolean> =>
  Effect.suspend(() =>
    isIdle()
      ? Effect.succeed(true)
      : Effect.timeoutTo(Effect.interruptible(idle), {
          duration: limit,
          onSuccess: () => true,
          onTimeout: () => false
        })
  )

const isIdle = (): boolean => runs.size === 0 && retrying.size === 0

const idle: Effect.Effect<void> = Effect.async((resume) => {
  const check = () => {
    if (!isIdle()) return
    onEnd.delete(check)
    resume(Effect.void)
  }
  onEnd.add(check)
  check()
  return Effect.sync(() => onEnd.delete(check))
})

/** The active run of this id, if there is one. */
export const activeRun = (runId: string): ActiveRun | undefined => runs.get(runId)?.active

/** Makes a run one that `activeRuns` lists and `cancel` finds. */
export const add = (active: ActiveRun): void => {
  runs.set(active.run.runId, { active })
}

/** Undoes `add`. */
export const remove = (active: ActiveRun): void => {
  // Ids are unique but in tests that seed them alike.
  const listed = runs.get(active.run.runId)
  if (listed?.active === active) {
    runs.delete(active.run.runId)
    listed.active = undefined
  }
  for (const notify of onEnd) notify()
}

/** A workflow that may have another attempt, which `awaitIdle` waits for. */
export const whileRetrying = <A, E, R>(workflow: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const token = {}
    retrying.add(token)
    return Effect.ensuring(
      workflow,
      Effect.sync(() => {
        retrying.delete(token)
        for (const notify of onEnd) notify()
      })
    )
  })
