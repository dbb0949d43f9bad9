/**
 * Baggage of others that came in with a run, and goes out again with it and with the runs inside of it.
 */
import * as Baggage from "./Baggage.js"
import type { Run } from "./Run.js"

const foreignMembers = new WeakMap<Run, Baggage.Baggage>()

/** Remembers what came in beside a run that was received. */
export const rememberForeign = (run: Run, foreign: Baggage.Baggage): void => {
  foreignMembers.set(run, foreign)
}

/** What came in beside a run that was received. */
export const foreignOf = (run: Run | undefined): Baggage.Baggage => (run && foreignMembers.get(run)) ?? Baggage.empty
