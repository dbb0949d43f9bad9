/**
 * A span that has ended, as it goes from the process that made it to the one that shows it.
 */
import { SpanKind, SpanStatusCode } from "@opentelemetry/api"
import { hrTimeToMilliseconds } from "@opentelemetry/core"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { Schema } from "effect"

const Attributes = Schema.Record({ key: Schema.String, value: Schema.Unknown })

export const SpanRecord = Schema.Struct({
  name: Schema.String,
  kind: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optionalWith(Schema.String, { exact: true }),
  startMs: Schema.Number,
  durationMs: Schema.Number,
  isError: Schema.Boolean,
  linkedTo: Schema.Array(Schema.String),
  attributes: Attributes,
  events: Schema.Array(Schema.Struct({ name: Schema.String, atMs: Schema.Number, attributes: Attributes }))
})
export type SpanRecord = typeof SpanRecord.Type

export const fromSpan = (span: ReadableSpan): SpanRecord => ({
  name: span.name,
  kind: SpanKind[span.kind].toLowerCase(),
  spanId: span.spanContext().spanId,
  ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
  startMs: hrTimeToMilliseconds(span.startTime),
  durationMs: hrTimeToMilliseconds(span.duration),
  isError: span.status.code === SpanStatusCode.ERROR,
  linkedTo: span.links.map(({ context }) => context.spanId),
  attributes: span.attributes,
  events: span.events.map(({ attributes, name, time }) => ({
    name,
    atMs: hrTimeToMilliseconds(time),
    attributes: attributes ?? {}
  }))
})
