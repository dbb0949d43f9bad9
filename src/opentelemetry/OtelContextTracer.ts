/**
 * A tracer of fibers that work on a run, which makes the run's context active during each of their steps.
 */
import { context, createContextKey, type Context as OtelContext, trace } from "@opentelemetry/api"
import { Tracer } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { contextFor } from "./RunOtelContext.js"

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

const byEffect = createContextKey("botanu: a span of Effect")

/** Whether the span that is being started in a context is one of Effect's, which has its attributes from there. */
export const isByEffect = (parent: OtelContext): boolean => parent.getValue(byEffect) === true

const make = (tracer: Tracer.Tracer): Tracer.Tracer => {
  let setsSpan: boolean | undefined
  const setsSpanOf = (fiber: AnyFiber): boolean => {
    setsSpan ??= makesSpanActive(tracer, fiber)
    return setsSpan
  }
  return Tracer.make({
    span: (...options) => context.with(context.active().setValue(byEffect, true), () => tracer.span(...options)),
    context: (execution, fiber) => {
      const active = context.active()
      const shown = contextFor(fiber, active)
      const wanted = fiber.currentSpan === undefined || setsSpanOf(fiber) ? shown : withSpan(shown, fiber.currentSpan)
      return wanted === active
        ? tracer.context(execution, fiber)
        : context.with(wanted, () => tracer.context(execution, fiber))
    }
  })
}

/** Whether a tracer sees to it itself that the span of a fiber is OpenTelemetry's active one. */
const makesSpanActive = (tracer: Tracer.Tracer, fiber: AnyFiber): boolean =>
  context.with(trace.deleteSpan(context.active()), () =>
    tracer.context(() => trace.getSpanContext(context.active())?.spanId === fiber.currentSpan?.spanId, fiber)
  )

const lastWithSpan = new WeakMap<Tracer.AnySpan, { readonly on: OtelContext; readonly made: OtelContext }>()

const withSpan = (active: OtelContext, span: Tracer.AnySpan): OtelContext => {
  if (trace.getSpanContext(active)?.spanId === span.spanId) return active
  const last = lastWithSpan.get(span)
  if (last?.on === active) return last.made
  const { sampled, spanId, traceId } = span
  const made = trace.setSpan(active, trace.wrapSpanContext({ traceId, spanId, traceFlags: sampled ? 1 : 0 }))
  lastWithSpan.set(span, { on: active, made })
  return made
}
