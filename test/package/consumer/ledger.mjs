import { NodeContext } from "@effect/platform-node"
import { Botanu, Outcome } from "botanu-effect"
import { Ledger } from "botanu-effect/ledger"
import { Effect, Layer } from "effect"

const answer = Outcome.emit("success", { valueType: "tickets_resolved", valueAmount: 1 }).pipe(
  Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
)

const kept = Ledger.layer({ directory: "botanu-ledger" }).pipe(Layer.provide(NodeContext.layer))

await Effect.runPromise(Effect.provide(answer, kept))
