/**
 * Works forty support tickets in two services that talk over HTTP, records every run in a ledger, and shows what the command
 * `botanu` says of it: `npm start`. The models are simulated in this process, so it needs no key and no network.
 */
import { appendFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { FileSystem, Runtime } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Botanu, BotanuConfig } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { Cause, Config, Console, Effect, Exit, Layer, Logger, Option } from "effect"
import * as Command from "../../command/src/Cli.js"
import * as Screen from "../../command/src/terminal/Screen.js"
import * as SimulatedModels from "../../test/examples/SimulatedModels.js"
import { BackOffice } from "./BackOffice.js"
import * as Desk from "./Desk.js"
import * as Models from "./Models.js"
import * as Ticket from "./Ticket.js"

const ticketsInWork = 10

/** Works a ticket. What came of it, and what it cost, is on the record of its runs. */
const workOne = (ticket: Ticket.Ticket) =>
  Effect.scoped(Effect.zipRight(Effect.forkScoped(Desk.withdrawal(ticket)), Effect.exit(Desk.work(ticket))))

/** Works all tickets, and waits for the runs of the back office that the desk has given up on. */
const workAll = Effect.gen(function* () {
  const tickets = yield* Ticket.fromFile(fileURLToPath(new URL("./tickets.jsonl", import.meta.url)))
  yield* Console.error(`Working ${tickets.length} tickets, ${ticketsInWork} at a time …`)
  yield* Effect.forEach(tickets, workOne, { concurrency: ticketsInWork, discard: true })
}).pipe(Effect.ensuring(Botanu.awaitIdle("5 seconds")))

/** Where the ledger is: a new folder, unless `BOTANU_LEDGER` names one. */
const ledgerDirectory = Effect.flatMap(
  Config.option(Config.nonEmptyString("BOTANU_LEDGER")),
  Option.match({
    onSome: Effect.succeed,
    onNone: () =>
      Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectory({ prefix: "support-desk-ledger-" }))
  })
)

/** `MODEL_CALLS` names a file for the models' own log, of which nothing but the tests needs to know. */
const models = Layer.unwrapEffect(
  Effect.map(Config.option(Config.nonEmptyString("MODEL_CALLS")), (file) => {
    const path = Option.getOrUndefined(file)
    return SimulatedModels.layer((call) => path && appendFileSync(path, `${JSON.stringify(call)}\n`))
  })
)

// In full mode, deadlines and numbers of attempts reach the other service too.
const fullPropagation = Layer.effect(
  BotanuConfig.BotanuConfig,
  Effect.map(BotanuConfig.config, (settings) => ({ ...settings, propagationMode: "full" as const }))
)

const services = (directory: string) =>
  BackOffice.layer.pipe(
    Layer.provideMerge(Models.layer),
    Layer.provide(models),
    Layer.provideMerge(Models.accounting),
    Layer.provideMerge(Ledger.layer({ directory })),
    Layer.provideMerge(fullPropagation)
  )

const botanu = (...args: ReadonlyArray<string>) =>
  Effect.provide(Command.main(["node", "botanu", ...args]), Screen.layerProcess)

const program = Effect.gen(function* () {
  const directory = yield* ledgerDirectory
  yield* Effect.provide(workAll, services(directory))
  yield* botanu("report", "--ledger", directory)
  yield* Console.log("\nOne event, which took two attempts:\n")
  yield* botanu("event", "T-1006", "--ledger", directory)
  yield* Console.log(`
The ledger is ${directory}. What next:

  export BOTANU_LEDGER=${directory}
  npm run botanu -- report --by customer      # or model, step, tenant, outcome, team …
  npm run botanu -- event T-1032              # an event that passed its budget
  npm run botanu -- event T-1017              # one that its customer withdrew
  npm run botanu -- doctor                    # what is not known, and why
  npm run page                                # all of it as a page in the browser`)
})

const toStandardError = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

NodeRuntime.runMain(Effect.provide(program, [NodeContext.layer, toStandardError]), {
  disablePrettyLogger: true,
  // Ctrl-C cancels the tickets in work; their runs are in the ledger all the same.
  teardown: (exit, end) =>
    Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause) ? end(130) : Runtime.defaultTeardown(exit, end)
})
