import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Effect, Either, FastCheck, Fiber, Layer, Stream } from "effect"
import { Botanu, Cost, Llm, PriceBook, Usage } from "../../src/index.js"
import { completedRuns, observed } from "../observed.js"
import { ids } from "../runs.js"
import { type UsageFields, usageOf } from "../usages.js"

const bookOf = (...prices: ReadonlyArray<PriceBook.Price>): PriceBook.Service =>
  Either.getOrThrow(PriceBook.make(prices))

const bigretail: PriceBook.Payer = { customerId: "bigretail", tenantId: "acme" }

/** A cost as text: `0.5`, or `0.5, no_usage of outputTokens`. */
const told = (cost: Cost.Cost): string => {
  const usd = Cost.format(cost.usd)
  return cost._tag === "Priced"
    ? usd
    : `${usd}, ${cost.reason}${cost.missing === undefined ? "" : ` of ${cost.missing}`}`
}

const costOf = (details: UsageFields, ...prices: ReadonlyArray<PriceBook.Price>): string =>
  told(bookOf(...prices).priceOf(usageOf(details), bigretail))

const model = (usd: PriceBook.UnitPrices): PriceBook.Price => ({ model: "quill-2", usd })

describe("tokens", () => {
  const byToken = model({ inputToken: "0.01", outputToken: "0.03" })
  const withCache = model({
    inputToken: "0.01",
    cacheReadToken: "0.001",
    cacheWriteToken: "0.0125",
    outputToken: "0.03"
  })
  const withReasoning = model({ inputToken: "0.01", outputToken: "0.03", reasoningToken: "0.06" })
  it.each<readonly [string, UsageFields, PriceBook.Price, string]>([
    ["cost what they cost", { inputTokens: 100, outputTokens: 10 }, byToken, "1.3"],
    ["that are none cost nothing", { inputTokens: 0, outputTokens: 0 }, byToken, "0"],
    ["in the cache cost what those do", { inputTokens: 100, cacheReadTokens: 60, outputTokens: 0 }, withCache, "0.46"],
    ["put into the cache too", { inputTokens: 100, cacheWriteTokens: 60, outputTokens: 0 }, withCache, "1.15"],
    [
      "of all kinds",
      { inputTokens: 100, cacheReadTokens: 60, cacheWriteTokens: 30, outputTokens: 10 },
      withCache,
      "0.835"
    ],
    [
      "that are more in the cache than in all are not known",
      { inputTokens: 5, cacheReadTokens: 10, outputTokens: 0 },
      withCache,
      "0.01, no_usage of inputTokens"
    ],
    [
      "in the cache without a price are not known",
      { inputTokens: 100, cacheReadTokens: 60, outputTokens: 10 },
      byToken,
      "0.7, no_price_for_kind of cacheReadTokens"
    ],
    [
      "put into the cache without one neither",
      { inputTokens: 100, cacheWriteTokens: 60, outputTokens: 10 },
      byToken,
      "0.7, no_price_for_kind of cacheWriteTokens"
    ],
    ["of reasoning are output", { inputTokens: 0, outputTokens: 10, reasoningTokens: 4 }, byToken, "0.3"],
    [
      "of reasoning with a price cost that",
      { inputTokens: 0, outputTokens: 10, reasoningTokens: 4 },
      withReasoning,
      "0.42"
    ],
    ["of which the output was not told", { inputTokens: 100 }, byToken, "1, no_usage of outputTokens"],
    ["of which the input was not told", { outputTokens: 10 }, byToken, "0.3, no_usage of inputTokens"],
    ["of which nothing was told", {}, byToken, "0, no_usage of inputTokens,outputTokens"],
    ["that were refused cost nothing", { requests: 0 }, byToken, "0"],
    ["that are free need not be told", {}, model({ inputToken: 0, outputToken: "0" }), "0"],
    ["of embeddings come in alone", { operation: "embeddings", inputTokens: 100 }, byToken, "1"],
    [
      "without a price for output",
      { inputTokens: 100, outputTokens: 10 },
      model({ inputToken: "0.01" }),
      "1, no_price_for_kind of outputTokens"
    ],
    [
      "are not what a price for images is for",
      { inputTokens: 100, outputTokens: 10 },
      model({ image: 2 }),
      "0, no_price_for_kind of inputTokens,outputTokens"
    ],
    ["are not what a price for a request is for", { inputTokens: 100, outputTokens: 10 }, model({ request: 2 }), "2"],
    [
      "and a request",
      { inputTokens: 100, outputTokens: 10 },
      model({ request: 2, inputToken: "0.01", outputToken: "0.03" }),
      "3.3"
    ],
    [
      "and images, of which there are none",
      { inputTokens: 100, outputTokens: 0 },
      model({ image: 2, inputToken: 1, outputToken: 1 }),
      "100"
    ],
    [
      "cost what the provider says",
      { inputTokens: 100, outputTokens: 10, usd: BigDecimal.make(7n, 2) },
      byToken,
      "0.07"
    ],
    ["have no price", { inputTokens: 100 }, model({}), "0, no_price_for_kind of inputTokens"]
  ])("%s", (_, details, price, expected) => expect(costOf(details, price)).toBe(expected))
})

describe("other quantities", () => {
  const database = (usd: PriceBook.UnitPrices): PriceBook.Price => ({ kind: "database", provider: "BigQuery", usd })
  const select: UsageFields = { kind: "database", provider: "gcp.bigquery", operation: "SELECT" }
  it.each<readonly [string, UsageFields, PriceBook.Price, string]>([
    [
      "characters",
      { inputCharacters: 3000, outputCharacters: 1000 },
      model({ inputCharacter: PriceBook.perThousand("0.5"), outputCharacter: PriceBook.perMillion(2) }),
      "1.502"
    ],
    [
      "characters where tokens were told",
      { inputTokens: 3, outputTokens: 1 },
      model({ inputCharacter: 1, outputCharacter: 1 }),
      "0, no_price_for_kind of inputTokens,outputTokens"
    ],
    [
      "characters where they were told, not tokens",
      { inputCharacters: 3, outputCharacters: 1 },
      model({ inputCharacter: 1, outputCharacter: 1, inputToken: 7, outputToken: 7 }),
      "4"
    ],
    [
      "tokens where both were told",
      { inputTokens: 1, outputTokens: 1, inputCharacters: 3, outputCharacters: 1 },
      model({ inputCharacter: 1, outputCharacter: 1, inputToken: 7, outputToken: 7 }),
      "14"
    ],
    ["images", { images: 3 }, model({ image: "0.04" }), "0.12"],
    ["images that were not told", {}, model({ image: "0.04" }), "0, no_usage of images"],
    [
      "gigabytes scanned",
      { ...select, bytesScanned: 123_456_789_012 },
      database({ gigabyteScanned: "0.00625" }),
      "0.771604931325"
    ],
    [
      "gigabytes that were not told",
      { ...select, rowsReturned: 3 },
      database({ gigabyteScanned: "0.00625" }),
      "0, no_usage of bytesScanned"
    ],
    [
      "gigabytes read, where none were written",
      { ...select, bytesRead: 1 },
      database({ gigabyteRead: 1, gigabyteWritten: 2 }),
      "0.000000001"
    ],
    ["rows", { ...select, rowsReturned: 3, rowsAffected: 2 }, database({ row: "0.5" }), "2.5"],
    ["requests", { ...select, requests: 2 }, database({ request: "0.0000004" }), "0.0000008"],
    ["a database that is free", select, database({ request: 0 }), "0"],
    ["another database", { ...select, provider: "postgresql" }, database({ request: 1 }), "0, no_price_for_kind"],
    [
      "an hour of computing",
      { kind: "compute", provider: "lambda", operation: "run", computeMs: 3_600_000 },
      { kind: "compute", usd: { computeHour: "0.1" } },
      "0.1"
    ],
    [
      "a millisecond of it, rounded",
      { kind: "compute", provider: "lambda", operation: "run", computeMs: 1 },
      { kind: "compute", usd: { computeHour: "0.1" } },
      "0.000000027777777778"
    ],
    [
      "messages",
      { kind: "messaging", provider: "aws_sqs", operation: "send", messages: 10 },
      { kind: "messaging", provider: "sqs", usd: { message: "0.0000004" } },
      "0.000004"
    ]
  ])("%s", (_, details, price, expected) => expect(costOf(details, price)).toBe(expected))
})

describe("a price", () => {
  const at = (iso: string) => ({ time: DateTime.unsafeMake(iso) })
  const one = { inputTokens: 1, outputTokens: 0 }
  const priced = (usd: number, price: Partial<PriceBook.Price> = {}): PriceBook.Price => ({
    model: "quill-2",
    ...price,
    usd: { inputToken: usd, outputToken: 0 }
  })

  it("of another model is none", () => {
    expect(costOf({ ...one, model: "quill-3" }, priced(1))).toBe("0, unknown_model")
    expect(costOf({ ...one, model: "__proto__" }, priced(1))).toBe("0, unknown_model")
    expect(costOf({ ...one, model: "quill-2", provider: "groq" }, priced(1, { provider: "openai" }))).toBe(
      "0, unknown_model"
    )
  })

  it("holds from its instant on, and up to another", () => {
    const prices = [
      priced(1, { until: "2026-02-01T00:00:00Z" }),
      priced(2, { from: DateTime.unsafeMake("2026-02-01T00:00:00Z"), until: new Date("2026-03-01T00:00:00Z") })
    ]
    const costs = [
      "2026-01-31T23:59:59.999Z",
      "2026-02-01T00:00:00Z",
      "2026-02-28T23:59:59.999Z",
      "2026-03-01T00:00:00Z"
    ]
    expect(costs.map((iso) => costOf({ ...one, ...at(iso) }, ...prices))).toEqual(["1", "2", "2", "0, unknown_model"])
  })

  it("that came into force last comes first, in whichever order they stand", () => {
    const prices = [priced(3, { from: "2026-03-01" }), priced(1), priced(2, { from: "2026-02-01" })]
    for (const order of [prices, prices.toReversed()]) {
      const costs = ["2026-01-01", "2026-02-15", "2026-12-01"].map((iso) => costOf({ ...one, ...at(iso) }, ...order))
      expect(costs).toEqual(["1", "2", "3"])
    }
  })

  it("that stands last comes first, of those that are alike", () => expect(costOf(one, priced(1), priced(2))).toBe("2"))

  it("for the customer comes before one for the tenant, and that before one for all", () => {
    const all = priced(1)
    const tenant = priced(2, { tenantId: "acme" })
    const customer = priced(3, { customerId: "bigretail" })
    const both = priced(4, { customerId: "bigretail", tenantId: "acme" })
    const others = [priced(5, { customerId: "smallretail" }), priced(6, { tenantId: "umbrella" })]
    expect(costOf(one, all, ...others)).toBe("1")
    expect(costOf(one, tenant, all, ...others)).toBe("2")
    expect(costOf(one, customer, tenant, all)).toBe("3")
    expect(costOf(one, both, customer, tenant, all)).toBe("4")
    const book = bookOf(both, tenant, all)
    expect(told(book.priceOf(usageOf(one), { customerId: "bigretail" }))).toBe("1")
  })

  it("for the model that answered comes before one for the model that was asked for", () => {
    const dated = priced(2, { model: "quill-2-0611" })
    expect(costOf({ ...one, responseModel: "quill-2-0611" }, dated, priced(1))).toBe("2")
    expect(costOf({ ...one, responseModel: "quill-2-0711" }, dated, priced(1))).toBe("1")
  })

  it("for any model of a provider comes last", () => {
    const any = { provider: "openai", kind: "llm", usd: { inputToken: 9, outputToken: 0 } } as const
    expect(costOf(one, priced(1), any)).toBe("1")
    expect(costOf({ ...one, model: "other" }, priced(1), any)).toBe("9")
  })

  it("for the provider comes before one for any, and so does one for the operation", () => {
    const prices = [priced(2, { provider: "OpenAI" }), priced(1)]
    expect(costOf(one, ...prices)).toBe("2")
    expect(costOf({ ...one, provider: "groq" }, ...prices)).toBe("1")
    const batch = priced(3, { operation: "batch" })
    expect(costOf(one, batch, ...prices)).toBe("2")
    expect(costOf({ ...one, provider: "groq", operation: "batch" }, batch, ...prices)).toBe("3")
  })

  it("of a model with its provider in front is found without", () => {
    const azure = priced(2, { model: "azure/quill-2", provider: "azure" })
    expect(costOf({ ...one, provider: "azure.ai.openai" }, azure)).toBe("2")
    expect(costOf({ ...one, provider: "azure.ai.openai", model: "azure/quill-2" }, azure)).toBe("2")
    expect(costOf(one, azure)).toBe("0, unknown_model")
  })

  it("is another for long requests, for all of them", () => {
    const price = {
      ...priced(1),
      tiers: [
        { aboveInputTokens: 200, usd: { inputToken: 2 } },
        { aboveInputTokens: 300, usd: { inputToken: 3 } }
      ]
    }
    const costs = [200, 201, 300, 301].map((inputTokens) => costOf({ inputTokens, outputTokens: 0 }, price))
    expect(costs).toEqual(["200", "402", "600", "903"])
  })

  it.each<readonly [PriceBook.Price, string]>([
    [{ usd: {} }, "price 1: model: expected a model, a provider or a kind"],
    [{ model: "", usd: {} }, 'price 1: model: expected non-empty text, got ""'],
    [
      model({ inputToken: -1 }),
      'price 1 ("quill-2"): usd.inputToken: expected a decimal amount of US dollars, zero or more, got -1'
    ],
    [
      model({ inputToken: "1e999" }),
      'price 1 ("quill-2"): usd.inputToken: expected a decimal amount of US dollars, zero or more, got "1e999"'
    ],
    [
      model({ inputToken: PriceBook.perMillion("x") }),
      'price 1 ("quill-2"): usd.inputToken: expected a decimal amount of US dollars, zero or more, got "x"'
    ],
    [
      { ...model({}), provider: "openai", from: "soon" },
      'price 1 ("openai/quill-2"): from: expected an instant, got "soon"'
    ],
    [
      { ...model({}), from: "2026-02-01", until: "2026-02-01" },
      'price 1 ("quill-2"): until: expected an instant after from, got "2026-02-01"'
    ],
    [
      { ...model({}), kind: "tokens" as never },
      'price 1 ("quill-2"): kind: expected one of llm, database, storage, messaging, compute, other, got "tokens"'
    ],
    [
      { ...model({}), tiers: [{ aboveInputTokens: 1.5, usd: {} }] },
      'price 1 ("quill-2"): tiers.0.aboveInputTokens: expected a whole number, zero or more'
    ],
    [
      { ...model({}), tiers: [{ aboveInputTokens: 1, usd: { outputToken: Number.NaN } }] },
      'price 1 ("quill-2"): tiers.0.usd.outputToken: expected a decimal amount of US dollars, zero or more, got NaN'
    ]
  ])("that is wrong says so: %o", (price, message) => {
    const made = PriceBook.make([model({}), price])
    expect(Either.getOrThrow(Either.flip(made)).message).toBe(message)
  })

  it.effect("that is wrong fails where the layer is built", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(Layer.launch(PriceBook.layer([model({ image: "free" })])))
      expect(failed).toBeInstanceOf(PriceBook.InvalidPrice)
    })
  )
})

describe("a book", () => {
  const amount = FastCheck.record({
    value: FastCheck.bigInt(0n, 10n ** 12n),
    scale: FastCheck.integer({ min: 0, max: 12 })
  })
  const tokens = FastCheck.integer({ min: 0, max: 10_000_000 })

  it.prop(
    "multiplies exactly",
    [FastCheck.tuple(amount, amount, amount, amount), FastCheck.tuple(tokens, tokens, tokens, tokens)],
    ([prices, [fresh, read, write, output]]) => {
      const [inputToken, cacheReadToken, cacheWriteToken, outputToken] = prices.map(({ scale, value }) =>
        BigDecimal.make(value, scale)
      )
      const cost = bookOf(model({ inputToken, cacheReadToken, cacheWriteToken, outputToken })).priceOf(
        usageOf({
          inputTokens: fresh + read + write,
          cacheReadTokens: read,
          cacheWriteTokens: write,
          outputTokens: output
        }),
        bigretail
      )
      // In units of 10^-12, by hand.
      const counts = [fresh, read, write, output]
      const expected = prices.reduce(
        (sum, { scale, value }, i) => sum + value * 10n ** BigInt(12 - scale) * BigInt(counts[i] ?? 0),
        0n
      )
      expect(cost._tag).toBe("Priced")
      expect(BigDecimal.scale(cost.usd, 12).value).toBe(expected)
    }
  )

  it.effect("prices the usage of a run, by its customer", () =>
    Effect.gen(function* () {
      const record = Usage.record({
        kind: "llm",
        provider: "openai",
        operation: "chat",
        model: "quill-2",
        inputTokens: 2,
        outputTokens: 1
      })
      const prices = PriceBook.layer([
        model({ inputToken: "0.5", outputToken: "0.25" }),
        { ...model({ inputToken: "0.1", outputToken: "0.1" }), customerId: "bigretail" }
      ])
      yield* Botanu.workflow(record, "W", ids).pipe(Effect.provide(prices))
      yield* Botanu.workflow(record, "W", { ...ids, customerId: "smallretail" }).pipe(Effect.provide(prices))
      yield* Botanu.workflow(record, "W", ids)
      const runs = yield* completedRuns
      expect(runs.map(({ totals }) => [Cost.format(totals.usd), totals.unpricedCalls])).toEqual([
        ["0.3", 0],
        ["1.25", 0],
        ["0", 1]
      ])
    }).pipe(Effect.provide(observed))
  )

  it.effect("prices a stream that began where it is known, whoever takes it in", () =>
    Effect.gen(function* () {
      const prices = PriceBook.layer([model({ inputToken: "0.5", outputToken: "0.25" })])
      const stream = Stream.make(1, 2).pipe(
        Llm.track({
          provider: "openai",
          model: "quill-2",
          usage: (n: number) => ({ inputTokens: n, outputTokens: n })
        }),
        Stream.provideSomeLayer(prices)
      )
      yield* Botanu.workflow(Effect.flatMap(Effect.fork(Stream.runDrain(stream)), Fiber.join), "W", ids)
      const [run] = yield* completedRuns
      expect(run && Cost.format(run.totals.usd)).toBe("1.5")
    }).pipe(Effect.provide(observed))
  )

  it.effect("that fails costs nobody the program, nor the usage", () =>
    Effect.gen(function* () {
      const broken = Layer.succeed(PriceBook.PriceBook, {
        priceOf: () => {
          throw new Error("out of prices")
        }
      })
      const record = Usage.record({
        kind: "llm",
        provider: "openai",
        operation: "chat",
        model: "quill-2",
        inputTokens: 2
      })
      yield* Botanu.workflow(record, "W", ids).pipe(Effect.provide(broken))
      const [run] = yield* completedRuns
      expect(run?.usages.map(({ cost }) => told(cost))).toEqual(["0, unknown_model"])
    }).pipe(Effect.provide(observed))
  )
})

describe("the empty book", () => {
  const emptyCostOf = (details: UsageFields) => told(PriceBook.empty.priceOf(usageOf(details), bigretail))

  it("has no price for a model, nor for anything else", () => {
    expect(emptyCostOf({ inputTokens: 1 })).toBe("0, unknown_model")
    expect(emptyCostOf({ kind: "database", provider: "postgresql" })).toBe("0, no_price_for_kind")
  })

  it("knows what a usage says itself, and what was not served", () => {
    expect(emptyCostOf({ usd: BigDecimal.unsafeFromString("0.25") })).toBe("0.25")
    expect(emptyCostOf({ requests: 0 })).toBe("0")
  })
})
