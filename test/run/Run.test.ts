import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Either, FastCheck, Option, ParseResult, Schema } from "effect"
import { Baggage, Outcome, Run, type RunStatus } from "../../src/index.js"
import { anyRun, instant, makeRun, otherRunId, runId } from "../runs.js"

interface SerializeCase {
  readonly kind: "serialize"
  readonly name: string
  readonly input: Record<string, unknown> & {
    readonly start_time: string
    readonly deadline?: number
    readonly cancelled_at?: number
    readonly outcome?: { readonly status: RunStatus; readonly value_amount?: number; readonly confidence?: number }
  }
  readonly baggage_lean: Record<string, string>
  readonly baggage_full: Record<string, string>
  readonly baggage_full_key_order: ReadonlyArray<string>
  readonly span_attributes: Record<string, unknown>
}

const cases: ReadonlyArray<SerializeCase> = JSON.parse(
  readFileSync(new URL("../cases/run-context.json", import.meta.url), "utf8")
).filter(({ kind }: { kind: string }) => kind === "serialize")

const encoded: Record<string, string> = {
  run_id: "runId",
  workflow: "workflow",
  event_id: "eventId",
  customer_id: "customerId",
  environment: "environment",
  workflow_version: "workflowVersion",
  tenant_id: "tenantId",
  parent_run_id: "parentRunId",
  root_run_id: "rootRunId",
  retry_of_run_id: "retryOfRunId",
  attempt: "attempt",
  cancelled: "cancelled"
}

/** The run of a case; an empty text of the Python SDK is an absent field here. */
const runOf = ({ input }: SerializeCase): Run => {
  const fields: Record<string, unknown> = {
    rootRunId: input["run_id"],
    attempt: 1,
    cancelled: false,
    startTime: new Date(input.start_time).toISOString()
  }
  for (const [theirs, ours] of Object.entries(encoded)) {
    if (input[theirs] !== undefined && input[theirs] !== "") fields[ours] = input[theirs]
  }
  if (input.deadline !== undefined) fields["deadline"] = new Date(Math.floor(input.deadline * 1000)).toISOString()
  if (input.cancelled_at !== undefined) fields["cancelledAt"] = new Date(input.cancelled_at * 1000).toISOString()
  return Schema.decodeUnknownSync(Run)(fields)
}

const instants = new Set(["botanu.run.start_time"])

describe("Run, as the Python SDK serializes it", () => {
  it("has cases", () => {
    expect(cases.length).toBeGreaterThan(0)
  })

  for (const test of cases) {
    it(test.name, () => {
      const run = runOf(test)
      expect(Baggage.entries(run.toBaggage("lean"))).toEqual(Object.entries(test.baggage_lean))
      const full = Baggage.entries(run.toBaggage("full"))
      expect(Object.fromEntries(full)).toEqual(test.baggage_full)
      expect(full.map(([key]) => key)).toEqual(test.baggage_full_key_order)

      const outcome = test.input.outcome && outcomeOf(test.input.outcome)
      const attributes: Record<string, unknown> = { ...run.toSpanAttributes(), ...outcome?.toSpanAttributes() }
      const { "botanu.run.duration_ms": _atTheEnd, ...expected } = test.span_attributes
      expect(Object.keys(attributes).sort()).toEqual(Object.keys(expected).sort())
      for (const [key, value] of Object.entries(expected)) {
        if (instants.has(key)) expect(Date.parse(String(attributes[key]))).toBe(Date.parse(String(value)))
        else expect(attributes[key]).toEqual(value)
      }
    })
  }
})

const outcomeOf = ({ confidence, status, value_amount }: NonNullable<SerializeCase["input"]["outcome"]>) =>
  Either.getOrThrow(Outcome.make(status, { valueAmount: value_amount, confidence }))

const fieldError = (fields: Record<string, unknown>): string => {
  const result = Schema.decodeUnknownEither(Run)({ ...Schema.encodeSync(Run)(makeRun()), ...fields })
  return Either.match(result, {
    onLeft: (error) =>
      ParseResult.ArrayFormatter.formatErrorSync(error)
        .map(({ message, path }) => `${path.join(".")}: ${message}`)
        .join("; "),
    onRight: () => "accepted"
  })
}

describe("Run", () => {
  it.prop("is the same after JSON", [anyRun], ([run]) => {
    const json = JSON.stringify(Schema.encodeSync(Run)(run))
    expect(Schema.decodeUnknownSync(Run)(JSON.parse(json))).toEqual(run)
  })

  for (const [field, value, expected] of [
    ["runId", "42", "expected a UUID"],
    ["workflow", "", "expected non-empty text"],
    ["eventId", "", "expected non-empty text"],
    ["customerId", "", "expected non-empty text"],
    ["customerId", "a\nb", "expected text without control characters"],
    ["customerId", "a\u0085b", "expected text without control characters"],
    ["tenantId", "é".repeat(129), "expected at most 256 bytes of UTF-8"],
    ["attempt", 0, "expected a whole number from 1 to 999999"],
    ["attempt", 1_000_000, "expected a whole number from 1 to 999999"]
  ] as const) {
    it(`names ${field} when it is ${JSON.stringify(value).slice(0, 20)}`, () => {
      expect(fieldError({ [field]: value })).toBe(`${field}: ${expected}`)
    })
  }

  it("takes text of exactly 256 bytes", () => {
    expect(fieldError({ tenantId: "é".repeat(128) })).toBe("accepted")
    expect(fieldError({ tenantId: "x".repeat(256) })).toBe("accepted")
    expect(fieldError({ tenantId: "x".repeat(257) })).toBe("tenantId: expected at most 256 bytes of UTF-8")
  })

  it("sends what identifies it in lean mode, all that is set in full mode", () => {
    const run = makeRun({
      tenantId: "acme",
      parentRunId: otherRunId,
      rootRunId: otherRunId,
      attempt: 2,
      retryOfRunId: otherRunId,
      deadline: instant(1_770_000_030_000),
      cancelled: true
    })
    expect(Baggage.encode(run.toBaggage("lean"))).toBe(
      `botanu.run_id=${runId},botanu.workflow=Customer%20Support,botanu.event_id=ticket-42,botanu.customer_id=bigretail`
    )
    expect(Baggage.encode(run.toBaggage("full"))).toBe(
      `${Baggage.encode(run.toBaggage("lean"))},botanu.environment=production,botanu.tenant_id=acme,botanu.parent_run_id=${otherRunId},botanu.root_run_id=${otherRunId},botanu.attempt=2,botanu.retry_of_run_id=${otherRunId},botanu.deadline=1770000030000,botanu.cancelled=true`
    )
  })

  it("has the time until its deadline, never less than none", () => {
    const run = makeRun({ deadline: instant(1000) })
    expect(run.remainingTime(instant(400))).toEqual(Option.some(Duration.millis(600)))
    expect(run.remainingTime(instant(5000))).toEqual(Option.some(Duration.zero))
    expect(makeRun().remainingTime(instant(0))).toEqual(Option.none())
  })

  it("is past its deadline from that instant on", () => {
    const run = makeRun({ deadline: instant(1000) })
    expect([999, 1000, 1001].map((now) => run.isPastDeadline(instant(now)))).toEqual([false, true, true])
    expect(makeRun().isPastDeadline(DateTime.unsafeMake(8.64e15))).toBe(false)
  })

  it.prop("puts only set fields on the span", [anyRun, FastCheck.constant(null)], ([run]) => {
    const attributes = run.toSpanAttributes()
    expect(Object.values(attributes)).not.toContain(undefined)
    expect(attributes["botanu.run.deadline_ts"]).toBe(run.deadline && run.deadline.epochMillis / 1000)
    expect(attributes["botanu.attempt"]).toBe(run.attempt)
    expect("botanu.run.cancelled" in attributes).toBe(run.cancelled)
  })
})
