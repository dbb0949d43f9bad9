/**
 * A runner process: `runner.mjs URL PORT LEDGER`. It prints a line when it has started.
 */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { NodeSdk } from "@effect/opentelemetry"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { SimpleSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Console, Effect, Layer, Logger, LogLevel } from "effect"
import { PriceBook } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { OrderLive, runnerEngine } from "./orders.js"

const [, , url = "", port = "", directory = ""] = process.argv

const prices = PriceBook.layer([{ kind: "llm", provider: "openai", model: "quill-2", usd: { inputToken: 1 } }])
const ledger = Ledger.layer({ directory }).pipe(Layer.provide(NodeContext.layer))

/** Writes each span that ends, at once. */
const exporter: SpanExporter = {
  export: (spans, done) => {
    for (const span of spans) {
      const { attributes, duration, name, parentSpanContext } = span
      const { spanId, traceId } = span.spanContext()
      const millis = duration[0] * 1000 + duration[1] / 1e6
      const line = {
        name,
        traceId,
        spanId,
        parent: parentSpanContext?.spanId,
        millis,
        event: attributes["botanu.event_id"]
      }
      appendFileSync(join(directory, "spans.jsonl"), `${JSON.stringify(line)}\n`)
    }
    done({ code: 0 })
  },
  shutdown: () => Promise.resolve()
}
const tracer = NodeSdk.layer(() => ({
  resource: { serviceName: "runner" },
  spanProcessor: new SimpleSpanProcessor(exporter)
}))

OrderLive(Number(port)).pipe(
  Layer.merge(Layer.effectDiscard(Console.log("started"))),
  Layer.provide(runnerEngine(url, Number(port))),
  Layer.provide(Layer.mergeAll(prices, ledger, tracer)),
  Layer.provide(Logger.minimumLogLevel(LogLevel.Error)),
  Layer.launch,
  Effect.orDie,
  NodeRuntime.runMain
)
