/**
 * What an engine knows of executions of an activity that left no result.
 */
import { Context, type DateTime, type Effect } from "effect"

/**
 * One activity of an execution, as an engine stores it.
 *
 * @example
 * ```ts
 * import type { RunWorkflow } from "botanu-effect/workflow"
 *
 * const pay: RunWorkflow.ActivityAddress = { workflow: "Fulfil Order", executionId: "0f", activity: "pay", attempt: 1 }
 * console.log(pay.activity)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface ActivityAddress {
  /** The name of the workflow. */
  readonly workflow: string
  /** The id of the execution, as the workflow makes it of its payload. */
  readonly executionId: string
  /** The name of the activity. */
  readonly activity: string
  /** The engine's number of the attempt, from `Activity.CurrentAttempt`. */
  readonly attempt: number
}

/**
 * Finds out whether an activity that is about to be executed was begun before. An engine does not say so: it counts an activity that
 * a crash cut off and the execution that follows as one attempt. `botanu-effect/cluster` provides it for the engine on a cluster.
 *
 * @example
 * ```ts
 * import { RunWorkflow } from "botanu-effect/workflow"
 * import { Effect, Layer } from "effect"
 *
 * export const never = Layer.succeed(RunWorkflow.ActivityHistory, { wasRequestedBefore: () => Effect.succeed(false) })
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class ActivityHistory extends Context.Tag("botanu/RunWorkflow/ActivityHistory")<
  ActivityHistory,
  {
    /** Whether the activity was requested before this time, by this process or another. */
    readonly wasRequestedBefore: (activity: ActivityAddress, time: DateTime.Utc) => Effect.Effect<boolean, unknown>
    /**
     * Whether executions end with the process, so that nothing is stored for another.
     * @default false
     */
    readonly endsWithProcess?: boolean | undefined
  }
>() {}
