/**
 * The table of meters agrees with itself, and everything that holds quantities derives from it.
 */
import { describe, expect, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import { type MeterName, meterNames, meterOf, meters, units } from "../../src/cost/Meter.js"
import { normalizeServiceTier } from "../../src/cost/ServiceTier.js"
import { make, type UsageDetails } from "../../src/cost/UsageRecord.js"
import { Cost, Usage } from "../../src/index.js"
import { putUsage } from "../../src/tracking/UsageAttributes.js"
import { read } from "../markdown.js"
import { instant } from "../runs.js"
import { usd } from "../usages.js"

const chat: UsageDetails = { kind: "llm", provider: "openai", operation: "chat" }

const usageOf = (details: object): { readonly usage: Usage.Usage; readonly problems: ReadonlyArray<string> } => {
  const problems: Array<string> = []
  const usage = make({ ...chat, ...details }, {}, { time: instant(1_770_000_000_000) }, ({ field, problem }) =>
    problems.push(`${field}: ${problem}`)
  )
  return { usage, problems }
}

const attributesOf = (usage: Usage.Usage): Record<string, unknown> => {
  const attributes: Record<string, unknown> = {}
  putUsage(usage, new Cost.Priced({ usd: usd("1") }), (name, value) => {
    attributes[name] = value
  })
  return attributes
}

describe("each meter", () => {
  for (const name of meterNames) {
    it(`${name} is a field of a usage, of its JSON and of its span`, () => {
      const quantity = meterOf(name).isFractional ? 2.5 : 3
      const { problems, usage } = usageOf({ [name]: quantity })
      expect(problems).toEqual([])
      expect(usage[name]).toBe(quantity)
      const back = Schema.decodeUnknownSync(Usage.Usage)(
        JSON.parse(JSON.stringify(Schema.encodeSync(Usage.Usage)(usage)))
      )
      expect(back[name]).toBe(quantity)
      expect(attributesOf(usage)[meters[name].attribute]).toBe(quantity)
    })

    it(`${name} has a total, a unit and alternatives that exist`, () => {
      const { inherits, measuredAs = [], partOf = {}, unit } = meterOf(name)
      for (const other of [...Object.keys(partOf), ...measuredAs, ...(inherits === undefined ? [] : [inherits])]) {
        expect(meterNames).toContain(other)
        expect(other).not.toBe(name)
      }
      expect(units).toContain(unit)
    })
  }

  it("has a span attribute of its own", () => {
    const attributes = meterNames.map((name) => meters[name].attribute)
    expect(new Set(attributes).size).toBe(attributes.length)
  })

  it("refuses what is no quantity of it", () => {
    for (const name of meterNames) {
      expect(usageOf({ [name]: -1 }).problems, name).toHaveLength(1)
      expect(usageOf({ [name]: Number.NaN }).problems, name).toHaveLength(1)
      expect(usageOf({ [name]: 0.5 }).problems, name).toHaveLength(meterOf(name).isFractional ? 0 : 1)
    }
  })

  const parts = meterNames.flatMap((name) =>
    (Object.keys(meterOf(name).partOf ?? {}) as Array<MeterName>).map((total) => ({ name, total }))
  )
  for (const { name, total } of parts) {
    it(`${name} is at most its ${total}`, () => {
      expect(usageOf({ [total]: 4, [name]: 4 }).problems).toEqual([])
      const [problem, ...more] = usageOf({ [total]: 4, [name]: 5 }).problems
      expect(more).toEqual([])
      expect(problem).toMatch(new RegExp(`^${total}: expected all .+, the 5 .+ included, got 4$`))
    })
  }
})

it("the page on cost lists the table", () => {
  const listed = read("docs/cost.md").matchAll(/^\| `(\w+)` \| `(\w+)`(?: \([^|]*\))? \| ([^|]*) \|$/gm)
  const table = Array.from(listed, ([, name, unit, totals = ""]) => [
    name,
    unit,
    Array.from(totals.matchAll(/\w+/g), String)
  ])
  expect(table).toEqual(meterNames.map((name) => [name, meterOf(name).unit, Object.keys(meterOf(name).partOf ?? {})]))
})

describe("what has no meter", () => {
  it("is held by its name", () => {
    const details = {
      toolCalls: { code_execution: 2 },
      other: { "orchestration tokens": 7.5 },
      uncounted: ["cacheWrite1hTokens"],
      serviceTier: "ON_DEMAND_PRIORITY",
      region: "us"
    }
    const { problems, usage } = usageOf(details)
    expect(problems).toEqual([])
    expect(usage).toMatchObject({ ...details, serviceTier: "priority" })
    expect(attributesOf(usage)).toMatchObject({
      "botanu.usage.tool_calls.code_execution": 2,
      "botanu.usage.other.orchestration tokens": 7.5,
      "botanu.usage.uncounted": ["cacheWrite1hTokens"],
      "botanu.usage.service_tier": "priority",
      "botanu.usage.region": "us"
    })
  })

  it.each([
    [{ toolCalls: { search: -1 } }, "toolCalls: expected quantities by name, each zero or more"],
    [{ toolCalls: 3 }, "toolCalls: expected quantities by name, each zero or more"],
    [{ other: { "": 1 } }, "other: expected quantities by name, each zero or more"],
    [{ other: JSON.parse('{"__proto__":1}') }, "other: expected quantities by name, each zero or more"],
    [{ other: null }, "other: expected quantities by name, each zero or more"],
    [{ uncounted: "tokens" }, "uncounted: expected a list of names"],
    [{ uncounted: [""] }, "uncounted: expected a list of names"],
    [{ serviceTier: 1 }, "serviceTier: expected text"]
  ])("and refused where it is %o", (details, problem) => {
    expect(usageOf(details).problems).toEqual([expect.stringContaining(problem)])
  })

  it.prop(
    "comes back from JSON",
    [FastCheck.dictionary(FastCheck.stringMatching(/^[a-z][a-z_]{0,11}$/), FastCheck.nat())],
    ([other]) => {
      const { usage } = usageOf({ other })
      const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Usage.Usage)(usage)))
      expect(Schema.decodeUnknownSync(Usage.Usage)(json).other).toEqual(other)
    }
  )
})

it.each([
  ["default", "standard"],
  ["standard", "standard"],
  ["on_demand", "standard"],
  ["ON_DEMAND_FLEX", "flex"],
  ["batches", "batch"],
  [" Priority ", "priority"],
  ["reserved", "reserved"]
])("the service tier %s is %s", (name, expected) => expect(normalizeServiceTier(name)).toBe(expected))
