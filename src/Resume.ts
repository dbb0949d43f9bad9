/**
 * Work on a run that came in.
 */
import { Effect, Function, Option } from "effect"
import { withRun } from "./lifecycle/CurrentRun.js"
import { joinedRunFor, type RunCancelled, whileItLasts } from "./lifecycle/JoinedRun.js"
import { inLiveRun, liveRunFor } from "./lifecycle/LiveRun.js"
import type { RunContext } from "./RunContext.js"
import type * as Deadline from "./run/Deadline.js"
import { withoutLimits } from "./run/RemoteContext.js"
import type { Run } from "./run/Run.js"

/**
 * What a deadline and a cancellation mean that came in with a run.
 *
 * @example
 * ```ts
 * import { Botanu, RunContext } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const awaited: Botanu.ResumeOptions<"enforce"> = { deadline: "enforce" }
 * const program = Effect.gen(function* () {
 *   const run = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
 *   yield* Effect.log("working").pipe(Botanu.resume(run, awaited))
 * })
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category incoming
 */
export interface ResumeOptions<out D extends "ignore" | "enforce" = "ignore" | "enforce"> {
  /**
   * `"ignore"`: the run is worked on without them, for a message outlives its sender. `"enforce"`: the sender waits for the
   * answer, so the work is interrupted at the deadline, and not begun after it, nor where the run came in cancelled.
   * @default "ignore"
   */
  readonly deadline?: D | undefined
}

/**
 * How work on a run fails whose deadline or cancellation is enforced.
 *
 * @example
 * ```ts
 * import type { Botanu, DeadlineExceeded } from "botanu-effect"
 *
 * const isInChannel: [DeadlineExceeded] extends [Botanu.ResumeError<"enforce">] ? true : false = true
 * console.log(isInChannel)
 * ```
 *
 * @since 0.2.0
 * @category incoming
 */
export type ResumeError<D> = "enforce" extends D ? Deadline.DeadlineExceeded | RunCancelled : never

/**
 * Joins a run that came in: provides `RunContext` to the effect, and puts the run on every span and log line made in it. Where
 * no span is open, the span under which the run was sent is the parent. The run is neither started nor completed here; a
 * workflow in the effect makes a child of it. Of `None`, the effect remains as it is.
 *
 * A run that is alive in this process, as `RunContext` and `Botanu.activeRuns` give it, is joined alive, from a promise for example:
 * usages and an outcome are on its record, and its cancellation, its budget and its deadline end the effect too. A run that was
 * extracted from headers is joined as one that came in.
 *
 * A deadline and a cancellation that came in are ignored, unless `{ deadline: "enforce" }` asks for them: then it fails with
 * `DeadlineExceeded` at the deadline, and without doing anything where that has passed; with `RunCancelled` where the run came
 * in cancelled.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation, RunContext } from "botanu-effect"
 * import { Console, Effect } from "effect"
 *
 * const onMessage = (headers: Record<string, string>) =>
 *   Effect.flatMap(Propagation.extract(headers), (incoming) =>
 *     Effect.flatMap(RunContext, ({ parentRunId }) => Console.log(parentRunId)).pipe(
 *       Botanu.workflow("Ship Order", { eventId: "order-7", customerId: "bigretail" }),
 *       Botanu.resume(incoming)
 *     )
 *   )
 * ```
 *
 * @since 0.2.0
 * @category incoming
 */
export const resume: {
  <const D extends "ignore" | "enforce" = "ignore">(
    run: Run,
    options?: ResumeOptions<D>
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ResumeError<D>, Exclude<R, RunContext>>
  <const D extends "ignore" | "enforce" = "ignore">(
    run: Option.Option<Run>,
    options?: ResumeOptions<D>
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ResumeError<D>, R>
  <A, E, R, const D extends "ignore" | "enforce" = "ignore">(
    effect: Effect.Effect<A, E, R>,
    run: Run,
    options?: ResumeOptions<D>
  ): Effect.Effect<A, E | ResumeError<D>, Exclude<R, RunContext>>
  <A, E, R, const D extends "ignore" | "enforce" = "ignore">(
    effect: Effect.Effect<A, E, R>,
    run: Option.Option<Run>,
    options?: ResumeOptions<D>
  ): Effect.Effect<A, E | ResumeError<D>, R>
} = Function.dual(
  (args) => isRunOrOption(args[1]),
  <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    run: Run | Option.Option<Run>,
    options?: ResumeOptions
  ): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R> => {
    if (!Option.isOption(run)) return joined(effect, run, options)
    return Option.match(run, { onNone: () => effect, onSome: (run) => joined(effect, run, options) })
  }
)

/** An `Option` is an effect too, so the second argument says which form this is. */
const isRunOrOption = (value: unknown): boolean =>
  Option.isOption(value) || (typeof value === "object" && value !== null && "runId" in value)

const joined = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  run: Run,
  options: ResumeOptions | undefined
): Effect.Effect<A, E | Deadline.DeadlineExceeded | RunCancelled, R> =>
  Effect.withFiberRuntime((fiber) => {
    const isEnforced = options?.deadline === "enforce"
    const live = liveRunFor(fiber, run)
    if (live !== undefined) return inLiveRun(fiber, live, work, isEnforced)
    const joined = joinedRunFor(fiber, isEnforced ? run : withoutLimits(run))
    const { onLogs, onSpans, scope, span } = joined
    return whileItLasts(work, joined, { context: withRun(fiber.currentContext, scope, span), onLogs, onSpans })
  })
