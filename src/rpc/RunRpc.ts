/**
 * The edges of RPC: a call brings the run in whose fiber it was made, and is worked on in that run where it is trusted.
 */
import { Headers } from "@effect/platform"
import { type Rpc, RpcMiddleware } from "@effect/rpc"
import { Context, Effect, Layer, Option, Schema, Scope } from "effect"
import type { ReadOptions } from "../baggage/BaggageHeader.js"
import { BudgetExceeded } from "../cost/BudgetExceeded.js"
import { outgoingBaggageFor } from "../edge/OutgoingBaggage.js"
import { distrusting, inNoReceivedRun, inOwnRun, inReceivedRun, type RequestRun, receive } from "../edge/ServerEdge.js"
import { outsideRemoteTrace, redactBaggage, stampServerSpan } from "../edge/ServerSpan.js"
import { type Inbound, isTrusted } from "../edge/Trust.js"
import { currentEdge, type RequestEdge } from "../lifecycle/Interruption.js"
import { RunCancelled } from "../lifecycle/JoinedRun.js"
import { RunContext } from "../RunContext.js"
import { DeadlineExceeded } from "../run/Deadline.js"
import { InvalidRunContext } from "../run/NewRun.js"
import { Header } from "../wire/Wire.js"
import { disconnectReasonFor } from "./ClientGone.js"
import { inServerSpan } from "./ServerSpan.js"

export type { RequestRun } from "../edge/ServerEdge.js"
export type { Inbound } from "../edge/Trust.js"
export { withLinkedTraces } from "./ServerSpan.js"

/**
 * How a call fails where its run does not let it be worked on, or not to its end.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const describe = (failure: RunRpc.Failure) => failure.message
 * console.log(describe.name, RunRpc.Failure.members.length)
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export const Failure = Schema.Union(DeadlineExceeded, RunCancelled, InvalidRunContext)

/** How a call fails where its run does not let it be worked on, or not to its end. */
export type Failure = typeof Failure.Type

/** What goes over the wire. As in a workflow, a spent budget of `Budget.layer` is in no type: `Budget.catchExceeded` handles it. */
const sentFailure = Schema.Union(...Failure.members, BudgetExceeded) as unknown as typeof Failure

/**
 * Middleware for a group of procedures, or for one. A call carries its run, the handler works in that run, and the client gets an
 * error when the deadline passed or the run was cancelled. Put it last, so that it encloses all other middleware.
 *
 * `layerServer` and `layerClient` are its two sides.
 *
 * @example
 * ```ts
 * import { Rpc, RpcGroup } from "@effect/rpc"
 * import { RunRpc } from "botanu-effect/rpc"
 * import { Schema } from "effect"
 *
 * class Desk extends RpcGroup.make(Rpc.make("Answer", { success: Schema.String })).middleware(RunRpc.Middleware) {}
 * console.log(Array.from(Desk.requests.keys()))
 * ```
 *
 * @since 0.1.0
 * @category middleware
 */
export class Middleware extends RpcMiddleware.Tag<Middleware>()("botanu/RunRpc/Middleware", {
  wrap: true,
  requiredForClient: true,
  failure: sentFailure
}) {}

/**
 * The same where every call is worked on in a run: handlers are provided with `RunContext`, and the server has to say, by
 * `orElse`, which run a call is that brings none.
 *
 * @example
 * ```ts
 * import { Rpc, RpcGroup } from "@effect/rpc"
 * import { RunRpc } from "botanu-effect/rpc"
 * import { Schema } from "effect"
 *
 * class Desk extends RpcGroup.make(Rpc.make("Answer", { success: Schema.String })).middleware(RunRpc.MiddlewareOrElse) {}
 * console.log(Array.from(Desk.requests.keys()))
 * ```
 *
 * @since 0.1.0
 * @category middleware
 */
export class MiddlewareOrElse extends RpcMiddleware.Tag<MiddlewareOrElse>()("botanu/RunRpc/MiddlewareOrElse", {
  wrap: true,
  requiredForClient: true,
  provides: RunContext,
  failure: sentFailure
}) {}

/**
 * A call, as it came in.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const isOfFirstClient = ({ clientId }: RunRpc.Request) => clientId === 0
 * export const edge = RunRpc.layerServer({
 *   inbound: "untrusted",
 *   orElse: (request) => ({
 *     workflow: request.rpc._tag,
 *     eventId: "call",
 *     customerId: isOfFirstClient(request) ? "first" : "other"
 *   })
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  /** The number of the client's connection. */
  readonly clientId: number
  /** The procedure that is called. */
  readonly rpc: Rpc.AnyWithProps
  /** What it is called with, decoded. */
  readonly payload: unknown
  /** Those of the message; below them, over HTTP and WebSocket, those of the HTTP request that the message came with. */
  readonly headers: Headers.Headers
}

/**
 * Which calls a server trusts.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const options: RunRpc.ServerOptions = { inbound: "trusted" }
 * export const edge = RunRpc.layerServer(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions<R = never> extends ReadOptions {
  /**
   * Which calls are trusted to bring a run: all (`"trusted"`), none (`"untrusted"`), or those for which a predicate gives
   * `true`. There is no default: a run brings customer ids, a deadline and baggage with it.
   */
  readonly inbound: Inbound<Request, never, R>
}

/**
 * Which calls a server trusts, and how a call without a run becomes one itself.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const options: RunRpc.ServerOptionsOrElse = {
 *   inbound: "trusted",
 *   orElse: ({ clientId, rpc }) => ({ workflow: rpc._tag, eventId: `call-${clientId}`, customerId: "unknown" })
 * }
 * export const edge = RunRpc.layerServer(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptionsOrElse<R = never> extends ServerOptions<R> {
  /** The run of a call that brings none. */
  readonly orElse: (request: Request) => RequestRun<unknown>
}

/**
 * The same, where some calls are no run.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const options: RunRpc.ServerOptionsMaybeOrElse = {
 *   inbound: "trusted",
 *   orElse: ({ clientId, rpc }) => ({ workflow: rpc._tag, eventId: `call-${clientId}`, customerId: "unknown" })
 * }
 * export const edge = RunRpc.layerServer(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptionsMaybeOrElse<R = never> extends ServerOptions<R> {
  /** The run that a call is; `undefined` for one that is none. */
  readonly orElse: (request: Request) => RequestRun<unknown> | undefined
}

/**
 * The server's side. A trusted call is worked on in the run that it brings, under that run's deadline; a stream is,
 * until its end. Where the run comes in cancelled or past its deadline, the handler does not run. The run of an
 * untrusted call is ignored, and nothing of it is sent on; the sender's span becomes a link. A call without a run is what
 * `orElse` makes of it.
 *
 * The client sees `DeadlineExceeded`, `RunCancelled`, and `InvalidRunContext` where `orElse` gives options that make no run. A
 * client that interrupts its call, or goes away, interrupts the handler: a run there is `canceled`, for the reason
 * `client_disconnected`.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * export const edge = RunRpc.layerServer({
 *   inbound: "trusted",
 *   orElse: ({ clientId, rpc }) => ({ workflow: rpc._tag, eventId: `call-${clientId}`, customerId: "unknown" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerServer: {
  <R = never>(options: ServerOptionsOrElse<R>): Layer.Layer<Middleware | MiddlewareOrElse, never, R>
  <R = never>(options: ServerOptionsMaybeOrElse<R>): Layer.Layer<Middleware, never, R>
  <R = never>(options: ServerOptions<R>): Layer.Layer<Middleware, never, R>
} = <R>(
  options: ServerOptions<R> & Partial<ServerOptionsMaybeOrElse<R>>
): Layer.Layer<Middleware | MiddlewareOrElse, never, R> =>
  Layer.effectContext(
    Effect.map(Effect.context<R>(), (context) => {
      const wrap = <R1>({ next, ...request }: Request & { readonly next: Work<R1> }): Work<Exclude<R1, RunContext>> =>
        Effect.withFiberRuntime((fiber) => {
          if (request.headers[Header.baggage] !== undefined) redactBaggage(fiber.currentSpan)
          const trust = Effect.mapInputContext(isTrusted(options.inbound, request), (outer: Context.Context<never>) =>
            outsideRemoteTrace(Context.merge(context, outer))
          )
          return Effect.flatMap(trust, (trusted) => {
            const inSpan = () => inServerSpan(served(next, request, trusted, options), request.rpc._tag, trusted, fiber)
            return trusted ? inSpan() : distrusting(fiber, inSpan)
          })
        })
      return Context.make(Middleware, wrap).pipe(Context.add(MiddlewareOrElse, wrap))
    })
  )

type Work<R> = Effect.Effect<RpcMiddleware.SuccessValue, Failure, R>

/** The handler in the run that the call brings, in one of its own, or in none. */
const served = <R>(
  work: Work<R>,
  request: Request,
  isTrusted: boolean,
  options: ReadOptions & Partial<Pick<ServerOptionsMaybeOrElse, "orElse">>
): Work<Exclude<R, RunContext>> =>
  Effect.withFiberRuntime((fiber) => {
    const { orElse } = options
    const context = fiber.currentContext
    const edge: RequestEdge = { fiber, reasonOf: disconnectReasonFor(context), outer: currentEdge(context) }
    const { report, run } = receive(fiber, request.headers, isTrusted, options)
    const serverSpan = fiber.currentSpan
    let inRun: Work<Exclude<R, RunContext>>
    if (Option.isSome(run)) {
      inRun = Effect.ensuring(
        inReceivedRun(work, run.value, edge),
        // Only then is it known that no edge further in distrusts the request.
        Effect.sync(() => edge.isDistrusted || stampServerSpan(fiber, serverSpan, run.value))
      )
    } else {
      // Only a middleware whose `orElse` always gives a run promises one to its handlers.
      const inNone = work as Work<Exclude<R, RunContext>>
      const own = Effect.suspend(() => {
        const own = orElse?.(request)
        if (own === undefined) return inNone
        return inOwnRun(work, own, (run) => stampServerSpan(fiber, serverSpan, run))
      })
      inRun = inNoReceivedRun(own, isTrusted, edge)
    }
    return report === undefined ? inRun : Effect.zipRight(report, inRun)
  })

/**
 * Whether a client propagates the run.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * const options: RunRpc.ClientOptions = { outbound: "propagate" }
 * export const client = RunRpc.layerClient(options)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions {
  /**
   * Whether a call carries the run of its fiber to the other end (`"propagate"`), or not (`"omit"`).
   * There is no default: the run's ids say who your customers are.
   */
  readonly outbound: "propagate" | "omit"
}

/**
 * The client's side: propagates the run in whose fiber a call is made, in the `baggage` header of the message, beside what others
 * put there. With `"omit"`, and outside of a run, members of `baggage` that name a run are removed from the message, whatever
 * code put them there. Other headers stay as they are, and so does the trace, which the protocol itself carries.
 *
 * @example
 * ```ts
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * export const client = RunRpc.layerClient({ outbound: "propagate" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = ({
  outbound
}: ClientOptions): Layer.Layer<RpcMiddleware.ForClient<Middleware> | RpcMiddleware.ForClient<MiddlewareOrElse>> => {
  const propagate: RpcMiddleware.RpcMiddlewareClient = ({ request }) =>
    Effect.withFiberRuntime((fiber) => {
      const headers = withBaggage(request.headers, (header) => outgoingBaggageFor(fiber, header, outbound))
      return Effect.succeed(headers === request.headers ? request : { ...request, headers })
    })
  return inNoContext(
    Layer.merge(
      RpcMiddleware.layerClient(Middleware, propagate),
      RpcMiddleware.layerClient(MiddlewareOrElse, propagate)
    )
  )
}

/** Headers with another `baggage`; without one where that is empty, and as they are where nothing changes. */
const withBaggage = (headers: Headers.Headers, change: (header: string) => string): Headers.Headers => {
  const header = headers[Header.baggage] ?? ""
  const changed = change(header)
  if (changed === header) return headers
  return changed === "" ? Headers.remove(headers, Header.baggage) : Headers.set(headers, Header.baggage, changed)
}

/** A layer as it is where there is no run: middleware takes the context in which it is built along to every call. */
const inNoContext = <A>(layer: Layer.Layer<A>): Layer.Layer<A> =>
  Layer.scopedContext(
    Effect.mapInputContext(Layer.build(layer), (context: Context.Context<Scope.Scope>) =>
      Context.pick(Scope.Scope)(context)
    )
  )
