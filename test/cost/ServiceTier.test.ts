/**
 * The tiers in which providers serve calls.
 */
import { describe, expect, it } from "@effect/vitest"
import { inBatch } from "../../src/cost/ServiceTier.js"

describe("what was consumed in a batch", () => {
  it.each([
    [undefined, "batch"],
    ["standard", "batch"],
    ["default", "batch"],
    ["On_Demand", "batch"],
    ["batch", "batch"],
    ["flex", "flex"],
    ["priority", "priority"]
  ])("was consumed in the tier %s, which makes it %s", (serviceTier, expected) => {
    const consumed = { inputTokens: 7, ...(serviceTier !== undefined && { serviceTier }) }
    expect(inBatch(consumed)).toEqual({ inputTokens: 7, serviceTier: expected })
  })
})
