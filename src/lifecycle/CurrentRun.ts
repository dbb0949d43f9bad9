/**
 * A run that is owned elsewhere and worked on here: its scope, and what it puts on spans and log lines.
 */
import type { HashMap, Tracer } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { propagationModeFor } from "../run/BotanuConfig.js"
import { foreignBaggageOf, remoteSpanOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { annotated } from "./RunAnnotations.js"
import { currentScope, RunScope } from "./RunScope.js"

export interface JoinedRun {
  readonly scope: RunScope
  /** The span under which work on the run stands: the one that is open here, else the one under which the run was sent. */
  readonly span: Tracer.AnySpan | undefined
  readonly onSpans: HashMap.HashMap<string, unknown>
  readonly onLogs: HashMap.HashMap<string, unknown>
}

export const joinedRunFor = (fiber: AnyFiber, run: Run): JoinedRun => {
  const span = fiber.currentSpan ?? remoteSpanOf(run)
  const around = currentScope(fiber.currentContext)
  return {
    scope: new RunScope(run, span, around, foreignBaggageOf(run), false),
    span,
    ...annotated(fiber, run, propagationModeFor(fiber))
  }
}
