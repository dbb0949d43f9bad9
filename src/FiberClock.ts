/**
 * The time as a fiber sees it, which under `TestClock` is the test's.
 */
import { Clock, Context, DateTime, type Fiber } from "effect"

/** The fiber's clock. */
export const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock.Clock =>
  Context.get(fiber.currentDefaultServices, Clock.Clock)

/** The time of the fiber's clock. */
export const nowOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): DateTime.Utc =>
  DateTime.unsafeMake(clockOf(fiber).unsafeCurrentTimeMillis())
