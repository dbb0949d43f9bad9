/**
 * An edge as those of HTTP and RPC are, without what is particular to either.
 */
import { Effect, Option } from "effect"
import { inNoReceivedRun, inOwnRun, inReceivedRun, type RequestRun, receive } from "../../src/edge/ServerEdge.js"
import type { DeadlineExceeded, InvalidRunContext, Propagation, Run, RunCancelled } from "../../src/index.js"
import type { RequestEdge } from "../../src/lifecycle/Interruption.js"

/** A request, and what its edge knows of it. */
export interface Arrival {
  readonly headers: Propagation.IncomingHeaders
  readonly isTrusted: boolean
  readonly plusAsSpace?: boolean
  readonly orElse?: (() => RequestRun<unknown>) | undefined
  readonly reasonOf: RequestEdge["reasonOf"]
  /** The runs in which the request was worked on. */
  readonly runs: Array<Run>
}

/** A trusted request without headers, but for `options`. */
export const arrival = (options: Partial<Arrival> = {}): Arrival => ({
  headers: {},
  isTrusted: true,
  reasonOf: () => undefined,
  runs: [],
  ...options
})

/** `work` on a request. */
export const serve = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  { headers, isTrusted, orElse, reasonOf, runs, ...options }: Arrival
): Effect.Effect<A, E | DeadlineExceeded | RunCancelled | InvalidRunContext, R> =>
  Effect.withFiberRuntime((fiber) => {
    const edge = { fiber, reasonOf }
    const { report, run } = receive(fiber, headers, isTrusted, options)
    const note = (run: Run) => runs.push(run)
    const own = orElse === undefined ? work : Effect.suspend(() => inOwnRun(work, orElse(), note))
    if (Option.isSome(run)) note(run.value)
    const served = Option.isSome(run)
      ? inReceivedRun(work, run.value, edge)
      : inNoReceivedRun(own as typeof work, isTrusted, edge)
    return Effect.zipRight(report ?? Effect.void, served as typeof work)
  })
