/**
 * Why the RPC server interrupts a handler: a client that interrupted its call, or whose connection is gone, or its own end.
 */
import { HttpServerError } from "@effect/platform"
import { RpcServer } from "@effect/rpc"
import {
  Cause,
  Context,
  Effect,
  Equal,
  ExecutionStrategy,
  Exit,
  type FiberId,
  HashSet,
  Option,
  Ref,
  Scope
} from "effect"

/** What an interruption means, for the handler of a request that came in with this context. */
export const disconnectReasonFor =
  (context: Context.Context<never>) =>
  (interruptor: FiberId.FiberId): string | undefined => {
    const isByClient = Equal.equals(interruptor, RpcServer.fiberIdClientInterrupt)
    if (!isByClient && !Equal.equals(interruptor, RpcServer.fiberIdTransientInterrupt)) return undefined
    // By one and the same id where a connection is closed and where the server ends, so ask the connection.
    const closed = Option.flatMap(Context.getOption(context, Scope.Scope), exitOf)
    return Option.match(closed, { onNone: () => isByClient, onSome: isLeftByClient })
      ? "client_disconnected"
      : undefined
  }

/**
 * How a scope was closed, if it was. A child of a closed scope is closed in the same way, and runs a finalizer at once. A
 * child of an open one is closed here, which leaves nothing in its parent.
 */
const exitOf = (scope: Scope.Scope): Option.Option<Exit.Exit<unknown, unknown>> =>
  Effect.runSync(
    Effect.gen(function* () {
      const child = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const closed = yield* Ref.make(Option.none<Exit.Exit<unknown, unknown>>())
      yield* Scope.addFinalizerExit(child, (exit) => Ref.set(closed, Option.some(exit)))
      const known = yield* Ref.get(closed)
      yield* Scope.close(child, Exit.void)
      return known
    })
  )

/** Whether it was not the server that ended the connection, which interrupts what serves it. */
const isLeftByClient = Exit.match({
  onSuccess: () => true,
  onFailure: (cause: Cause.Cause<unknown>) =>
    !Cause.isInterrupted(cause) || HashSet.has(Cause.interruptors(cause), HttpServerError.clientAbortFiberId)
})
