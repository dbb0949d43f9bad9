/**
 * The span of a run while the run lasts: it has the ids under which it will be exported, and collects what is recorded on it. The
 * real span is made when the run is over, in whatever process that is.
 */
import { Context, Option, type Tracer } from "effect"

/** A span by its ids, as a stored result holds it. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

interface SpanEvent {
  readonly name: string
  readonly time: bigint
  readonly attributes: Record<string, unknown> | undefined
}

export class PendingSpan implements Tracer.Span {
  readonly _tag = "Span"
  readonly parent = Option.none<Tracer.AnySpan>()
  readonly context = Context.empty()
  readonly attributes = new Map<string, unknown>()
  readonly links: Array<Tracer.SpanLink> = []
  readonly kind = "internal"
  readonly spanId: string
  readonly traceId: string
  readonly sampled: boolean
  readonly status: Tracer.SpanStatus
  readonly events: Array<SpanEvent> = []

  constructor(
    readonly name: string,
    { sampled, spanId, traceId }: SpanIds,
    startTime: bigint
  ) {
    this.spanId = spanId
    this.traceId = traceId
    this.sampled = sampled
    this.status = { _tag: "Started", startTime }
  }

  /** The run ends in its own time: nothing is to be done here. */
  end(): void {}

  attribute(key: string, value: unknown): void {
    this.attributes.set(key, value)
  }

  event(name: string, time: bigint, attributes?: Record<string, unknown>): void {
    this.events.push({ name, time, attributes })
  }

  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.links.push(...links)
  }

  /** Puts on a span what was recorded on this one. */
  copyTo(span: Tracer.Span): void {
    for (const [key, value] of this.attributes) span.attribute(key, value)
    for (const { attributes, name, time } of this.events) span.event(name, time, attributes)
    if (this.links.length > 0) span.addLinks(this.links)
  }
}
