/**
 * A call that is under way: what is known of what it consumes so far.
 */
import { Context } from "effect"
import type { Consumption, UsageKind } from "./UsageRecord.js"

/** A tracked call. What is said of it replaces what was said before, detail by detail. */
export class OpenCall {
  /** What is known so far. */
  readonly soFar: Mutable<Consumption> = {}
  private isCounted = false
  private readonly untold: Array<() => void> = []

  constructor(
    readonly kind: UsageKind,
    readonly isModelCall: boolean,
    readonly around: OpenCall | undefined
  ) {}

  say(said: Consumption): void {
    for (const key in said) {
      const detail = key as keyof Consumption
      if (said[detail] !== undefined) Object.assign(this.soFar, { [detail]: said[detail] })
    }
  }

  /**
   * Takes in a call that was seen inside of this one, which may be one and the same. Where it is told what that consumed, it is
   * recorded at once, and this one adds nothing. Otherwise it waits for this one to end, which may know more.
   */
  absorb(record: () => void, isTold: boolean): void {
    if (!isTold) {
      this.untold.push(record)
      return
    }
    this.isCounted = true
    record()
  }

  /** Ends the call: `record` records it, unless it was recorded by those inside of it. */
  end(record: () => void): void {
    const knowsMore = !this.isCounted && (this.untold.length === 0 || isTold(this.soFar))
    if (knowsMore) record()
    else for (const recordUntold of this.untold) recordUntold()
  }
}

type Mutable<A> = { -readonly [Key in keyof A]: A[Key] }

/** Whether it is known what a call consumed. */
export const isTold = (consumption: Consumption): boolean => quantitative.some((key) => consumption[key] !== undefined)

const quantitative = [
  "inputTokens",
  "outputTokens",
  "inputCharacters",
  "outputCharacters",
  "images",
  "computeMs",
  "usd"
] as const satisfies ReadonlyArray<keyof Consumption>

/** Where a tracked call is found by what is done for it. */
export class Call extends Context.Tag("botanu/Call")<Call, OpenCall>() {}

/** The call of a model that a context is inside of, which may be the same as one that is seen there; not across a tool. */
export const modelCallAround = (context: Context.Context<never>): OpenCall | undefined => {
  let call = callIn(context)
  while (call !== undefined && call.kind !== "llm") call = call.around
  return call?.isModelCall ? call : undefined
}

/** The innermost tracked call that a context is inside of. */
export const callIn = (context: Context.Context<never>): OpenCall | undefined =>
  context.unsafeMap.get(Call.key) as OpenCall | undefined
