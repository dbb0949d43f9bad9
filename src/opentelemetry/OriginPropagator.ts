/**
 * A propagator that propagates a run to listed origins only. Instrumented clients hand it the context of their client span, and
 * that names the origin of the request.
 */
import {
  type Context as OtelContext,
  propagation,
  type Span,
  SpanKind,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace
} from "@opentelemetry/api"
import { Effect, type Scope } from "effect"
import { type PropagatedOrigins, runOtelContextIn, withoutRunIn } from "./RunOtelContext.js"

/** The lists of all layers that are alive. */
const active = new Set<PropagatedOrigins[number]>()

/** Keeps a list in force for contexts that no fiber made, such as those of an instrumented server outside of Effect. */
export const keepInForce = (origins: PropagatedOrigins[number]): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      active.add(origins)
    }),
    () => Effect.sync(() => active.delete(origins))
  )

/** Does as another propagator does, with the run taken off the context of a request to an origin that is not listed. */
export class OriginPropagator implements TextMapPropagator {
  constructor(private readonly propagator: TextMapPropagator) {}

  inject(context: OtelContext, carrier: unknown, setter: TextMapSetter): void {
    this.propagator.inject(isPermitted(context) ? context : withoutRunIn(context), carrier, setter)
  }

  extract(context: OtelContext, carrier: unknown, getter: TextMapGetter): OtelContext {
    return this.propagator.extract(context, carrier, getter)
  }

  fields(): Array<string> {
    return this.propagator.fields()
  }
}

const isPermitted = (context: OtelContext): boolean => {
  if (propagation.getBaggage(context) === undefined) return true
  const lists = runOtelContextIn(context)?.work.origins ?? [...active]
  if (lists.length === 0) return true
  const url = requestUrl(trace.getSpan(context))
  return url !== undefined && lists.every((origins) => origins.has(url))
}

/** Where the request of a client span goes, where its attributes say so. Those of a span that is not recorded are not kept. */
const requestUrl = (
  span: (Span & { readonly kind?: unknown; readonly attributes?: unknown }) | undefined
): URL | undefined => {
  if (span?.kind !== SpanKind.CLIENT) return undefined
  const attributes = (span.attributes ?? {}) as Readonly<Record<string, unknown>>
  const full = attributes["url.full"] ?? attributes["http.url"]
  if (typeof full === "string") return URL.canParse(full) ? new URL(full) : undefined
  const { "server.address": host, "server.port": port, "url.scheme": scheme } = attributes
  if (typeof host !== "string" || typeof scheme !== "string") return undefined
  const text = `${scheme}://${host}${port === undefined ? "" : `:${port}`}`
  return URL.canParse(text) ? new URL(text) : undefined
}
