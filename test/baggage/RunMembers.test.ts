import { describe, expect, it } from "@effect/vitest"
import { defaultTextMapGetter, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { FastCheck } from "effect"
import { withoutRun, withRun } from "../../src/baggage/RunMembers.js"
import { Baggage } from "../../src/index.js"

const run = "botanu.run_id=1,botanu.workflow=W,botanu.event_id=e,botanu.customer_id=bigretail"

const keysOf = (header: string): ReadonlyArray<string> => Array.from(Baggage.decode(header).baggage.members.keys())

/** The entries that OpenTelemetry reads. */
const read = (header: string) => propagation.getBaggage(extracted(header))?.getAllEntries() ?? []

const extracted = (header: string) => {
  try {
    return new W3CBaggagePropagator().extract(ROOT_CONTEXT, { baggage: header }, defaultTextMapGetter)
  } catch {
    // Version 2.0.0 throws on a malformed percent sign, and so reads nothing.
    return ROOT_CONTEXT
  }
}

const fragment = FastCheck.oneof(
  FastCheck.constantFrom("botanu.", "botanu.run_id", "BOTANU.x", "%62otanu%2e", "botanu%2Ex", "+", " ", "\t", "%", "a"),
  FastCheck.constantFrom("=", ";", ",", "=1,", ";p=", "tenant=blue,", "%2C", "%zz"),
  FastCheck.string({ maxLength: 4 })
)
const header = FastCheck.array(fragment, { maxLength: 30 }).map((fragments) => fragments.join(""))

describe("baggage of others", () => {
  it.each([
    ["botanu.run_id=1, BOTANU.x=1,a=1", "a=1"],
    ["a=1,%62otanu%2ex=2,b=2", "a=1,b=2"],
    ["a=1, +botanu.x=3,++botanu.y=4, \t botanu.z=5", "a=1"],
    ["botanu.x;p=1,botanu.y", ""],
    ["bot+anu.x=1,a=botanu.y", "bot+anu.x=1,a=botanu.y"],
    [" a=1,\tb=2\t", "a=1,\tb=2"]
  ])("of %j is %j", (header, rest) => {
    expect(withoutRun(header)).toBe(rest)
  })

  it("goes out once, without what is empty", () => {
    expect(withRun(run, " a=1\t,, b=2 , ")).toBe(`${run},a=1,b=2`)
    expect(withRun(`${run},a=1`, "a=1,b=2, a=1")).toBe(`${run},a=1,b=2`)
    expect(withRun(run, "")).toBe(run)
    expect(withRun(run, " ")).toBe(run)
  })

  it.prop("says nothing of a run, to any reader", [header], ([header]) => {
    const rest = withoutRun(header)
    const keys = [...keysOf(rest), ...read(rest).map(([key]) => key)]
    const spoken = keys.map((key) => key.replace(/%2e/gi, ".").replace(/%62/gi, "b").trim().toLowerCase())
    expect(spoken.filter((key) => key.startsWith("botanu."))).toEqual([])
  })

  it.prop("is otherwise as it was", [header], ([header]) => {
    const rest = withoutRun(header)
    expect(withoutRun(rest)).toBe(rest)
    const members = rest.split(",").map((member) => member.trim())
    const before = header.split(",").map((member) => member.trim())
    expect(before.filter((member) => members.includes(member)).filter((member) => member !== "")).toEqual(
      members.filter((member) => member !== "")
    )
    if (!/botanu|%62otanu/i.test(header)) expect(rest).toBe(header.trim())
  })

  it.prop("goes out behind a run, which is the only one", [header], ([header]) => {
    const whole = withRun(run, header)
    expect(whole.startsWith(run)).toBe(true)
    expect(keysOf(whole).filter((key) => key.startsWith("botanu."))).toEqual(keysOf(run))
    expect(withRun(run, whole)).toBe(whole)
  })

  it.prop(
    "keeps the limits together with a run",
    [FastCheck.array(FastCheck.nat(400), { maxLength: 100 })],
    ([sizes]) => {
      const others = sizes.map((size, index) => `k${index}=${"x".repeat(size)}`)
      const whole = withRun(run, others.join(","))
      const sent = whole.split(",")
      expect(whole.length).toBeLessThanOrEqual(8192)
      expect(sent.length).toBeLessThanOrEqual(64)
      expect(others.filter((member) => sent.includes(member))).toEqual(sent.slice(4))
      if (others.length <= 60 && run.length + others.join(",").length < 8192) expect(sent.slice(4)).toEqual(others)
    }
  )

  it("fills the limit of bytes to the last one, and goes on with what still fits", () => {
    const room = 8192 - run.length - 1
    const exact = `k=${"x".repeat(room - 2)}`
    expect(withRun(run, exact)).toHaveLength(8192)
    expect(withRun(run, `${exact}x`)).toBe(run)
    expect(withRun(run, `${exact}x,a=1`)).toBe(`${run},a=1`)
    const half = (key: string) => `${key}=${"x".repeat(room / 2)}`
    expect(withRun(run, `${half("a")},${half("b")},c=1`)).toBe(`${run},${half("a")},c=1`)
  })

  it("fills the limit of members to the last one", () => {
    const others = Array.from({ length: 61 }, (_, index) => `k${index}=1`)
    expect(withRun(run, others.join(","))).toBe([run, ...others.slice(0, 60)].join(","))
  })
})
