/**
 * How far the job has come.
 */
import type { RunStatus } from "botanu-effect"

export interface Tally {
  /** Tickets that were read. */
  readonly read: number
  /** Whether there may be more to read. */
  readonly isReading: boolean
  readonly started: number
  readonly finished: number
  readonly outcomes: Readonly<Record<RunStatus, number>>
  readonly badLines: number
}

export const initial: Tally = {
  read: 0,
  isReading: true,
  started: 0,
  finished: 0,
  outcomes: { success: 0, failure: 0, partial: 0, timeout: 0, canceled: 0 },
  badLines: 0
}

/** The tally after another ticket was finished. */
export const finish = (tally: Tally, status: RunStatus): Tally => ({
  ...tally,
  finished: tally.finished + 1,
  outcomes: { ...tally.outcomes, [status]: tally.outcomes[status] + 1 }
})
