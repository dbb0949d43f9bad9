/**
 * A process that works until it is stopped, whose exporter needs 1.5 seconds for each run.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { Botanu, RunExporter } from "../../src/index.js"

const ids = { eventId: "ticket-42", customerId: "bigretail" }

const write = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const slowExporter = RunExporter.layer({
  export: ({ run, status }) => Effect.delay(write(`delivered ${run.workflow} ${status}`), "1500 millis")
})

Botanu.workflow(Effect.void, "done", ids).pipe(
  Effect.zipRight(write("ready")),
  Effect.zipRight(Botanu.workflow(Effect.never, "open", ids)),
  Effect.provide(slowExporter),
  NodeRuntime.runMain
)
