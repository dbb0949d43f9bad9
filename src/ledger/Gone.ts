/**
 * Files that are removed while others read them: when they are compacted, or when their lines are in a database.
 */
import { Error } from "@effect/platform"
import { Effect } from "effect"

/** The effect, or this where its file is not there. */
export const orIfGone = <A, B, R>(
  effect: Effect.Effect<A, Error.PlatformError, R>,
  orElse: B
): Effect.Effect<A | B, Error.PlatformError, R> => Effect.catchIf(effect, isGone, () => Effect.succeed(orElse))

/** Whether the file that an effect needs is not there. */
export const isGone = (error: unknown): boolean => error instanceof Error.SystemError && error.reason === "NotFound"
