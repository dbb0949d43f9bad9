/**
 * What came in beside a run that was received: baggage of others, which goes out again with the run and with the runs inside
 * of it, and the span of the sender.
 */
import type { Tracer } from "effect"
import * as Baggage from "../baggage/Baggage.js"
import type { Run } from "./Run.js"

export interface Receipt {
  readonly foreign: Baggage.Baggage
  readonly span: Tracer.ExternalSpan | undefined
}

const receipts = new WeakMap<Run, Receipt>()

/** Remembers what came in beside a run that was received. */
export const remember = (run: Run, receipt: Receipt): void => {
  receipts.set(run, receipt)
}

/** The baggage of others that came in beside a run. */
export const foreignOf = (run: Run | undefined): Baggage.Baggage => (run && receipts.get(run))?.foreign ?? Baggage.empty

/** The span under which the sender of a run sent it. */
export const remoteSpanOf = (run: Run): Tracer.ExternalSpan | undefined => receipts.get(run)?.span
