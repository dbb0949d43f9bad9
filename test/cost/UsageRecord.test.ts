/**
 * How a usage is made of what a program says, which may be anything.
 */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, FastCheck, Schema } from "effect"
import { make, type UsageDetails } from "../../src/cost/UsageRecord.js"
import { format } from "../../src/cost/Usd.js"
import { Usage } from "../../src/index.js"
import { instant } from "../runs.js"

const now = instant(1_770_000_000_000)
const chat: UsageDetails = { kind: "llm", provider: "openai", operation: "chat" }

/** The usage, and what was wrong with its details. */
const made = (details: object, further: object = {}) => {
  const problems: Array<string> = []
  const usage = make(details as UsageDetails, further, { time: now }, ({ field, problem }) =>
    problems.push(`${field}: ${problem}`)
  )
  return { usage, problems }
}

describe("a usage", () => {
  it("is of now, of one request and a success, where nothing else is said", () => {
    const { problems, usage } = made(chat)
    expect({ ...usage }).toEqual({ ...chat, time: now, status: "success", requests: 1 })
    expect(usage).toBeInstanceOf(Usage.Usage)
    expect(problems).toEqual([])
  })

  it("has the step and the duration that are known, unless its details say otherwise", () => {
    const known = { time: now, step: "draft", durationMs: 5 }
    const of = (details: object) => {
      const { durationMs, step } = make({ ...chat, ...details }, {}, known, () => {})
      return [step, durationMs]
    }
    expect(of({})).toEqual(["draft", 5])
    expect(of({ step: "review", durationMs: 7 })).toEqual(["review", 7])
    expect(of({ step: undefined, durationMs: undefined })).toEqual([undefined, undefined])
  })

  it("has no list of names in which one is none", () => {
    const { problems, usage } = made({ ...chat, uncounted: ["inputTokens", ""] })
    expect(usage.uncounted).toBeUndefined()
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain("uncounted: expected a list of names")
  })

  it("has the names of the conventions, and its amount as a decimal", () => {
    const { usage } = made({ ...chat, provider: "Azure OpenAI", usd: "0.10" })
    expect(usage.provider).toBe("azure.ai.openai")
    expect(usage.usd && format(usage.usd)).toBe("0.1")
  })

  it.each([
    ["default", "standard"],
    ["On_Demand", "standard"],
    ["ON_DEMAND_PRIORITY", "priority"],
    ["ON_DEMAND_FLEX", "flex"],
    ["batches", "batch"],
    ["FLEX", "flex"],
    ["provisioned_throughput", "provisioned_throughput"]
  ])("was served in the tier that is called %s as %s", (serviceTier, tier) =>
    expect(made({ ...chat, serviceTier }).usage.serviceTier).toBe(tier)
  )

  it("takes what is said further over what was said before, and undefined for nothing said", () => {
    const { usage } = made(
      { ...chat, inputTokens: 5, outputTokens: 7, attempt: undefined },
      { inputTokens: 6, outputTokens: undefined, status: "failure" }
    )
    expect(usage).toMatchObject({ inputTokens: 6, outputTokens: 7, status: "failure" })
    expect(usage).not.toHaveProperty("attempt")
  })

  it("has nothing that a usage has not", () => {
    const { problems, usage } = made({ ...chat, prompt: "secret", __proto__: { tokens: 1 } })
    expect(Object.keys(usage).sort()).toEqual(["kind", "operation", "provider", "requests", "status", "time"])
    expect(problems).toEqual([])
  })
})

const counts = [
  "requests",
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "outputTokens",
  "reasoningTokens",
  "inputCharacters",
  "outputCharacters",
  "images",
  "rowsReturned",
  "rowsAffected",
  "bytesScanned",
  "bytesRead",
  "bytesWritten",
  "objects",
  "messages"
]
const texts = ["model", "responseModel", "finishReason", "providerRequestId", "clientRequestId", "errorType"]

const refused: ReadonlyArray<readonly [field: string, value: unknown, problem: string]> = [
  ...counts.flatMap((field) => [
    [field, -1, "expected a whole number, zero or more, got -1"] as const,
    [field, 1.5, "expected a whole number, zero or more, got 1.5"] as const
  ]),
  ["inputTokens", Number.NaN, "expected a whole number, zero or more, got NaN"],
  ["inputTokens", 2 ** 53, "expected a whole number, zero or more, got 9007199254740992"],
  ["inputTokens", "12", 'expected a whole number, zero or more, got "12"'],
  ["inputTokens", null, "expected a whole number, zero or more, got null"],
  ...texts.map((field) => [field, "", 'expected non-empty text, got ""'] as const),
  ["model", "a\nb", 'expected text without control characters, got "a\\nb"'],
  ["model", 4, "expected text, got 4"],
  ["providerRequestId", "x".repeat(257), `expected at most 256 bytes of UTF-8, got "${"x".repeat(63)}…"`],
  ["inputAudioSeconds", -0.5, "expected a finite number, zero or more, got -0.5"],
  ["inputAudioSeconds", Number.POSITIVE_INFINITY, "expected a finite number, zero or more, got Infinity"],
  ["computeMs", -0.5, "expected milliseconds, zero or more, got -0.5"],
  ["computeMs", Number.POSITIVE_INFINITY, "expected milliseconds, zero or more, got Infinity"],
  ["usd", -1, "expected a decimal amount of US dollars, zero or more, got -1"],
  ["usd", "free", 'expected a decimal amount of US dollars, zero or more, got "free"'],
  ["time", 0, "expected an instant in UTC, got 0"],
  ["time", new Date(0), "expected an instant in UTC, got"],
  ["time", DateTime.unsafeMakeZoned(0, { timeZone: "Europe/Berlin" }), "expected an instant in UTC, got"],
  ["status", "done", 'expected one of success, failure, interrupted, got "done"'],
  ["isStreaming", "yes", 'expected true or false, got "yes"'],
  ["attempt", 0, "expected a whole number above zero, got 0"],
  ["attempt", 1.5, "expected a whole number above zero, got 1.5"]
]

describe("a detail that is not as it should be is left out, and told", () => {
  for (const [field, value, problem] of refused) {
    it(`${field}: ${problem.slice(0, 70)}`, () => {
      const { problems, usage } = made({ ...chat, [field]: value })
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain(`${field}: ${problem}`)
      expect({ ...usage }).toEqual({ ...made(chat).usage })
    })
  }

  it("without the rest being lost, nor what was said before", () => {
    const { problems, usage } = made({ ...chat, inputTokens: 5, outputTokens: -1 }, { inputTokens: "6" })
    expect(problems).toHaveLength(2)
    expect(usage.inputTokens).toBe(5)
    expect(usage).not.toHaveProperty("outputTokens")
  })

  const missing: ReadonlyArray<
    readonly [field: string, value: unknown, usage: object, problems: ReadonlyArray<string>]
  > = [
    ["kind", undefined, { kind: "other" }, ["kind: expected it to be given"]],
    [
      "kind",
      "gpu",
      { kind: "other" },
      [
        'kind: expected one of llm, database, storage, messaging, compute, other, got "gpu"',
        "kind: expected it to be given"
      ]
    ],
    ["provider", undefined, { provider: "unknown" }, ["provider: expected it to be given"]],
    [
      "operation",
      "",
      { operation: "unknown" },
      ['operation: expected non-empty text, got ""', "operation: expected it to be given"]
    ]
  ]
  for (const [field, value, expected, problems] of missing) {
    it(`and what a usage cannot be without has a name for that: ${field} of ${value}`, () => {
      const { usage, ...result } = made({ ...chat, [field]: value })
      expect(usage).toMatchObject({ ...chat, ...expected })
      expect(result.problems).toEqual(problems)
    })
  }
})

describe("parts of a whole", () => {
  const sums: ReadonlyArray<readonly [details: object, problem: string | undefined]> = [
    [{ inputTokens: 10, cacheReadTokens: 6, cacheWriteTokens: 4 }, undefined],
    [
      { inputTokens: 10, cacheReadTokens: 6, cacheWriteTokens: 5 },
      "inputTokens: expected all input tokens, the 11 read from and written to a cache included, got 10"
    ],
    [{ cacheReadTokens: 6 }, undefined],
    [{ outputTokens: 3, reasoningTokens: 3 }, undefined],
    [
      { outputTokens: 3, reasoningTokens: 4 },
      "outputTokens: expected all output tokens, the 4 of reasoning included, got 3"
    ],
    [{ reasoningTokens: 4 }, undefined]
  ]
  for (const [details, problem] of sums) {
    it(`${JSON.stringify(details)}: ${problem ?? "as they should be"}`, () => {
      const { problems, usage } = made({ ...chat, ...details })
      expect(problems).toEqual(problem === undefined ? [] : [problem])
      // What is told stays, for it is what the provider said.
      expect(usage).toMatchObject(details)
    })
  }
})

const anyDetails = FastCheck.record(
  {
    kind: FastCheck.constantFrom(...Usage.UsageKind.literals),
    provider: FastCheck.constantFrom("openai", "pg", "s3", "Anybody"),
    operation: FastCheck.constantFrom("chat", "SELECT"),
    model: FastCheck.constant("quill-2"),
    status: FastCheck.constantFrom(...Usage.UsageStatus.literals),
    requests: FastCheck.nat(3),
    inputTokens: FastCheck.nat(),
    outputTokens: FastCheck.nat(),
    bytesScanned: FastCheck.maxSafeNat(),
    computeMs: FastCheck.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    usd: FastCheck.bigInt({ min: 0n, max: 10n ** 40n }).map((value) => `0.${value}`),
    isStreaming: FastCheck.boolean(),
    attempt: FastCheck.integer({ min: 1, max: 9 }),
    finishReason: FastCheck.constant("stop")
  },
  { requiredKeys: ["kind", "provider", "operation"] }
)

describe("whatever is said", () => {
  it.prop("a usage is valid, and JSON and back", [anyDetails], ([details]) => {
    const { problems, usage } = made(details)
    expect(problems).toEqual([])
    Schema.validateSync(Usage.Usage)(usage)
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Usage.Usage)(usage)))
    const back = Schema.decodeUnknownSync(Usage.Usage)(json)
    expect({ ...back, usd: back.usd && format(back.usd) }).toEqual({ ...usage, usd: usage.usd && format(usage.usd) })
  })

  const junk = FastCheck.dictionary(
    FastCheck.constantFrom(...counts, ...texts, "kind", "provider", "operation", "time", "status", "usd", "attempt"),
    FastCheck.anything({ withBigInt: true, withDate: true, withNullPrototype: true })
  )
  it.prop("it is a usage", [junk, junk], ([details, further]) => {
    const { usage } = made(details, further)
    Schema.validateSync(Usage.Usage)(usage)
  })
})

describe("details of a call of a model", () => {
  const text = FastCheck.constantFrom<unknown>(undefined, "quill-2", "resp_1", "", "a\nb", 7, "x".repeat(300))
  const tokens = FastCheck.constantFrom<unknown>(undefined, 0, 3, 5, 8, -1, 1.5, "5")
  const details = FastCheck.record({
    kind: FastCheck.constantFrom<unknown>("llm", "llm", "llm", "database", undefined),
    provider: FastCheck.constantFrom<unknown>("openai", "Azure OpenAI", "", undefined),
    operation: FastCheck.constantFrom<unknown>("chat", "chat", "", undefined),
    model: text,
    isStreaming: FastCheck.constantFrom<unknown>(undefined, true, false, "yes"),
    status: FastCheck.constantFrom<unknown>(undefined, "success", "failure", "interrupted", "odd")
  })
  const further = FastCheck.record(
    {
      inputTokens: tokens,
      cacheReadTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens,
      finishReason: text,
      providerRequestId: text,
      responseModel: text,
      provider: FastCheck.constantFrom<unknown>("groq", undefined),
      durationMs: FastCheck.constantFrom<unknown>(undefined, 7)
    },
    { requiredKeys: [] }
  )

  it("are taken as they are where any other detail is with them", () => {
    FastCheck.assert(
      FastCheck.property(details, further, (details, further) => {
        const plain = made(details, further)
        const other = made({ ...details, region: "us" }, further)
        const { region, ...fields } = other.usage
        expect({ ...plain.usage }).toEqual(fields)
        expect(region).toBe("us")
        expect(plain.problems).toEqual(other.problems)
        expect(plain.usage).toBeInstanceOf(Usage.Usage)
      }),
      { numRuns: 2000 }
    )
  })
})
