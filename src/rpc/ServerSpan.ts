/**
 * The span of a request on the server, and who may be its parent. The RPC server opens one before any middleware is asked, and
 * makes the sender's span its parent, trusted or not.
 */
import { RpcServer } from "@effect/rpc"
import { Context, Effect, Layer, Option, Tracer } from "effect"
import { hasValidIds, linksTo, remoteAncestor, spanPlacement, withServerSpan } from "../edge/ServerSpan.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"

/**
 * For the protocol of a server: leaves the span under which a request was sent to the middleware of this module, which makes it
 * the parent where the request is trusted, and a link where it is not.
 *
 * Without this, the span that the RPC server opens for a request that is not trusted has the sender's as its parent; what the
 * middleware then opens, with a link, is a second one, under which the handler works. With it, a request that is trusted has
 * the second one, unless the server itself opens none (`disableTracing`).
 *
 * Over HTTP the sender's span comes in the headers of the enclosing request, so it is the HTTP server's to leave.
 *
 * @example
 * ```ts
 * import { RpcServer } from "@effect/rpc"
 * import { RunRpc } from "botanu-effect/rpc"
 *
 * export const protocol = RunRpc.withLinkedTraces(RpcServer.layerProtocolHttp({ path: "/rpc" }))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const withLinkedTraces = <E, R>(
  protocol: Layer.Layer<RpcServer.Protocol, E, R>
): Layer.Layer<RpcServer.Protocol, E, R> =>
  Layer.map(protocol, (context) =>
    Context.add(context, RpcServer.Protocol, leavingSender(Context.get(context, RpcServer.Protocol)))
  )

type Protocol = RpcServer.Protocol["Type"]

const leavingSender = (protocol: Protocol): Protocol =>
  protocol.supportsSpanPropagation
    ? {
        ...protocol,
        run: (receive) =>
          protocol.run((clientId, message) => {
            if (message._tag !== "Request") return receive(clientId, message)
            const { sampled, spanId, traceId, ...request } = message
            return Effect.withFiberRuntime((fiber) =>
              Effect.provideService(receive(clientId, request), LeftToOpen, {
                sender: validSpan(traceId, spanId, sampled),
                outer: fiber.currentSpan
              })
            )
          })
      }
    : protocol

/** A request whose span was left to the middleware: who sent it, and what was open when it came in. */
class LeftToOpen extends Context.Tag("botanu/RunRpc/LeftToOpen")<
  LeftToOpen,
  { readonly sender: Tracer.ExternalSpan | undefined; readonly outer: Tracer.AnySpan | undefined }
>() {}

const validSpan = (traceId: unknown, spanId: unknown, sampled: unknown): Tracer.ExternalSpan | undefined => {
  if (typeof traceId !== "string" || typeof spanId !== "string") return undefined
  const span = Tracer.externalSpan({ traceId, spanId, sampled: sampled !== false })
  return hasValidIds(span) ? span : undefined
}

/** `work` in a span for the request named `tag`, where the one that the server opened is not as it should be. */
export const inServerSpan = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  tag: string,
  isTrusted: boolean,
  fiber: AnyFiber
): Effect.Effect<A, E, R> => {
  const open = fiber.currentSpan
  const left = Option.getOrUndefined(Context.getOption(fiber.currentContext, LeftToOpen))
  const isOpen = open?._tag === "Span" && open !== left?.outer
  // A server in the handler, with requests of its own, is not to find it.
  const own =
    left === undefined
      ? work
      : Effect.mapInputContext(work, (context: Context.Context<R>) => without(context, LeftToOpen))
  const name = isOpen ? open.name : `RpcServer.${tag}`
  const remote = remoteAncestor(open)
  const sender = left?.sender ?? (isTrusted ? undefined : remote)
  const isMissing = left !== undefined && !isOpen
  const isMisplaced = isTrusted ? left?.sender !== undefined : remote !== undefined
  if (isMissing || isMisplaced) return withServerSpan(name, spanPlacement(sender, isTrusted), () => own)
  if (isOpen && !isTrusted) open.addLinks(linksTo(sender))
  return own
}

/** Leaves out what is there of itself, which nobody requires. */
const without = <R, I, S>(context: Context.Context<R>, tag: Context.Tag<I, S>): Context.Context<R> =>
  Context.omit(tag)(context as Context.Context<R | I>) as Context.Context<R>
