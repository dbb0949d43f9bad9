/**
 * What came in beside a run that was received: baggage of others, which goes out again with the run and with the runs inside
 * of it, and the span of the sender.
 */
import type { Tracer } from "effect"
import * as Baggage from "../baggage/Baggage.js"
import type { Run } from "./Run.js"

export interface RemoteContext {
  readonly foreignBaggage: Baggage.Baggage
  readonly span: Tracer.ExternalSpan | undefined
}

const remoteContexts = new WeakMap<Run, RemoteContext>()

/** Remembers what came in beside a run that was received. */
export const remember = (run: Run, receipt: RemoteContext): void => {
  remoteContexts.set(run, receipt)
}

/** The baggage of others that came in beside a run. */
export const foreignBaggageOf = (run: Run | undefined): Baggage.Baggage =>
  (run && remoteContexts.get(run))?.foreignBaggage ?? Baggage.empty

/** The span under which the sender of a run sent it. */
export const remoteSpanOf = (run: Run): Tracer.ExternalSpan | undefined => remoteContexts.get(run)?.span
