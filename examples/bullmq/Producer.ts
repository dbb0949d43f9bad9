/**
 * The producer: takes an order, and has it shipped by whichever worker gets the job.
 */
import { Botanu, type InvalidRunContext } from "botanu-effect"
import type { Queue } from "bullmq"
import { Effect } from "effect"
import * as JobRun from "./JobRun.js"
import type { Order } from "./Order.js"

export const place = (order: Order, queue: Queue<Order>): Effect.Effect<void, InvalidRunContext> =>
  JobRun.data(order).pipe(
    Effect.flatMap((data) => Effect.promise(() => queue.add("ship", data, retry))),
    Effect.asVoid,
    Botanu.workflow("Place Order", { eventId: order.id, customerId: order.customer })
  )

/** Failed attempts. That a job is redelivered because its worker is gone does not count here. */
const retry = { attempts: 3, backoff: { type: "fixed", delay: 100 } }
