/**
 * Where an integration takes hold of the fibers that work on a run, to show the run to libraries outside of Effect: a tracer
 * surrounds every step of a fiber.
 */
import { Context, DefaultServices, Effect, FiberRef, GlobalValue, HashSet, type Scope, Tracer } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"

/** Makes the tracer of fibers that work on a run from the one that they would have. */
export type TracerWrapper = (tracer: Tracer.Tracer) => Tracer.Tracer

/** What surrounds the tracer wherever work on a run begins. A set: layers that are merged each add to it. */
export const currentTracerWrappers: FiberRef.FiberRef<HashSet.HashSet<TracerWrapper>> = GlobalValue.globalValue(
  "botanu/AmbientTracer",
  () => FiberRef.unsafeMakeHashSet(HashSet.empty())
)

/** Adds to what surrounds the tracer wherever work on a run begins. In which order several do is not said. */
export const wrapTracer = (surround: TracerWrapper): Effect.Effect<void, never, Scope.Scope> =>
  Effect.locallyScopedWith(currentTracerWrappers, HashSet.add(surround))

/** `work` under the tracer that an integration wants for it. */
export const withWrappedTracer = <A, E, R>(fiber: AnyFiber, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const services = wrappedServices(fiber)
  return services === undefined ? work : Effect.locally(work, DefaultServices.currentServices, services)
}

/** Whether an integration surrounds the steps of a fiber that works on a run. */
export const isWrapped = (fiber: AnyFiber): boolean => HashSet.size(fiber.getFiberRef(currentTracerWrappers)) > 0

/** `work` on a run, after which its fiber goes on to something else. */
export const yieldAfter = <A, E, R>(fiber: AnyFiber, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  isWrapped(fiber) ? Effect.ensuring(work, leaveStep) : work

// What wraps a step of a fiber stays in force until the fiber pauses.
const leaveStep = Effect.yieldNow()

/**
 * The same, of work that is done in an uninterruptible region. With `Effect.ensuring` there, V8 keeps what the work leads to until the next
 * full collection, here all of a run.
 */
export const yieldAfterUninterruptible = <A, E, R>(
  fiber: AnyFiber,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  isWrapped(fiber) ? Effect.flatMap(Effect.exit(work), (exit) => Effect.zipRight(leaveStep, exit)) : work

/**
 * `work` on a run in a fiber that a call has started. It is done in a task of the scheduler, where steps take less that an integration
 * surrounds.
 */
export const yieldBefore = <A, E, R>(fiber: AnyFiber, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  isWrapped(fiber) ? Effect.zipRight(leaveStep, work) : work

/** The tracer for whatever comes next in a scope. */
export const setWrappedTracer = (fiber: AnyFiber): Effect.Effect<void, never, Scope.Scope> => {
  const services = wrappedServices(fiber)
  if (services === undefined) return Effect.void
  const set = Effect.locallyScoped(DefaultServices.currentServices, services)
  return Effect.zipRight(
    Effect.addFinalizer(() => leaveStep),
    set
  )
}

/** The services of a fiber with the tracer that integrations want for work on a run; none where they want no other. */
export const wrappedServices = (fiber: AnyFiber): Context.Context<DefaultServices.DefaultServices> | undefined => {
  const surrounds = fiber.getFiberRef(currentTracerWrappers)
  if (HashSet.size(surrounds) === 0) return undefined
  const services = fiber.currentDefaultServices
  const tracer = Context.get(services, Tracer.Tracer)
  const ambient = wrapped(tracer, surrounds)
  return ambient === tracer ? undefined : Context.add(services, Tracer.Tracer, ambient)
}

/** What a tracer was before it was surrounded, so that it is surrounded once in runs inside of runs. */
const bare = new WeakMap<Tracer.Tracer, Tracer.Tracer>()
const known = new WeakMap<HashSet.HashSet<TracerWrapper>, WeakMap<Tracer.Tracer, Tracer.Tracer>>()

const wrapped = (tracer: Tracer.Tracer, surrounds: HashSet.HashSet<TracerWrapper>): Tracer.Tracer => {
  const base = bare.get(tracer) ?? tracer
  const before = known.get(surrounds)?.get(base)
  if (before !== undefined) return before
  const made = HashSet.reduce(surrounds, base, (tracer, surround) => surround(tracer))
  bare.set(made, base)
  const ofSurrounds = known.get(surrounds) ?? new WeakMap<Tracer.Tracer, Tracer.Tracer>()
  known.set(surrounds, ofSurrounds.set(base, made))
  return made
}

/** A tracer that `wrap` makes of another; in runs inside of the run it is made anew, of what that one was before. */
export const wrapOnce = (tracer: Tracer.Tracer, wrap: TracerWrapper): Tracer.Tracer => {
  const made = wrap(tracer)
  bare.set(made, bare.get(tracer) ?? tracer)
  return made
}

/** Whether calls that are made here must not carry the run: their receiver is not one to which it is propagated. */
export class Withheld extends Context.Reference<Withheld>()("botanu/Withheld", { defaultValue: () => false }) {}

/** Whether a client sends a request here, and the run with it: nothing below it is to send the run once more. */
export class SentByClient extends Context.Reference<SentByClient>()("botanu/SentByClient", {
  defaultValue: () => false
}) {}

/** Whether an untrusted request is worked on here, so that nothing of what it brought is sent on. */
export class Untrusted extends Context.Reference<Untrusted>()("botanu/Untrusted", { defaultValue: () => false }) {}
