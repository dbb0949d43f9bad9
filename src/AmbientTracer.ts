/**
 * Where an integration takes hold of the fibers that work on a run, to show the run to libraries outside of Effect: a tracer
 * surrounds every step of a fiber.
 */
import { Context, DefaultServices, Effect, FiberRef, GlobalValue, type Scope, Tracer } from "effect"
import type { AnyFiber } from "./FiberClock.js"

const asItIs = (tracer: Tracer.Tracer): Tracer.Tracer => tracer

/**
 * Makes the tracer of fibers that work on a run from the one that they would have. Applied wherever work on a run begins, so
 * also to what it made before.
 */
export const currentAmbientTracer: FiberRef.FiberRef<(tracer: Tracer.Tracer) => Tracer.Tracer> =
  GlobalValue.globalValue("botanu/AmbientTracer", () => FiberRef.unsafeMake(asItIs))

/** `work` under the tracer that an integration wants for it. */
export const withAmbientTracer = <A, E, R>(fiber: AnyFiber, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const services = ambientServices(fiber)
  return services === undefined ? work : Effect.locally(work, DefaultServices.currentServices, services)
}

/** `work` on a run, after which its fiber goes on to something else. */
export const thenLeave = <A, E, R>(fiber: AnyFiber, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  fiber.getFiberRef(currentAmbientTracer) === asItIs ? work : Effect.ensuring(work, leave)

// What surrounds a step of a fiber stays around it until the fiber pauses.
const leave = Effect.yieldNow()

/** The tracer for whatever comes next in a scope. */
export const setAmbientTracer = (fiber: AnyFiber): Effect.Effect<void, never, Scope.Scope> => {
  const services = ambientServices(fiber)
  if (services === undefined) return Effect.void
  const set = Effect.locallyScoped(DefaultServices.currentServices, services)
  return Effect.zipRight(
    Effect.addFinalizer(() => leave),
    set
  )
}

const ambientServices = (fiber: AnyFiber): Context.Context<DefaultServices.DefaultServices> | undefined => {
  const services = fiber.currentDefaultServices
  const tracer = Context.get(services, Tracer.Tracer)
  const ambient = fiber.getFiberRef(currentAmbientTracer)(tracer)
  return ambient === tracer ? undefined : Context.add(services, Tracer.Tracer, ambient)
}

/** Whether what works here must not tell others of the run: around a call to someone who may not know of it. */
export class Withheld extends Context.Reference<Withheld>()("botanu/Withheld", { defaultValue: () => false }) {}

/** Whether what works here was asked for by someone who is not believed, so that nothing of what they sent goes on. */
export class Untrusted extends Context.Reference<Untrusted>()("botanu/Untrusted", { defaultValue: () => false }) {}
