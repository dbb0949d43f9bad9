/**
 * The span of a durable run. It is begun once, for the ids that the tracer gives it, and made again when the run is over, with these
 * ids and the time at which the run began.
 */
import { Clock, Effect, Schema, Tracer } from "effect"
import { identify } from "../fiber/SpanIdentity.js"
import type { Run } from "../run/Run.js"
import { optional } from "../schema/SchemaRecord.js"
import { runSpanName } from "../wire/Wire.js"
import type { SpanIds } from "./PendingSpan.js"

const Ids = Schema.Struct({ traceId: Schema.String, spanId: Schema.String, sampled: Schema.Boolean })

/** Where the span of a run is in its trace. */
export const SpanPlace = Schema.Struct({
  own: Ids,
  parent: optional(Ids),
  /** The span of the attempt before. */
  previous: optional(Ids)
})
export type SpanPlace = typeof SpanPlace.Type

/** Begins the span of a run, for its ids alone; none where nothing is traced. */
export const place = (
  run: Run,
  kind: Tracer.SpanKind,
  parent: Tracer.AnySpan | undefined,
  previous: SpanIds | undefined
): Effect.Effect<SpanPlace | undefined> => {
  const parentIds = parent && idsOf(parent)
  return Effect.map(make(run, kind, parentIds, previous), (span) => {
    const own = idsOf(span)
    if (own === undefined) return undefined
    return { own, ...(parentIds && { parent: parentIds }), ...(previous && { previous }) }
  })
}

/** The span of a run that began at this time. */
export const begunAt = (
  run: Run,
  kind: Tracer.SpanKind,
  { own, parent, previous }: SpanPlace,
  startNanos: bigint
): Effect.Effect<Tracer.Span> =>
  Effect.clockWith((clock) =>
    Effect.map(Effect.withClock(make(run, kind, parent, previous), stoppedAt(clock, startNanos)), (span) => {
      identify(span, own)
      return span
    })
  )

const make = (
  run: Run,
  kind: Tracer.SpanKind,
  parent: SpanIds | undefined,
  previous: SpanIds | undefined
): Effect.Effect<Tracer.Span> =>
  Effect.makeSpan(runSpanName(run.workflow), {
    kind,
    attributes: run.toSpanAttributes(),
    captureStackTrace: false,
    ...(parent === undefined ? { root: true } : { parent: Tracer.externalSpan(parent) }),
    ...(previous && { links: [{ _tag: "SpanLink", span: Tracer.externalSpan(previous), attributes: {} }] })
  })

const idsOf = ({ sampled, spanId, traceId }: Tracer.AnySpan): SpanIds | undefined =>
  /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(spanId) ? { traceId, spanId, sampled } : undefined

/** A clock that stands still, for what reads the time while a span is made. */
const stoppedAt = (clock: Clock.Clock, nanos: bigint): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  currentTimeMillis: Effect.succeed(Number(nanos / 1_000_000n)),
  currentTimeNanos: Effect.succeed(nanos),
  unsafeCurrentTimeMillis: () => Number(nanos / 1_000_000n),
  unsafeCurrentTimeNanos: () => nanos,
  sleep: (duration) => clock.sleep(duration)
})
