/**
 * A message that a broker delivers, once or again: each attempt at it is a run, of one lineage in whatever processes they are.
 */
import { Effect, Option } from "effect"
import type { IncomingHeaders } from "./baggage/Carrier.js"
import type { OutcomeOfResult } from "./lifecycle/RunEnd.js"
import { extract, injectWith, type OutgoingHeaders } from "./Propagation.js"
import { resume } from "./Resume.js"
import type { RunContext } from "./RunContext.js"
import { callSiteOf } from "./run/CallSite.js"
import type { InvalidRunContext } from "./run/NewRun.js"
import { requestOf, runOf } from "./tracking/WorkflowRun.js"
import type { KnownOutcome, LimitError, MaybeBudget, MaybeDeadline, WorkflowOptions } from "./WorkflowOptions.js"

/**
 * The options of a workflow, and what a message carries of runs.
 *
 * @example
 * ```ts
 * import { Delivery } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const options: Delivery.Options = {
 *   eventId: "order-7",
 *   customerId: "bigretail",
 *   keep: (headers) => Effect.log(Object.keys(headers))
 * }
 * Effect.runPromise(Effect.log("shipping").pipe(Delivery.workflow("Ship Order", options)))
 * ```
 *
 * @since 0.2.0
 * @category messages
 */
export interface Options<
  in A = unknown,
  in E = unknown,
  out R = never,
  out D extends MaybeDeadline = MaybeDeadline,
  out B extends MaybeBudget = MaybeBudget,
  out R1 = never,
  out O extends OutcomeOfResult = OutcomeOfResult
> extends Omit<WorkflowOptions<A, E, R, D, B, O>, "retryOf"> {
  /** The headers of the run that sent the message, as `Propagation.inject` gave them. */
  readonly sender?: IncomingHeaders | undefined
  /** The headers of the attempt that began last, as `keep` left them; none of a message that was not delivered before. */
  readonly lastAttempt?: IncomingHeaders | undefined
  /**
   * Leaves the headers of this attempt with the message, in place of those of the attempt before. It runs before the work
   * begins, for after a crash nobody could do it. They are in full mode. Where it fails or dies, that is logged, and the work
   * goes on: the next attempt will not know of this one.
   */
  readonly keep: (headers: OutgoingHeaders) => Effect.Effect<unknown, unknown, R1>
}

/**
 * Makes the work on a message a run: the first attempt as a child of the run that sent it; a redelivery as the attempt after the
 * one before, whichever process had that. Headers that cannot be read, or that are those of other work (another workflow or
 * event), cost the lineage and never the work. Take `eventId` from the message, so that it is the same in all attempts.
 *
 * Knows no broker: `keep` says where headers stay.
 *
 * @example
 * ```ts
 * import { Delivery, type Propagation } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * interface Job {
 *   readonly data: { readonly orderId: string; headers?: Propagation.OutgoingHeaders; lastAttempt?: Propagation.OutgoingHeaders }
 * }
 *
 * const ship = (job: Job) =>
 *   Effect.log("shipping").pipe(
 *     Delivery.workflow("Ship Order", {
 *       eventId: job.data.orderId,
 *       customerId: "bigretail",
 *       sender: job.data.headers,
 *       lastAttempt: job.data.lastAttempt,
 *       keep: (headers) =>
 *         Effect.sync(() => {
 *           job.data.lastAttempt = headers
 *         })
 *     })
 *   )
 * ```
 *
 * @since 0.2.0
 * @category messages
 */
export const workflow = <
  A0 = unknown,
  E0 = unknown,
  R0 = never,
  R1 = never,
  const D extends MaybeDeadline = undefined,
  const B extends MaybeBudget = undefined,
  const O extends KnownOutcome<O> = OutcomeOfResult
>(
  name: string,
  options: Options<A0, E0 | LimitError<D, B>, R0, D, B, R1, O>
): (<A extends A0, E extends E0, R>(
  // Twice, so that in a pipe the options are inferred from the effect.
  work: Effect.Effect<A, E, R> & Effect.Effect<A0, E0, unknown>
) => Effect.Effect<A, E | InvalidRunContext | LimitError<D, B>, Exclude<R | R1, RunContext> | R0>) => {
  const callSite = callSiteOf(workflow as never)
  const { keep, lastAttempt, sender, ...workflowOptions } = options
  const delivered = (work: Effect.Effect<unknown, unknown>) =>
    Effect.gen(function* () {
      const incoming = yield* extract(sender)
      const previous = Option.filter(
        yield* extract(lastAttempt),
        (run) => run.workflow === name && run.eventId === options.eventId
      )
      const attempt = {
        ...(workflowOptions as WorkflowOptions<unknown, unknown, never>),
        retryOf: Option.getOrUndefined(previous)
      }
      const own = runOf(Effect.zipRight(leave(keep), work) as typeof work, requestOf(name, attempt, callSite))
      return yield* resume(own, incoming)
    })
  return delivered as never
}

const leave = <R>(keep: (headers: OutgoingHeaders) => Effect.Effect<unknown, unknown, R>) =>
  injectWith({ mode: "full" }).pipe(
    Effect.flatMap((headers) => Effect.suspend(() => keep(headers))),
    Effect.sandbox,
    Effect.catchAll((cause) => Effect.logWarning("the next attempt at this message will not know of this one", cause)),
    Effect.asVoid
  )
