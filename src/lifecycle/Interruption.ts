/**
 * Why work was interrupted, where the edge at which it was asked for knows more than that it was.
 */
import { Cause, Context, type FiberId, FiberRef, HashSet } from "effect"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import type { Run } from "../run/Run.js"
import type { RunScope } from "./RunScope.js"

/** The edge at which work was asked for. */
export interface RequestEdge {
  /** The fiber that serves the request. */
  readonly fiber: AnyFiber
  /** What an interruption by this fiber means, where the edge knows. */
  readonly reasonOf: (interruptor: FiberId.FiberId) => string | undefined
  /** The run that the request brought, where it is trusted. */
  received?: Run | undefined
  /** What holds that run while its work is done by the fiber that serves the request. */
  joined?: RunScope | undefined
  /** Who reads the body of the answer, where that is a stream. */
  reader?: BodyReader | undefined
  /** Whether another edge, further in, does not trust the request. */
  isDistrusted?: boolean | undefined
  /** The edge further out that received the request before, if there is one. */
  readonly outer?: RequestEdge | undefined
}

/** Who reads the body of an answer. */
export interface BodyReader {
  /** Why the work on the body is being stopped, where that is done after the fiber has answered. */
  readonly stopReason: string | undefined
}

/** Where a fiber's context holds the edge. */
export class CurrentRequestEdge extends Context.Tag("botanu/Edge")<CurrentRequestEdge, RequestEdge>() {}

/** The edge for which a fiber with this context works, if there is one. */
export const currentEdge = (context: Context.Context<never>): RequestEdge | undefined =>
  context.unsafeMap.get(CurrentRequestEdge.key) as RequestEdge | undefined

/** Why the request was interrupted for which a fiber with this context works, if it was, and an edge knows. */
export const requestInterruptionReason = (context: Context.Context<never>): string | undefined => {
  for (let edge = currentEdge(context); edge !== undefined; edge = edge.outer) {
    const reason = edge.reader?.stopReason ?? interruptionReason(edge)
    if (reason !== undefined) return reason
  }
  return undefined
}

const interruptionReason = (edge: RequestEdge): string | undefined => {
  const interruptors = Cause.interruptors(edge.fiber.getFiberRef(FiberRef.interruptedCause))
  for (const interruptor of HashSet.values(interruptors)) {
    const reason = edge.reasonOf(interruptor)
    if (reason !== undefined) return reason
  }
  return undefined
}
