import { describe, expect, it } from "@effect/vitest"
import { Effect, FastCheck, Option, Tracer } from "effect"
import * as TraceParent from "../../src/baggage/TraceParent.js"
import { Botanu, Propagation } from "../../src/index.js"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const valid = `00-${traceId}-${spanId}-01`

const anId = (length: number) =>
  FastCheck.string({
    unit: FastCheck.constantFrom(..."0123456789abcdef"),
    minLength: length,
    maxLength: length
  }).filter((id) => /[^0]/.test(id))
const anySpan = FastCheck.record({ traceId: anId(32), spanId: anId(16), sampled: FastCheck.boolean() }).map((ids) =>
  Tracer.externalSpan(ids)
)

const idsOf = (span: Tracer.AnySpan | undefined) =>
  span && { traceId: span.traceId, spanId: span.spanId, sampled: span.sampled }

const named = { traceId, spanId, sampled: true }

describe("the span that a traceparent names", () => {
  it("is that of its ids, and is not here", () => {
    expect(TraceParent.toSpan([valid])).toMatchObject({ _tag: "ExternalSpan", ...named })
  })

  const flags: ReadonlyArray<readonly [flags: string, sampled: boolean]> = [
    ["00", false],
    ["01", true],
    ["02", false],
    ["03", true],
    ["ff", true],
    ["fe", false]
  ]
  for (const [bits, sampled] of flags) {
    it(`is ${sampled ? "" : "not "}sampled where the flags are ${bits}`, () => {
      expect(TraceParent.toSpan([`00-${traceId}-${spanId}-${bits}`])?.sampled).toBe(sampled)
    })
  }

  const read: ReadonlyArray<readonly [what: string, line: string]> = [
    ["a later version", `01-${traceId}-${spanId}-01`],
    ["the last version that there may be", `fe-${traceId}-${spanId}-01`],
    ["a later version that goes on", `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`],
    ["a later version that goes on with nothing", `cc-${traceId}-${spanId}-01-`],
    ["whitespace around it", ` \t${valid} `]
  ]
  for (const [what, line] of read) {
    it(`is read from ${what}`, () => expect(idsOf(TraceParent.toSpan([line]))).toEqual(named))
  }

  const refused: ReadonlyArray<readonly [what: string, line: string]> = [
    ["nothing", ""],
    ["anything", "rubbish"],
    ["version ff, which is none", `ff-${traceId}-${spanId}-01`],
    ["version 00 that goes on", `${valid}-more`],
    ["version 00 that goes on with nothing", `${valid}-`],
    ["a later version that goes on without a dash", `cc-${traceId}-${spanId}-01.more`],
    ["a version in upper case", `0A-${traceId}-${spanId}-01`],
    ["a trace id in upper case", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["a span id in upper case", `00-${traceId}-${spanId.toUpperCase()}-01`],
    ["flags in upper case", `00-${traceId}-${spanId}-0A`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["a short trace id", `00-${traceId.slice(1)}-${spanId}-01`],
    ["a long span id", `00-${traceId}-${spanId}a-01`],
    ["no flags", `00-${traceId}-${spanId}`],
    ["short flags", `00-${traceId}-${spanId}-1`],
    ["letters that are no hexadecimal digits", `00-${traceId.replace("4", "g")}-${spanId}-01`],
    ["other separators", valid.replaceAll("-", "_")],
    ["a line break inside", `00-${traceId}\n-${spanId}-01`]
  ]
  for (const [what, line] of refused) {
    it(`is not read from ${what}`, () => {
      expect(TraceParent.toSpan([line])).toBeUndefined()
      expect(idsOf(TraceParent.toSpan([valid, line]))).toEqual(named)
    })
  }

  it("is the last valid one of several, in several lines or in one", () => {
    const outer = valid.replace(spanId, "1".repeat(16))
    const bad = valid.toUpperCase()
    for (const lines of [
      [outer, valid],
      [`${outer},${valid}`],
      [`${outer}, ${valid}`, bad],
      [outer, `${valid},${bad}`],
      [`${outer},,${valid},`, ""],
      [valid, bad, "", "x,y"]
    ]) {
      expect(idsOf(TraceParent.toSpan(lines))).toEqual(named)
    }
    expect(TraceParent.toSpan([])).toBeUndefined()
    expect(TraceParent.toSpan([bad, `${bad},${bad}`])).toBeUndefined()
  })

  it.prop("is the one that was sent", [anySpan, FastCheck.array(FastCheck.string())], ([span, before]) => {
    const header = TraceParent.fromSpan(span)
    expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
    expect(idsOf(TraceParent.toSpan([...before, String(header)]))).toEqual(idsOf(span))
    expect(idsOf(TraceParent.toSpan([[...before, header].join(",")]))).toEqual(idsOf(span))
  })

  it.prop(
    "is none or valid, whatever the lines",
    [FastCheck.array(FastCheck.string({ unit: "binary" }))],
    ([lines]) => {
      const span = TraceParent.toSpan(lines)
      expect(span === undefined || TraceParent.fromSpan(span) !== undefined).toBe(true)
    }
  )
})

describe("the header of a span", () => {
  it("is none where its ids are none that the header may hold", () => {
    for (const ids of [
      { traceId: "t", spanId: "s" },
      { traceId, spanId: "0".repeat(16) },
      { traceId: "0".repeat(32), spanId },
      { traceId: traceId.toUpperCase(), spanId },
      { traceId: `${traceId}\r\nx: y`, spanId }
    ]) {
      expect(TraceParent.fromSpan(Tracer.externalSpan(ids))).toBeUndefined()
    }
  })

  it.effect("is that of any span of Effect's own tracer", () =>
    Effect.gen(function* () {
      const span = yield* Effect.makeSpan("work")
      expect(idsOf(TraceParent.toSpan([String(TraceParent.fromSpan(span))]))).toEqual(idsOf(span))
    })
  )

  it.effect("is not sent where the tracer gives no ids", () =>
    Effect.gen(function* () {
      const headers = yield* Propagation.inject.pipe(Botanu.workflow("W", { eventId: "e", customerId: "c" }))
      expect(Object.keys(headers)).toEqual(["baggage"])
      const incoming = yield* Propagation.extract(headers)
      expect(Option.isSome(incoming)).toBe(true)
    }).pipe(Effect.withTracerEnabled(false))
  )
})
