import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Either, FastCheck, Option, ParseResult, Schema, TestClock } from "effect"
import { Baggage, Run, RunContext } from "../../src/index.js"
import * as RunBaggage from "../../src/run/RunBaggage.js"
import * as FieldText from "../../src/schema/FieldText.js"
import { anyRun, instant, makeRun, runId } from "../runs.js"

interface FromBaggageCase {
  readonly kind: "from_baggage"
  readonly name: string
  readonly baggage: Record<string, string>
  readonly result: Record<string, unknown> | null
  readonly again_full?: Record<string, string>
}

const cases: ReadonlyArray<FromBaggageCase> = JSON.parse(
  readFileSync(new URL("../cases/run-context.json", import.meta.url), "utf8")
).filter(({ kind }: { kind: string }) => kind === "from_baggage")

const baggageOf = (entries: Record<string, string>): Baggage.Baggage =>
  Either.getOrThrow(Baggage.fromEntries(Object.entries(entries)))

const receivedAt = instant(1_770_000_000_250)

/** A run as the Python SDK shows it. */
const inPython = (run: Run): Record<string, unknown> => ({
  run_id: run.runId,
  workflow: run.workflow,
  event_id: run.eventId,
  customer_id: run.customerId,
  environment: run.environment,
  workflow_version: run.workflowVersion ?? null,
  tenant_id: run.tenantId ?? null,
  parent_run_id: run.parentRunId ?? null,
  root_run_id: run.rootRunId,
  attempt: run.attempt,
  retry_of_run_id: run.retryOfRunId ?? null,
  start_time: { $datetime: DateTime.formatIso(run.startTime).replace("Z", "000+00:00") },
  deadline: run.deadline === undefined ? null : run.deadline.epochMillis / 1000,
  cancelled: run.cancelled,
  cancelled_at: run.cancelledAt ?? null,
  outcome: null
})

describe("a run from baggage, as the Python SDK reads it", () => {
  it("has cases", () => {
    expect(cases.length).toBeGreaterThan(0)
  })

  for (const test of cases) {
    it(test.name, () => {
      const { run } = RunBaggage.read(baggageOf(test.baggage), receivedAt)
      // Where the Python SDK goes on with an empty event or customer, there is no run here.
      const lacksId = !test.baggage["botanu.event_id"] || !test.baggage["botanu.customer_id"]
      if (test.result === null || lacksId) expect(run).toEqual(Option.none())
      else {
        const received = Option.getOrThrow(run)
        expect(inPython(received)).toEqual(test.result)
        expect(Object.fromEntries(Baggage.entries(received.toBaggage("full")))).toEqual(test.again_full)
      }
    })
  }
})

interface StoredHeader {
  readonly name: string
  readonly run: typeof Run.Encoded
  readonly lean: string
  readonly full: string
  /** The runs that are read from these headers. */
  readonly readLean: typeof Run.Encoded
  readonly readFull: typeof Run.Encoded
}

const storedHeaders: ReadonlyArray<StoredHeader> = JSON.parse(
  readFileSync(new URL("headers-v1.json", import.meta.url), "utf8")
)

describe("the headers of version 1, as services of before send them and expect them", () => {
  it("have each kind of member", () => {
    expect(storedHeaders.some(({ full }) => /botanu.deadline=.*/.test(full))).toBe(true)
    expect(storedHeaders.some(({ full }) => full.includes("botanu.cancelled=true"))).toBe(true)
  })

  for (const { full, lean, name, readFull, readLean, run } of storedHeaders) {
    it(`${name}: are read as they were`, () => {
      for (const [header, expected] of [
        [lean, readLean],
        [full, readFull]
      ] as const) {
        const { problems, run: read } = RunBaggage.read(Baggage.decode(header).baggage, receivedAt)
        expect(problems).toEqual([])
        expect(Schema.encodeSync(Run)(Option.getOrThrow(read))).toEqual(expected)
      }
    })

    it(`${name}: are written as they were`, () => {
      const decoded = Schema.decodeSync(Run)(run)
      expect(Baggage.encode(decoded.toBaggage("lean"))).toBe(lean)
      expect(Baggage.encode(decoded.toBaggage("full"))).toBe(full)
    })
  }
})

const lean = Object.fromEntries(Baggage.entries(makeRun().toBaggage("lean")))

const problemsOf = (entries: Record<string, string>) => RunBaggage.read(baggageOf(entries), receivedAt).problems

const decodeHeader = (header: string) => Schema.decodeUnknownEither(RunContext.FromHeader, { errors: "all" })(header)

const issuesOf = (header: string): ReadonlyArray<string> =>
  Either.match(decodeHeader(header), {
    onLeft: (error) => ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message }) => message),
    onRight: () => []
  })

describe("a run from baggage", () => {
  it.each([
    ["lean", 4],
    ["full", 6]
  ] as const)("counts the members that it has of a run, in %s mode", (mode, keys) => {
    const members = Object.fromEntries(Baggage.entries(makeRun({ tenantId: "acme" }).toBaggage(mode)))
    expect(RunBaggage.read(baggageOf({ ...members, "botanu.later": "1", other: "2" }), receivedAt).keys).toBe(keys)
  })

  it.effect.prop("comes back from a header in full mode", [anyRun], ([run]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1234)
      const header = yield* Schema.encode(RunContext.FromHeader)(run)
      const received = yield* Schema.decode(RunContext.FromHeader)(header)
      expect(received).toEqual(new Run({ ...run, startTime: instant(1234) }))
    })
  )

  it.prop("is what the Schema of Run makes of the same fields", [anyRun], ([run]) => {
    const { problems, run: read } = RunBaggage.read(run.toBaggage("full"), run.startTime)
    expect(problems).toEqual([])
    const fields = Schema.encodeSync(Run)(run)
    expect(Option.getOrThrow(read)).toEqual(Schema.decodeUnknownSync(Run)(fields))
  })

  it.prop(
    "is refused exactly where the Schema of Run refuses",
    [
      FastCheck.constantFrom("workflow", "eventId", "customerId", "environment", "tenantId", "runId", "parentRunId"),
      FastCheck.oneof(FastCheck.string({ unit: "binary", maxLength: 300 }), FastCheck.uuid(), FastCheck.constant(""))
    ],
    ([field, value]) => {
      const key =
        {
          workflow: "botanu.workflow",
          eventId: "botanu.event_id",
          customerId: "botanu.customer_id",
          environment: "botanu.environment",
          tenantId: "botanu.tenant_id",
          runId: "botanu.run_id",
          parentRunId: "botanu.parent_run_id"
        }[field] ?? ""
      const bySchema = Schema.decodeUnknownEither(Run)({ ...Schema.encodeSync(Run)(makeRun()), [field]: value })
      const problems = problemsOf({ ...lean, [key]: value })
      expect(problems.map(({ key }) => key)).toEqual(Either.isLeft(bySchema) ? [key] : [])
    }
  )

  for (const key of Object.keys(lean)) {
    it(`is none without ${key}, or with an empty one`, () => {
      const { [key]: _, ...without } = lean
      for (const entries of [without, { ...lean, [key]: "" }]) {
        const { problems, run } = RunBaggage.read(baggageOf(entries), receivedAt)
        expect(run).toEqual(Option.none())
        expect(problems.map((problem) => problem.key)).toEqual([key])
      }
    })
  }

  const badOptional: ReadonlyArray<readonly [key: string, values: ReadonlyArray<string>]> = [
    ["botanu.attempt", ["0", "01", "-1", "1.5", "1e3", " 1", "1000000", "", "NaN", "²"]],
    [
      "botanu.deadline",
      ["nan", "inf", "1e3", " 5", "5 ", "", "1.5", "9007199254740993", "8640000000000001", "-", "+5", "0x10"]
    ],
    ["botanu.parent_run_id", ["p", ""]],
    ["botanu.root_run_id", ["r"]],
    ["botanu.retry_of_run_id", ["q"]],
    ["botanu.tenant_id", ["", "a\nb", "x".repeat(257)]],
    ["botanu.environment", [""]]
  ]
  for (const [key, values] of badOptional) {
    for (const value of values) {
      it(`goes on without ${key}=${JSON.stringify(value).slice(0, 24)}, and the strict codec names it`, () => {
        const entries = { ...lean, [key]: value }
        const { problems, run } = RunBaggage.read(baggageOf(entries), receivedAt)
        const expected = RunBaggage.read(baggageOf(lean), receivedAt).run
        expect(run).toEqual(expected)
        expect(problems.map((problem) => problem.key)).toEqual([key])
        const issues = issuesOf(Baggage.encode(baggageOf(entries)))
        expect(issues).toHaveLength(1)
        expect(issues[0]).toMatch(new RegExp(`^${key}: expected .+, got `))
      })
    }
  }

  it("names every bad key, and what was expected", () => {
    expect(issuesOf(`botanu.run_id=1,botanu.workflow=w,botanu.customer_id=,botanu.attempt=0`)).toEqual([
      'botanu.run_id: expected a UUID, got "1"',
      "botanu.event_id: expected a value, but it is missing",
      'botanu.customer_id: expected non-empty text, got ""',
      'botanu.attempt: expected a whole number from 1 to 999999, got "0"'
    ])
  })

  it("names the first bad key where not all are asked for", () => {
    const decoded = Schema.decodeUnknownEither(RunContext.FromHeader)("botanu.run_id=1,botanu.workflow=")
    const text = Either.match(decoded, { onLeft: String, onRight: String })
    expect(text).toContain("botanu.run_id: expected a UUID")
    expect(text).not.toContain("botanu.workflow: ")
  })

  it("never quotes more than 64 characters of a value, and none raw", () => {
    const [issue] = issuesOf(
      `botanu.run_id=${"%1B".repeat(3)}${"x".repeat(300)},botanu.workflow=w,botanu.event_id=e,botanu.customer_id=c`
    )
    expect(issue).toContain("\\u001b")
    expect(issue).not.toMatch(/\p{Cc}/u)
    expect(issue?.match(/x+/g)?.at(-1)?.length).toBeLessThanOrEqual(64)
    const whole = Either.match(decodeHeader(`botanu.run_id=${"x".repeat(300)}`), { onLeft: String, onRight: String })
    expect(whole).not.toContain("x".repeat(65))
  })

  it("takes the id of a peer that mints UUIDs of another version, and a negative deadline", () => {
    const v4 = "6f1fc2b8-3a0f-4a57-9a3f-2f2c5a3b1c11"
    const { problems, run } = RunBaggage.read(
      baggageOf({ ...lean, "botanu.run_id": v4, "botanu.deadline": "-1500" }),
      receivedAt
    )
    expect(problems).toEqual([])
    expect(Option.map(run, ({ deadline, runId }) => [runId, deadline?.epochMillis])).toEqual(Option.some([v4, -1500]))
  })

  it.each([8_640_000_000_000_000, -8_640_000_000_000_000])(
    "takes the deadline %d, as late or early as a date can be",
    (millis) => {
      const { problems, run } = RunBaggage.read(baggageOf({ ...lean, "botanu.deadline": `${millis}` }), receivedAt)
      expect(problems).toEqual([])
      expect(Option.getOrThrow(run).deadline?.epochMillis).toBe(millis)
    }
  )

  for (const [value, cancelled] of [
    ["true", true],
    ["TRUE", true],
    ["tRuE", true],
    ["true ", false],
    ["yes", false],
    ["1", false]
  ] as const) {
    it(`is ${cancelled ? "" : "not "}cancelled by ${JSON.stringify(value)}`, () => {
      const { run } = RunBaggage.read(baggageOf({ ...lean, "botanu.cancelled": value }), receivedAt)
      expect(Option.getOrThrow(run).cancelled).toBe(cancelled)
    })
  }

  it("is encoded by the Schema as it stands", () => {
    const header = Schema.encodeSync(RunContext.FromHeader)(makeRun())
    expect(header).toContain(`botanu.run_id=${runId}`)
    expect(Schema.encodeSync(RunContext.FromBaggage)(makeRun())).toEqual(makeRun().toBaggage("full"))
  })
})

it.each(["\u2028", "\u2029"])(
  "refuses text with the line separator %j, as it refuses control characters",
  (separator) => {
    const text = `a${separator}b`
    expect(FieldText.refusal(text)).toBe("expected text without control characters")
    expect(FieldText.refusal(`${"x".repeat(100)}${separator}`)).toBe("expected text without control characters")
  }
)
