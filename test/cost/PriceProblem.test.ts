/**
 * Prices that are not as they should be: each is refused by name, and none throws.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Layer } from "effect"
import { fromText, InvalidPriceFile } from "../../src/cost/LiteLlmPrices.js"
import { PriceBook } from "../../src/index.js"
import { usageOf } from "../usages.js"

const usd = { inputToken: 1 }
const good = { model: "quill-2", usd }

/** What is said of a price of any shape. */
const problemIn = (price: unknown, options?: unknown): string =>
  Either.match(PriceBook.make([price as never], options as never), {
    onLeft: ({ message }) => message,
    onRight: () => "none"
  })

const amount = "expected a decimal amount of US dollars, zero or more"

describe("a price", () => {
  it.each<readonly [what: string, price: unknown, problem: string]>([
    ["null", null, "price 0: price: expected a record, got null"],
    ["a text", "quill-2", 'price 0: price: expected a record, got "quill-2"'],
    ["a list", [], "price 0: price: expected a record, got a list"],
    ["an operation that is no text", { ...good, operation: 7 }, 'price 0 ("quill-2"): operation: expected text, got 7'],
    [
      "an empty customer",
      { ...good, customerId: "" },
      'price 0 ("quill-2"): customerId: expected non-empty text, got ""'
    ],
    ["an empty source", { ...good, source: "" }, 'price 0 ("quill-2"): source: expected non-empty text, got ""'],
    ["an empty provider", { ...good, provider: "" }, 'price 0 ("quill-2"): provider: expected non-empty text, got ""'],
    [
      "a wrong price beside tiers",
      { ...good, usd: { inputToken: -1 }, tiers: [] },
      `price 0 ("quill-2"): usd.inputToken: ${amount}, got -1`
    ],
    [
      "a price that is a little less than nothing",
      { ...good, usd: { inputToken: -0.000003 } },
      `price 0 ("quill-2"): usd.inputToken: ${amount}, got -0.000003`
    ],
    [
      "a price that is more than all there is",
      { ...good, usd: { inputToken: 1e300 } },
      `price 0 ("quill-2"): usd.inputToken: ${amount}, got 1e+300`
    ],
    [
      "a wrong price behind one that is right",
      { ...good, usd: { inputToken: 1, outputToken: -1 } },
      `price 0 ("quill-2"): usd.outputToken: ${amount}, got -1`
    ],
    [
      "a wrong factor behind one that is right",
      { ...good, regions: { eu: 1, us: -1 } },
      'price 0 ("quill-2"): regions.us: expected a factor, zero or more, got -1'
    ],
    ["a tier above no token", { ...good, tiers: [{ aboveInputTokens: 0, usd }] }, "none"],
    [
      "a tier above fewer than none",
      { ...good, tiers: [{ aboveInputTokens: -1, usd }] },
      'price 0 ("quill-2"): tiers.0.aboveInputTokens: expected a whole number, zero or more'
    ],
    ["nothing", {}, "price 0: model: expected a model, a provider or a kind"],
    ["an empty tenant", { ...good, tenantId: "" }, 'price 0 ("quill-2"): tenantId: expected non-empty text, got ""'],
    [
      "a part that is no name",
      { ...good, expects: [7] },
      'price 0 ("quill-2"): expects.0: expected a meter that is a part of another, such as outputImageTokens, got 7'
    ],
    ["no prices", { model: "quill-2" }, 'price 0 ("quill-2"): usd: expected prices by unit, got undefined'],
    ["null prices", { ...good, usd: null }, 'price 0 ("quill-2"): usd: expected prices by unit, got null'],
    ["listed prices", { ...good, usd: [1] }, 'price 0 ("quill-2"): usd: expected prices by unit, got a list'],
    [
      "a null price",
      { ...good, usd: { inputToken: null } },
      `price 0 ("quill-2"): usd.inputToken: ${amount}, got null`
    ],
    [
      "a unit that there is not",
      { ...good, usd: { inputTokens: 1 } },
      'price 0 ("quill-2"): usd.inputTokens: expected a unit, such as inputToken'
    ],
    [
      "a unit of an object's own name",
      JSON.parse('{"model": "quill-2", "usd": {"__proto__": {"inputToken": 1}}}'),
      'price 0 ("quill-2"): usd.__proto__: expected a unit, such as inputToken'
    ],
    [
      "null tools",
      { ...good, usd: { toolCalls: null } },
      'price 0 ("quill-2"): usd.toolCalls: expected prices by name, got null'
    ],
    [
      "a tool without a price",
      { ...good, usd: { other: { a: "much" } } },
      `price 0 ("quill-2"): usd.other.a: ${amount}, got "much"`
    ],
    ["a null model", { model: null, usd }, "price 0: model: expected text, got null"],
    ["a number as provider", { provider: 5, usd }, "price 0: provider: expected text, got 5"],
    [
      "a kind of its own",
      { kind: "__proto__", usd },
      'price 0 ("__proto__"): kind: expected one of llm, database, storage, messaging, compute, other, got "__proto__"'
    ],
    ["a source that is no text", { ...good, source: 1 }, 'price 0 ("quill-2"): source: expected non-empty text, got 1'],
    ["a start that is a number", { ...good, from: 5 }, 'price 0 ("quill-2"): from: expected an instant, got 5'],
    ["a null start", { ...good, from: null }, 'price 0 ("quill-2"): from: expected an instant, got null'],
    [
      "an end that is none",
      { ...good, until: {} },
      'price 0 ("quill-2"): until: expected an instant, got [object Object]'
    ],
    [
      "an end that is a wrong date",
      { ...good, until: new Date("x") },
      'price 0 ("quill-2"): until: expected an instant, got Invalid Date'
    ],
    [
      "tiers that are no list",
      { ...good, tiers: {} },
      'price 0 ("quill-2"): tiers: expected a list, got [object Object]'
    ],
    ["a null tier", { ...good, tiers: [null] }, 'price 0 ("quill-2"): tiers.0: expected a record, got null'],
    [
      "a tier without prices",
      { ...good, tiers: [{ aboveInputTokens: 1 }] },
      'price 0 ("quill-2"): tiers.0.usd: expected prices by unit, got undefined'
    ],
    [
      "listed service tiers",
      { ...good, serviceTiers: [] },
      'price 0 ("quill-2"): serviceTiers: expected prices by service tier, got a list'
    ],
    [
      "a null service tier",
      { ...good, serviceTiers: { batch: null } },
      'price 0 ("quill-2"): serviceTiers.batch: expected prices, got null'
    ],
    [
      "a service tier without prices",
      { ...good, serviceTiers: { batch: {} } },
      'price 0 ("quill-2"): serviceTiers.batch.usd: expected prices by unit, got undefined'
    ],
    [
      "a wrong price in a service tier",
      { ...good, serviceTiers: { batch: { usd, tiers: [{ aboveInputTokens: 1, usd: { outputToken: -1 } }] } } },
      `price 0 ("quill-2"): serviceTiers.batch.tiers.0.usd.outputToken: ${amount}, got -1`
    ],
    ["null regions", { ...good, regions: null }, 'price 0 ("quill-2"): regions: expected factors by region, got null'],
    [
      "a region without a factor",
      { ...good, regions: { us: null } },
      'price 0 ("quill-2"): regions.us: expected a factor, zero or more, got null'
    ],
    [
      "a region that acts on a terminal",
      { ...good, regions: { "us\n\u001b": null } },
      'price 0 ("quill-2"): regions.us\\n\\u001b: expected a factor, zero or more, got null'
    ],
    [
      "a tool without a price, and a name without end",
      { ...good, usd: { toolCalls: { ["t".repeat(1000)]: null } } },
      `price 0 ("quill-2"): usd.toolCalls.${"t".repeat(255)}…: ${amount}, got null`
    ],
    [
      "a unit that acts on a terminal",
      { ...good, usd: { "\u0085": 1 } },
      'price 0 ("quill-2"): usd.\\u0085: expected a unit, such as inputToken'
    ],
    ["parts that are no list", { ...good, expects: "x" }, 'price 0 ("quill-2"): expects: expected a list, got "x"'],
    [
      "a total as a part",
      { ...good, expects: ["outputAudioTokens", "outputTokens"] },
      'price 0 ("quill-2"): expects.1: expected a meter that is a part of another, such as outputImageTokens, got "outputTokens"'
    ]
  ])("with %s is refused", (_, price, problem) => expect(problemIn(price)).toBe(problem))

  it("is one of a list, with models behind deployments", () => {
    const none = "price list: prices: expected a list of prices, got null"
    expect(Either.getOrThrow(Either.flip(PriceBook.make(null as never))).message).toBe(none)
    expect(problemIn(good, { deployments: null })).toBe(
      "price list: deployments: expected models by deployment, got null"
    )
    expect(problemIn(good, { deployments: { a: 5 } })).toBe("price list: deployments.a: expected text, got 5")
  })

  it("may be for a region however that is spelled", () => {
    const book = Either.getOrThrow(PriceBook.make([{ ...good, regions: { US: 2 } }]))
    const cost = book.priceOf(usageOf({ inputTokens: 3, outputTokens: 0, region: "us" }), { customerId: "bigretail" })
    expect(cost.charges.map(({ price }) => price.region)).toEqual(["us"])
  })

  it.effect("that is wrong fails where the layer is built, and throws nowhere", () =>
    Effect.gen(function* () {
      const broken = { ...good, serviceTiers: { batch: {} } } as never
      const failed = yield* Effect.flip(Layer.launch(PriceBook.layer([broken])))
      expect(failed).toBeInstanceOf(PriceBook.InvalidPrice)
    })
  )
})

const names = FastCheck.constantFrom(
  ...["model", "provider", "kind", "usd", "tiers", "serviceTiers", "regions", "from", "until", "source", "expects"],
  ...["inputToken", "request", "toolCalls", "other", "batch", "us", "aboveInputTokens", "__proto__", "constructor"]
)
const leaf = FastCheck.oneof(
  FastCheck.constantFrom<unknown>(
    null,
    undefined,
    "llm",
    "quill-2",
    "",
    0,
    1,
    -1,
    Number.NaN,
    1e300,
    true,
    "2026-01-01"
  ),
  FastCheck.string()
)
const { json } = FastCheck.letrec<{ json: unknown }>((tie) => ({
  json: FastCheck.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    FastCheck.array(tie("json"), { maxLength: 3 }),
    FastCheck.array(FastCheck.tuple(names, tie("json")), { maxLength: 6 }).map((entries) => Object.fromEntries(entries))
  )
}))
/** A good price of which any fields are something else. */
const mutated = FastCheck.array(FastCheck.tuple(names, json), { maxLength: 3 }).map((entries) => ({
  ...good,
  ...Object.fromEntries(entries)
}))

describe("anything", () => {
  const usage = usageOf({ inputTokens: 3, outputTokens: 1, serviceTier: "batch", region: "us", webSearches: 1 })

  it.prop(
    "is a price, or refused",
    [FastCheck.oneof(json, mutated)],
    ([price]) => {
      const made = PriceBook.make([price as never])
      if (Either.isLeft(made)) expect(made.left).toBeInstanceOf(PriceBook.InvalidPrice)
      else {
        // What is taken for a price can be computed with.
        expect(["Priced", "Unpriced"]).toContain(made.right.priceOf(usage, { customerId: "bigretail" })._tag)
        expect(made.right.explain(usage, { customerId: "bigretail" }).considered.length).toBeLessThanOrEqual(1)
      }
    },
    { fastCheck: { numRuns: 1000 } }
  )

  const keys = FastCheck.constantFrom(
    ...[
      "litellm_provider",
      "mode",
      "input_cost_per_token",
      "output_cost_per_token_above_200k_tokens",
      "tiered_pricing"
    ],
    ...["search_context_cost_per_query", "provider_specific_entry", "regional_processing_uplift_multiplier___proto__"],
    ...["input_cost_per_image", "output_cost_per_second_priority", "supports_vision", "__proto__", "range", "fast"]
  )
  const entry = FastCheck.array(FastCheck.tuple(keys, json), { maxLength: 5 }).map((entries) =>
    Object.fromEntries(entries)
  )

  it.prop(
    "is an entry of a price file, or left out of it by name",
    [FastCheck.oneof(json, entry), FastCheck.string()],
    ([value, name]) => {
      const text = JSON.stringify(
        Object.fromEntries([
          [name, value],
          ["__proto__", value],
          ["quill-2", { input_cost_per_token: 1 }]
        ])
      )
      const { prices, skipped } = Either.getOrThrow(fromText(text, { name: "prices.json" }))
      for (const problem of skipped) expect(problem).toBeInstanceOf(InvalidPriceFile)
      const book = Either.getOrThrow(PriceBook.make(prices))
      expect(
        book.priceOf(usageOf({ model: "quill-2", inputTokens: 2, outputTokens: 0 }), { customerId: "c" })._tag
      ).toBe("Priced")
      expect(Either.isRight(fromText(text, { name: "prices.json", badEntries: "fail" }))).toBe(skipped.length === 0)
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "is a price file, or refused by name",
    [
      FastCheck.oneof(
        FastCheck.string(),
        json.map((value) => String(JSON.stringify(value)))
      )
    ],
    ([text]) => {
      const read = fromText(text, { name: "prices.json" })
      if (Either.isLeft(read)) expect(read.left).toBeInstanceOf(InvalidPriceFile)
    }
  )
})

describe("an amount by the million or by the thousand", () => {
  it.each([PriceBook.perMillion, PriceBook.perThousand])("that is none is refused where the price is made", (by) => {
    const problem = `price 0 ("quill-2"): usd.inputToken: ${amount}, got "much"`
    expect(problemIn({ ...good, usd: { inputToken: by("much") } })).toBe(problem)
  })
})

describe("a list of prices", () => {
  it.each([
    ["a text", "quill-2", '"quill-2"'],
    ["a number", 7, "7"],
    ["null", null, "null"]
  ])("is none where it is %s", (_, prices, shown) => {
    const error = Either.getOrThrow(Either.flip(PriceBook.make(prices as never)))
    expect(error.message).toContain(`prices: expected a list of prices, got ${shown}`)
  })

  it("names a price by what it is of", () => {
    const named = (price: object) => problemIn({ ...price, usd: { inputToken: -1 } }).split(": ")[0]
    expect([{ provider: "openai", model: "quill-2" }, { provider: "openai" }, { kind: "database" }].map(named)).toEqual(
      ['price 0 ("openai/quill-2")', 'price 0 ("openai")', 'price 0 ("database")']
    )
    expect(problemIn({ ...good, provider: "" })).toContain('price 0 ("quill-2"): ')
  })
})
