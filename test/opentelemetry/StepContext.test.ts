import { describe, expect, it } from "@effect/vitest"
import { createContextKey, ROOT_CONTEXT } from "@opentelemetry/api"
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
})
