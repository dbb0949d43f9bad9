import assert from "node:assert/strict"
import { Botanu, Propagation, RunContext, RunExporter } from "botanu-effect"
import { Effect } from "effect"

const program = Effect.gen(function* () {
  const headers = yield* Propagation.inject.pipe(
    Botanu.workflow("Consumer", { eventId: "order-1", customerId: "acme" })
  )
  const [completed] = yield* Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)
  const received = yield* Effect.flatten(Propagation.extract(headers))
  const joined = yield* Effect.provide(RunContext, RunContext.layer(received))
  assert.equal(joined.runId, completed.run.runId)
  return completed
})

const { run, status } = await Effect.runPromise(Effect.provide(program, RunExporter.layerMemory))
console.log(run.runId, status)
