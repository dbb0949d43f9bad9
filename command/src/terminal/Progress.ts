/**
 * A line that shows that work goes on, on a terminal.
 */
import { Clock, Duration, Effect, Fiber } from "effect"

/** A line that appears when work takes longer than a second, and goes before anything else is written. */
export interface Progress {
  /** Shows the line while an effect works, from its second second on. */
  readonly during: <A, E, R>(effect: Effect.Effect<A, E, R>, work?: Work) => Effect.Effect<A, E, R>
  /** Takes the line away for good: what follows is the output. */
  readonly end: Effect.Effect<void>
}

/** What is done meanwhile. */
export interface Work {
  /** What the line says. */
  readonly text: string
  /** How much of it is done, from 0 to 1. */
  readonly share: Effect.Effect<number>
}

/** No line. */
export const none: Progress = { during: (effect) => effect, end: Effect.void }

const barColumns = 20
const blockColumns = 6

/** A line that is written with `write`, which goes to the terminal. */
export const make = (write: (text: string) => Effect.Effect<void>, isUtf8: boolean): Progress => {
  let isOver = false
  let isShown = false
  const clear = Effect.suspend(() => {
    if (!isShown) return Effect.void
    isShown = false
    return write("\r\u001b[K")
  })
  const [block, rest] = isUtf8 ? ["█", "▒"] : ["#", "-"]
  const barOf = (from: number, columns: number) =>
    rest.repeat(from) + block.repeat(columns) + rest.repeat(barColumns - columns - from)
  const show = (started: number, work: Work | undefined) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const share = work === undefined ? undefined : yield* work.share
      if (isOver) return
      isShown = true
      const seconds = Math.floor((now - started) / 1000)
      const at = Math.floor((now - started) / 100) % (barColumns - blockColumns)
      const bar = share === undefined ? barOf(at, blockColumns) : barOf(0, Math.floor(share * barColumns))
      const percent = share === undefined ? "" : `${Math.floor(share * 100)}%  `
      yield* write(`\r${work?.text ?? "reading the ledger"}  ${bar}  ${percent}${seconds} s`)
    })
  return {
    during: (effect, work) =>
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        const line = show(started, work).pipe(
          Effect.delay(Duration.millis(100)),
          Effect.forever,
          Effect.delay(Duration.seconds(1))
        )
        const fiber = yield* Effect.fork(line)
        return yield* Effect.ensuring(effect, Effect.zipRight(Fiber.interrupt(fiber), clear))
      }),
    end: Effect.suspend(() => {
      isOver = true
      return clear
    })
  }
}
