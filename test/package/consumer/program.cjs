const { Botanu, RunExporter } = require("botanu-effect")
const { Effect } = require("effect")

const program = Effect.gen(function* () {
  yield* Effect.void.pipe(Botanu.workflow("Consumer", { eventId: "order-1", customerId: "acme" }))
  const [completed] = yield* Effect.flatMap(RunExporter.Memory, (memory) => memory.runs)
  console.log(completed.run.runId, completed.status)
})

Effect.runPromise(Effect.provide(program, RunExporter.layerMemory))
