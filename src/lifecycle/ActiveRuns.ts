/**
 * The runs that are alive in this process, by id.
 */
import { Effect, GlobalValue } from "effect"
import { nowOf } from "../fiber/CurrentFiber.js"
import type { Run } from "../run/Run.js"
import type { RunScope } from "./RunScope.js"

const scopes = GlobalValue.globalValue("botanu/ActiveRuns", () => new Map<string, RunScope>())

/** The runs that were started in this process and are not over. */
export const activeRuns: Effect.Effect<ReadonlyArray<Run>> = Effect.sync(() =>
  Array.from(scopes.values(), (scope) => scope.run)
)

/**
 * Cancels a run that is alive in this process: its fiber is interrupted, and it completes as `canceled` with this reason when
 * its finalizers are done, which is not waited for. Its caller sees an interruption, without being interrupted itself. Gives
 * whether the run was found. The first reason stands.
 */
export const cancel = (runId: string, reason: string): Effect.Effect<boolean> =>
  Effect.withFiberRuntime((fiber) => {
    const scope = scopes.get(runId)
    if (scope === undefined) return Effect.succeed(false)
    scope.cancellation ??= { reason, at: nowOf(fiber) }
    scope.fiber?.unsafeInterruptAsFork(fiber.id())
    return Effect.succeed(true)
  })

/** Makes a run one that `activeRuns` lists and `cancel` finds. */
export const add = (scope: RunScope): void => {
  scopes.set(scope.run.runId, scope)
}

/** Undoes `add`. */
export const remove = (scope: RunScope): void => {
  // Ids are unique but in tests that seed them alike.
  if (scopes.get(scope.run.runId) === scope) scopes.delete(scope.run.runId)
}
