/**
 * The current run, as a service: what every effect inside of a workflow can ask for.
 */
import { Context, DateTime, type Duration, Effect, FiberRef, Layer, type Option, Schema } from "effect"
import * as Baggage from "./baggage/Baggage.js"
import { setWrappedTracer } from "./fiber/TracerWrapper.js"
import { currentRun, runContextKey, withRun } from "./lifecycle/CurrentRun.js"
import { joinedRunFor } from "./lifecycle/ReceivedRun.js"
import { fromOptions, type InvalidRunContext, optionsOf, type RunOptions } from "./run/NewRun.js"
import type { Run } from "./run/Run.js"
import * as RunBaggage from "./run/RunBaggage.js"

/** The tag of the current run. Outside of a workflow and of `RunContext.layer` it is a requirement that nobody meets. */
export class RunContext extends Context.Tag(runContextKey)<RunContext, Run>() {
  /** A new run, without starting it: reads the configuration, the clock and, for its parent, the run in scope. */
  static make(options: RunOptions): Effect.Effect<Run, InvalidRunContext> {
    return Effect.withFiberRuntime((fiber) => fromOptions(fiber, options, currentRun(fiber.currentContext), undefined))
  }

  /**
   * A new attempt after `previous`, without starting it: the same event, root and parent, the next `attempt`, and as much time
   * as `previous` had, within the deadline of the run in scope.
   */
  static retry(previous: Run): Effect.Effect<Run, InvalidRunContext> {
    return Effect.withFiberRuntime((fiber) =>
      fromOptions(fiber, optionsOf(previous), currentRun(fiber.currentContext), previous)
    )
  }

  /**
   * Joins a run that is owned elsewhere: provides the service, and puts the run on every span and log line made under it. The
   * run is neither started nor completed here, and its deadline is not enforced; an outcome emitted in it goes to the span that
   * was current when it was joined. `Botanu.resume` is for work that begins and ends.
   */
  static layer(run: Run): Layer.Layer<RunContext> {
    return Layer.scopedContext(
      Effect.withFiberRuntime((fiber) => {
        const joined = joinedRunFor(fiber, run)
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

  /** `Baggage` to `Run` and back, in full mode. Strict: any bad key is a `ParseError` that names it. */
  static readonly FromBaggage: Schema.Schema<Run, Baggage.Baggage> = RunBaggage.FromBaggage

  /** The text of a `baggage` header to `Run` and back, in full mode. Strict, as `FromBaggage` is. */
  static readonly FromHeader: Schema.Schema<Run, string> = Schema.compose(Baggage.FromHeader, RunBaggage.FromBaggage)

  /** The time left until the deadline of the current run, never below zero; `None` without a deadline. */
  static readonly remainingTime: Effect.Effect<Option.Option<Duration.Duration>, never, RunContext> = Effect.zipWith(
    RunContext,
    DateTime.now,
    (run, now) => run.remainingTime(now)
  )

  /** Whether the deadline of the current run has come. */
  static readonly isPastDeadline: Effect.Effect<boolean, never, RunContext> = Effect.zipWith(
    RunContext,
    DateTime.now,
    (run, now) => run.isPastDeadline(now)
  )
}
