/**
 * The command line of `botanu`.
 */
import { readFileSync } from "node:fs"
import { Args, type CliApp, Command, HelpDoc, Options, ValidationError } from "@effect/cli"
import type { CommandExecutor } from "@effect/platform"
import { Cause, Config, Console, Effect, Option, Ref } from "effect"
import { CommandError, exitCodes } from "./CommandError.js"
import { doctor } from "./commands/DoctorCommand.js"
import { event } from "./commands/EventCommand.js"
import { eventOptions, limitOption } from "./commands/EventOptions.js"
import { formats, report } from "./commands/ReportCommand.js"
import { type Sort, sorts } from "./commands/ReportGroup.js"
import * as GroupKey from "./query/GroupKey.js"
import { serve } from "./serve/ServeCommand.js"
import * as LedgerStore from "./store/LedgerStore.js"
import { withoutEscapes } from "./terminal/Paint.js"
import { Screen } from "./terminal/Screen.js"

/**
 * Runs the command with the arguments of a process (the first two are the program and the script), and gives the code to exit
 * with. Never fails: what went wrong is one line on the standard error.
 */
export const main = (
  argv: ReadonlyArray<string>
): Effect.Effect<number, never, CliApp.CliApp.Environment | CommandExecutor.CommandExecutor | Screen> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const exitCode = yield* Ref.make<number>(exitCodes.ok)
    const shown = (text: unknown) => (screen.hasColour ? String(text) : withoutEscapes(String(text))).trimEnd()
    const console = yield* Effect.map(Console.consoleWith(Effect.succeed), (base) => ({
      ...base,
      log: (text: unknown) => screen.print([shown(text)]),
      // The library prints its complaints; `reported` does it in one line.
      error: () => Effect.void
    }))
    const reported = (message: string, code: number) =>
      Effect.zipRight(screen.complain(`botanu: ${message}`), Ref.set(exitCode, code))
    yield* cli(exitCode)(argv).pipe(
      Effect.withConsole(console),
      Effect.catchAll((error) =>
        error instanceof CommandError
          ? reported(error.message, error.exitCode)
          : ValidationError.isValidationError(error)
            ? reported(`${oneLine(error)}. See: botanu --help`, exitCodes.usage)
            : reported(String(error), exitCodes.trouble)
      ),
      Effect.catchAllDefect((defect) =>
        reported(`a fault of the command: ${withoutEscapes(Cause.pretty(Cause.die(defect)))}`, exitCodes.trouble)
      )
    )
    return yield* Ref.get(exitCode)
  })

const oneLine = ({ error }: ValidationError.ValidationError): string =>
  withoutEscapes(HelpDoc.toAnsiText(error)).replace(/\s+/g, " ").trim().replace(/\.$/, "")

/** Runs a command over the ledger at a location. */
const reading = <A, E, R>(location: string, command: Effect.Effect<A, E, R>) =>
  Effect.provide(command, LedgerStore.layer(location))

const ledger = Options.text("ledger").pipe(
  Options.withPseudoName("DIR | postgres://…"),
  Options.withDescription(
    "Where the ledger is: a directory, or the URL of a PostgreSQL database. Also set by BOTANU_LEDGER"
  ),
  Options.withFallbackConfig(Config.string("BOTANU_LEDGER")),
  Options.withDefault("./botanu-ledger")
)

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

const examples = (first: string, ...lines: ReadonlyArray<string>): HelpDoc.HelpDoc =>
  HelpDoc.blocks([HelpDoc.p(first), ...lines.map((line) => HelpDoc.p(`  $ ${line}`))])

const eventCommand = Command.make(
  "event",
  {
    ledger,
    id: Args.text({ name: "ID" }),
    customer: Options.text("customer").pipe(
      Options.withDescription("Only the event of this customer"),
      Options.optional
    )
  },
  ({ customer, id, ledger }) => reading(ledger, event({ id, customer: Option.getOrUndefined(customer) }))
).pipe(
  Command.withDescription(
    examples(
      "Shows what one event did: its attempts, nested runs and calls over time, what came of it and what it cost.",
      "botanu event ticket-48213",
      "botanu event ticket-48213 --customer bigretail"
    )
  )
)

const reportCommand = Command.make(
  "report",
  {
    ledger,
    by: Options.text("by").pipe(
      Options.withDescription(
        `What to group by, with commas between: ${GroupKey.names.join(", ")}, or the name of an annotation`
      ),
      Options.withDefault("workflow")
    ),
    ...eventOptions,
    sort: Options.choice("sort", Object.keys(sorts) as ReadonlyArray<Sort>).pipe(
      Options.withDescription("The figure by which groups are sorted, the largest first. Days are sorted by key"),
      Options.optional,
      Options.map(Option.getOrUndefined)
    ),
    limit: limitOption("At most so many groups"),
    format: Options.choice("format", formats).pipe(Options.withDefault("table" as const))
  },
  ({ ledger, ...options }) => reading(ledger, report(options))
).pipe(
  Command.withDescription(
    examples(
      "Shows what events cost and what came of them, by group: cost per success, spend, failures, success rate, attempts. With --since, beside the period of the same length before.",
      "botanu report --by workflow --since 30d",
      "botanu report --by customer,day --workflow 'Customer Support' --sort failures --limit 20",
      "botanu report --by team --since 2026-11-01",
      "botanu report --by model --format csv > models.csv"
    )
  )
)

const doctorCommand = (exitCode: Ref.Ref<number>) =>
  Command.make("doctor", { ledger }, ({ ledger }) =>
    Effect.flatMap(reading(ledger, doctor), (code) => Ref.set(exitCode, code))
  ).pipe(
    Command.withDescription(
      examples(
        "Shows what is wrong with a ledger: lines cut by a crash, runs without an end, calls without a price. Exits with 1 where it warns.",
        "botanu doctor",
        "botanu doctor --ledger /var/lib/shop/botanu-ledger"
      )
    )
  )

const serveCommand = Command.make(
  "serve",
  {
    ledger,
    port: Options.integer("port").pipe(
      Options.withDescription("The port; 0 takes a free one"),
      Options.withDefault(4400)
    ),
    host: Options.text("host").pipe(
      Options.withDescription("The address to listen on. Any address that other machines reach needs --token"),
      Options.withDefault("127.0.0.1")
    ),
    token: Options.text("token").pipe(
      Options.withDescription("What a reader must have. Also set by BOTANU_TOKEN, which no list of processes shows"),
      Options.withFallbackConfig(Config.string("BOTANU_TOKEN")),
      Options.optional,
      Options.map(Option.getOrUndefined)
    ),
    open: Options.boolean("open").pipe(Options.withDescription("Opens the page in the browser")),
    allowAmend: Options.boolean("allow-amend").pipe(
      Options.withDescription("Lets readers of the page amend outcomes. Without it the page only reads")
    ),
    traceUrl: Options.text("trace-url").pipe(
      Options.withDescription("Where traces are: https://traces.example.com/{traceId}"),
      Options.optional,
      Options.map(Option.getOrUndefined)
    )
  },
  (options) => serve({ ...options, version })
).pipe(
  Command.withDescription(
    examples(
      "Serves a page on this machine that shows what events cost and what came of them, live.",
      "botanu serve --open",
      "botanu serve --ledger /var/lib/shop/botanu-ledger --port 4400",
      "BOTANU_TOKEN=... botanu serve --host 0.0.0.0"
    )
  )
)

const cli = (exitCode: Ref.Ref<number>) =>
  Command.run(
    Command.make("botanu").pipe(
      Command.withDescription(
        examples(
          "What business work cost, and what came of it.",
          "botanu report --by workflow --since 30d",
          "botanu event ticket-48213",
          "botanu doctor --ledger ./botanu-ledger",
          "botanu serve --open"
        )
      ),
      Command.withSubcommands([reportCommand, eventCommand, doctorCommand(exitCode), serveCommand])
    ),
    { name: "botanu", version }
  )
