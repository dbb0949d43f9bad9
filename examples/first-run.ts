import { Botanu, RunExporter } from "botanu-effect"
import { Console, Effect } from "effect"

const answer = Effect.succeed("a draft").pipe(
  Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
)
const logRuns = RunExporter.layer({ export: ({ run, status }) => Console.log(run.workflow, run.eventId, status) })
Effect.runPromise(Effect.provide(answer, logRuns))
