/**
 * The run that a fiber works on, as the `baggage` header that it sends.
 */
import * as BaggageHeader from "../baggage/BaggageHeader.js"
import { empty } from "../baggage/BaggageMembers.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { type Forwarded, forwardedWith } from "../run/RemoteContext.js"
import { furtherEntries, leanEntries, lineageEntries, makeRunUnsafe, type Run } from "../run/Run.js"
import { type PropagationMode, propagationModeFor } from "../run/Settings.js"
import { Key } from "../wire/Wire.js"
import { currentStep } from "./CurrentStep.js"
import { scopeOf } from "./RunScope.js"

/** How a run is sent. */
export interface Sending {
  /** Whether the sender waits for an answer, so that its deadline and its cancellation bind the receiver. */
  readonly isCall: boolean
  readonly maxBytes?: number | undefined
  /** In place of the mode that holds for the run. */
  readonly mode?: PropagationMode | undefined
}

const call: Sending = { isCall: true }

/** The `baggage` header of a run as a fiber that works on it sends it; none where its identifying keys do not fit. */
export const baggageHeaderFor = (fiber: AnyFiber, run: Run, sending: Sending = call): string | undefined =>
  baggageWriterFor(fiber, run, sending)()

/** Writes that header later, as the fiber would send it now. */
export const baggageWriterFor = (fiber: AnyFiber, run: Run, sending: Sending = call): (() => string | undefined) => {
  const isCancelled = isCancelledFor(fiber, run) && !run.cancelled
  const { foreignBaggage, unknownMembers } = forwardedFor(fiber, run)
  const mode = sending.mode ?? outgoingModeFor(fiber, run)
  const step = currentStep(fiber.currentContext)?.name
  return () =>
    baggageHeader(
      isCancelled ? makeRunUnsafe({ ...run, cancelled: true }) : run,
      // Who asks for four keys gets four.
      { foreignBaggage, unknownMembers: sending.mode === "lean" ? empty : unknownMembers },
      mode,
      { ...sending, step }
    )
}

/** The mode in which a run is sent: where more than its identifying keys came in, it goes on in full. */
export const outgoingModeFor = (fiber: AnyFiber, run: Run): PropagationMode =>
  forwardedFor(fiber, run).isFull ? "full" : propagationModeFor(fiber)

const forwardedFor = (fiber: AnyFiber, run: Run): Forwarded =>
  scopeOf(fiber.currentContext, run)?.forwarded ?? forwardedWith(run)

/** Whether a run is sent as cancelled by a fiber that works on it: its work is being stopped. */
export const isCancelledFor = (fiber: AnyFiber, run: Run): boolean =>
  scopeOf(fiber.currentContext, run)?.isCancelled === true

/**
 * The header of a run: its identifying keys first, then foreign members, then its other keys and those that this version does
 * not know. None where the identifying keys do not fit.
 */
export const baggageHeader = (
  run: Run,
  { foreignBaggage, unknownMembers }: Pick<Forwarded, "foreignBaggage" | "unknownMembers">,
  mode: PropagationMode,
  { isCall, maxBytes, step }: Sending & { readonly step?: string | undefined } = call
): string | undefined => {
  const writer = new BaggageHeader.Writer(maxBytes)
  for (const [key, value] of leanEntries(run)) if (!writer.add(key, value)) return undefined
  for (const [key, { properties, value }] of foreignBaggage.members) writer.add(key, value, properties)
  if (mode === "full") {
    for (const [key, value] of isCall ? furtherEntries(run) : lineageEntries(run)) writer.add(key, value)
    if (step !== undefined) writer.add(Key.step, step)
  }
  for (const [key, { properties, value }] of unknownMembers.members) writer.add(key, value, properties)
  return writer.text
}
