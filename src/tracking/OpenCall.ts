/**
 * A call that is under way: what is known of what it consumes so far.
 */
import { Context, type Types } from "effect"
import { type Consumption, hasQuantity, type UsageKind } from "../cost/UsageRecord.js"
import type { RunScope } from "../lifecycle/RunScope.js"

/** A call that was seen inside of another, which may be one and the same. */
export interface ObservedCall {
  /** What is known of it. */
  readonly details: Consumption
  /** Where it stands. */
  readonly scope: RunScope | undefined
  readonly record: () => void
}

/** A tracked call. What is said of it replaces what was said before, detail by detail. */
export class OpenCall {
  /** What is known so far. */
  readonly soFar: Types.Mutable<Consumption> = {}
  /** The call of a model around this one, if this is one too. */
  private readonly enclosing: OpenCall | undefined
  private isOver = false
  private isCounted = false
  private wasRefused = false
  private readonly unreported: Array<ObservedCall> = []

  constructor(
    readonly kind: UsageKind,
    readonly isModelCall: boolean,
    readonly parent: OpenCall | undefined
  ) {
    this.enclosing = isModelCall ? nearestModelCall(parent) : undefined
  }

  report(said: Consumption): void {
    for (const key in said) {
      const detail = key as keyof Consumption
      if (said[detail] !== undefined) Object.assign(this.soFar, { [detail]: said[detail] })
    }
  }

  /**
   * Takes in a call that was seen inside of this one. Where it is told what that consumed, or that it was refused, it is recorded
   * at once, and of what was told this one adds nothing. Otherwise it waits for this one to end, which may know more.
   */
  absorb(seen: ObservedCall): void {
    const wasRefused = seen.details.requests === 0
    if (!wasRefused && !hasQuantity(seen.details)) {
      if (this.isOver) this.forward(seen)
      else this.unreported.push(seen)
      return
    }
    for (let call: OpenCall | undefined = this; call !== undefined; call = call.enclosing) {
      if (wasRefused) call.wasRefused = true
      else call.isCounted = true
    }
    seen.record()
  }

  /** Ends the call: it is recorded as `own`, unless it was seen inside, where as much was known of it. */
  end(own: ObservedCall): void {
    this.isOver = true
    // One that stands on a run that is over comes too late there.
    const isSeen = this.wasRefused || this.unreported.some(({ scope }) => !scope?.isClosed)
    const those = this.isCounted || (isSeen && !hasQuantity(this.soFar)) ? this.unreported : [own]
    for (const seen of those) this.forward(seen)
  }

  private forward(seen: ObservedCall): void {
    if (this.enclosing === undefined) seen.record()
    else this.enclosing.absorb(seen)
  }
}

/** Where a tracked call is found by what is done for it. */
export class CurrentCall extends Context.Tag("botanu/Call")<CurrentCall, OpenCall>() {}

/** The call of a model that a context is inside of, which may be the same as one that is seen there; not across a tool. */
export const enclosingModelCall = (context: Context.Context<never>): OpenCall | undefined =>
  nearestModelCall(currentCallIn(context))

const nearestModelCall = (innermost: OpenCall | undefined): OpenCall | undefined => {
  let call = innermost
  while (call !== undefined && call.kind !== "llm") call = call.parent
  return call?.isModelCall ? call : undefined
}

/** The innermost tracked call that a context is inside of. */
export const currentCallIn = (context: Context.Context<never>): OpenCall | undefined =>
  context.unsafeMap.get(CurrentCall.key) as OpenCall | undefined
