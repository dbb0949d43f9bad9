import { Botanu, Cost, Llm, Outcome, PriceBook, RunContext, RunExporter } from "botanu-effect"
import { Console, Effect, Schedule } from "effect"

const model = { provider: "openai", model: "quill-2" }
const answer = Botanu.fn("Customer Support", {
  eventId: (ticket: { id: string; org: string }) => ticket.id,
  customerId: (ticket) => ticket.org,
  retry: Schedule.recurs(2)
})(function* () {
  yield* Llm.track(Effect.succeed("a draft"), { ...model, usage: () => ({ inputTokens: 1200, outputTokens: 214 }) })
  if ((yield* RunContext).attempt === 1) return yield* Effect.fail("the draft did not pass review")
  yield* Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1 })
})

const prices = PriceBook.layer([{ ...model, usd: { inputToken: "0.0000025", outputToken: "0.00001" } }])
const logRuns = RunExporter.layer({
  export: ({ run, status, totals }) => Console.log(run.eventId, run.attempt, status, Cost.format(totals.usd), "USD")
})
Effect.runPromise(answer({ id: "ticket-42", org: "bigretail" }).pipe(Effect.provide([prices, logRuns])))
