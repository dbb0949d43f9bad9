/**
 * A worker process: takes orders off the queue and ships them. Its arguments are its name and the port of Redis.
 */
import { Outcome, RunContext, RunExporter } from "botanu-effect"
import { type Job, Worker } from "bullmq"
import { Data, Effect, Layer, Logger, ManagedRuntime } from "effect"
import * as JobRun from "./JobRun.js"
import { encode, type Message } from "./Message.js"
import { type Order, queueName } from "./Order.js"

class CarrierBusy extends Data.TaggedError("CarrierBusy")<{ readonly message: string }> {}

const ship = (job: Job<Order>) =>
  Effect.gen(function* () {
    const { attempt } = yield* RunContext
    const { carrierBusy = 0, carrierSilent = 0 } = job.data.simulate
    yield* tell({ _tag: "Working", jobId: String(job.id) })
    if (attempt <= carrierSilent) return yield* Effect.never
    yield* Effect.sleep("50 millis").pipe(Effect.withSpan("book carrier"))
    if (attempt <= carrierBusy) return yield* new CarrierBusy({ message: `no carrier for order ${job.data.id}` })
    yield* Outcome.emit("success", { valueType: "orders_shipped", valueAmount: 1 })
  }).pipe(JobRun.workflow(job, "Ship Order", { eventId: job.data.id, customerId: job.data.customer }))

/** Tells the process that started this one, if it still listens. */
const tell = (message: Message): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (process.send === undefined) resume(Effect.void)
    else process.send(encode(message), () => resume(Effect.void))
  })

const services = Layer.mergeAll(
  RunExporter.layer({ export: (completed) => tell({ _tag: "Completed", completed }) }),
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))
)

const [name = "worker", port] = process.argv.slice(2)
const runtime = ManagedRuntime.make(services)
// Where the configuration is wrong, it takes no jobs.
await runtime.runtime()

const worker = new Worker(queueName, JobRun.processor(runtime, ship), {
  connection: { host: "127.0.0.1", port: Number(port) },
  name,
  // How soon a job is redelivered after its worker was killed: when the lock has expired, at the next check. The defaults are
  // 30 seconds each. A lock too short redelivers jobs of workers that are only busy.
  lockDuration: 3000,
  stalledInterval: 500
})
worker.on("error", (error) => console.error(`${name}: ${error.message}`))

/** Interrupts the job in work, which counts as a failed attempt; another worker gets it where it has attempts left. */
const stop = async (): Promise<void> => {
  const closed = worker.close()
  worker.cancelAllJobs("the worker stops")
  await closed
  await runtime.dispose()
  process.exit()
}

process.on("SIGINT", stop).on("SIGTERM", stop)
// Whoever started it has gone, and Redis with them.
process.on("disconnect", () => process.exit(1))

await worker.waitUntilReady()
await runtime.runPromise(tell({ _tag: "Ready" }))
