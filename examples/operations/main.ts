/**
 * A service whose runs Prometheus scrapes: `node --import tsx examples/operations/main.ts [port]`. Its metrics are at
 * `http://127.0.0.1:9464/metrics`, or at the port that is named. It works until it is interrupted.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { NodeRuntime } from "@effect/platform-node"
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus"
import { Botanu, Llm, PriceBook, RunExporter } from "botanu-effect"
import { Console, Data, Effect, Layer, Random } from "effect"

const port = Number(process.argv[2] ?? 9464)

const Metrics = NodeSdk.layer(() => ({
  resource: { serviceName: "order-desk" },
  metricReader: new PrometheusExporter({ host: "127.0.0.1", port })
}))

/** The other model has no price. */
const Prices = PriceBook.layer([
  {
    provider: "openai",
    model: "quill-2",
    usd: { inputToken: PriceBook.perMillion(2), outputToken: PriceBook.perMillion(8) }
  }
])

/** An exporter that loses a record now and then, as one does whose database is away. */
const Exporter = RunExporter.layer(
  {
    export: () => Effect.flatMap(Random.nextIntBetween(0, 20), (n) => (n === 0 ? Effect.fail("away") : Effect.void))
  },
  { name: "warehouse" }
)

class NoStock extends Data.TaggedError("NoStock") {}

interface Answer {
  readonly inputTokens: number
  readonly outputTokens: number
}

const askModel = Effect.flatMap(Random.nextIntBetween(0, 10), (n) =>
  Effect.succeed({ inputTokens: 1_200, outputTokens: 300 }).pipe(
    Llm.track({ provider: "openai", model: n === 0 ? "quill-next" : "quill-2", usage: (answer: Answer) => answer })
  )
)

const reserve = Effect.flatMap(Random.nextIntBetween(0, 8), (n) => (n === 0 ? new NoStock() : Effect.void))

const order = (number: number) =>
  Effect.zipRight(askModel, reserve).pipe(
    Effect.zipRight(Effect.flatMap(Random.nextIntBetween(1, 40), Effect.sleep)),
    Botanu.workflow("Order Routing", { eventId: `order-${number}`, customerId: "acme" })
  )

/** Each order has more than its budget buys. */
const summary = (number: number) =>
  Effect.zipRight(askModel, Effect.never).pipe(
    Botanu.workflow("Order Summary", {
      eventId: `order-${number}`,
      customerId: "acme",
      deadline: "50 millis",
      budget: { usd: "0.004", children: true, retries: true }
    })
  )

const work = Effect.gen(function* () {
  yield* Console.log(`metrics at http://127.0.0.1:${port}/metrics`)
  for (let number = 1; ; number++) {
    yield* Effect.ignore(order(number))
    if (number % 5 === 0) yield* Effect.ignore(summary(number))
  }
})

NodeRuntime.runMain(work.pipe(Effect.provide(Layer.mergeAll(Metrics, Prices, Exporter))))
