/**
 * Several references of a fiber at once. One after the other, each would copy all of them, and compare what it held with what it
 * is to hold: for a fiber's context and its annotations that takes longer than the work that is done here.
 */
import { type Context, Effect, Equal, type FiberId, FiberRef, FiberRefs, type HashMap } from "effect"

/** What references of a fiber are to hold. */
export interface Values {
  readonly context: Context.Context<never>
  readonly onSpans?: HashMap.HashMap<string, unknown>
  readonly onLogs?: HashMap.HashMap<string, unknown>
}

/** Sets references of a fiber for whatever it does next. */
export const set = (values: Values): Effect.Effect<void> =>
  Effect.updateFiberRefs((id, refs) => {
    const locals = new Map(refs.locals)
    assign(locals, id, values)
    return FiberRefs.unsafeMake(locals)
  })

/** `work` with references of its fiber set, which hold afterwards what they held before. */
export const within = <A, E, R>(work: Effect.Effect<A, E, R>, values: Values): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((fiber) => {
      const before: Values = {
        context: fiber.getFiberRef(FiberRef.currentContext),
        onSpans: fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations),
        onLogs: fiber.getFiberRef(FiberRef.currentLogAnnotations)
      }
      return Effect.zipRight(
        set(values),
        Effect.matchCauseEffect(restore(work), {
          onFailure: (cause) => Effect.zipRight(set(before), Effect.failCause(cause)),
          onSuccess: (value) => Effect.as(set(before), value)
        })
      )
    })
  )

type Locals = Map<FiberRef.FiberRef<unknown>, readonly [Held, ...ReadonlyArray<Held>]>
type Held = readonly [FiberId.Single, unknown]

const assign = (locals: unknown, id: FiberId.Single, { context, onLogs, onSpans }: Values): void => {
  hold(locals as Locals, id, FiberRef.currentContext, context)
  if (onSpans !== undefined) hold(locals as Locals, id, FiberRef.currentTracerSpanAnnotations, onSpans)
  if (onLogs !== undefined) hold(locals as Locals, id, FiberRef.currentLogAnnotations, onLogs)
}

/** What fibers around this one hold stays below what it holds itself. */
const hold = <A>(locals: Locals, id: FiberId.Single, ref: FiberRef.FiberRef<A>, value: A): void => {
  const key = ref as FiberRef.FiberRef<unknown>
  const held = locals.get(key) ?? []
  const isOwn = held[0] !== undefined && Equal.equals(held[0][0], id)
  locals.set(key, [[id, value], ...(isOwn ? held.slice(1) : held)])
}
