/**
 * Activities of this package's own: what is to be known once in an execution. They open no spans.
 */
import { Activity, WorkflowEngine } from "@effect/workflow"
import { Effect, FiberRef, type Schema } from "effect"

/** What is made once in an execution, whatever processes it is in. */
export interface Once<A, I, E, EI, R> {
  readonly name: string
  readonly success: Schema.Schema<A, I>
  readonly error?: Schema.Schema<E, EI> | undefined
  readonly make: Effect.Effect<A, E, R>
}

/** What was made, or is made now, in the engine itself. */
export const once = <A, I, E = never, EI = never, R = never>(
  engine: WorkflowEngine.WorkflowEngine["Type"],
  { error, make, name, success }: Once<A, I, E, EI, R>
): Effect.Effect<A, E, Exclude<R, WorkflowEngine.WorkflowEngine> | WorkflowEngine.WorkflowInstance> =>
  Effect.flatMap(FiberRef.get(FiberRef.currentTracerEnabled), (isEnabled) =>
    Activity.make({ name, success, error, execute: Effect.withTracerEnabled(make, isEnabled) }).pipe(
      Effect.provideService(WorkflowEngine.WorkflowEngine, engine),
      Effect.provideService(Activity.CurrentAttempt, 1),
      Effect.withTracerEnabled(false)
    )
  ) as never
