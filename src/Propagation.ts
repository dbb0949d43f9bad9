/**
 * A run across process boundaries, as headers: out with `inject`, in with `extract`.
 */
import { Effect, type Option } from "effect"
import type * as BaggageHeader from "./baggage/BaggageHeader.js"
import type * as Carrier from "./baggage/Carrier.js"
import * as TraceParent from "./baggage/TraceParent.js"
import * as BoundedWarning from "./fiber/BoundedWarning.js"
import { extractFor } from "./lifecycle/IncomingRun.js"
import { baggageHeaderFor } from "./lifecycle/OutgoingRun.js"
import { RunContext } from "./RunContext.js"
import type { Run } from "./run/Run.js"
import type { PropagationMode } from "./run/Settings.js"
import { Header } from "./wire/Wire.js"

/**
 * Headers to send: `baggage`, and `traceparent` where a span is open.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const send = (headers: Propagation.OutgoingHeaders) => Effect.log(Object.keys(headers))
 * const program = Effect.flatMap(Propagation.inject, send).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type OutgoingHeaders = { readonly [name: string]: string }

export type { IncomingHeaders } from "./baggage/Carrier.js"

/**
 * How a run is sent, and what a carrier has room for.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const awaited: Propagation.InjectOptions = { deadline: true, mode: "full" }
 * const program = Effect.flatMap(Propagation.injectWith(awaited), (headers) => Effect.log(headers["baggage"])).pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface InjectOptions {
  /**
   * Whether the deadline and the cancellation of the run are sent too. For a call whose answer is awaited: its receiver stops
   * when the sender does. A message outlives its sender, so by default it carries neither.
   * @default false
   */
  readonly deadline?: boolean | undefined
  /**
   * How much of the run this message carries: its four identifying keys (`"lean"`), or all of it (`"full"`).
   * @default that of the run: `"full"` where it came in so, else the setting of this process
   */
  readonly mode?: PropagationMode | undefined
  /**
   * The most bytes that the value of `baggage` may take; 8192 at most. Members are sent whole, the identifying keys of the run
   * first; where those alone take more, there is no `baggage`, and that is logged.
   * @default 8192
   */
  readonly maxBytes?: number | undefined
}

/**
 * The current run and trace as headers, for a call that is awaited, in a mode of its own, or within what a carrier has room for;
 * else as `inject`.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation } from "botanu-effect"
 *
 * const headers = Propagation.injectWith({ mode: "full", maxBytes: 1024 }).pipe(
 *   Botanu.workflow("Place Order", { eventId: "order-7", customerId: "bigretail" })
 * )
 * ```
 *
 * @since 0.2.0
 * @category outgoing
 */
export const injectWith = ({
  deadline = false,
  maxBytes,
  mode
}: InjectOptions): Effect.Effect<OutgoingHeaders, never, RunContext> =>
  Effect.flatMap(RunContext, (run) =>
    Effect.withFiberRuntime((fiber) => {
      const headers: Record<string, string> = {}
      const trace = fiber.currentSpan && TraceParent.fromSpan(fiber.currentSpan)
      const baggage = baggageHeaderFor(fiber, run, { isCall: deadline, maxBytes, mode })
      if (baggage !== undefined) headers[Header.baggage] = baggage
      if (trace !== undefined) headers[Header.traceparent] = trace
      return baggage === undefined ? Effect.as(doesNotFit(run, maxBytes), headers) : Effect.succeed(headers)
    })
  )

/**
 * The current run and trace as headers for any message. In lean mode the four identifying keys of the run, in full mode also
 * its lineage, its environment and its tenant; what came in with the run goes out again. A message outlives its sender, so it
 * carries neither the deadline of the run nor its cancellation; `injectWith({ deadline: true })` does.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation } from "botanu-effect"
 *
 * const headers = Propagation.inject.pipe(
 *   Botanu.workflow("Place Order", { eventId: "order-7", customerId: "bigretail" })
 * )
 * ```
 *
 * @since 0.2.0
 * @category outgoing
 */
export const inject: Effect.Effect<OutgoingHeaders, never, RunContext> = injectWith({})

const doesNotFit = (run: Run, maxBytes: number | undefined): Effect.Effect<void> =>
  BoundedWarning.warn("outgoing baggage", [
    { kind: "budget", text: `run ${run.runId} does not fit into ${maxBytes} bytes, so it was not sent` }
  ])

/**
 * The run that headers carry, for the edge of a program; to be joined with `Botanu.resume` or `RunContext.layer`. Lenient and
 * total: a bad optional key is left out, a bad or missing required one means that there is no run, and either is logged as a
 * warning that names the key, at most once a second. Foreign baggage and the sender's span are kept with the run.
 *
 * @example
 * ```ts
 * import { Botanu, Propagation } from "botanu-effect"
 * import { Effect, Option } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const headers = yield* Propagation.inject.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const run = yield* Propagation.extract(headers)
 *   yield* Effect.log(Option.map(run, ({ eventId }) => eventId))
 * })
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category headers
 */
export const extract = (
  headers: Carrier.IncomingHeaders | undefined,
  options?: BaggageHeader.ReadOptions
): Effect.Effect<Option.Option<Run>> =>
  Effect.withFiberRuntime((fiber) => {
    const { report, run } = extractFor(fiber, headers, options)
    return report === undefined ? Effect.succeed(run) : Effect.as(report, run)
  })
