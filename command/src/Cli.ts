/**
 * The command line of `botanu`.
 */
import { readFileSync } from "node:fs"
import { Args, type CliApp, Command, HelpDoc, Options, ValidationError } from "@effect/cli"
import { RunStatus } from "botanu-effect"
import { Cause, Config, Console, Effect, Option, Ref } from "effect"
import { CommandError, exitCodes } from "./CommandError.js"
import { amend } from "./commands/AmendCommand.js"
import { compact } from "./commands/CompactCommand.js"
import { compare } from "./commands/CompareCommand.js"
import { doctor } from "./commands/DoctorCommand.js"
import { event } from "./commands/EventCommand.js"
import { eventOptions, limitOption, optionalText } from "./commands/EventOptions.js"
import { events, failures } from "./commands/EventsCommand.js"
import { exportFormats, exportTo } from "./commands/ExportCommand.js"
import { importFiles } from "./commands/ImportCommand.js"
import { migrate, prune } from "./commands/MaintenanceCommands.js"
import { report } from "./commands/ReportCommand.js"
import { type Sort, sorts } from "./commands/ReportGroup.js"
import { reprice } from "./commands/RepriceCommand.js"
import { runs } from "./commands/RunsCommand.js"
import { sql } from "./commands/SqlCommand.js"
import * as EventList from "./query/EventList.js"
import * as GroupKey from "./query/GroupKey.js"
import { serve } from "./serve/ServeCommand.js"
import * as LedgerStore from "./store/LedgerStore.js"
import { relations } from "./store/LedgerStore.js"
import { withoutEscapes } from "./terminal/Paint.js"
import { formats } from "./terminal/Rows.js"
import { Screen } from "./terminal/Screen.js"

/**
 * Runs the command with the arguments of a process (the first two are the program and the script), and gives the code to exit
 * with. Never fails: what went wrong is one line on the standard error.
 */
export const main = (argv: ReadonlyArray<string>): Effect.Effect<number, never, CliApp.CliApp.Environment | Screen> =>
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

const ledger = Options.text("ledger").pipe(
  Options.withPseudoName("DIR | postgres://…"),
  Options.withDescription(
    "Where the ledger is: a directory, or the URL of a PostgreSQL database. Also set by BOTANU_LEDGER"
  ),
  Options.withFallbackConfig(Config.string("BOTANU_LEDGER")),
  Options.withDefault("./botanu-ledger")
)

/** Runs a command over the ledger at a location. */
const reading = <A, E, R>(location: string, command: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Screen, ({ working }) => working(Effect.provide(command, LedgerStore.layer(location))))

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

const described = (first: string, ...lines: ReadonlyArray<string>) =>
  Command.withDescription(HelpDoc.blocks([HelpDoc.p(first), ...lines.map((line) => HelpDoc.p(`  $ ${line}`))]))

const format = Options.choice("format", formats).pipe(
  Options.withDescription("How it is printed"),
  Options.withDefault("table" as const)
)

const eventId = Args.text({ name: "ID" }).pipe(Args.withDescription("The id of the event"))

const ofCustomer = optionalText("customer", "Only the event of this customer")

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
    format
  },
  ({ ledger, ...options }) => reading(ledger, report(options))
).pipe(
  described(
    "Shows what events cost and what came of them, by group: cost per success, spend, failures, success rate, attempts. With --since, beside the period of the same length before.",
    "botanu report --by workflow --since 30d",
    "botanu report --by customer,day --workflow 'Customer Support' --sort failures --limit 20",
    "botanu report --by team --since 2026-11-01",
    "botanu report --by model --format csv > models.csv"
  )
)

const eventsCommand = Command.make(
  "events",
  {
    ledger,
    ...eventOptions,
    search: optionalText("search", "Only events with this text in their id or in that of their customer"),
    sort: Options.choice("sort", EventList.sorts).pipe(
      Options.withDescription("The latest, the dearest, those with the most attempts, or the longest first"),
      Options.withDefault("start" as const)
    ),
    limit: limitOption("At most so many events; 50 by default"),
    format
  },
  ({ ledger, ...options }) => reading(ledger, events(options))
).pipe(
  described(
    "Lists events: what came of each, what it cost, how many attempts it took. A star marks an outcome that was amended.",
    "botanu events --since 1d --outcome failure",
    "botanu events --customer bigretail --sort spend --limit 10",
    "botanu events --search ticket-48 --format json"
  )
)

const eventCommand = Command.make(
  "event",
  {
    ledger,
    id: eventId,
    customer: ofCustomer,
    charges: Options.boolean("charges").pipe(Options.withDescription("Show charges by model and meter")),
    json: Options.boolean("json").pipe(Options.withDescription("Print the records as JSON"))
  },
  ({ ledger, ...options }) => reading(ledger, event(options))
).pipe(
  described(
    "Shows what one event did: its attempts, nested runs and calls over time, what came of it and what it cost.",
    "botanu event ticket-48213",
    "botanu event ticket-48213 --charges",
    "botanu event ticket-48213 --customer bigretail --json"
  )
)

const failuresCommand = Command.make(
  "failures",
  { ledger, ...eventOptions, limit: limitOption("At most so many rows; 50 by default"), format },
  ({ ledger, ...options }) => reading(ledger, failures(options))
).pipe(
  described(
    "Shows what failed most and what it cost: events that ended as failure, timeout or canceled, by workflow and reason, the dearest first.",
    "botanu failures --since 7d",
    "botanu failures --workflow 'Customer Support' --format csv"
  )
)

const runsCommand = Command.make(
  "runs",
  {
    ledger,
    workflow: optionalText("workflow", "Only runs of this workflow"),
    customer: optionalText("customer", "Only runs of this customer"),
    limit: limitOption("At most so many runs; 20 by default"),
    follow: Options.boolean("follow").pipe(
      Options.withAlias("f"),
      Options.withDescription("Go on with runs as they start and end, until Ctrl-C")
    )
  },
  ({ ledger, ...options }) => reading(ledger, runs(options))
).pipe(
  described(
    "Lists the runs that started or ended last, the latest last.",
    "botanu runs --follow",
    "botanu runs --customer bigretail --limit 100"
  )
)

const compareCommand = Command.make(
  "compare",
  {
    ledger,
    before: Options.text("before").pipe(
      Options.withDescription("A version of a workflow, or a period such as 14d..7d")
    ),
    after: Options.text("after").pipe(Options.withDescription("What it is compared with, likewise")),
    ...eventOptions,
    format
  },
  ({ ledger, ...options }) => reading(ledger, compare(options))
).pipe(
  described(
    "Compares cost and outcomes of a version or a period with another. Events that are over count. Intervals are of 95%: Welch's for means, the delta method for cost per success, Newcombe's (of Wilson's) for rates. Where an interval holds 0, the difference may be chance.",
    "botanu compare --workflow 'Customer Support' --before 2.13.1 --after 2.14.0",
    "botanu compare --before 2026-11-01..2026-11-08 --after 2026-11-08..2026-11-15"
  )
)

const amendCommand = Command.make(
  "amend",
  {
    ledger,
    id: eventId,
    customer: ofCustomer,
    outcome: Options.choice("outcome", Object.values(RunStatus)).pipe(
      Options.withDescription("The outcome that counts from now on")
    ),
    reason: optionalText("reason", "Why, in words"),
    valueType: optionalText("value-type", "What was gained, such as tickets_resolved"),
    valueAmount: Options.float("value-amount").pipe(
      Options.withDescription("How much of it"),
      Options.optional,
      Options.map(Option.getOrUndefined)
    ),
    by: Options.text("by").pipe(
      Options.withDescription("Who amends it"),
      Options.withFallbackConfig(Config.string("USER")),
      Options.withDefault("botanu")
    )
  },
  (options) => reading(options.ledger, amend(options))
).pipe(
  described(
    "Records an outcome that became known after the runs of an event were over. The recorded one is kept beside it.",
    "botanu amend ticket-48213 --outcome failure --reason 'refund not received' --by crm-sync"
  )
)

const repriceCommand = Command.make(
  "reprice",
  {
    ledger,
    prices: Options.text("prices").pipe(
      Options.withPseudoName("FILE"),
      Options.withDescription("Prices in the format of LiteLLM's model_prices_and_context_window.json")
    ),
    write: Options.boolean("write").pipe(Options.withDescription("Write the corrections to the ledger"))
  },
  (options) => reading(options.ledger, reprice(options))
).pipe(
  described(
    "Shows what calls without a price, or with another one, cost at the prices of a file. With --write it corrects their runs; the first records are kept.",
    "botanu reprice --prices model_prices_and_context_window.json",
    "botanu reprice --prices prices.json --write"
  )
)

const importCommand = Command.make(
  "import",
  {
    ledger,
    files: Args.atLeast(Args.text({ name: "FILE" }), 1),
    prices: optionalText(
      "prices",
      "A price file for the calls; without it they have no price unless their span says their cost"
    )
  },
  (options) => Effect.flatMap(Screen, ({ working }) => working(importFiles(options)))
).pipe(
  described(
    "Imports runs from OTLP JSON lines, as the file exporter of the OpenTelemetry Collector writes them: those of the Botanu SDKs for Python and TypeScript too. A run that is in the ledger already is left alone. A directory that is not there is made.",
    "botanu import traces.jsonl",
    "botanu import traces-*.jsonl --prices prices.json"
  )
)

const exportCommand = Command.make(
  "export",
  {
    ledger,
    table: Options.choice("of", relations).pipe(
      Options.withDescription("The table that is exported as CSV or Parquet"),
      Options.withDefault("events" as const)
    ),
    format: Options.choice("format", exportFormats).pipe(
      Options.withDescription("jsonl holds the whole records of runs")
    ),
    output: Options.text("output").pipe(
      Options.withAlias("o"),
      Options.withPseudoName("FILE"),
      Options.withDescription("The file that is written; one that is there is not replaced")
    )
  },
  (options) => reading(options.ledger, exportTo(options))
).pipe(
  described(
    "Writes a table of the ledger to a file, or the records of all runs.",
    "botanu export --format parquet --output events.parquet",
    "botanu export --of usages --format csv --output usages.csv",
    "botanu export --format jsonl --output runs.jsonl"
  )
)

const sqlCommand = Command.make("sql", { ledger, statement: Args.text({ name: "STATEMENT" }), format }, (options) =>
  Effect.flatMap(Screen, ({ working }) => working(sql(options)))
).pipe(
  described(
    `Selects from the tables of the ledger: ${relations.join(", ")}. It can only read. A directory is read by DuckDB, a database by PostgreSQL.`,
    'botanu sql "select customer_id, sum(usd) from events group by 1 order by 2 desc limit 10"',
    'botanu sql "select model, sum(output_tokens) from usages group by 1" --format csv'
  )
)

const compactCommand = Command.make(
  "compact",
  { ledger, isDryRun: Options.boolean("dry-run").pipe(Options.withDescription("Only say what would be compacted")) },
  compact
).pipe(
  described(
    "Writes the days of a directory that are over to Parquet files, and removes their segments. Reports are the same, and quicker. Days that a running program wrote to last wait. It may be ended at any time, and run while programs write and others read.",
    "botanu compact --dry-run",
    "botanu compact --ledger /var/lib/shop/botanu-ledger"
  )
)

const pruneCommand = Command.make(
  "prune",
  {
    ledger,
    olderThan: Options.text("older-than").pipe(
      Options.withPseudoName("90d"),
      Options.withDescription("How many whole days are kept, today not counted")
    ),
    isDryRun: Options.boolean("dry-run").pipe(Options.withDescription("Only say what would be removed"))
  },
  prune
).pipe(
  described(
    "Removes what is older: days of a directory, whole months of a database.",
    "botanu prune --older-than 90d --dry-run",
    "botanu prune --older-than 90d"
  )
)

const migrateCommand = Command.make("migrate", { ledger }, migrate).pipe(
  described(
    "Makes the tables of a database, or brings them up to date, in one transaction.",
    "botanu migrate --ledger postgres://user@host/database"
  )
)

const doctorCommand = (exitCode: Ref.Ref<number>) =>
  Command.make("doctor", { ledger }, ({ ledger }) =>
    Effect.flatMap(reading(ledger, doctor), (code) => Ref.set(exitCode, code))
  ).pipe(
    described(
      "Shows what is wrong with a ledger: lines cut by a crash, runs without an end, calls without a price. Exits with 1 where it warns.",
      "botanu doctor",
      "botanu doctor --ledger /var/lib/shop/botanu-ledger"
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
    prices: Options.text("prices").pipe(
      Options.withDescription("A price file: the page shows what it would add to the sums"),
      Options.optional,
      Options.map(Option.getOrUndefined)
    ),
    traceUrl: Options.text("trace-url").pipe(
      Options.withDescription("Where traces are: https://traces.example.com/{traceId}"),
      Options.optional,
      Options.map(Option.getOrUndefined)
    )
  },
  (options) => serve({ ...options, version })
).pipe(
  described(
    "Serves a page on this machine that shows what events cost and what came of them, live.",
    "botanu serve --open",
    "botanu serve --ledger /var/lib/shop/botanu-ledger --port 4400",
    "BOTANU_TOKEN=... botanu serve --host 0.0.0.0"
  )
)

const cli = (exitCode: Ref.Ref<number>) =>
  Command.run(
    Command.make("botanu").pipe(
      described(
        "What business work cost, and what came of it.",
        "botanu report --by workflow --since 30d",
        "botanu event ticket-48213",
        "botanu doctor --ledger ./botanu-ledger",
        "botanu serve --open"
      ),
      Command.withSubcommands([
        reportCommand,
        eventsCommand,
        eventCommand,
        failuresCommand,
        runsCommand,
        compareCommand,
        amendCommand,
        repriceCommand,
        importCommand,
        exportCommand,
        sqlCommand,
        compactCommand,
        pruneCommand,
        migrateCommand,
        doctorCommand(exitCode),
        serveCommand
      ])
    ),
    { name: "botanu", version }
  )
