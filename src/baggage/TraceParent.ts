/**
 * The `traceparent` header (W3C Trace Context, section "traceparent Header"), from a span and to one.
 */
import { Tracer } from "effect"

const traceId = "(?!0{32})[0-9a-f]{32}"
const spanId = "(?!0{16})[0-9a-f]{16}"
const ids = new RegExp(`^${traceId}-${spanId}$`)
// Version 00 ends after the flags, later ones may go on.
const header = new RegExp(`^(?!ff|00.{53}.)[0-9a-f]{2}-(${traceId})-(${spanId})-([0-9a-f]{2})(?:$|-)`)
const sampledFlag = 1

/** The header of a span, unless the span has no valid ids. */
export const fromSpan = (span: Tracer.AnySpan): string | undefined => {
  const both = `${span.traceId}-${span.spanId}`
  return ids.test(both) ? `00-${both}-${span.sampled ? "01" : "00"}` : undefined
}

/**
 * The span that header lines name. Where instrumentations on several levels each wrote a line, also joined into one by a comma,
 * the last valid one is the innermost span.
 */
export const toSpan = (lines: ReadonlyArray<string>): Tracer.ExternalSpan | undefined => {
  const candidates = lines.length === 1 && lines[0]?.length === 55 ? lines : lines.flatMap((line) => line.split(","))
  for (const candidate of candidates.toReversed()) {
    const [, traceId, spanId, flags] = header.exec(candidate.trim()) ?? []
    if (traceId !== undefined && spanId !== undefined) {
      return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags ?? "", 16) & sampledFlag) === 1 })
    }
  }
  return undefined
}
