/**
 * What calls cost: prices, looked up for the time of a usage.
 */
import { Context } from "effect"
import type { Cost } from "./Cost.js"
import type { Usage } from "./UsageRecord.js"

/** Who pays. */
export interface Payer {
  readonly customerId: string
  readonly tenantId?: string | undefined
}

/** Knows prices. */
export interface Service {
  /** What a usage cost, at the prices of its time for who pays. */
  readonly priceOf: (usage: Usage, payer: Payer) => Cost
}

/** The prices in scope. Without them every usage is unpriced. */
export class PriceBook extends Context.Tag("botanu/PriceBook")<PriceBook, Service>() {}
