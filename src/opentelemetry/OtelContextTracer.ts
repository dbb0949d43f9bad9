/**
 * A tracer of fibers that work on a run, which makes the run's context active during each of their steps.
 */
import { context, type Context as OtelContext, trace } from "@opentelemetry/api"
import { Tracer } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { taskOf } from "./FiberTask.js"
import { contextFor } from "./RunOtelContext.js"
import { StepContext } from "./StepContext.js"

const showing = new WeakMap<Tracer.Tracer, Tracer.Tracer>()

/** A tracer that does as another one does, with the run shown. */
export const otelContextTracer = (tracer: Tracer.Tracer): Tracer.Tracer => {
  const known = showing.get(tracer)
  if (known !== undefined) return known
  const made = make(tracer)
  showing.set(tracer, made)
  showing.set(made, made)
  return made
}

let isOfEffect = false

/** Whether the span that is being started is one of Effect's, which has its attributes from there. */
export const isSpanOfEffect = (): boolean => isOfEffect

const startedByEffect = (start: () => Tracer.Span): Tracer.Span => {
  const outer = isOfEffect
  isOfEffect = true
  try {
    return start()
  } finally {
    isOfEffect = outer
  }
}

const onlyActivating = new WeakSet<Tracer.Tracer>()

/**
 * Says of a tracer that it does nothing else at a step of a fiber than to make the fiber's span OpenTelemetry's active one. It is then
 * called once for a span in a run, and not at each step.
 */
export const onlyActivatesSpans = (tracer: Tracer.Tracer): Tracer.Tracer => {
  onlyActivating.add(tracer)
  return tracer
}

const make = (tracer: Tracer.Tracer): Tracer.Tracer =>
  Tracer.make({
    span: (...options) => startedByEffect(() => tracer.span(...options)),
    context: onlyActivating.has(tracer) ? calledOnceForSpan(tracer) : calledAtEachStep(tracer)
  })

const calledAtEachStep = (tracer: Tracer.Tracer): Tracer.Tracer["context"] => {
  let setsSpan: boolean | undefined
  const setsSpanOf = (fiber: AnyFiber): boolean => {
    setsSpan ??= makesSpanActive(tracer, fiber)
    return setsSpan
  }
  return (execution, fiber) => {
    const active = context.active()
    const shown = contextFor(fiber, active)
    const span = fiber.currentSpan
    const wanted = span === undefined || setsSpanOf(fiber) ? shown : inSpan(shown, span, fiber, withSpanOfEffect)
    return wanted === active || taskOf(fiber)?.enter(active, wanted) === true
      ? tracer.context(execution, fiber)
      : context.with(wanted, () => tracer.context(execution, fiber))
  }
}

const calledOnceForSpan = (tracer: Tracer.Tracer): Tracer.Tracer["context"] => {
  const withItsSpan: WithSpan = (shown, _, fiber) =>
    context.with(shown, () => tracer.context(() => context.active(), fiber))
  return (execution, fiber) => {
    const active = context.active()
    const shown = contextFor(fiber, active)
    const span = fiber.currentSpan
    const wanted = span === undefined ? withoutSpan(shown) : inSpan(shown, span, fiber, withItsSpan)
    return wanted === active || taskOf(fiber)?.enter(active, wanted) === true
      ? execution()
      : context.with(wanted, execution)
  }
}

/** Whether a tracer sees to it itself that the span of a fiber is OpenTelemetry's active one. */
const makesSpanActive = (tracer: Tracer.Tracer, fiber: AnyFiber): boolean =>
  context.with(trace.deleteSpan(context.active()), () =>
    tracer.context(() => trace.getSpanContext(context.active())?.spanId === fiber.currentSpan?.spanId, fiber)
  )

/** Makes the context for steps in a span, of one that shows the run. */
type WithSpan = (shown: OtelContext, span: Tracer.AnySpan, fiber: AnyFiber) => OtelContext

const inSpan = (shown: OtelContext, span: Tracer.AnySpan, fiber: AnyFiber, make: WithSpan): OtelContext => {
  if (!(shown instanceof StepContext)) return make(shown, span, fiber)
  const known = shown.lastOf(span)
  if (known !== undefined) return known
  // A fiber that goes on in one task may be in the context of another of its spans.
  const base = shown.withoutSpan
  const made = make(base, span, fiber)
  if (made !== base) shown.keepOf(span, made)
  return made
}

const withoutSpan = (shown: OtelContext): OtelContext => (shown instanceof StepContext ? shown.withoutSpan : shown)

const withSpanOfEffect: WithSpan = (shown, { sampled, spanId, traceId }) =>
  trace.getSpanContext(shown)?.spanId === spanId
    ? shown
    : trace.setSpan(shown, trace.wrapSpanContext({ traceId, spanId, traceFlags: sampled ? 1 : 0 }))
