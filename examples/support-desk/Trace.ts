/**
 * The spans of the job as text, with their attributes.
 */

import { TerminalText } from "botanu-effect/report"
import * as Figures from "./Figures.js"
import type { SpanRecord } from "./SpanRecord.js"
import { paint, type Screen, wrap } from "./Terminal.js"

const { visible } = TerminalText

/** The spans as text, each below the one around it. */
export const render = (spans: ReadonlyArray<SpanRecord>, screen: Screen): string => {
  const ids = new Set<string | undefined>(spans.map(({ spanId }) => spanId))
  const children = new Map<string | undefined, Array<SpanRecord>>()
  const inOrder = [...spans].sort((one, other) => one.startMs - other.startMs)
  for (const span of inOrder) {
    const parent = ids.has(span.parentSpanId) ? span.parentSpanId : undefined
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [span])
    else siblings.push(span)
  }
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    (children.get(parent) ?? []).flatMap((span) => [
      ...spanLines(span, indent, screen),
      ...below(span.spanId, `${indent}  `)
    ])
  return below(undefined, "").join("\n")
}

const spanLines = (span: SpanRecord, indent: string, screen: Screen): ReadonlyArray<string> => {
  const facts = [
    span.kind,
    Figures.duration(span.durationMs),
    ...(span.isError ? ["error"] : []),
    `span ${span.spanId}`,
    ...span.linkedTo.map((spanId) => `linked to ${spanId}`)
  ]
  return [
    `${indent}${paint(screen, "bold", visible(span.name))}  ${facts.join(", ")}`,
    ...wrap(pairs(span.attributes), `${indent}    `, `${indent}      `, screen),
    ...span.events.flatMap((event) => {
      const after = Math.max(0, event.atMs - span.startMs)
      const head = `+${Figures.duration(after)} ${visible(event.name)}`
      return wrap([head, ...pairs(event.attributes)], `${indent}    `, `${indent}      `, screen)
    })
  ]
}

const pairs = (attributes: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(attributes).map(([key, value]) => `${visible(key)}=${shown(value)}`)

const isPlainWord = /^[^\s"=]+$/

const shown = (value: unknown): string =>
  visible(typeof value === "string" && isPlainWord.test(value) ? value : JSON.stringify(value))
