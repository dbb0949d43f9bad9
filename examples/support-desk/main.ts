/**
 * Works a set of support tickets, shows how it goes and reports what came of them. Two services do the work, each in a process of
 * its own, with models that answer on this machine. `npm start -- --help` says how to ask.
 */
import { constants } from "node:os"
import { fileURLToPath } from "node:url"
import { FetchHttpClient, HttpApiClient } from "@effect/platform"
import { BotanuConfig } from "botanu-effect"
import { TerminalText } from "botanu-effect/report"
import { Clock, type ConfigError, Console, Effect, Either, Layer, Match, Option, Stream } from "effect"
import * as CallLog from "./CallLog.js"
import * as CommandLine from "./CommandLine.js"
import { DeskApi } from "./DeskApi.js"
import * as ModelServer from "./ModelServer.js"
import * as Progress from "./Progress.js"
import * as Records from "./Records.js"
import * as Report from "./Report.js"
import * as ServiceProcess from "./ServiceProcess.js"
import * as Signals from "./Signals.js"
import { screenOf } from "./Terminal.js"
import type { Ticket } from "./Ticket.js"
import * as TicketSource from "./TicketSource.js"
import * as Trace from "./Trace.js"

const { visible } = TerminalText

const defaultTickets = fileURLToPath(new URL("./tickets.jsonl", import.meta.url))

const screen = screenOf(process.stdout, process.env)

const main: Effect.Effect<number> = Effect.suspend(() =>
  CommandLine.parse(process.argv.slice(2), defaultTickets).pipe(
    Effect.flatMap(
      Match.valueTags({
        Help: () => Effect.as(Console.log(CommandLine.help), 0),
        Work: (work) => Effect.provide(workAndReport(work), services)
      })
    )
  )
).pipe(Effect.catchAll((error) => Effect.as(Console.error(lineOf(error)), exitCodeOf(error))))

/** What the job needs. The configuration comes first: where it is wrong, nothing else begins. */
const services = Progress.layer.pipe(
  Layer.provideMerge(Records.layer),
  Layer.provideMerge(FetchHttpClient.layer),
  Layer.provideMerge(BotanuConfig.layer)
)

type JobError =
  | CommandLine.WrongUsage
  | CallLog.UnwritableLog
  | ConfigError.ConfigError
  | ServiceProcess.ServiceEnded
  | TicketSource.UnreadableSource

/** Works until the tickets are done or a signal comes, and gives the exit code. What was done is reported in any case. */
const workAndReport = ({ calls, source, trace }: CommandLine.Work) =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis
    const progress = yield* Progress.Progress
    const records = yield* Records.Records
    const stopped = yield* Signals.listen
    const work = Effect.flatMap(startDesk(trace, calls), ({ client, ended, endedWell }) =>
      Effect.as(Effect.raceFirst(workAll(source, client), ended), { endedWell, stoppedBy: undefined })
    )
    const signal = Effect.map(stopped, (stoppedBy) => ({ endedWell: Effect.void, stoppedBy }))
    // With the scope the services end, and then all of their runs are on record. The work may be done before one is heard to
    // have ended.
    const end = yield* Effect.scoped(Effect.raceFirst(work, signal)).pipe(
      Effect.tap(({ endedWell }) => endedWell),
      Effect.ensuring(progress.end),
      Effect.either
    )
    const stoppedBy = Option.getOrUndefined(Either.getRight(end))?.stoppedBy
    const elapsedMs = (yield* Clock.currentTimeMillis) - startMs
    const tally = yield* progress.tally
    if (Either.isRight(end) || records.runs.length > 0) {
      const { serviceOf, warnings } = records
      const job = { tally, elapsedMs, stoppedBy, serviceOf, warnings }
      yield* Console.log(Report.render(records.runs, job, screen))
    }
    if (records.spans.length > 0) yield* Console.log(`\n${Trace.render(records.spans, screen)}`)
    if (Either.isLeft(end)) return yield* Effect.fail(end.left)
    return stoppedBy === undefined ? 0 : Signals.exitCode(stoppedBy)
  })

/**
 * Starts the models and the services, and gives a client of the desk; and what fails with an end of either service that nobody
 * asked for: while they work, and when they were stopped.
 */
const startDesk = (trace: boolean, calls: string | undefined) =>
  Effect.gen(function* () {
    const records = yield* Records.Records
    const models = yield* ModelServer.start(calls === undefined ? () => {} : yield* CallLog.toFile(calls))
    const start = (program: string, name: string, upstream?: string) =>
      ServiceProcess.start(program, { name, trace, models, ...(upstream !== undefined && { upstream }) }, records)
    const backOffice = yield* start("./back-office-service.ts", "back office")
    const desk = yield* start("./desk-service.ts", "desk", backOffice.origin)
    const client = yield* HttpApiClient.make(DeskApi, { baseUrl: desk.origin })
    return {
      client,
      ended: Effect.raceFirst(backOffice.ended, desk.ended),
      endedWell: Effect.zipRight(backOffice.endedWell, desk.endedWell)
    }
  })

type DeskClient = Effect.Effect.Success<ReturnType<typeof startDesk>>["client"]

const ticketsInWork = 8

const ticketsAhead = 1000

const workAll = (source: TicketSource.Source, desk: DeskClient) =>
  Effect.gen(function* () {
    const progress = yield* Progress.Progress
    const workOne = (ticket: Ticket) =>
      Effect.gen(function* () {
        yield* progress.started
        // The desk answers when it is done. What came of the ticket is on the record of its runs.
        yield* desk.tickets.work({ payload: { ticket } }).pipe(
          // A desk that cannot be asked has ended, as a rule. That is heard of in a moment, and ends the job.
          Effect.catchTag("RequestError", () => Effect.sleep("1 second")),
          Effect.ignore
        )
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

/** An error as one line. */
const lineOf = (error: JobError): string =>
  visible("path" in error ? `${error.path.join("_")}: ${error.message}` : error.message)

const exitCodeOf = (error: JobError): number => (error instanceof CommandLine.WrongUsage ? 2 : 1)

// Whoever read the output has gone, as `head` does.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => process.exit(128 + constants.signals.SIGPIPE))
}

process.exitCode = await Effect.runPromise(main)
