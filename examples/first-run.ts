import { Botanu, Outcome, RunContext, RunExporter } from "botanu-effect"
import { Console, Effect, Schedule } from "effect"

const answer = Botanu.fn("Customer Support", {
  eventId: (ticket: { id: string; org: string }) => ticket.id,
  customerId: (ticket) => ticket.org,
  deadline: "30 seconds",
  retry: Schedule.recurs(2)
})(function* (ticket) {
  const { attempt } = yield* RunContext
  if (attempt === 1) return yield* Effect.fail("the model was overloaded")
  yield* Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1 })
  return `answered ${ticket.id}`
})

const logRuns = RunExporter.layer({ export: ({ run, status }) => Console.log(run.eventId, run.attempt, status) })

Effect.runPromise(answer({ id: "ticket-42", org: "bigretail" }).pipe(Effect.provide(logRuns))).then(console.log)
