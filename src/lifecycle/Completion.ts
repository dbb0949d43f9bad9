/**
 * How a run is completed: once, whatever the exit of its work, and whatever is wrong with those who record it.
 */
import { Effect, Exit } from "effect"
import type { BudgetExceeded } from "../cost/Budget.js"
import { type AnyFiber, clockOf, nowOf } from "../fiber/CurrentFiber.js"
import type { DeadlineExceeded } from "../run/Deadline.js"
import type { RunOptions } from "../run/NewRun.js"
import { exportFor } from "./ActiveExporters.js"
import { remove } from "./ActiveRuns.js"
import { updateFor as updateMetricsFor } from "./MetricUpdate.js"
import type { OpenOptions, OpenRun } from "./OpenRun.js"
import { completedRun, describeOnSpan, type OutcomeOptions } from "./RunEnd.js"
import { exitForCaller, overBudgetAsFailure, runExitOf } from "./RunExit.js"
import { attempted, logged } from "./Trouble.js"

/** What a span of Effect that failed has, by the name of OpenTelemetry. */
const stackTraceAttribute = "code.stacktrace"

/**
 * Completes a run whose work has ended: it is not active any more, and is recorded. Gives the effect that hands the record to
 * the exporters and ends the span, outside of the run, with the exit that the caller sees. Where the clock fails, which is logged, the
 * end of the run is recorded as its start.
 */
export const complete = <A, E>(
  fiber: AnyFiber,
  { scope, span, startNanos, trouble }: OpenRun,
  workExit: Exit.Exit<A, E>,
  options: RunOptions & OutcomeOptions<A> & OpenOptions
): Effect.Effect<A, E | DeadlineExceeded | BudgetExceeded> => {
  const read = () => ({ endTime: nowOf(fiber), endNanos: clockOf(fiber).unsafeCurrentTimeNanos() })
  const { endNanos, endTime } = attempted(trouble, "reading the clock at the end of a run", read) ?? {
    endTime: scope.run.startTime,
    endNanos: startNanos
  }
  remove(scope)
  const caller = { fiberId: fiber.id(), mayFail: options.deadline !== undefined }
  const exit = overBudgetAsFailure(scope, exitForCaller(scope, workExit, caller))
  const ended = runExitOf(scope, exit, fiber.currentContext)
  const durationMs = Number(endNanos - startNanos) / 1e6
  const completed = completedRun(scope, ended, { endTime, durationMs }, exit, options, trouble)
  scope.close(completed.run)
  attempted(trouble, "recording the end of a run on its span", () => {
    describeOnSpan(span, completed, endNanos)
    const stack = Exit.isFailure(exit) ? options.stackFrames?.() : undefined
    if (stack !== undefined) span.attribute(stackTraceAttribute, stack)
  })
  attempted(trouble, "recording a run in the metrics", () => updateMetricsFor(completed, fiber))
  return Effect.suspend(() => {
    attempted(trouble, "exporting a run", () => exportFor(completed, fiber))
    attempted(trouble, "ending the span of a run", () => span.end(endNanos, exit))
    return trouble.length === 0 ? exit : Effect.zipRight(logged(trouble), exit)
  })
}
