/**
 * Keeps the spans of the job, with OpenTelemetry's own SDK, and shows them with their attributes.
 */
import { NodeSdk } from "@effect/opentelemetry"
import { SpanKind, SpanStatusCode } from "@opentelemetry/api"
import { hrTimeToMilliseconds } from "@opentelemetry/core"
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Context, Effect, Layer } from "effect"
import * as Figures from "./Figures.js"
import { paint, type Screen, visible, wrap } from "./Terminal.js"

export class Trace extends Context.Tag("support-desk/Trace")<
  Trace,
  {
    /** The spans that have ended. */
    readonly spans: Effect.Effect<ReadonlyArray<ReadableSpan>>
  }
>() {}

export const layer: Layer.Layer<Trace> = Layer.suspend(() => {
  const exporter = new InMemorySpanExporter()
  const sdk = NodeSdk.layer(() => ({
    resource: { serviceName: "support-desk" },
    spanProcessor: new SimpleSpanProcessor(exporter)
  }))
  return Layer.provideMerge(Layer.succeed(Trace, { spans: Effect.sync(() => exporter.getFinishedSpans()) }), sdk)
})

/** The spans as text, each below the one around it. */
export const render = (spans: ReadonlyArray<ReadableSpan>, screen: Screen): string => {
  const ids = new Set<string | undefined>(spans.map((span) => span.spanContext().spanId))
  const children = new Map<string | undefined, Array<ReadableSpan>>()
  const inOrder = [...spans].sort((one, other) => startOf(one) - startOf(other))
  for (const span of inOrder) {
    const parent = ids.has(span.parentSpanContext?.spanId) ? span.parentSpanContext?.spanId : undefined
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [span])
    else siblings.push(span)
  }
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    (children.get(parent) ?? []).flatMap((span) => [
      ...spanLines(span, indent, screen),
      ...below(span.spanContext().spanId, `${indent}  `)
    ])
  return below(undefined, "").join("\n")
}

const startOf = (span: ReadableSpan): number => hrTimeToMilliseconds(span.startTime)

const spanLines = (span: ReadableSpan, indent: string, screen: Screen): ReadonlyArray<string> => {
  const { spanId } = span.spanContext()
  const facts = [
    SpanKind[span.kind].toLowerCase(),
    Figures.duration(hrTimeToMilliseconds(span.duration)),
    ...(span.status.code === SpanStatusCode.ERROR ? ["error"] : []),
    `span ${spanId}`,
    ...span.links.map((link) => `linked to ${link.context.spanId}`)
  ]
  return [
    `${indent}${paint(screen, "bold", visible(span.name))}  ${facts.join(", ")}`,
    ...wrap(pairs(span.attributes), `${indent}    `, `${indent}      `, screen),
    ...span.events.flatMap((event) => {
      const after = Math.max(0, hrTimeToMilliseconds(event.time) - startOf(span))
      const head = `+${Figures.duration(after)} ${visible(event.name)}`
      return wrap([head, ...pairs(event.attributes ?? {})], `${indent}    `, `${indent}      `, screen)
    })
  ]
}

const pairs = (attributes: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(attributes).map(([key, value]) => `${visible(key)}=${shown(value)}`)

const isPlainWord = /^[^\s"=]+$/

const shown = (value: unknown): string =>
  visible(typeof value === "string" && isPlainWord.test(value) ? value : JSON.stringify(value))
