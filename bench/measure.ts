/**
 * Two ways of doing the same thing, timed side by side: round by round in turns, so that what slows the machine down slows
 * both, each round long enough for the clock, and all in one fiber, so that its start is not measured. Garbage is left to be
 * collected when it is: forced collections make V8 believe that objects live long, and slow everything down for good.
 */
import { Effect } from "effect"

/** Does a piece of work so many times. */
export type Repeated = (times: number) => Effect.Effect<void>

/** What is compared. */
export interface Comparison {
  readonly name: string
  readonly ours: Repeated
  readonly theirs: Repeated
  /** The highest ratio, ours to theirs, that is aimed at; none where the line is for information. */
  readonly aim?: number
  /**
   * How many rounds come before those that are measured. Work of many functions is compiled late.
   * @default 20
   */
  readonly warmUpRounds?: number
}

/** Something that is measured, and the lines that it prints. */
export interface Measurement {
  readonly name: string
  readonly lines: Effect.Effect<ReadonlyArray<string>>
}

/** Nanoseconds for one piece of work: medians over all rounds. */
export interface Timing {
  readonly ours: number
  readonly theirs: number
}

const defaultWarmUpRounds = 20
const rounds = 21
const roundMillis = 20

/** Work that is done when the function returns. */
export const repeatedCall =
  (work: () => unknown): Repeated =>
  (times) =>
    Effect.sync(() => {
      for (let i = 0; i < times; i++) keep(work())
    })

/** Work that is done when the effect ends; `work` builds it anew each time. */
export const repeatedEffect =
  (work: () => Effect.Effect<unknown, unknown>): Repeated =>
  (times) =>
    Effect.suspend(() => {
      let done = 0
      return Effect.whileLoop({
        while: () => done < times,
        body: work,
        step: (result) => {
          keep(result)
          done += 1
        }
      })
    }).pipe(Effect.orDie)

/** Times both sides of a comparison. */
export const measure = (comparison: Comparison): Effect.Effect<Timing> =>
  Effect.gen(function* () {
    const { warmUpRounds = defaultWarmUpRounds } = comparison
    const ours = new Side(comparison.ours)
    const theirs = new Side(comparison.theirs)
    for (let round = 0; round < warmUpRounds + rounds; round++) {
      // Who goes first changes, so that it is nobody's advantage.
      for (const side of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) yield* side.round
    }
    return { ours: ours.nanosAfter(warmUpRounds), theirs: theirs.nanosAfter(warmUpRounds) }
  })

/** One of the two, and how long its rounds took. */
class Side {
  private times = 1
  private readonly nanosByRound: Array<number> = []

  constructor(private readonly work: Repeated) {}

  /** Works for about `roundMillis`, by the speed of the round before. */
  readonly round: Effect.Effect<void> = Effect.suspend(() => {
    const { times } = this
    const start = performance.now()
    return Effect.map(this.work(times), () => {
      const millis = performance.now() - start
      this.nanosByRound.push((millis * 1e6) / times)
      this.times = Math.ceil(times * Math.min(16, roundMillis / millis))
    })
  }).pipe(Effect.zipRight(dueCallbacks))

  /** The median of the rounds after the warm-up. */
  nanosAfter(warmUpRounds: number): number {
    return median(this.nanosByRound.slice(warmUpRounds))
  }
}

/** A timing, and what ours takes more than theirs: the median of the differences of all pairs of turns. */
export interface Difference extends Timing {
  readonly added: number
}

const pairs = 300

/**
 * Times both sides in short turns by the CPU time of the process, so that neither the work of others nor what slows the machine down for
 * a while is in the difference. `timesInTurn` pieces of work are to take some milliseconds.
 */
export const measureDifference = (comparison: Comparison, timesInTurn: number): Effect.Effect<Difference> =>
  Effect.gen(function* () {
    const { warmUpRounds = defaultWarmUpRounds } = comparison
    const nanos = { ours: [] as Array<number>, theirs: [] as Array<number> }
    const names = ["ours", "theirs"] as const
    for (let turn = 0; turn < warmUpRounds + pairs; turn++) {
      for (const name of turn % 2 === 0 ? names : names.toReversed()) {
        const before = process.cpuUsage()
        yield* comparison[name](timesInTurn)
        const { system, user } = process.cpuUsage(before)
        if (turn >= warmUpRounds) nanos[name].push(((system + user) * 1000) / timesInTurn)
        yield* dueCallbacks
      }
    }
    const differences = nanos.ours.map((ours, i) => ours - (nanos.theirs[i] as number))
    return { ours: median(nanos.ours), theirs: median(nanos.theirs), added: median(differences) }
  })

const median = (numbers: ReadonlyArray<number>): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Lets callbacks run that are due. */
const dueCallbacks: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => resume(Effect.void))
})

const last: { result: unknown } = { result: undefined }

/** Makes a result one that is used. */
const keep = (result: unknown): void => {
  last.result = result
}
