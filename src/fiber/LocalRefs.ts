/**
 * References of a fiber that hold other values for a part of its work.
 */
import { type Context, Effect, FiberRef, type HashMap } from "effect"

/** What references of a fiber are to hold. */
export interface LocalValues {
  readonly context: Context.Context<never>
  readonly onSpans: HashMap.HashMap<string, unknown>
  readonly onLogs: HashMap.HashMap<string, unknown>
}

/** `work` with references of its fiber set, which hold afterwards what they held before. */
export const withLocals = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  { context, onLogs, onSpans }: LocalValues
): Effect.Effect<A, E, R> =>
  work.pipe(
    Effect.locally(FiberRef.currentContext, context),
    Effect.locally(FiberRef.currentTracerSpanAnnotations, onSpans),
    Effect.locally(FiberRef.currentLogAnnotations, onLogs)
  )
