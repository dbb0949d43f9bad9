/**
 * The time as a fiber sees it, which under `TestClock` is the test's.
 */
import { Clock, Context, DateTime, type Fiber } from "effect"

/** A fiber, whatever it works on. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** The fiber's clock. */
export const clockOf = (fiber: AnyFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** The time of the fiber's clock. */
export const nowOf = (fiber: AnyFiber): DateTime.Utc => DateTime.unsafeMake(clockOf(fiber).unsafeCurrentTimeMillis())
