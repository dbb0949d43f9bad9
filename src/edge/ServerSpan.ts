/**
 * The span of a request on the server: its parent, and what it may show. A server opens one before any middleware runs, and
 * makes the sender's span its parent, trusted or not.
 */
import { Context, Effect, Option, Tracer } from "effect"
import * as TraceParent from "../baggage/TraceParent.js"
import type { AnyFiber } from "../fiber/CurrentFiber.js"
import { warnFor } from "../fiber/FiberLog.js"
import { stamp } from "../lifecycle/RunAnnotations.js"
import type { Run } from "../run/Run.js"
import { propagationModeFor } from "../run/Settings.js"
import { quote } from "../schema/FieldText.js"
import { Header } from "../wire/Wire.js"

/** Where a request's span belongs: below the sender's span where the request is trusted, else in a trace of its own with a link. */
export const spanPlacement = (sender: Tracer.AnySpan | undefined, isTrusted: boolean): Tracer.SpanOptions => {
  if (!isTrusted) return { root: true, links: linksTo(sender) }
  return sender === undefined ? {} : { parent: sender }
}

/** A link to the sender's span, where its ids are valid. */
export const linksTo = (sender: Tracer.AnySpan | undefined): ReadonlyArray<Tracer.SpanLink> =>
  sender !== undefined && hasValidIds(sender) ? [{ _tag: "SpanLink", span: sender, attributes: {} }] : []

/** Whether the ids of a span are those of W3C Trace Context. */
export const hasValidIds = (span: Tracer.AnySpan): boolean => TraceParent.fromSpan(span) !== undefined

/** The span of another process that is an ancestor of a span. */
export const remoteAncestor = (span: Tracer.AnySpan | undefined): Tracer.ExternalSpan | undefined => {
  let ancestor = span
  while (ancestor?._tag === "Span") ancestor = Option.getOrUndefined(ancestor.parent)
  return ancestor
}

/** A context for work before it is known whether the sender is trusted: outside of the trace that the sender names. */
export const outsideRemoteTrace = <R>(context: Context.Context<R>): Context.Context<R> => {
  const open = Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan))
  if (remoteAncestor(open) === undefined) return context
  return Context.omit(Tracer.ParentSpan)(context as Context.Context<R | Tracer.ParentSpan>) as Context.Context<R>
}

/** `work` in a span of kind `server`, which it is given. */
export const withServerSpan = <A, E, R>(
  name: string,
  placement: Tracer.SpanOptions,
  work: (span: Tracer.Span) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>> =>
  Effect.useSpan(name, { ...placement, kind: "server", captureStackTrace: false }, (span) =>
    Effect.withParentSpan(work(span), span)
  )

/** Puts a run on the span that is open where a request comes in. What the span throws is logged. */
export const stampServerSpan = (fiber: AnyFiber, span: Tracer.AnySpan | undefined, run: Run): void => {
  if (span?._tag !== "Span") return
  try {
    stamp(span, run, propagationModeFor(fiber))
  } catch (error) {
    warnFor(fiber, `the span of a request does not show run ${run.runId}: ${quote(error)}`)
  }
}

const redacted = "<redacted>"
const baggageAttribute = `http.request.header.${Header.baggage}`

/**
 * Removes the text of the `baggage` header from a span and its parents, where an HTTP server recorded the headers of its
 * request: the text names customers, and may say anything.
 */
export const redactBaggage = (innermost: Tracer.AnySpan | undefined): void => {
  let span = innermost
  while (span?._tag === "Span") {
    if (span.attributes.has(baggageAttribute)) span.attribute(baggageAttribute, redacted)
    span = Option.getOrUndefined(span.parent)
  }
}
