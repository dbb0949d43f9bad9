/**
 * The `baggage` header of a message that a fiber sends, for the clients that integrate a protocol.
 */
import { Context } from "effect"
import { withoutRun, withRun } from "../baggage/RunMembers.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { Withheld } from "../fiber/TracerWrapper.js"
import { currentRun } from "../lifecycle/CurrentRun.js"
import { baggageHeaderFor, type Sending } from "../lifecycle/OutgoingRun.js"

/**
 * The header that goes out in place of `header`: with the run of the fiber where that is propagated, without any run otherwise. What
 * others put there stays. Empty where there is nothing to send.
 */
export const outgoingBaggageFor = (
  fiber: AnyFiber,
  header: string,
  outbound: "propagate" | "omit",
  sending?: Sending
): string => {
  const { currentContext: context } = fiber
  const run = outbound === "propagate" && !Context.get(context, Withheld) ? currentRun(context) : undefined
  const baggage = run && baggageHeaderFor(fiber, run, sending)
  return baggage === undefined ? withoutRun(header) : withRun(baggage, header)
}
