/**
 * What goes wrong while a run is recorded. It is logged, and is no reason for the program to fail.
 */
import { Clock, Effect } from "effect"

/** What could not be recorded, and why. */
export type Trouble = Array<string>

/** What `record` gives; nothing where it throws. */
export const attempted = <A>(trouble: Trouble, what: string, record: () => A): A | undefined => {
  try {
    return record()
  } catch (error) {
    trouble.push(`${what} failed: ${textOf(error)}`)
    return undefined
  }
}

/** The text of whatever was thrown; that may throw, too. */
export const textOf = (error: unknown): string => {
  try {
    return String(error)
  } catch {
    return "an error without a text"
  }
}

/** Logs what went wrong. The logger may be what throws, or the clock that dates the line. */
export const logged = (trouble: Trouble): Effect.Effect<void> => {
  if (trouble.length === 0) return Effect.void
  const line = Effect.logWarning(trouble.join("; "))
  return Effect.catchAllCause(line, () => Effect.catchAllCause(Effect.withClock(line, Clock.make()), () => Effect.void))
}
