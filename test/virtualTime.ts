/**
 * A clock whose time passes when a test says so, as that of `TestClock`, and with little work between two instants: for tests of
 * thousands of programs.
 */
import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private now = 0
  /** In the order in which they wake. */
  private readonly sleepers: Array<Sleeper> = []

  readonly currentTimeMillis = Effect.sync(() => this.now)
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1e6))
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      const later = this.sleepers.findIndex(({ at }) => at > sleeper.at)
      this.sleepers.splice(later === -1 ? this.sleepers.length : later, 0, sleeper)
      return Effect.sync(() => {
        const index = this.sleepers.indexOf(sleeper)
        if (index !== -1) this.sleepers.splice(index, 1)
      })
    })
  }

  /** Lets time pass. Whatever is to be done at an instant is done before the next. */
  pass(duration: Duration.DurationInput): Effect.Effect<void> {
    return Effect.suspend(() => {
      const end = this.now + Duration.toMillis(duration)
      const until = (): Effect.Effect<void> => {
        const next = this.sleepers[0]
        if (next === undefined || next.at > end) {
          this.now = end
          return Effect.void
        }
        this.now = next.at
        for (const { wake } of this.sleepers.splice(0, this.sleepers.findLastIndex(({ at }) => at === next.at) + 1))
          wake()
        return Effect.flatMap(settled, until)
      }
      return Effect.flatMap(settled, until)
    })
  }
}

/** Waits until nothing is left to be done now. */
export const settled: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})
