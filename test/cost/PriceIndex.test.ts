/**
 * Which price wins, and how a book explains it.
 */
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Either } from "effect"
import { Cost, PriceBook, type Usage } from "../../src/index.js"
import { usageOf as tokenUsage, type UsageFields } from "../usages.js"

const usageOf = (fields: UsageFields): Usage.Usage => tokenUsage({ inputTokens: 1, outputTokens: 0, ...fields })

const payer: PriceBook.Payer = { customerId: "bigretail", tenantId: "acme" }

const priced = (usd: number, price: Partial<PriceBook.Price>): PriceBook.Price => ({
  ...price,
  usd: { inputToken: usd, outputToken: 0 }
})

const listed = (usd: number, provider: string, model: string): PriceBook.Price =>
  priced(usd, { provider, model, source: "prices.json" })

const costOf = (
  details: UsageFields,
  prices: ReadonlyArray<PriceBook.Price>,
  options?: PriceBook.BookOptions
): string => {
  // The order in a list must not matter between prices that differ otherwise.
  const costs = [prices, prices.toReversed()].map((prices) => {
    const cost = Either.getOrThrow(PriceBook.make(prices, options)).priceOf(usageOf(details), payer)
    return cost._tag === "Priced" ? Cost.format(cost.usd) : cost.reason
  })
  expect(new Set(costs).size).toBe(1)
  return costs[0] as string
}

describe("an override", () => {
  const file = [listed(2.5, "openai", "quill-2"), listed(3, "openai", "quill-2-2026-08-06")]

  it.each<readonly [string, Partial<PriceBook.Price>]>([
    ["without a provider", { model: "quill-2" }],
    ["for the provider alone", { provider: "openai", kind: "llm" }],
    ["for the tenant", { model: "quill-2", tenantId: "acme" }],
    ["for the operation", { model: "quill-2", operation: "chat" }],
    ["for the dated model", { model: "quill-2-2026-08-06" }]
  ])("%s comes before the file", (_, price) => {
    expect(costOf({ responseModel: "quill-2-2026-08-06" }, [...file, priced(1, price)])).toBe("1")
  })

  it("that does not fit leaves the file its price", () => {
    expect(costOf({}, [...file, priced(1, { model: "quill-2", customerId: "smallretail" })])).toBe("2.5")
    expect(costOf({}, [...file, priced(1, { model: "quill-2", provider: "groq" })])).toBe("2.5")
    expect(costOf({}, [...file, priced(1, { model: "quill-2", from: "2099-01-01" })])).toBe("2.5")
  })

  it("comes before the file also where that has a price for the customer", () => {
    const own = { ...listed(9, "openai", "quill-2"), customerId: "bigretail" }
    expect(costOf({}, [own, priced(1, { model: "quill-2" })])).toBe("1")
    expect(costOf({}, [own, ...file])).toBe("9")
  })

  it.each([
    ["quill-2-2026-08-06"],
    ["quill-2-20260806"],
    ["quill-2@20260806"],
    ["quill-2-0806"],
    ["quill-2-20260806-v1:0"]
  ])("for a model covers its dated version %s", (dated) => {
    const override = priced(1, { model: "quill-2" })
    expect(costOf({ model: dated }, [override, listed(3, "openai", dated)])).toBe("1")
    expect(costOf({ model: "other", responseModel: dated }, [override, listed(3, "openai", dated)])).toBe("1")
    // A router answers under a name of its own.
    expect(costOf({ model: dated, responseModel: "router" }, [override, listed(3, "openai", dated)])).toBe("1")
    // One for the dated version says more.
    expect(costOf({ model: dated }, [override, priced(4, { model: dated })])).toBe("4")
  })

  it("for a model covers no other model", () => {
    for (const model of ["quill-2-mini", "quill-2-128", "quill-2-12806"]) {
      expect(costOf({ model }, [priced(1, { model: "quill-2" })])).toBe("unknown_model")
    }
  })

  it("for a deployment comes before the model that answered", () => {
    const override = priced(1, { model: "support-chat", provider: "azure" })
    const file = listed(2.5, "azure", "azure/quill-2-2026-08-06")
    const usage = { provider: "azure.ai.openai", model: "support-chat", responseModel: "quill-2-2026-08-06" }
    expect(costOf(usage, [override, file])).toBe("1")
    expect(costOf(usage, [file])).toBe("2.5")
  })
})

describe("a list", () => {
  it("has no price for a dated version that it does not name", () => {
    expect(costOf({ model: "quill-2-0806" }, [listed(3, "openai", "quill-2")])).toBe("unknown_model")
    expect(costOf({ model: "quill-2", responseModel: "quill-2-0806" }, [listed(3, "openai", "quill-2")])).toBe("3")
  })

  it("has the exact name before one with a provider in front of it", () => {
    const prices = [
      listed(1, "perplexity", "perplexity/sonar"),
      listed(2, "perplexity", "gateway/perplexity/sonar"),
      listed(3, "openrouter", "openrouter/perplexity/sonar")
    ]
    expect(costOf({ provider: "perplexity", model: "perplexity/sonar" }, prices)).toBe("1")
    expect(costOf({ provider: "perplexity", model: "sonar" }, prices)).toBe("1")
    expect(costOf({ provider: "openrouter", model: "perplexity/sonar" }, prices)).toBe("3")
    expect(costOf({ provider: "openrouter", model: "openrouter/perplexity/sonar" }, prices)).toBe("3")
  })

  it("has one without a provider only by its own name", () => {
    const quill = [{ ...priced(1, { model: "quill-2" }), source: "prices.json" }]
    expect(costOf({ provider: "openai", model: "openai/quill-2" }, quill)).toBe("1")
    expect(costOf({ provider: "openai", model: "azure/quill-2" }, quill)).toBe("unknown_model")
  })

  it("has the model that was asked for where the price of the one that answered does not hold", () => {
    const prices = [{ ...listed(1, "openai", "quill-2-0806"), until: "2020-01-01" }, listed(2, "openai", "quill-2")]
    expect(costOf({ model: "quill-2", responseModel: "quill-2-0806" }, prices)).toBe("2")
  })

  it("knows a model that is asked for with its provider in front", () => {
    const prices = [listed(1, "bedrock", "anthropic.quill-2-v1:0"), listed(2, "azure", "azure/quill-2")]
    expect(costOf({ provider: "aws.bedrock", model: "bedrock/anthropic.quill-2-v1:0" }, prices)).toBe("1")
    expect(costOf({ provider: "azure.ai.openai", model: "azure/quill-2" }, prices)).toBe("2")
    expect(costOf({ provider: "openai", model: "azure/quill-2" }, prices)).toBe("unknown_model")
  })
})

describe("deployments", () => {
  const arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
  const options = { deployments: { "support-chat": "quill-2", [arn]: "anthropic.quill-9", "quill-3": "quill-2" } }
  const prices = [
    listed(1, "azure", "azure/quill-2"),
    listed(2, "bedrock", "anthropic.quill-9"),
    listed(3, "azure", "azure/quill-3")
  ]

  it("stand for models", () => {
    expect(costOf({ provider: "azure.ai.openai", model: "support-chat" }, prices, options)).toBe("1")
    expect(costOf({ provider: "aws.bedrock", model: arn }, prices, options)).toBe("2")
    expect(costOf({ provider: "aws.bedrock", model: arn }, prices)).toBe("unknown_model")
  })

  it("are no models, even where they are called like one", () => {
    expect(costOf({ provider: "azure.ai.openai", model: "quill-3" }, prices, options)).toBe("1")
    const toUnknown = { deployments: { "quill-3": "quill-99" } }
    expect(costOf({ provider: "azure.ai.openai", model: "quill-3" }, prices, toUnknown)).toBe("unknown_model")
  })

  it("come before the model that answered", () => {
    const usage = { provider: "azure.ai.openai", responseModel: "quill-3" }
    expect(costOf({ ...usage, model: "support-chat" }, prices, options)).toBe("1")
    expect(costOf({ ...usage, model: "quill-2" }, prices)).toBe("3")
  })

  it("may have a price of their own, and their model one", () => {
    const own = priced(7, { model: "support-chat" })
    const ofModel = priced(8, { model: "quill-2" })
    const usage = { provider: "azure.ai.openai", model: "support-chat" }
    expect(costOf(usage, [...prices, own, ofModel], options)).toBe("7")
    expect(costOf(usage, [...prices, ofModel], options)).toBe("8")
  })

  it("are names and nothing else", () => {
    expect(costOf({ model: "constructor" }, [], options)).toBe("unknown_model")
  })
})

describe("an explanation", () => {
  it("names what was looked for, what was considered, and why one won", () => {
    const book = Either.getOrThrow(
      PriceBook.make([
        listed(2.5, "openai", "quill-2"),
        priced(1, { model: "quill-2", customerId: "smallretail" }),
        priced(3, { model: "quill-2", until: "2020-01-01" }),
        priced(4, { model: "quill-2", provider: "groq" }),
        priced(5, { model: "quill-2", operation: "embeddings" }),
        listed(6, "openai", "quill-3")
      ])
    )
    const explanation = book.explain?.(usageOf({ responseModel: "quill-2-0806" }), payer)
    expect(explanation?.names).toEqual(["quill-2-0806", "quill-2", ""])
    expect(explanation?.considered.map(({ isWinner, source, why }) => [source, isWinner, why])).toEqual([
      ["override", false, "holds for the provider groq"],
      ["override", false, "holds for the operation embeddings"],
      ["override", false, "held up to 2020-01-01T00:00:00.000Z"],
      ["override", false, "holds for smallretail"],
      ["prices.json", true, "fits, and comes first"]
    ])
    expect(explanation?.winner).toMatchObject({ model: "quill-2", provider: "openai" })
  })

  it("says that nothing was found", () => {
    const book = Either.getOrThrow(PriceBook.make([listed(2.5, "openai", "quill-2")]))
    expect(book.explain?.(usageOf({ model: "quill-9" }), payer)).toMatchObject({
      names: ["quill-9", ""],
      considered: [],
      winner: undefined,
      cost: { _tag: "Unpriced", reason: "unknown_model" }
    })
    expect(book.explain?.(usageOf({ kind: "database" }), payer)?.considered).toEqual([])
  })
})

it("an explanation says for which tenant a price holds", () => {
  const prices = [priced(1, { model: "quill-2", tenantId: "other" }), priced(2, { model: "quill-2", tenantId: "acme" })]
  const considered = Either.getOrThrow(PriceBook.make(prices)).explain?.(usageOf({}), payer).considered
  expect(considered?.map(({ tenantId, why }) => [tenantId, why])).toEqual([
    ["acme", "fits, and comes first"],
    ["other", "holds for other"]
  ])
})

it("one book prices each request by its size, its tier and its region, in any order", () => {
  const steps = (short: string, long: string) => ({
    usd: { inputToken: short, outputToken: 0 },
    tiers: [{ aboveInputTokens: 100, usd: { inputToken: long } }]
  })
  const book = Either.getOrThrow(
    PriceBook.make([
      {
        model: "quill-2",
        ...steps("1", "2"),
        serviceTiers: { batch: steps("0.5", "0.8"), priority: steps("3", "5") },
        regions: { us: "1.1", eu: "1.2" }
      }
    ])
  )
  const requests: ReadonlyArray<readonly [tokens: number, serviceTier: string, region: string, expected: string]> = [
    [10, "standard", "none", "10"],
    [200, "standard", "none", "400"],
    [10, "standard", "us", "11"],
    [10, "standard", "eu", "12"],
    [200, "standard", "us", "440"],
    [10, "batch", "none", "5"],
    [200, "batch", "none", "160"],
    [10, "batch", "eu", "6"],
    [10, "priority", "none", "30"],
    [200, "priority", "us", "1100"]
  ]
  for (const some of [requests, requests.toReversed(), requests]) {
    for (const [inputTokens, serviceTier, region, expected] of some) {
      const cost = book.priceOf(usageOf({ inputTokens, serviceTier, region }), payer)
      expect(Cost.format(cost.usd)).toBe(expected)
    }
  }
})

describe("the explanation of a price", () => {
  const explained = (details: UsageFields, ...prices: ReadonlyArray<PriceBook.Price>) =>
    Either.getOrThrow(PriceBook.make(prices)).explain(usageOf(details), payer).considered

  it("has a price once, which has a name with its provider and one without", () => {
    const considered = explained({ model: "openai/quill-2" }, listed(1, "openai", "openai/quill-2"))
    expect(considered.map(({ why }) => why)).toEqual(["fits, and comes first"])
  })

  it("says when a price holds, and for whom", () => {
    const of = (price: Partial<PriceBook.Price>) => priced(1, { model: "quill-2", ...price })
    const whys = explained(
      {},
      of({ from: "2099-01-01" }),
      of({ until: "2020-01-01" }),
      of({ customerId: "smallretail", tenantId: "corner" }),
      of({ tenantId: "corner" })
    ).map(({ why }) => why)
    expect(whys.toSorted()).toEqual([
      "held up to 2020-01-01T00:00:00.000Z",
      "holds for corner",
      "holds for smallretail in corner",
      "holds from 2099-01-01T00:00:00.000Z on"
    ])
  })
})

describe("a name with a provider in front", () => {
  it("is that of a model without it only where the price names the provider", () => {
    expect(costOf({}, [priced(1, { model: "openai/quill-2", source: "prices.json" })])).toBe("unknown_model")
    expect(costOf({}, [listed(1, "openai", "openai/quill-2")])).toBe("1")
    expect(costOf({ provider: "x" }, [listed(1, "x", "x/quill-2")])).toBe("1")
  })

  it("and nothing behind it is no name of any model", () => {
    const prices = [priced(1, { model: "quill-2" }), priced(2, { provider: "openai" })]
    expect(costOf({ model: "openai/", responseModel: "quill-2-20260806" }, prices)).toBe("1")
  })
})

describe("what was found before", () => {
  const at = (time: string) => DateTime.unsafeMake(time)

  it("holds for the same kind, operation, payer and time alone", () => {
    const book = Either.getOrThrow(
      PriceBook.make([
        priced(1, { model: "quill-2" }),
        priced(2, { model: "quill-2", from: "2026-06-01" }),
        priced(3, { model: "quill-2", from: "2026-07-01", until: "2026-08-01" }),
        priced(4, { model: "quill-2", operation: "embeddings" }),
        priced(5, { model: "quill-2", customerId: "bigretail", from: "2026-09-01" }),
        priced(6, { model: "quill-2", tenantId: "acme", from: "2026-09-01" }),
        priced(7, { model: "quill-2", kind: "other" })
      ])
    )
    const asked: ReadonlyArray<readonly [string, UsageFields, PriceBook.Payer]> = [
      ["1", { time: at("2026-05-31T23:59:59.999Z") }, { customerId: "anyone" }],
      ["2", { time: at("2026-06-01T00:00:00Z") }, { customerId: "anyone" }],
      ["3", { time: at("2026-07-31T23:59:59.999Z") }, { customerId: "anyone" }],
      ["2", { time: at("2026-08-01T00:00:00Z") }, { customerId: "anyone" }],
      ["4", { time: at("2026-06-01T00:00:00Z"), operation: "embeddings" }, { customerId: "anyone" }],
      ["2", { time: at("2026-09-01T00:00:00Z") }, { customerId: "anyone" }],
      ["5", { time: at("2026-09-01T00:00:00Z") }, { customerId: "bigretail" }],
      ["6", { time: at("2026-09-01T00:00:00Z") }, { customerId: "anyone", tenantId: "acme" }],
      ["7", { time: at("2026-09-01T00:00:00Z"), kind: "other", model: "quill-2" }, { customerId: "anyone" }]
    ]
    const found = (some: typeof asked) =>
      some.map(([, fields, payer]) => Cost.format(book.priceOf(usageOf(fields), payer).usd))
    const expected = asked.map(([usd]) => usd)
    expect(found(asked)).toEqual(expected)
    expect(found(asked.toReversed())).toEqual(expected.toReversed())
    for (const one of asked) for (const other of asked) expect(found([one, other])).toEqual([one[0], other[0]])
  })

  it("is of one provider and both models", () => {
    const book = Either.getOrThrow(
      PriceBook.make([
        listed(1, "openai", "quill-2"),
        listed(2, "openai", "quill-2-2026-08-06"),
        listed(3, "groq", "quill-2"),
        listed(4, "openai", "quill-3")
      ])
    )
    const asked: ReadonlyArray<readonly [string, UsageFields]> = [
      ["1", {}],
      ["2", { responseModel: "quill-2-2026-08-06" }],
      ["3", { provider: "groq" }],
      ["4", { model: "quill-3" }],
      ["4", { model: "quill-3", responseModel: "quill-3-mini" }]
    ]
    const found = (some: typeof asked) =>
      some.map(([, fields]) => Cost.format(book.priceOf(usageOf(fields), payer).usd))
    for (const one of asked)
      for (const other of asked) expect(found([one, other, one])).toEqual([one[0], other[0], one[0]])
  })
})
