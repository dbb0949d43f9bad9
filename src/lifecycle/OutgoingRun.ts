/**
 * The run that a fiber works on, as the `baggage` header that it sends.
 */
import * as BaggageHeader from "../baggage/BaggageHeader.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { type Forwarded, forwardedWith } from "../run/RemoteContext.js"
import { furtherEntries, leanEntries, Run } from "../run/Run.js"
import { type PropagationMode, propagationModeFor } from "../run/Settings.js"
import { makeUnsafe } from "../schema/SchemaRecord.js"
import { scopeOf } from "./RunScope.js"

/** The `baggage` header of a run as a fiber that works on it sends it; none where its identifying keys do not fit. */
export const baggageHeaderFor = (fiber: AnyFiber, run: Run, maxBytes?: number | undefined): string | undefined => {
  const sent = isCancelledFor(fiber, run) && !run.cancelled ? makeUnsafe(Run, { ...run, cancelled: true }) : run
  return baggageHeader(sent, forwardedFor(fiber, run), outgoingModeFor(fiber, run), maxBytes)
}

/** The mode in which a run is sent: where more than its identifying keys came in, it goes on in full. */
export const outgoingModeFor = (fiber: AnyFiber, run: Run): PropagationMode =>
  forwardedFor(fiber, run).isFull ? "full" : propagationModeFor(fiber)

const forwardedFor = (fiber: AnyFiber, run: Run): Forwarded =>
  scopeOf(fiber.currentContext, run)?.forwarded ?? forwardedWith(run)

/** Whether a run is sent as cancelled by a fiber that works on it. */
export const isCancelledFor = (fiber: AnyFiber, run: Run): boolean =>
  scopeOf(fiber.currentContext, run)?.isCancelled === true || run.isPastDeadline(nowOf(fiber))

/**
 * The header of a run: its identifying keys first, then foreign members, then its other keys and those that this version does
 * not know. None where the identifying keys do not fit.
 */
export const baggageHeader = (
  run: Run,
  { foreignBaggage, unknownMembers }: Pick<Forwarded, "foreignBaggage" | "unknownMembers">,
  mode: PropagationMode,
  maxBytes?: number | undefined
): string | undefined => {
  const writer = new BaggageHeader.Writer(maxBytes)
  for (const [key, value] of leanEntries(run)) if (!writer.add(key, value)) return undefined
  for (const [key, { properties, value }] of foreignBaggage.members) writer.add(key, value, properties)
  if (mode === "full") for (const [key, value] of furtherEntries(run)) writer.add(key, value)
  for (const [key, { properties, value }] of unknownMembers.members) writer.add(key, value, properties)
  return writer.text
}
