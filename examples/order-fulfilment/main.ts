/**
 * Two orders on three runner processes, one of which is killed while it works; at the end, what the ledger says of them.
 *
 * `DATABASE_URL=postgres://… node --import tsx examples/order-fulfilment/main.ts`, with `--embedded` in one process.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { DurableDeferred } from "@effect/workflow"
import { Botanu } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { Console, Effect, Layer, Logger, LogLevel } from "effect"
import * as Cluster from "./Cluster.js"
import { Fulfil, FulfilLive, Packed, prices } from "./Fulfilment.js"

const directory = process.env["BOTANU_LEDGER"] ?? "botanu-ledger"

/** What runs are recorded with. It is provided last: the cluster works in fibers of its own. */
const recorded = Layer.merge(Ledger.layer({ directory }), prices)

/** Takes an order in a run of its own, which waits for the order; the warehouse packs it after a while. */
const take = (orderId: string, address: string) => {
  const order = { orderId, shop: "bigretail", address }
  return Effect.gen(function* () {
    const executionId = yield* Fulfil.execute(order, { discard: true })
    const token = DurableDeferred.tokenFromExecutionId(Packed, { workflow: Fulfil, executionId })
    yield* Effect.fork(
      Effect.delay(DurableDeferred.succeed(Packed, { token, value: `parcel ${orderId}` }), "3 seconds")
    )
    return yield* Fulfil.execute(order)
  }).pipe(
    Botanu.workflow("Take Order", { eventId: orderId, customerId: order.shop }),
    Effect.match({ onSuccess: (tracking) => tracking, onFailure: (error) => `failed, ${error._tag}` }),
    Effect.flatMap((end) => Console.log(`${orderId}: ${end}`))
  )
}

const orders = { "order-1001": "12 Market Street", "order-1002": "nowhere" }

const takeAll = Effect.forEach(Object.entries(orders), ([orderId, address]) => take(orderId, address), {
  concurrency: "unbounded",
  discard: true
})

/** A runner: it takes what there is to do, until it is ended. */
const runner = (port: number) => Layer.launch(Layer.provide(FulfilLive, Cluster.runner(port)))

/** A runner process. The first that takes a payment is killed. */
const runnerProcess = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const command = [...process.execArgv, process.argv[1] ?? "", "--runner", String(port)]
      const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] })
      child.stdout.on("data", (text) => {
        process.stdout.write(text)
        if (isOneKilled || !String(text).includes("pay")) return
        isOneKilled = child.kill("SIGKILL")
        console.log(`runner ${child.pid}: killed`)
      })
      return child
    }),
    (child: ChildProcess) => Effect.sync(() => child.kill("SIGKILL"))
  )

let isOneKilled = false

const onThreeRunners = Effect.forEach([34_431, 34_432, 34_433], runnerProcess).pipe(
  Effect.zipRight(Effect.provide(takeAll, Cluster.client)),
  Effect.scoped
)

const inOneProcess = Effect.provide(takeAll, Layer.provideMerge(FulfilLive, Cluster.embedded))

/** `botanu event` on each order. */
const report = Effect.sync(() => {
  for (const orderId of Object.keys(orders)) {
    const command = ["--import", "tsx", "command/src/main.ts", "event", orderId, "--ledger", directory]
    execFileSync(process.execPath, command, { stdio: "inherit" })
  }
})

const [, , mode, port] = process.argv
const played = (story: typeof onThreeRunners | typeof inOneProcess) =>
  Effect.zipRight(Effect.provide(story, recorded), report)

const program =
  mode === "--runner"
    ? Effect.provide(runner(Number(port)), recorded)
    : played(mode === "--embedded" ? inOneProcess : onThreeRunners)

program.pipe(
  Effect.provide(Layer.merge(NodeContext.layer, Logger.minimumLogLevel(LogLevel.Error))),
  NodeRuntime.runMain
)
