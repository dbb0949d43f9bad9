/**
 * A span with ids that are known before it is made. No tracer's API takes them, so they are set on the span itself.
 */
import type { Tracer } from "effect"

/** What names a span in all processes. */
export interface SpanIdentity {
  readonly traceId: string
  readonly spanId: string
}

/**
 * Gives a span that was just started these ids: the spans of Effect's own tracers, and of `@effect/opentelemetry`, whose inner span
 * is that of the OpenTelemetry SDK. A span of another kind keeps its own.
 */
export const identify = (span: Tracer.Span, { spanId, traceId }: SpanIdentity): void => {
  if (span.spanId === spanId && span.traceId === traceId) return
  const inner = sdkSpanOf(span)
  if (inner !== undefined) inner._spanContext = { ...inner._spanContext, traceId, spanId }
  Object.assign(span, { traceId, spanId })
}

/** The span of the OpenTelemetry SDK, as far as it is of use here. */
interface SdkSpan {
  _spanContext: object
}

const sdkSpanOf = (span: Tracer.Span): SdkSpan | undefined => {
  const inner: unknown = (span as { readonly span?: unknown }).span
  if (typeof inner !== "object" || inner === null || !("_spanContext" in inner)) return undefined
  return typeof inner._spanContext === "object" ? (inner as SdkSpan) : undefined
}
