/**
 * A process that writes runs to a ledger until it is killed. It prints the ids of runs that are flushed.
 */
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Botanu, RunContext } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { spend } from "../usages.js"

const directory = process.argv[2] ?? ""

const run = (number: number) =>
  Effect.zipRight(spend("0.001"), RunContext).pipe(
    Effect.map(({ runId }) => runId),
    Botanu.workflow("Order Routing", { eventId: `order-${number}`, customerId: "bigretail" })
  )

const batch = (from: number) =>
  Effect.forEach(
    Array.from({ length: 25 }, (_, index) => from + index),
    run
  )

const write = Effect.gen(function* () {
  const ledger = yield* Ledger.Ledger
  for (let number = 0; ; number += 25) {
    const ids = yield* batch(number)
    yield* ledger.flush
    yield* Effect.sync(() => process.stdout.write(`${ids.join("\n")}\n`))
    yield* Effect.sleep("50 millis")
  }
})

Effect.runFork(
  write.pipe(
    Effect.provide(Ledger.layer({ directory, maxSegmentBytes: 20_000 }).pipe(Layer.provide(NodeContext.layer)))
  )
)
