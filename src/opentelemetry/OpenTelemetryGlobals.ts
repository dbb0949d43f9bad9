/**
 * OpenTelemetry's globals that carry a context along and put it on the wire. They are set only where none are, and stay: others
 * rely on them to the end, as exporters do that send their last spans when a program is shut down.
 */
import { context, createContextKey, propagation, ROOT_CONTEXT, type TextMapPropagator } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core"
import { Effect } from "effect"
import { OriginPropagator } from "./OriginPropagator.js"

/**
 * Sets a context manager that follows asynchronous calls, and the W3C propagators, where there are none. The propagator, whichever
 * it is, then propagates runs to listed origins only. Gives whether that could be done.
 */
export const setUp: Effect.Effect<boolean> = Effect.sync(() => {
  if (!hasContextManager()) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  if (propagation.fields().length === 0) {
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
    return propagation.setGlobalPropagator(new OriginPropagator(new CompositePropagator({ propagators })))
  }
  const given = globalPropagator()
  if (given instanceof OriginPropagator) return true
  if (given === undefined) return false
  propagation.disable()
  return propagation.setGlobalPropagator(new OriginPropagator(given))
})

/** The API has no public question for the propagator that is set: this one is assumed, and has a test of its name. */
const globalPropagator = (): TextMapPropagator | undefined =>
  (propagation as unknown as { _getGlobalPropagator?: () => TextMapPropagator })._getGlobalPropagator?.()

const probe = createContextKey("botanu probe")

/** The API does not say whether one is set; but without one, nothing is ever active. */
const hasContextManager = (): boolean =>
  context.with(ROOT_CONTEXT.setValue(probe, true), () => context.active().getValue(probe) === true)
