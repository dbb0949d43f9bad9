/**
 * OpenTelemetry's globals that carry a context along and put it on the wire. They are set only where none are, and stay: others
 * rely on them to the end, as exporters do that send their last spans when a program is shut down.
 */
import { context, createContextKey, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core"
import { Effect } from "effect"

/** Sets a context manager that follows asynchronous calls, and the W3C propagators, where there are none. */
export const setMissing: Effect.Effect<void> = Effect.sync(() => {
  if (!hasContextManager()) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  if (propagation.fields().length === 0) {
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
    propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  }
})

const probe = createContextKey("botanu probe")

/** The API does not say whether one is set; but without one, nothing is ever active. */
const hasContextManager = (): boolean =>
  context.with(ROOT_CONTEXT.setValue(probe, true), () => context.active().getValue(probe) === true)
