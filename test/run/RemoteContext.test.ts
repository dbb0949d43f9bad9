/**
 * What came in beside a run: it goes with the run, and is no part of its record.
 */
import { describe, expect, it } from "@effect/vitest"
import { Equal, Schema, Tracer } from "effect"
import { Baggage, Run } from "../../src/index.js"
import {
  forwardedWith,
  isReceived,
  ReceivedContext,
  type RemoteContext,
  remember,
  remoteSpanOf,
  remoteStepOf,
  withoutLimits
} from "../../src/run/RemoteContext.js"
import { instant, makeRun } from "../runs.js"

const context: RemoteContext = {
  foreignBaggage: Baggage.decode("tenant=x").baggage,
  unknownMembers: Baggage.decode("botanu.later=1").baggage,
  isFull: true,
  span: Tracer.externalSpan({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true }),
  step: "draft"
}

const received = (fields?: Parameters<typeof makeRun>[0]): Run => {
  const run = makeRun(fields)
  remember(run, context)
  return run
}

const remembered = (run: Run) => ({
  isReceived: isReceived(run),
  forwarded: forwardedWith(run),
  span: remoteSpanOf(run),
  step: remoteStepOf(run)
})

const ofContext = { isReceived: true, forwarded: context, span: context.span, step: "draft" }

describe("a run that was received", () => {
  it("has what came in with it", () => {
    expect(remembered(received())).toEqual(ofContext)
  })

  it("is equal to one that was not, and its record is the same", () => {
    expect(Equal.equals(received(), makeRun())).toBe(true)
    expect(Schema.encodeSync(Run)(received())).toEqual(Schema.encodeSync(Run)(makeRun()))
    expect(Object.getOwnPropertySymbols(received())).toEqual(Object.getOwnPropertySymbols(makeRun()))
  })
})

describe("the span of a sender", () => {
  it("is read where it is asked for, and once", () => {
    let reads = 0
    const sender = () => {
      reads += 1
      return context.span
    }
    const run = makeRun()
    remember(run, new ReceivedContext(context.foreignBaggage, context.unknownMembers, true, undefined, sender))
    expect(reads).toBe(0)
    expect([remoteSpanOf(run), remoteSpanOf(run)]).toEqual([context.span, context.span])
    expect(reads).toBe(1)
  })

  it("is none where none was sent", () => {
    const run = makeRun()
    remember(run, new ReceivedContext(context.foreignBaggage, context.unknownMembers, true, undefined, undefined))
    expect(remoteSpanOf(run)).toBeUndefined()
  })
})

describe("a run of this process", () => {
  it("has nothing of others to send", () => {
    expect(isReceived(makeRun())).toBe(false)
    for (const run of [makeRun(), undefined]) {
      const { foreignBaggage, isFull, unknownMembers } = forwardedWith(run)
      expect([Baggage.encode(foreignBaggage), Baggage.encode(unknownMembers), isFull]).toEqual(["", "", false])
    }
    expect(remoteSpanOf(makeRun())).toBeUndefined()
    expect(remoteStepOf(makeRun())).toBeUndefined()
  })
})

describe("a run without its limits", () => {
  it("is the same run where it has none", () => {
    const run = received()
    expect(withoutLimits(run)).toBe(run)
  })

  it.each([
    ["a deadline", { deadline: instant(1_770_000_030_250) }],
    ["a cancellation", { cancelled: true, cancelledAt: instant(1_770_000_001_000) }],
    ["a cancellation without its time", { cancelled: true }]
  ])("has no %s, and everything else, with what came in", (_, limits) => {
    const run = received(limits)
    expect(Equal.equals(withoutLimits(run), makeRun())).toBe(true)
    expect(remembered(withoutLimits(run))).toEqual(ofContext)
    expect(Equal.equals(run, makeRun(limits))).toBe(true)
  })

  it("is not taken for one that came in where it did not", () => {
    expect(isReceived(withoutLimits(makeRun({ deadline: instant(1_770_000_030_250) })))).toBe(false)
  })
})
