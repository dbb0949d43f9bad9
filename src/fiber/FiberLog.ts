/**
 * Log lines of code that is no effect.
 */
import { Effect, Runtime } from "effect"
import type { AnyFiber } from "./CurrentFiber.js"

/** Logs a warning as the fiber itself would, with its loggers and annotations. */
export const warnFor = (fiber: AnyFiber, message: string): void => {
  const runtime = Runtime.make({
    context: fiber.currentContext,
    runtimeFlags: Runtime.defaultRuntimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })
  Runtime.runFork(runtime)(Effect.logWarning(message))
}
