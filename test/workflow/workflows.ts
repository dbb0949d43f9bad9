/**
 * Durable workflows to test with.
 */
import { Activity, DurableClock, Workflow } from "@effect/workflow"
import { type Duration, Effect, Layer, Schema } from "effect"
import { Llm, PriceBook } from "../../src/index.js"

export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", {}) {}

export const Order = Workflow.make({
  name: "Order",
  payload: { orderId: Schema.String, attempt: Schema.Number },
  idempotencyKey: ({ attempt, orderId }) => `${orderId}/${attempt}`,
  success: Schema.String,
  error: OutOfStock
})

export const ids = {
  eventId: ({ orderId }: { readonly orderId: string }) => orderId,
  customerId: "bigretail"
}

/** A call of a model that costs so many US dollars. */
export const call = (usd = 10) =>
  Effect.succeed("a draft").pipe(
    Llm.track({ provider: "openai", model: "quill-2", usage: () => ({ inputTokens: usd }) })
  )

/** What calls cost here. */
export const prices = Layer.orDie(
  PriceBook.layer([{ kind: "llm", provider: "openai", model: "quill-2", usd: { inputToken: 1 } }])
)

export const activity = <R>(name: string, execute: Effect.Effect<string, OutOfStock, R>) =>
  Activity.make({ name, success: Schema.String, error: OutOfStock, execute })

/** A sleep in which the engine keeps nothing of the workflow. */
export const suspend = (duration: Duration.DurationInput, name = "pause") =>
  DurableClock.sleep({ name, duration, inMemoryThreshold: "1 millis" })
