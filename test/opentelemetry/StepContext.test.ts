import { describe, expect, it } from "@effect/vitest"
import { createContextKey, ROOT_CONTEXT } from "@opentelemetry/api"
import { Tracer } from "effect"
import { StepContext } from "../../src/opentelemetry/StepContext.js"

const [run, span] = [createContextKey("run"), createContextKey("span")]
const first = { span: 1 }
const second = { span: 2 }

describe("StepContext", () => {
  const context = () => new StepContext(ROOT_CONTEXT.setValue(run, "run"), "shown")

  it("has the values of the other context", () => {
    expect(context().getValue(run)).toBe("run")
    expect(context().getValue(span)).toBeUndefined()
    expect(context().deleteValue(run).getValue(run)).toBeUndefined()
  })

  it("derives a context once for steps in one span", () => {
    const shown = context()
    const derived = shown.setValue(span, first)
    expect(derived.getValue(span)).toBe(first)
    expect(derived.getValue(run)).toBe("run")
    expect(derived).toHaveProperty("shown", "shown")
    expect(shown.setValue(span, first)).toBe(derived)
    expect(shown.getValue(span)).toBeUndefined()
  })

  it("derives nothing for what was derived already, and is in that context", () => {
    const derived = context().setValue(span, first)
    expect(derived.setValue(span, first)).toBe(derived)
    expect(derived.setValue(span, undefined).getValue(span)).toBeUndefined()
  })

  it("keeps what was derived last, wherever it was derived", () => {
    const shown = context()
    const derived = shown.setValue(span, first).setValue(span, second)
    expect(derived.getValue(span)).toBe(second)
    expect(shown.setValue(span, second)).toBe(derived)
    const further = derived.setValue(run, second)
    expect([further.getValue(run), further.getValue(span)]).toEqual([second, second])
    expect(further.setValue(span, first).getValue(run)).toBe(second)
    expect(shown.setValue(span, second)).toBe(derived)
    expect(derived.getValue(run)).toBe("run")
  })

  it("derives another one for another value or key", () => {
    const shown = context()
    shown.setValue(span, first)
    expect(shown.setValue(span, second).getValue(span)).toBe(second)
    expect(shown.setValue(span, undefined).getValue(span)).toBeUndefined()
    const other = shown.setValue(run, second)
    expect(other.getValue(run)).toBe(second)
    expect(other.getValue(span)).toBeUndefined()
  })

  it("keeps the context of one span, also where that is active", () => {
    const shown = context()
    const [one, two] = ["b7ad6b7169203331", "b7ad6b7169203332"].map((spanId) =>
      Tracer.externalSpan({ spanId, traceId: "0af7651916cd43dd8448eb211c80319c" })
    ) as [Tracer.AnySpan, Tracer.AnySpan]
    expect(shown.lastOf(one)).toBeUndefined()
    const ofOne = shown.setValue(span, first) as StepContext<string>
    shown.keepOf(one, ofOne)
    expect([shown, ofOne].map((from) => from.lastOf(one))).toEqual([ofOne, ofOne])
    expect([shown, ofOne].map((from) => from.lastOf(two))).toEqual([undefined, undefined])
    const ofTwo = ofOne.setValue(span, second) as StepContext<string>
    ofOne.keepOf(two, ofTwo)
    expect([shown, ofOne, ofTwo].map((from) => from.lastOf(two))).toEqual([ofTwo, ofTwo, ofTwo])
    expect([shown, ofOne, ofTwo].map((from) => from.lastOf(one))).toEqual([undefined, ofOne, undefined])
  })
})
