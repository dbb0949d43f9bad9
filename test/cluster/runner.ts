/**
 * A runner process: `runner.mjs URL PORT LEDGER`. It prints a line when it has started.
 */
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Logger, LogLevel } from "effect"
import { PriceBook } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { OrderLive, runnerEngine } from "./orders.js"

const [, , url = "", port = "", directory = ""] = process.argv

const prices = PriceBook.layer([{ kind: "llm", provider: "openai", model: "quill-2", usd: { inputToken: 1 } }])
const ledger = Ledger.layer({ directory }).pipe(Layer.provide(NodeContext.layer))

OrderLive(Number(port)).pipe(
  Layer.merge(Layer.effectDiscard(Console.log("started"))),
  Layer.provide(runnerEngine(url, Number(port))),
  Layer.provide(Layer.merge(prices, ledger)),
  Layer.provide(Logger.minimumLogLevel(LogLevel.Error)),
  Layer.launch,
  Effect.orDie,
  NodeRuntime.runMain
)
