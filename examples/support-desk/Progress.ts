/**
 * Shows the job while it works: a bar that is redrawn in place on a terminal, a line per ticket elsewhere.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import { bar, ticketLine } from "./ProgressText.js"
import { Records } from "./Records.js"
import * as Tally from "./Tally.js"
import { type Screen, screenOf } from "./Terminal.js"
import type { Ticket } from "./Ticket.js"
import type { BadLine } from "./TicketSource.js"

export class Progress extends Context.Tag("support-desk/Progress")<
  Progress,
  {
    readonly read: Effect.Effect<void>
    readonly endOfInput: Effect.Effect<void>
    readonly badLine: (line: BadLine) => Effect.Effect<void>
    readonly started: Effect.Effect<void>
    readonly finished: (ticket: Ticket) => Effect.Effect<void>
    /** Takes the bar away for good. */
    readonly end: Effect.Effect<void>
    readonly tally: Effect.Effect<Tally.Tally>
  }
>() {}

/** Shows progress on standard error. */
export const layer: Layer.Layer<Progress, never, Records> = Layer.scoped(
  Progress,
  Effect.gen(function* () {
    const records = yield* Records
    const startMs = yield* Clock.currentTimeMillis
    const display = new Display(process.stderr, screenOf(process.stderr, process.env), startMs)
    const redraw = Effect.map(Clock.currentTimeMillis, (now) => display.draw(now))
    if (display.screen.isTerminal) yield* Effect.forkScoped(Effect.repeat(redraw, Schedule.spaced("100 millis")))
    const change = (update: (tally: Tally.Tally) => Tally.Tally) =>
      Effect.zipRight(
        Effect.sync(() => {
          display.tally = update(display.tally)
        }),
        redraw
      )
    const progress: Progress["Type"] = {
      read: change((tally) => ({ ...tally, read: tally.read + 1 })),
      endOfInput: change((tally) => ({ ...tally, isReading: false })),
      badLine: (line) =>
        change((tally) => {
          display.say(`line ${line.number}: ${line.problem}`)
          return { ...tally, badLines: tally.badLines + 1 }
        }),
      started: change((tally) => ({ ...tally, started: tally.started + 1 })),
      finished: (ticket) =>
        change((tally) => {
          const last = records.lastRun(ticket.id)
          const finished = Tally.finish(tally, last?.outcome?.status ?? last?.status ?? "failure")
          if (!display.screen.isTerminal) display.say(ticketLine(ticket, last, finished))
          return finished
        }),
      end: Effect.sync(() => display.end()),
      tally: Effect.sync(() => display.tally)
    }
    return progress
  })
)

/** Where progress is shown: lines that stay, and on a terminal the bar below them. */
class Display {
  tally = Tally.initial
  private isOver = false

  constructor(
    private readonly stream: NodeJS.WriteStream,
    readonly screen: Screen,
    private readonly startMs: number
  ) {}

  draw(nowMs: number): void {
    if (!this.screen.isTerminal || this.isOver) return
    this.stream.write(`${clearLine}${bar(this.tally, nowMs - this.startMs, this.screen)}`)
  }

  say(line: string): void {
    this.stream.write(`${this.screen.isTerminal ? clearLine : ""}${line}\n`)
  }

  end(): void {
    if (this.screen.isTerminal && !this.isOver) this.stream.write(clearLine)
    this.isOver = true
  }
}

const clearLine = "\r\u001b[2K"
