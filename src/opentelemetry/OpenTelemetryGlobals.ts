/**
 * OpenTelemetry's globals that carry a context along and put it on the wire. They are set only where none are.
 */
import { context, createContextKey, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks"
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core"
import { Effect, GlobalValue, type Scope } from "effect"

/** A context manager that follows asynchronous calls, and the W3C propagators, as long as anyone needs those of ours. */
export const acquire: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    if (inUse.count === 0) inUse.unset = setMissing()
    inUse.count += 1
  }),
  () =>
    Effect.sync(() => {
      inUse.count -= 1
      if (inUse.count === 0) inUse.unset()
    })
)

const inUse = GlobalValue.globalValue("botanu/OpenTelemetryGlobals", () => ({ count: 0, unset: () => {} }))

/** Sets what is missing, and gives what takes that away again. */
const setMissing = (): (() => void) => {
  const needsManager = !hasContextManager()
  const needsPropagator = propagation.fields().length === 0
  if (needsManager) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  if (needsPropagator) {
    const propagators = [new W3CTraceContextPropagator(), new W3CBaggagePropagator()]
    propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  }
  return () => {
    if (needsManager) context.disable()
    if (needsPropagator) propagation.disable()
  }
}

const probe = createContextKey("botanu probe")

/** The API does not say whether one is set; but without one, nothing is ever active. */
const hasContextManager = (): boolean =>
  context.with(ROOT_CONTEXT.setValue(probe, true), () => context.active().getValue(probe) === true)
