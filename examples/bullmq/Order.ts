/**
 * The orders that the example is about.
 */
import type { JobHeaders } from "./JobRun.js"

export const queueName = "orders"

export interface Order extends JobHeaders {
  readonly id: string
  readonly customer: string
  readonly simulate: {
    /** How many attempts fail because the carrier is busy. */
    readonly carrierBusy?: number
    /** How many attempts the carrier leaves without an answer. */
    readonly carrierSilent?: number
  }
}
