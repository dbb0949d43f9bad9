/**
 * The fiber that is at work: its time, which under `TestClock` is the test's, and its references.
 */
import { Clock, Context, DateTime, type Fiber, type FiberRef, type FiberRefs } from "effect"

/** A fiber, whatever it works on. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** The fiber's clock. */
export const clockOf = (fiber: AnyFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** The time of the fiber's clock. */
export const nowOf = (fiber: AnyFiber): DateTime.Utc => {
  const millis = clockOf(fiber).unsafeCurrentTimeMillis()
  if (lastInstant.epochMillis !== millis) lastInstant = DateTime.unsafeMake(millis)
  return lastInstant
}

// Instants do not change, so what happens in one millisecond may share one.
let lastInstant: DateTime.Utc = DateTime.unsafeMake(0)

/** Sets a reference of the fiber for whatever it does next, from code that is no effect, such as a tracer. */
export const setRefFor = <A>(fiber: AnyFiber, ref: FiberRef.FiberRef<A>, value: A): void =>
  (fiber as unknown as Settable).setFiberRef(ref, value)

/** Sets all references of the fiber, as `setRefFor` sets one. */
export const setRefsFor = (fiber: AnyFiber, refs: FiberRefs.FiberRefs): void =>
  (fiber as unknown as Settable).setFiberRefs(refs)

// Every fiber of Effect 3 has it, though its interface does not show it.
interface Settable {
  setFiberRef<A>(ref: FiberRef.FiberRef<A>, value: A): void
  setFiberRefs(refs: FiberRefs.FiberRefs): void
}
