/**
 * Runs that go through a queue: BullMQ on a Redis server of its own, a producer and two worker processes, one of which is killed.
 */

import { TerminalText } from "botanu-effect/report"
import { Clock, Console, Effect, Either } from "effect"
import { encodeJson } from "./Attempt.js"
import * as Figures from "./Figures.js"
import * as RunTree from "./RunTree.js"
import * as Signals from "./Signals.js"
import * as Story from "./Story.js"
import { screenOf } from "./Terminal.js"

const { pad, visible } = TerminalText

const usage = `usage: node --import tsx examples/bullmq/main.ts [--json]

Shows how it goes on standard error, then the runs as trees; with --json, as lines of JSON.`

const main: Effect.Effect<number> = Effect.suspend(() => {
  const args = process.argv.slice(2)
  if (args.includes("--help")) return Effect.as(Console.log(usage), 0)
  const unknown = args.find((arg) => arg !== "--json")
  if (unknown !== undefined) return Effect.as(Console.error(`unknown argument ${visible(unknown)}; ${usage}`), 2)
  return play(args.includes("--json"))
})

/** Plays to the end or until a signal comes, and gives the exit code. */
const play = (asJson: boolean): Effect.Effect<number> =>
  Effect.gen(function* () {
    const stopped = yield* Signals.listen
    const story = Effect.scoped(Effect.flatMap(narrator, Story.play))
    const end = yield* Effect.raceFirst(Effect.map(story, Either.right), Effect.map(stopped, Either.left))
    if (Either.isLeft(end)) {
      yield* Console.error(`\nStopped by ${end.left}.`)
      return Signals.exitCode(end.left)
    }
    const lines = asJson ? end.right.map((attempt) => encodeJson(attempt)) : RunTree.lines(end.right, screen)
    yield* Console.log(lines.join("\n"))
    return 0
  }).pipe(Effect.catchAll((error) => Effect.as(Console.error(lineOf(error)), 1)))

/** An error as one line. */
const lineOf = (error: Story.StoryError): string => visible(error.message)

const screen = screenOf(process.stdout, process.env)

/** Tells the story line by line on standard error, with the time since its begin. */
const narrator: Effect.Effect<Story.Audience> = Effect.map(Clock.currentTimeMillis, (startMs) => ({
  say: (text) => Console.error(text),
  attempt: ({ completed, process, run }) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const end = completed === undefined ? "killed with SIGKILL" : completed.status
      const details = completed?.errorClass === undefined ? "" : `, ${visible(completed.errorClass)}`
      const time = pad(Figures.duration(nowMs - startMs), 7, "right")
      return Console.error(`${time}  ${pad(process, 8)}  ${run.workflow}, attempt ${run.attempt}: ${end}${details}`)
    })
}))

process.exitCode = await Effect.runPromise(main)
