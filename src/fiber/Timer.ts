/**
 * Waiting for an instant of a clock, however far it is.
 */
import { Cause, type Clock, Duration, Effect, FiberId } from "effect"
import { type AnyFiber, clockOf } from "./CurrentFiber.js"

// Longer timers are dropped by JavaScript, and taken for endless by Effect.
const maxSleepMillis = 2 ** 31 - 1

/** Sleeps until the clock shows an instant, in ms since the epoch. */
export const sleepUntil = (clock: Clock.Clock, epochMillis: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const remaining = epochMillis - clock.unsafeCurrentTimeMillis()
    if (remaining <= 0) return Effect.void
    return remaining > maxSleepMillis
      ? Effect.zipRight(clock.sleep(Duration.millis(maxSleepMillis)), sleepUntil(clock, epochMillis))
      : clock.sleep(Duration.millis(remaining))
  })

const logged = (defect: unknown): Effect.Effect<void> =>
  Effect.logWarning("the clock failed: a deadline is not enforced", Cause.die(defect))

/**
 * Calls back when the clock of a fiber shows an instant. The timer starts when the fiber pauses for the first time: work that
 * is done at once needs none.
 */
export class Timer {
  private isStopped = false
  private sleeping: AnyFiber | undefined = undefined

  constructor(fiber: AnyFiber, epochMillis: number, onTime: () => void) {
    const clock = clockOf(fiber)
    const start = () => {
      if (this.isStopped) return
      const elapsed = Effect.map(sleepUntil(clock, epochMillis), () => {
        if (!this.isStopped) onTime()
      })
      this.sleeping = Effect.runFork(Effect.catchAllDefect(elapsed, logged))
    }
    fiber.currentScheduler.scheduleTask(start, 0)
  }

  stop(): void {
    this.isStopped = true
    this.sleeping?.unsafeInterruptAsFork(FiberId.none)
  }
}
