/**
 * What a durable workflow holds and has to undo: the scope that its body sees. The engine closes its own also where the process
 * shuts down and the workflow goes on elsewhere; then nothing is undone.
 */
import type { WorkflowEngine } from "@effect/workflow"
import { type Context, Effect, Exit, type Scope, type Tracer } from "effect"
import { withRun } from "../lifecycle/CurrentRun.js"
import type { RunScope } from "../lifecycle/RunScope.js"
import type { RunContext } from "../RunContext.js"
import { step } from "../Step.js"

/** The name of the step in which a workflow that did not succeed undoes what it did. */
const compensation = "compensation"

/** What every scope can do and its type does not show. */
interface OpenScope extends Scope.CloseableScope {
  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void>
}

/** The instance as the body of a workflow sees it: with the scope `held`. What the body does in it after a failure is a step. */
export const withHeldScope = (
  instance: WorkflowEngine.WorkflowInstance["Type"],
  held: Scope.CloseableScope,
  run: RunScope,
  span: Tracer.AnySpan | undefined
): WorkflowEngine.WorkflowInstance["Type"] => {
  const scope = new Proxy(held as OpenScope, {
    get: (target, key) =>
      key === "addFinalizer"
        ? (finalizer: Scope.Scope.Finalizer) =>
            target.addFinalizer((exit) =>
              Exit.isSuccess(exit) ? finalizer(exit) : compensating(finalizer(exit), run, span)
            )
        : Reflect.get(target, key, target)
  })
  return new Proxy(instance, { get: (target, key) => (key === "scope" ? scope : Reflect.get(target, key, target)) })
}

const compensating = <A>(work: Effect.Effect<A>, run: RunScope, span: Tracer.AnySpan | undefined): Effect.Effect<A> =>
  Effect.mapInputContext(
    step(work, compensation),
    (context: Context.Context<never>) => withRun(context, run, span) as Context.Context<RunContext>
  )
