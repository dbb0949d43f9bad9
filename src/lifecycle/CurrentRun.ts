/**
 * The run that a fiber works on, as its context holds it.
 */
import { Context, Tracer } from "effect"
import { remoteStepOf } from "../run/RemoteContext.js"
import type { Run } from "../run/Run.js"
import { CurrentStep } from "./CurrentStep.js"
import { CurrentRequestEdge, type RequestEdge } from "./Interruption.js"
import { CurrentRunScope, type RunScope } from "./RunScope.js"

/** The key of the `RunContext` service. */
export const runContextKey = "botanu/RunContext"

/** The run that a context holds, if any. */
export const currentRun = (context: Context.Context<never>): Run | undefined =>
  context.unsafeMap.get(runContextKey) as Run | undefined

/**
 * A context with a run in it, with the span under which work on the run is done, if there is one, and with the edge at which the
 * run came in, where it is joined there.
 */
export const withRun = (
  context: Context.Context<never>,
  scope: RunScope,
  span: Tracer.AnySpan | undefined,
  edge?: RequestEdge
): Context.Context<never> => {
  const services = new Map(context.unsafeMap)
  if (edge !== undefined) services.set(CurrentRequestEdge.key, edge)
  services.set(runContextKey, scope.run)
  services.set(CurrentRunScope.key, scope)
  if (span !== undefined) services.set(Tracer.ParentSpan.key, span)
  if (!scope.isOwned) {
    // A run that is started in a step is a part of it. One that is joined is in the step in which it was sent.
    const name = remoteStepOf(scope.run)
    if (name === undefined) services.delete(CurrentStep.key)
    else services.set(CurrentStep.key, { name, scope })
  }
  return Context.unsafeMake(services)
}

/** A context without what it holds of a run, and without the span under which work on the run is done. */
export const withoutRun = (context: Context.Context<never>): Context.Context<never> => {
  const services = new Map(context.unsafeMap)
  for (const key of ofRun) services.delete(key)
  return Context.unsafeMake(services)
}

const ofRun: ReadonlyArray<string> = [
  runContextKey,
  CurrentRunScope.key,
  CurrentStep.key,
  CurrentRequestEdge.key,
  Tracer.ParentSpan.key
]
