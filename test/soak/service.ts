/**
 * A service of the soak test: it answers requests, each of which is a run or joins one, calls models, and keeps its runs in a
 * directory and in a database. Its clock steps, and one of its exporters hangs now and then.
 *
 * `service.mjs ROLE PORT MODELS BILLING DIRECTORY DATABASE`
 */
import { createServer } from "node:http"
import {
  FetchHttpClient,
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer, Logger, LogLevel, Redacted, Schedule, Schema } from "effect"
import { Botanu, Llm, PriceBook, RunContext, RunExporter } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { RunHttpClient, RunHttpServer } from "../../src/platform/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { quill } from "../usages.js"
import { customerOf, prices } from "./load.js"

const [role = "", port = "0", models = "", billing = "", directory = "", database = ""] = process.argv.slice(2)

/** A clock that is up to five seconds wrong, and another time each half of a second. */
const steppingClock = (): Clock.Clock => {
  const clock = Clock.make()
  let offsetMillis = 0
  setInterval(() => {
    offsetMillis = Math.round((Math.random() - 0.5) * 10_000)
  }, 500).unref()
  const millis = () => clock.unsafeCurrentTimeMillis() + offsetMillis
  const nanos = () => clock.unsafeCurrentTimeNanos() + BigInt(offsetMillis) * 1_000_000n
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: millis,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => clock.sleep(duration)
  }
}

const Tokens = Schema.Struct({ inputTokens: Schema.Number, outputTokens: Schema.Number })

/** A call of a model for the event of the run. */
const ask = Effect.flatMap(RunContext, ({ eventId }) =>
  HttpClient.post(`${models}/${eventId}`).pipe(
    Effect.flatMap((response) => response.json),
    Effect.flatMap(Schema.decodeUnknown(Tokens)),
    Llm.track({ ...quill, usage: (tokens: typeof Tokens.Type) => tokens })
  )
)

const bill = Effect.gen(function* () {
  const { customerId, eventId } = yield* RunContext
  const attempt = Effect.gen(function* () {
    yield* ask
    const { attempt } = yield* RunContext
    if (attempt === 1 && Math.random() < 0.2) yield* Effect.fail("the bill is refused")
  })
  yield* Botanu.workflow(attempt, "Billing", { customerId, eventId, retry: Schedule.recurs(1) })
  return HttpServerResponse.empty()
})

const answer = Effect.gen(function* () {
  const { runId, eventId } = yield* RunContext
  yield* Effect.all([ask, ask], { concurrency: 2 })
  const client = RunHttpClient.propagateTo(yield* HttpClient.HttpClient, [billing])
  yield* HttpClient.filterStatusOk(client)
    .execute(HttpClientRequest.post(`${billing}/bills/${eventId}`))
    .pipe(Effect.scoped)
  return HttpServerResponse.text(runId)
})

/** The heap in bytes after a collection, and what keeps the process busy. */
const stats = Effect.gen(function* () {
  yield* Effect.sync(() => globalThis.gc?.())
  return yield* HttpServerResponse.json({
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().length,
    activeRuns: (yield* Botanu.activeRuns).length
  })
})

const work = HttpRouter.empty.pipe(
  HttpRouter.post("/:id", role === "desk" ? answer : bill),
  RunHttpServer.middleware({
    inbound: role === "desk" ? "untrusted" : "trusted",
    orElse: ({ url }) => ({
      workflow: "Desk",
      eventId: url.slice(1),
      customerId: customerOf(url),
      deadline: "5 seconds"
    })
  })
)

const app = HttpRouter.empty.pipe(
  HttpRouter.get("/stats", stats),
  HttpRouter.mountApp(role === "desk" ? "/tickets" : "/bills", work),
  // The driver expects 500 of a service whose other service is gone.
  Effect.catchAllCause(() => HttpServerResponse.empty({ status: 500 }))
)

const hangingExporter = RunExporter.layer(
  { export: () => (Math.random() < 0.01 ? Effect.never : Effect.void) },
  { name: "hanging", timeout: "200 millis", pause: "300 millis" }
)

const ledgers = Layer.mergeAll(
  Ledger.layer({ directory: `${directory}/files` }),
  LedgerSql.layer({ spill: `${directory}/spill-${role}`, timeoutMillis: 1000, retryMillis: 100 }).pipe(
    Layer.provide(PgClient.layer({ url: Redacted.make(database) }))
  )
)

HttpServer.serve(app).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { port: Number(port), host: "127.0.0.1" })),
  Layer.provide([ledgers, hangingExporter, PriceBook.layer(prices), FetchHttpClient.layer]),
  Layer.provide([NodeContext.layer, Logger.minimumLogLevel(LogLevel.Fatal), Layer.setClock(steppingClock())]),
  Layer.launch,
  NodeRuntime.runMain
)
