/**
 * Works a set of support tickets, shows how it goes and reports what came of them. `npm start -- --help` says how to ask.
 */
import { constants } from "node:os"
import { fileURLToPath } from "node:url"
import { BotanuConfig, InvalidRunContext, RunExporter } from "botanu-effect"
import { Cause, Clock, type ConfigError, Console, Effect, Either, Layer, Logger, Match, Option, Stream } from "effect"
import * as CommandLine from "./CommandLine.js"
import * as Desk from "./Desk.js"
import * as Operator from "./Operator.js"
import * as Progress from "./Progress.js"
import * as Report from "./Report.js"
import * as Signals from "./Signals.js"
import { screenOf, visible } from "./Terminal.js"
import type { Ticket } from "./Ticket.js"
import * as TicketSource from "./TicketSource.js"
import * as Trace from "./Trace.js"

const defaultTickets = fileURLToPath(new URL("./tickets.jsonl", import.meta.url))

const screen = screenOf(process.stdout, process.env)

const main: Effect.Effect<number> = Effect.suspend(() =>
  CommandLine.parse(process.argv.slice(2), defaultTickets).pipe(
    Effect.flatMap(
      Match.valueTags({
        Help: () => Effect.as(Console.log(CommandLine.help), 0),
        Work: ({ source, trace }) => Effect.provide(workAndReport(source), services(trace))
      })
    )
  )
).pipe(Effect.catchAll((error) => Effect.as(Console.error(lineOf(error)), exitCodeOf(error))))

/** What the job needs. The configuration comes first: where it is wrong, nothing else begins. */
const services = (trace: boolean) =>
  Progress.layer.pipe(
    Layer.provideMerge(RunExporter.layerMemory),
    Layer.provideMerge(Operator.layer),
    Layer.provideMerge<never, never, never>(trace ? Trace.layer : Layer.empty),
    Layer.provideMerge(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))),
    Layer.provideMerge(BotanuConfig.layer)
  )

type JobError = CommandLine.WrongUsage | ConfigError.ConfigError | InvalidRunContext | TicketSource.UnreadableSource

/** Works until the tickets are done or a signal comes, and gives the exit code. What was done is reported in any case. */
const workAndReport = (source: TicketSource.Source) =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis
    const progress = yield* Progress.Progress
    const stopped = yield* Signals.listen
    const end = yield* workAll(source).pipe(
      Effect.as(Option.none<Signals.Signal>()),
      Effect.raceFirst(Effect.map(stopped, Option.some)),
      Effect.ensuring(progress.end),
      Effect.either
    )
    const stoppedBy = Option.getOrUndefined(Option.flatten(Either.getRight(end)))
    const elapsedMs = (yield* Clock.currentTimeMillis) - startMs
    const runs = yield* Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)
    const tally = yield* progress.tally
    if (Either.isRight(end) || runs.length > 0) {
      yield* Console.log(Report.render(runs, { tally, elapsedMs, stoppedBy }, screen))
    }
    yield* printTrace
    if (Either.isLeft(end)) return yield* Effect.fail(end.left)
    return stoppedBy === undefined ? 0 : Signals.exitCode(stoppedBy)
  })

const ticketsInWork = 8

const ticketsAhead = 1000

const workAll = (source: TicketSource.Source) =>
  Effect.gen(function* () {
    const progress = yield* Progress.Progress
    const operator = yield* Operator.Operator
    const workOne = (ticket: Ticket) =>
      Effect.gen(function* () {
        yield* operator.hear(ticket)
        yield* progress.started
        yield* toTheEnd(Desk.work(ticket))
        yield* progress.finished(ticket)
      })
    yield* TicketSource.tickets(source).pipe(
      Stream.tap(Either.match({ onLeft: progress.badLine, onRight: () => progress.read })),
      Stream.filterMap(Either.getRight),
      Stream.onEnd(progress.endOfInput),
      Stream.buffer({ capacity: ticketsAhead }),
      Stream.mapEffect(workOne, { concurrency: ticketsInWork, unordered: true }),
      Stream.runDrain
    )
  })

/**
 * Waits for the end of a ticket, whatever it is: that is on the record of its runs. Only a run that could not begin is an
 * error here: tickets were checked, so it is the configuration that is wrong.
 */
const toTheEnd = (work: Effect.Effect<void, Desk.DeskError>): Effect.Effect<void, InvalidRunContext> =>
  Effect.catchAllCause(work, (cause) =>
    Option.match(Cause.failureOption(cause), {
      onNone: () => Effect.void,
      onSome: (error) => (error instanceof InvalidRunContext ? Effect.fail(error) : Effect.void)
    })
  )

const printTrace = Effect.gen(function* () {
  const trace = yield* Effect.serviceOption(Trace.Trace)
  const spans = Option.isSome(trace) ? yield* trace.value.spans : []
  if (spans.length > 0) yield* Console.log(`\n${Trace.render(spans, screen)}`)
})

/** An error as one line. */
const lineOf = (error: JobError): string =>
  visible("path" in error ? `${error.path.join("_")}: ${error.message}` : error.message)

const exitCodeOf = (error: JobError): number => (error instanceof CommandLine.WrongUsage ? 2 : 1)

// Whoever read the output has gone, as `head` does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => process.exit(128 + constants.signals.SIGPIPE))
}

process.exitCode = await Effect.runPromise(main)
