/**
 * How an order is fulfilled: reserve, pay, wait until it is packed, ship. A workflow of `@effect/workflow`, and each execution a run.
 */
import { Activity, DurableClock, DurableDeferred, Workflow } from "@effect/workflow"
import { Botanu, Llm, Outcome, PriceBook } from "botanu-effect"
import { RunWorkflow } from "botanu-effect/workflow"
import { Console, Effect, Schema } from "effect"

export class Undeliverable extends Schema.TaggedError<Undeliverable>()("Undeliverable", { address: Schema.String }) {}

export const Fulfil = RunWorkflow.asRun(
  Workflow.make({
    name: "Fulfil Order",
    payload: { orderId: Schema.String, shop: Schema.String, address: Schema.String },
    idempotencyKey: ({ orderId }) => orderId,
    success: Schema.String,
    error: Undeliverable
  }),
  { eventId: ({ orderId }) => orderId, customerId: ({ shop }) => shop, deadline: "2 days" }
)

/** The signal of the warehouse. */
export const Packed = DurableDeferred.make("packed", { success: Schema.String })

/** A step of the work. What it did is stored, so it is done once; what it consumed is stored with it. */
const activity = <R>(name: string, execute: Effect.Effect<string, Undeliverable, R>) =>
  Activity.make({
    name,
    success: Schema.String,
    error: Undeliverable,
    execute: Effect.zipRight(Console.log(`runner ${process.pid}: ${name}`), Effect.delay(execute, "400 millis"))
  })

/** A model looks at the payment; a provider would say how many tokens that took. */
const checkForFraud = Effect.succeed("looks fine").pipe(
  Llm.track({ provider: "openai", model: "quill-2", usage: () => ({ inputTokens: 2_400, outputTokens: 35 }) })
)

export const FulfilLive = Fulfil.toLayer(({ address, orderId }) =>
  Effect.gen(function* () {
    yield* Effect.orDie(Botanu.annotate({ team: "fulfilment" }))
    yield* activity("reserve", Effect.succeed(`shelf of ${orderId}`)).pipe(
      Fulfil.withCompensation((shelf) => Effect.asVoid(Effect.orDie(activity("release", Effect.succeed(shelf)))))
    )
    yield* activity("pay", Effect.as(checkForFraud, `payment of ${orderId}`)).pipe(
      Fulfil.withCompensation((payment) => Effect.asVoid(Effect.orDie(activity("refund", Effect.succeed(payment)))))
    )
    yield* DurableClock.sleep({ name: "time to change one's mind", duration: "1 second", inMemoryThreshold: 0 })
    const parcel = yield* DurableDeferred.await(Packed)
    const tracking = yield* activity(
      "ship",
      address === "nowhere" ? new Undeliverable({ address }) : Effect.succeed(`tracking number of ${parcel}`)
    )
    yield* Effect.orDie(Outcome.emit("success", { valueType: "orders_shipped", valueAmount: 1 }))
    return tracking
  })
)

export const prices = PriceBook.layer([
  {
    provider: "openai",
    model: "quill-2",
    usd: { inputToken: PriceBook.perMillion("2.50"), outputToken: PriceBook.perMillion(10) }
  }
])
