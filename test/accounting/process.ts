/**
 * A process that works on many runs at once, and tells each on standard output when it is over.
 */
import { FetchHttpClient } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Logger, Schema } from "effect"
import { CompletedRun, RunExporter } from "../../src/index.js"
import { meeting, prices, type RunPlan, run } from "./runs.js"

const { plans, url } = JSON.parse(process.argv[2] ?? "") as {
  readonly url: string
  readonly plans: ReadonlyArray<RunPlan>
}

const encode = Schema.encodeSync(Schema.parseJson(CompletedRun))

const onStandardOutput = RunExporter.layer({
  export: (completed) => Effect.sync(() => process.stdout.write(`${encode(completed)}\n`))
})

Effect.forEach(plans, (plan) => Effect.flatMap(meeting, (meeting) => run(url, plan, meeting)), {
  concurrency: "unbounded"
}).pipe(
  Effect.provide(Layer.mergeAll(FetchHttpClient.layer, onStandardOutput, prices)),
  Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)),
  NodeRuntime.runMain
)
