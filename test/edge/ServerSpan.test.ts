/**
 * The span of a request: its place among the spans of others, and what it may show.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Logger, Option, Tracer } from "effect"
import {
  hasValidIds,
  linksTo,
  outsideRemoteTrace,
  redactBaggage,
  remoteAncestor,
  spanPlacement,
  stampServerSpan
} from "../../src/edge/ServerSpan.js"
import { leanKeys, makeRun } from "../runs.js"

const remote = Tracer.externalSpan({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" })
const invalid = Tracer.externalSpan({ traceId: "none", spanId: "none" })

const spanBelow = (parent: Tracer.AnySpan | undefined) => {
  const attributes = new Map<string, unknown>()
  const span = {
    _tag: "Span",
    name: "server",
    parent: Option.fromNullable(parent),
    attributes,
    attribute: (key: string, value: unknown) => {
      attributes.set(key, value)
    }
  }
  return span as unknown as Tracer.Span
}

describe("the place of the span of a request", () => {
  it("is below the sender's where the request is trusted", () => {
    expect(spanPlacement(remote, true)).toEqual({ parent: remote })
    expect(spanPlacement(undefined, true)).toStrictEqual({})
  })

  it("is a trace of its own where it is not, with a link if the sender's ids are valid", () => {
    expect(spanPlacement(remote, false)).toEqual({
      root: true,
      links: [{ _tag: "SpanLink", span: remote, attributes: {} }]
    })
    for (const sender of [invalid, undefined]) {
      expect(spanPlacement(sender, false)).toEqual({ root: true, links: [] })
      expect(linksTo(sender)).toEqual([])
    }
    expect([hasValidIds(remote), hasValidIds(invalid)]).toEqual([true, false])
  })
})

describe("the ancestor in another process", () => {
  it("is found at any depth, or not at all", () => {
    expect(remoteAncestor(spanBelow(spanBelow(remote)))).toBe(remote)
    expect(remoteAncestor(remote)).toBe(remote)
    expect(remoteAncestor(spanBelow(spanBelow(undefined)))).toBeUndefined()
    expect(remoteAncestor(undefined)).toBeUndefined()
  })

  it("is left with its trace by work of which the sender is not known yet", () => {
    const other = Context.make(Tracer.Tracer, {} as Tracer.Tracer)
    const inTrace = (span: Tracer.AnySpan) => Context.add(other, Tracer.ParentSpan, span)
    for (const span of [remote, spanBelow(remote)]) {
      const outside = outsideRemoteTrace(inTrace(span)) as Context.Context<never>
      expect(Context.getOption(outside, Tracer.ParentSpan)).toEqual(Option.none())
      expect(Option.isSome(Context.getOption(outside, Tracer.Tracer))).toBe(true)
    }
    const ofThisProcess = inTrace(spanBelow(undefined))
    expect(outsideRemoteTrace(ofThisProcess)).toBe(ofThisProcess)
    expect(outsideRemoteTrace(other)).toBe(other)
  })
})

describe("a run that came in", () => {
  it.effect("is on the span of its request, and on no span of another process, which is no trouble", () => {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message }) => logged.push(message))
    return Effect.withFiberRuntime<void>((fiber) =>
      Effect.sync(() => {
        const span = spanBelow(remote)
        for (const open of [span, remote, undefined]) stampServerSpan(fiber, open, makeRun())
        expect(Object.fromEntries(span.attributes)).toMatchObject(leanKeys)
        expect(logged).toEqual([])
      })
    ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

describe("the text of the baggage header", () => {
  const name = "http.request.header.baggage"

  it("is taken from the span of a request and from those that enclose it, and from no other", () => {
    const outer = spanBelow(remote)
    const middle = spanBelow(outer)
    const inner = spanBelow(middle)
    for (const span of [outer, inner]) span.attribute(name, "botanu.customer_id=acme")
    redactBaggage(inner)
    expect(inner.attributes.get(name)).toBe("<redacted>")
    expect(outer.attributes.get(name)).toBe("<redacted>")
    expect(middle.attributes.has(name)).toBe(false)
  })
})
