/**
 * The current run, as a service: what every effect inside of a workflow can ask for.
 */
import { Context, DateTime, type Duration, Effect, FiberRef, Layer, type Option, Schema } from "effect"
import * as Baggage from "./baggage/Baggage.js"
import { setWrappedTracer } from "./fiber/TracerWrapper.js"
import { currentRun, runContextKey, withRun } from "./lifecycle/CurrentRun.js"
import { joinedRunFor } from "./lifecycle/JoinedRun.js"
import { liveRunFor } from "./lifecycle/LiveRun.js"
import { callSiteOf } from "./run/CallSite.js"
import { fromOptions, type InvalidRunContext, optionsOf, type RunOptions, type RunRequest } from "./run/NewRun.js"
import type { Run } from "./run/Run.js"
import * as RunBaggage from "./run/RunBaggage.js"
import { withSettings } from "./run/Settings.js"

/**
 * The tag of the current run. A workflow, `Botanu.resume` and `RunContext.layer` provide it. Using `RunContext` outside of them is
 * a compile error.
 *
 * @example
 * ```ts
 * import { Botanu, RunContext } from "botanu-effect"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.flatMap(RunContext, (run) => Console.log(`attempt ${run.attempt} at ${run.eventId}`)).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category context
 */
export class RunContext extends Context.Tag(runContextKey)<RunContext, Run>() {
  /**
   * Makes a run without starting it. Its parent is the run in scope, if there is one, and its deadline is never later than that of
   * the parent. Fails with `InvalidRunContext`, which names the option or the environment variable that is wrong.
   *
   * @example
   * ```ts
   * import { RunContext } from "botanu-effect"
   * import { Console, Effect } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const run = yield* RunContext.make({
   *     workflow: "Customer Support",
   *     eventId: "ticket-42",
   *     customerId: "bigretail",
   *     deadline: "30 seconds"
   *   })
   *   yield* Console.log(run.attempt, run.rootRunId === run.runId)
   * })
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category constructors
   */
  static make(options: RunOptions): Effect.Effect<Run, InvalidRunContext> {
    return made({ ...options, callSite: callSiteOf(RunContext.make) }, undefined)
  }

  /**
   * Makes the attempt after `previous` without starting it: the same event, root and parent, and the next `attempt`. It has as much
   * time as `previous` had, within the deadline of the run in scope. Fails with `InvalidRunContext` where `previous` is the last
   * attempt that can be counted.
   *
   * @example
   * ```ts
   * import { RunContext } from "botanu-effect"
   * import { Console, Effect } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const first = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
   *   const second = yield* RunContext.retry(first)
   *   yield* Console.log(second.attempt, second.retryOfRunId === first.runId)
   * })
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category constructors
   */
  static retry(previous: Run): Effect.Effect<Run, InvalidRunContext> {
    return made({ ...optionsOf(previous), callSite: callSiteOf(RunContext.retry) }, previous)
  }

  /**
   * Joins a run that is owned elsewhere: provides `RunContext`, and puts the run on every span and log line made under the layer.
   * The run is neither started nor completed here, and its deadline is not enforced. An outcome emitted in it is recorded on the
   * span that was current when the run was joined. Use `Botanu.resume` for work that begins and ends.
   *
   * @example
   * ```ts
   * import { Propagation, RunContext } from "botanu-effect"
   * import { Effect } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const run = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
   *   const headers = yield* Propagation.inject.pipe(Effect.provide(RunContext.layer(run)))
   *   yield* Effect.log(headers["baggage"])
   * })
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category layers
   */
  static layer(run: Run): Layer.Layer<RunContext> {
    return Layer.scopedContext(
      Effect.withFiberRuntime((fiber) => {
        const joined = liveRunFor(fiber, run) ?? joinedRunFor(fiber, run)
        // A span that is open where the layer is built is not the one that is open where what it gives is used.
        const parent = fiber.currentSpan === undefined ? joined.span : undefined
        return Effect.locallyScoped(FiberRef.currentTracerSpanAnnotations, joined.onSpans).pipe(
          Effect.zipRight(Effect.locallyScoped(FiberRef.currentLogAnnotations, joined.onLogs)),
          Effect.zipRight(setWrappedTracer(fiber)),
          Effect.as(withRun(Context.empty(), joined.scope, parent) as Context.Context<RunContext>)
        )
      })
    )
  }

  /**
   * A Schema from `Baggage` to `Run` and back, in full mode. It is strict: a bad key is a `ParseError` that names it.
   *
   * @example
   * ```ts
   * import { Baggage, RunContext } from "botanu-effect"
   * import { Effect, Schema } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const run = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
   *   const baggage = yield* Schema.encode(RunContext.FromBaggage)(run)
   *   yield* Effect.log(Baggage.get(baggage, "botanu.event_id"))
   * })
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category schemas
   */
  static readonly FromBaggage: Schema.Schema<Run, Baggage.Baggage> = RunBaggage.FromBaggage

  /**
   * A Schema from the text of a `baggage` header to `Run` and back, in full mode. It is strict: a bad key is a `ParseError` that
   * names it. `Propagation.extract` is the lenient way.
   *
   * @example
   * ```ts
   * import { RunContext } from "botanu-effect"
   * import { Effect, Schema } from "effect"
   *
   * const program = Schema.decode(RunContext.FromHeader)("botanu.workflow=Import").pipe(
   *   Effect.catchTag("ParseError", (error) => Effect.log(error.message))
   * )
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category schemas
   */
  static readonly FromHeader: Schema.Schema<Run, string> = Schema.compose(Baggage.FromHeader, RunBaggage.FromBaggage)

  /**
   * The time left until the deadline of the current run, never below zero. `None` without a deadline.
   *
   * @example
   * ```ts
   * import { Botanu, RunContext } from "botanu-effect"
   * import { Duration, Effect, Option } from "effect"
   *
   * const program = Effect.gen(function* () {
   *   const left = Option.getOrThrow(yield* RunContext.remainingTime)
   *   yield* Effect.log(Duration.lessThanOrEqualTo(left, "30 seconds"))
   * }).pipe(Botanu.workflow("Import", { eventId: "file-7", customerId: "acme", deadline: "30 seconds" }))
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category accessors
   */
  static readonly remainingTime: Effect.Effect<Option.Option<Duration.Duration>, never, RunContext> = Effect.zipWith(
    RunContext,
    DateTime.now,
    (run, now) => run.remainingTime(now)
  )

  /**
   * Whether the deadline of the current run has come. `false` without a deadline.
   *
   * @example
   * ```ts
   * import { Botanu, RunContext } from "botanu-effect"
   * import { Effect } from "effect"
   *
   * const program = Effect.if(RunContext.isPastDeadline, {
   *   onTrue: () => Effect.log("no time left for the summary"),
   *   onFalse: () => Effect.log("there is time for a summary")
   * }).pipe(Botanu.workflow("Import", { eventId: "file-7", customerId: "acme", deadline: "30 seconds" }))
   *
   * await Effect.runPromise(program)
   * ```
   *
   * @since 0.1.0
   * @category accessors
   */
  static readonly isPastDeadline: Effect.Effect<boolean, never, RunContext> = Effect.zipWith(
    RunContext,
    DateTime.now,
    (run, now) => run.isPastDeadline(now)
  )
}

const made = (request: RunRequest, previous: Run | undefined): Effect.Effect<Run, InvalidRunContext> =>
  Effect.withFiberRuntime((fiber) =>
    withSettings(fiber, (settings) => fromOptions(fiber, request, currentRun(fiber.currentContext), previous, settings))
  )
