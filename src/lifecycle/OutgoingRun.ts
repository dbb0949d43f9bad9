/**
 * The run that a fiber works on, as the `baggage` header that it sends.
 */
import type * as Baggage from "../baggage/Baggage.js"
import * as BaggageHeader from "../baggage/BaggageHeader.js"
import { type AnyFiber, nowOf } from "../fiber/CurrentFiber.js"
import { foreignBaggageOf } from "../run/RemoteContext.js"
import { furtherEntries, leanEntries, Run } from "../run/Run.js"
import { type PropagationMode, propagationModeFor } from "../run/Settings.js"
import { makeUnsafe } from "../schema/SchemaRecord.js"
import { scopeOf } from "./RunScope.js"

/** The `baggage` header of a run as a fiber that works on it sends it; none where its identifying keys do not fit. */
export const baggageHeaderFor = (fiber: AnyFiber, run: Run, maxBytes?: number | undefined): string | undefined => {
  const scope = scopeOf(fiber.currentContext, run)
  const sent = isCancelledFor(fiber, run) && !run.cancelled ? makeUnsafe(Run, { ...run, cancelled: true }) : run
  return baggageHeader(sent, scope?.foreignBaggage ?? foreignBaggageOf(run), propagationModeFor(fiber), maxBytes)
}

/** Whether a run is sent as cancelled by a fiber that works on it. */
export const isCancelledFor = (fiber: AnyFiber, run: Run): boolean =>
  scopeOf(fiber.currentContext, run)?.isCancelled === true || run.isPastDeadline(nowOf(fiber))

/**
 * The header of a run: its identifying keys first, then foreign members, then its other keys. None where the
 * identifying keys do not fit.
 */
export const baggageHeader = (
  run: Run,
  foreign: Baggage.Baggage,
  mode: PropagationMode,
  maxBytes?: number | undefined
): string | undefined => {
  const writer = new BaggageHeader.Writer(maxBytes)
  for (const [key, value] of leanEntries(run)) if (!writer.add(key, value)) return undefined
  for (const [key, { properties, value }] of foreign.members) writer.add(key, value, properties)
  if (mode === "full") for (const [key, value] of furtherEntries(run)) writer.add(key, value)
  return writer.text
}
