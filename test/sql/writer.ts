/**
 * A process that writes runs to PostgreSQL, and to a directory where one is named, until it is killed or the number is reached.
 * It prints the ids of runs that are flushed.
 *
 * `writer.mjs URL SPILL RUNS [DIRECTORY]`
 */
import { NodeContext } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Logger, Redacted } from "effect"
import { Botanu, RunContext } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { spend } from "../usages.js"

const [url = "", spill = "", runs = "0", directory] = process.argv.slice(2)

const run = (number: number) =>
  Effect.zipRight(spend("0.001"), RunContext).pipe(
    Effect.map(({ runId }) => runId),
    Botanu.workflow("Order Routing", { eventId: `order-${process.pid}-${number}`, customerId: "bigretail" })
  )

const batch = (from: number) =>
  Effect.forEach(
    Array.from({ length: 25 }, (_, index) => from + index),
    run
  )

const options = { spill, timeoutMillis: 1000, retryMillis: 100 }

const database = LedgerSql.layer(options).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))
const ledgers = directory === undefined ? database : Layer.provideMerge(database, Ledger.layer({ directory }))

const write = Effect.gen(function* () {
  const ledger = yield* Ledger.Ledger
  for (let number = 0; number < Number(runs); number += 25) {
    const ids = yield* batch(number)
    yield* ledger.flush
    yield* Effect.sync(() => process.stdout.write(`${ids.join("\n")}\n`))
    yield* Effect.sleep("50 millis")
  }
})

/** The standard output is for ids. */
const logToStandardError = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

Effect.runFork(write.pipe(Effect.provide(ledgers), Effect.provide([NodeContext.layer, logToStandardError])))
