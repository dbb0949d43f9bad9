/**
 * Several references of a fiber at once. One after the other, each would copy all of them, and compare what it held with what it
 * is to hold: for a fiber's context and its annotations that takes longer than the work that is done here.
 */
import { Context, DefaultServices, Equal, type FiberId, FiberRef, FiberRefs, HashMap, Option, Tracer } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"
import { internals } from "./FiberInternals.js"
import { currentForkScope, type FiberRegion } from "./FiberRegion.js"

type Annotations = HashMap.HashMap<string, unknown>

/** What references of a fiber are to hold. */
export interface Values {
  readonly context: Context.Context<never>
  readonly onSpans?: Annotations
  readonly onLogs?: Annotations
}

/** Sets references of the fiber that is at work, for whatever it does next. */
export const setFor = (fiber: AnyFiber, { context, onLogs, onSpans }: Values): void => {
  const id = fiber.id()
  const refs = copied(fiber)
  hold(refs.locals, id, FiberRef.currentContext, context)
  if (onSpans !== undefined) hold(refs.locals, id, FiberRef.currentTracerSpanAnnotations, onSpans)
  if (onLogs !== undefined) hold(refs.locals, id, FiberRef.currentLogAnnotations, onLogs)
  internals(fiber).setFiberRefs(refs)
}

/** The references of a fiber, for changes. `getFiberRefs` copies them too, and works out what the fiber reads from them. */
const copied = (fiber: AnyFiber): FiberRefs.FiberRefs =>
  FiberRefs.unsafeMake(new Map(internals(fiber)._fiberRefs.locals))

/** What references of a fiber hold in a region of its work. */
export interface RegionValues extends Values {
  readonly region: FiberRegion
  readonly services?: Context.Context<DefaultServices.DefaultServices> | undefined
  /** Whether an annotation is the region's, and does not outlast it. */
  readonly isOwnAnnotation: (key: string) => boolean
}

/**
 * Sets references of the fiber for a region of its work. Gives what sets back afterwards what the region had for itself. What the work
 * in it changed holds on, as it does without a region.
 */
export const enterRegion = (fiber: AnyFiber, values: RegionValues): (() => void) => {
  const { context, isOwnAnnotation, onLogs, onSpans, region, services } = values
  const id = fiber.id()
  const refs = copied(fiber)
  const owned: Array<Owned> = []
  const own = <A>(ref: FiberRef.FiberRef<A>, value: A, carryOver?: (held: A, now: A) => A): void => {
    owned.push({ ref, value, stack: refs.locals.get(ref), carryOver } as Owned)
    hold(refs.locals, id, ref, value)
  }
  const annotate = (ref: FiberRef.FiberRef<Annotations>, value: Annotations): void =>
    own(ref, value, (held, now) => changedAlike(held, value, now, isOwnAnnotation))
  own(FiberRef.currentContext, context, (held, now) => withChangesOf(held, context, now))
  own(currentForkScope, region.asForkScope)
  if (onSpans !== undefined) annotate(FiberRef.currentTracerSpanAnnotations, onSpans)
  if (onLogs !== undefined) annotate(FiberRef.currentLogAnnotations, onLogs)
  if (services !== undefined) own(DefaultServices.currentServices, services, withTracerOf)
  internals(fiber).setFiberRefs(refs)
  return () => leaveRegion(fiber, region, owned)
}

/** A reference that a region sets for itself. */
interface Owned {
  readonly ref: FiberRef.FiberRef<unknown>
  readonly value: unknown
  /** What the fiber and its ancestors held before. */
  readonly stack: Stack | undefined
  /** Does to what the fiber held before what the work did to what it held in the region. */
  readonly carryOver: ((held: unknown, now: unknown) => unknown) | undefined
}

const leaveRegion = (fiber: AnyFiber, region: FiberRegion, owned: ReadonlyArray<Owned>): void => {
  const id = fiber.id()
  const interrupted = fiber.getFiberRef(FiberRef.interruptedCause)
  const refs = copied(fiber)
  for (const { carryOver, ref, stack, value } of owned) {
    const now = FiberRefs.getOrDefault(refs, ref)
    if (stack === undefined) refs.locals.delete(ref)
    else refs.locals.set(ref, stack)
    if (now !== value && carryOver !== undefined) {
      hold(refs.locals, id, ref, carryOver(FiberRefs.getOrDefault(refs, ref), now))
    }
  }
  const rest = region.without(interrupted)
  if (rest !== interrupted) hold(refs.locals, id, FiberRef.interruptedCause, rest)
  region.release()
  internals(fiber).setFiberRefs(refs)
}

const changedAlike = (
  held: Annotations,
  own: Annotations,
  now: Annotations,
  isOwn: (key: string) => boolean
): Annotations =>
  HashMap.mutate(held, (mutable) => {
    for (const [key, value] of now) {
      if (!isOwn(key) && !Equal.equals(HashMap.get(own, key), Option.some(value))) HashMap.set(mutable, key, value)
    }
    for (const key of HashMap.keys(own)) if (!isOwn(key) && !HashMap.has(now, key)) HashMap.remove(mutable, key)
  })

/** A region's own services are left out: those that it does not have from before. */
const withChangesOf = (
  held: Context.Context<never>,
  own: Context.Context<never>,
  now: Context.Context<never>
): Context.Context<never> => {
  const services = new Map(held.unsafeMap)
  const isOwn = (key: string) => own.unsafeMap.get(key) !== held.unsafeMap.get(key)
  for (const [key, service] of now.unsafeMap) if (!isOwn(key)) services.set(key, service)
  for (const key of own.unsafeMap.keys()) if (!now.unsafeMap.has(key) && !isOwn(key)) services.delete(key)
  return Context.unsafeMake(services)
}

const withTracerOf = (
  held: Context.Context<DefaultServices.DefaultServices>,
  now: Context.Context<DefaultServices.DefaultServices>
): Context.Context<DefaultServices.DefaultServices> => Context.add(now, Tracer.Tracer, Context.get(held, Tracer.Tracer))

type Locals = FiberRefs.FiberRefs["locals"]
type Stack = Locals extends Map<unknown, infer A> ? A : never

// Fibers that start others when they end would else keep what all of them held.
const maxAncestors = 16

/** Lets a reference hold a value. What ancestors of the fiber hold stays below what it holds itself. */
export const hold = <A>(locals: Locals, id: FiberId.Single, ref: FiberRef.FiberRef<A>, value: A): void => {
  const held = locals.get(ref) ?? []
  const isOwn = held[0] !== undefined && Equal.equals(held[0][0], id)
  locals.set(ref, [[id, value], ...held.slice(isOwn ? 1 : 0, maxAncestors)])
}
