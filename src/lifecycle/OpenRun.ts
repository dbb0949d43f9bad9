/**
 * A run that has been opened: its scope, its span, and what is known from its start.
 */
import { FiberRef, Tracer, type Types } from "effect"
import type { BudgetMeter } from "../cost/Budget.js"
import { type AnyFiber, clockOf } from "../fiber/CurrentFiber.js"
import { makeSpanFor, makeUnseenSpanFor, withRefFor } from "../fiber/NewSpan.js"
import { forwardedWith } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { Attribute, Event, runSpanName } from "../wire/Wire.js"
import { exportStartFor } from "./ActiveExporters.js"
import { add } from "./ActiveRuns.js"
import { currentRun } from "./CurrentRun.js"
import { registerFor as registerMetricsFor } from "./MetricUpdate.js"
import { type AttributeEntry, businessEntries, withoutRun } from "./RunAnnotations.js"
import { type Cancellation, currentScope, RunScope } from "./RunScope.js"
import { attempted, type Trouble, textOf } from "./Trouble.js"

export interface OpenRun {
  readonly scope: RunScope
  readonly span: Tracer.Span
  readonly startNanos: bigint
  /** What is known from the start of the business that the run belongs to. */
  readonly business: ReadonlyArray<AttributeEntry>
  /** What went wrong while the run was recorded; to be logged when it is over. */
  readonly trouble: Trouble
}

export interface OpenOptions {
  /** Whether the run has an outcome in any case. */
  readonly autoOutcome?: boolean | undefined
  readonly spanKind?: Tracer.SpanKind | undefined
  /** What the run may spend. */
  readonly budgetMeter?: BudgetMeter | undefined
  /** The frames that the stack of an error shows for the span of the run. */
  readonly stackFrames?: (() => string | undefined) | undefined
  /** Why the run was cancelled before it began. */
  readonly cancellation?: Cancellation | undefined
}

/** The attempt before: its run, and its span where it was made in this process. */
export interface Previous {
  readonly run: Run
  readonly span?: Tracer.AnySpan | undefined
}

/** Opens a run that the fiber is about to work on. It is active from now on, and has to be completed. */
export const open = (fiber: AnyFiber, run: Run, options: OpenOptions, previous: Previous | undefined): OpenRun => {
  const trouble: Trouble = []
  const span = openSpan(fiber, run, options, previous, trouble)
  const parent = currentScope(fiber.currentContext)
  const forwarded = parent?.forwarded ?? forwardedWith(currentRun(fiber.currentContext) ?? previous?.run)
  const scope = new RunScope(run, span, parent, forwarded, true)
  scope.budgetMeter = options.budgetMeter
  scope.cancellation = options.cancellation
  scope.annotations = parent?.annotations
  const startNanos =
    attempted(trouble, "reading the clock at the start of a run", () => clockOf(fiber).unsafeCurrentTimeNanos()) ??
    BigInt(run.startTime.epochMillis) * 1_000_000n
  add(scope)
  const business = scope.annotations === undefined ? [] : businessEntries(scope.annotations)
  attempted(trouble, "recording the start of a run on its span", () => {
    span.event(Event.started, startNanos, { run_id: run.runId, workflow: run.workflow })
    for (const [key, value] of business) span.attribute(key, value)
    reserveEnd(span, options)
  })
  attempted(trouble, "registering the metrics of a workflow", () => registerMetricsFor(run.workflow, fiber))
  attempted(trouble, "exporting the start of a run", () => exportStartFor(run, fiber))
  return { scope, span, startNanos, business, trouble }
}

/**
 * A span that has as many attributes as it may have drops new ones, and takes new values of those that it has. So those of the end of
 * a run are put on it at its start.
 */
const reserveEnd = (span: Tracer.Span, { autoOutcome }: OpenOptions): void => {
  span.attribute(Attribute.durationMs, 0)
  if (autoOutcome !== false) span.attribute(Attribute.outcomeStatus, "unknown")
}

const openSpan = (
  fiber: AnyFiber,
  run: Run,
  { spanKind = "server", stackFrames }: OpenOptions,
  previous: Previous | undefined,
  trouble: Trouble
): Tracer.Span => {
  const name = runSpanName(run.workflow)
  const parent = fiber.currentSpan
  const enclosing = currentScope(fiber.currentContext)
  const options: Types.Mutable<Tracer.SpanOptions> = {
    kind: spanKind,
    attributes: run.toSpanAttributes(),
    captureStackTrace: stackFrames ?? false
  }
  if (parent !== undefined && isOutlived(enclosing)) options.parent = detached(parent)
  if (previous?.span !== undefined) {
    options.links = [{ _tag: "SpanLink", span: detached(previous.span), attributes: {} }]
  }
  // What the enclosing run puts on spans is not this run's.
  const annotations = fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations)
  const own = enclosing === undefined ? annotations : withoutRun(annotations)
  try {
    return withRefFor(fiber, FiberRef.currentTracerSpanAnnotations, own, () => makeSpanFor(fiber, name, options))
  } catch (error) {
    trouble.push(`opening the span of a run failed: ${textOf(error)}`)
    return makeUnseenSpanFor(fiber, name)
  }
}

/** Whether a run, or one that encloses it, is over. */
const isOutlived = (scope: RunScope | undefined): boolean => {
  for (let enclosing = scope; enclosing !== undefined; enclosing = enclosing.parent) {
    if (enclosing.isClosed) return true
  }
  return false
}

/**
 * A span by its ids. A span keeps its parent and its links alive: attempts that follow each other, and daemons that start
 * others, would keep all spans before them.
 */
const detached = (span: Tracer.AnySpan): Tracer.ExternalSpan => {
  const { context, sampled, spanId, traceId } = span
  return span._tag === "ExternalSpan" ? span : Tracer.externalSpan({ spanId, traceId, sampled, context })
}
