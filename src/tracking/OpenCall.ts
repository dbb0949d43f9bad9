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

/** A tracked call. A report replaces what was reported before, detail by detail, unless it is about another try. */
export class OpenCall {
  /** What is known so far of the try that is under way. */
  soFar: Types.Mutable<Consumption> = {}
  /** What the tries before it consumed, which the provider served and bills too. */
  readonly earlierTries: Array<Consumption> = []
  private iteration: unknown
  /** The id of the answer that elements of a stream are of. */
  private answerId: string | undefined
  /** The enclosing call of a model, if this is one too. */
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

  /** Takes in a report that was made in an iteration of `Effect.retry` or `Effect.repeat`. */
  report(details: Consumption, iteration: unknown): void {
    if (this.isOfAnotherTry(details, iteration)) {
      this.earlierTries.push(this.soFar)
      this.soFar = {}
    }
    this.iteration = iteration
    this.replace(details)
  }

  /** Takes in what an element of a stream says, which may be of another answer than the elements before. */
  reportElement(details: Consumption): void {
    const { providerRequestId } = details
    if (differ(this.answerId, providerRequestId) && hasQuantity(this.soFar)) {
      this.earlierTries.push(this.soFar)
      this.soFar = {}
    }
    this.answerId = providerRequestId ?? this.answerId
    this.replace(details)
  }

  /** Takes in what was made of all that was known. */
  replace(details: Consumption): void {
    const soFar: Record<string, unknown> = this.soFar
    for (const key in details) {
      const detail = details[key as keyof Consumption]
      if (detail !== undefined) soFar[key] = detail
    }
  }

  private isOfAnotherTry(details: Consumption, iteration: unknown): boolean {
    if (!hasQuantity(this.soFar) || !hasQuantity(details)) return false
    if (identifiers.some((name) => differ(this.soFar[name], details[name]))) return true
    // What completes the report of an earlier iteration repeats nothing of it.
    return iteration !== this.iteration && repeats(this.soFar, details)
  }

  /**
   * Takes in a call that was observed inside of this one. Where its usage is known, or that it was refused, it is recorded at
   * once, and this one adds nothing to it. Otherwise it waits for this one to end, which may know more.
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
    // One of a run that is over comes too late for its record.
    const isSeen = this.wasRefused || this.unreported.some(({ scope }) => !scope?.isClosed)
    const isReported = this.earlierTries.length > 0 || hasQuantity(this.soFar)
    const those = this.isCounted || (isSeen && !isReported) ? this.unreported : [own]
    for (const seen of those) this.forward(seen)
  }

  private forward(seen: ObservedCall): void {
    if (this.enclosing === undefined) seen.record()
    else this.enclosing.absorb(seen)
  }
}

/** What names a request of a provider. */
const identifiers = ["providerRequestId", "attempt"] as const

const differ = (one: unknown, other: unknown): boolean => one !== undefined && other !== undefined && one !== other

const repeats = (known: Consumption, details: Consumption): boolean =>
  Object.keys(details).some(
    (key) => known[key as keyof Consumption] !== undefined && details[key as keyof Consumption] !== undefined
  )

/**
 * Where a tracked call is found by what is done for it.
 *
 * @example
 * ```ts
 * import { Botanu, Llm, Usage } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const ask = Effect.map(Usage.CurrentCall, (call) => call.soFar.inputTokens)
 * const program = Llm.track(ask, { provider: "openai", model: "quill-2" }).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category context
 */
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
