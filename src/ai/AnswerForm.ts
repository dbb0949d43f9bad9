/**
 * How an API writes what a call consumed.
 */
import type { Consumption } from "../cost/UsageRecord.js"

export interface AnswerForm {
  /** What an answer says, or one event of a streamed one. */
  readonly read: (message: Record<string, unknown>) => Message
  /** What was consumed, by the usage of an answer, or by what all events of a streamed one say of it. */
  readonly consumption: (usage: Record<string, unknown>) => Consumption
  /** Whether an event is the last one. */
  readonly isLast: (event: Record<string, unknown>) => boolean
  /** What was consumed by the request alone, for an answer that reports nothing. */
  readonly requested?: (body: Record<string, unknown>) => Consumption
}

/** What one message says of a call. */
export interface Message {
  readonly about: Consumption
  readonly usage: Record<string, unknown> | undefined
}
