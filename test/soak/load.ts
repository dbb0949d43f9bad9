/**
 * What the services and the driver of the soak test agree on.
 */
import { quill } from "../usages.js"

export const prices = [{ ...quill, usd: { inputToken: "0.000001", outputToken: "0.000003" } }]

/** What a call costs, in millionths of a dollar. */
export const microDollars = ({ inputTokens, outputTokens }: Tokens): bigint =>
  BigInt(inputTokens) + 3n * BigInt(outputTokens)

/** What the models report of a call. No two calls have the same number of input tokens: it tells which call a usage is of. */
export interface Tokens {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Each event has one customer, so that a run which is mixed up with another shows. */
export const customerOf = (eventId: string): string => `customer-${Number(eventId.replace(/\D/g, "")) % 17}`
