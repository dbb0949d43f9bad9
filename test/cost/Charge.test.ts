/**
 * The charges of a usage: one for each meter, each quantity once, nothing unknown as zero.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Either, FastCheck, Schema } from "effect"
import { RecordedUsage } from "../../src/cost/CostTotals.js"
import { type MeterName, meterNames, meterOf, meters, type Unit } from "../../src/cost/Meter.js"
import { make } from "../../src/cost/UsageRecord.js"
import { Cost, PriceBook } from "../../src/index.js"
import { type UsageFields, usageOf } from "../usages.js"

const costOf = (details: UsageFields, price: Partial<PriceBook.Price>): Cost.Cost =>
  Either.getOrThrow(PriceBook.make([{ model: "quill-2", usd: {}, ...price }])).priceOf(usageOf(details), {
    customerId: "bigretail"
  })

/** A cost as text: `0.5`, or `0.5, no_usage of outputTokens`. */
const shown = (cost: Cost.Cost): string =>
  cost._tag === "Priced"
    ? Cost.format(cost.usd)
    : `${Cost.format(cost.usd)}, ${cost.reason}${cost.missing === undefined ? "" : ` of ${cost.missing}`}`

type Row = readonly [what: string, details: UsageFields, price: Partial<PriceBook.Price>, expected: string]

const check = (rows: ReadonlyArray<Row>) => {
  for (const [what, details, price, expected] of rows) {
    it(what, () => expect(shown(costOf(details, price))).toBe(expected))
  }
}

const text = { inputToken: "0.01", outputToken: "0.03" }
const claude = { ...text, cacheReadToken: "0.001", cacheWriteToken: "0.0125", cacheWrite1hToken: "0.02" }
const voice = { ...text, cacheReadToken: "0.001", inputAudioToken: "0.1", outputAudioToken: "0.2" }

describe("parts of tokens", () => {
  check([
    [
      "written to a cache for an hour cost what those do",
      { inputTokens: 100, cacheWriteTokens: 60, cacheWrite1hTokens: 40, outputTokens: 0 },
      { usd: claude },
      "1.45"
    ],
    [
      "written for an hour have no price where there is none for an hour",
      { inputTokens: 100, cacheWriteTokens: 60, cacheWrite1hTokens: 40, outputTokens: 0 },
      { usd: { ...text, cacheWriteToken: "0.0125" } },
      "0.65, no_price_for_kind of cacheWrite1hTokens"
    ],
    [
      "written for a time that is not known are not known",
      { inputTokens: 100, cacheWriteTokens: 60, uncounted: ["cacheWrite1hTokens"], outputTokens: 0 },
      { usd: claude },
      "1.15, no_usage of cacheWrite1hTokens"
    ],
    [
      "of audio cost what those do",
      { inputTokens: 100, inputAudioTokens: 60, outputTokens: 20, outputAudioTokens: 15 },
      { usd: voice },
      "9.55"
    ],
    [
      "of audio without a price have none",
      { inputTokens: 100, inputAudioTokens: 60, outputTokens: 20, outputAudioTokens: 15 },
      { usd: text },
      "0.55, no_price_for_kind of inputAudioTokens,outputAudioTokens"
    ],
    [
      "of images and video cost what those do",
      { inputTokens: 100, inputImageTokens: 50, inputVideoTokens: 20, outputTokens: 10, outputImageTokens: 9 },
      { usd: { ...text, inputImageToken: 1, inputVideoToken: 2, outputImageToken: 3 } },
      "117.33"
    ],
    [
      "of audio in the cache are in both, and charged once",
      { inputTokens: 100, cacheReadTokens: 40, inputAudioTokens: 60, cacheReadAudioTokens: 30, outputTokens: 0 },
      { usd: { ...voice, cacheReadAudioToken: "0.005" } },
      // 30 of text, 10 of text in the cache, 30 of audio, 30 of audio in the cache.
      "3.46"
    ],
    [
      "of audio in the cache are unknown where only the two totals are counted",
      { inputTokens: 100, cacheReadTokens: 40, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...voice, cacheReadAudioToken: "0.005" } },
      "0.1, no_usage of cacheReadAudioTokens"
    ],
    [
      "of audio in the cache are known where all is in the cache",
      { inputTokens: 100, cacheReadTokens: 100, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...voice, cacheReadAudioToken: "0.005" } },
      "0.3"
    ],
    [
      "of audio in the cache need not be known where they cost the same",
      { inputTokens: 100, cacheReadTokens: 40, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...text, cacheReadToken: "0.001", inputAudioToken: "0.01", cacheReadAudioToken: "0.001" } },
      "0.64"
    ],
    [
      "that are more than their total are not known",
      { inputTokens: 0, outputTokens: 5, outputAudioTokens: 3, reasoningTokens: 3 },
      { usd: voice },
      "0.69, no_usage of outputTokens"
    ],
    [
      "that are there although their total is zero are not known",
      { inputTokens: 0, cacheReadTokens: 50, outputTokens: 0 },
      { usd: claude },
      "0.05, no_usage of inputTokens"
    ],
    [
      "put into the cache and of audio may be the same tokens",
      { inputTokens: 100, cacheWriteTokens: 40, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...claude, inputAudioToken: "0.1" } },
      "0.1, no_usage of cacheWriteTokens"
    ],
    [
      "put into the cache and of images may be the same where both cost the same",
      { inputTokens: 100, cacheWriteTokens: 40, inputImageTokens: 50, outputTokens: 0 },
      { usd: { ...claude, inputImageToken: "0.01" } },
      "1.1"
    ],
    [
      "of audio are known beside a price of what is put into the cache, where nothing is",
      { inputTokens: 100, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...claude, inputAudioToken: "0.1" } },
      "5.5"
    ],
    [
      "put into the cache have no price beside audio that has one",
      { inputTokens: 100, cacheWriteTokens: 40, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...text, inputAudioToken: "0.1" } },
      "5.1, no_price_for_kind of cacheWriteTokens"
    ],
    [
      "of audio in the cache have no price where all is in the cache, and only the two totals have one",
      { inputTokens: 100, cacheReadTokens: 100, inputAudioTokens: 50, outputTokens: 0 },
      { usd: voice },
      "0.05, no_price_for_kind of cacheReadAudioTokens"
    ],
    [
      "of citations are beside the input",
      { inputTokens: 1, citationTokens: 5, outputTokens: 0 },
      { usd: { ...text, citationToken: 1 } },
      "5.01"
    ]
  ])
})

/** What was charged, in the order of the table of meters. */
const charged = (cost: Cost.Cost): string =>
  cost.charges.map(({ meter, quantity }) => `${meter} ${quantity}`).join(", ")

describe("only what is known is charged", () => {
  const overlapping = { inputTokens: 100, cacheReadTokens: 40, inputAudioTokens: 50, outputTokens: 0 }
  const { cacheReadToken, inputAudioToken } = voice
  const cacheReadAudioToken = "0.005"

  it.each<readonly [...Row, meters: string]>([
    [
      "of a part that two totals must share, nothing where it may be more",
      { inputTokens: 100, cacheReadTokens: 70, inputAudioTokens: 60, outputTokens: 0 },
      { usd: { ...voice, cacheReadAudioToken } },
      "0, no_usage of cacheReadAudioTokens",
      ""
    ],
    [
      "of a part of two totals that has no price",
      overlapping,
      { usd: voice },
      "0.1, no_usage of cacheReadAudioTokens",
      "inputTokens 10"
    ],
    [
      "of a part of two totals, of which the first has no price",
      overlapping,
      { usd: { ...text, inputAudioToken, cacheReadAudioToken } },
      "0.1, no_usage of cacheReadAudioTokens",
      "inputTokens 10"
    ],
    [
      "of a part of two totals, of which the second has no price",
      overlapping,
      { usd: { ...text, cacheReadToken, cacheReadAudioToken } },
      "0.1, no_usage of cacheReadAudioTokens",
      "inputTokens 10"
    ],
    [
      "of a part of two totals, of which the whole has no price",
      overlapping,
      { usd: { cacheReadToken, inputAudioToken, cacheReadAudioToken } },
      "0, no_price_for_kind of inputTokens,cacheReadAudioTokens",
      ""
    ],
    [
      "of a part that the caller could not count either, once",
      { ...overlapping, uncounted: ["cacheReadAudioTokens"] },
      { usd: { ...voice, cacheReadAudioToken } },
      "0.1, no_usage of cacheReadAudioTokens",
      "inputTokens 10"
    ],
    [
      "of a part that the price expects, where one of its totals costs the same, and the other does not",
      { ...overlapping, cacheReadTokens: 100 },
      {
        usd: { ...voice, cacheReadToken: cacheReadAudioToken, cacheReadAudioToken },
        expects: ["cacheReadAudioTokens"]
      },
      "0.5, no_usage of cacheReadAudioTokens",
      "cacheReadAudioTokens 50, cacheReadTokens 50"
    ],
    [
      "of what was put into a cache, beside images without a price",
      { inputTokens: 100, cacheWriteTokens: 40, inputImageTokens: 50, outputTokens: 0 },
      { usd: claude },
      "0.1, no_usage of cacheWriteTokens",
      "inputTokens 10"
    ],
    [
      "of what was put into a cache for an hour, which may be audio",
      { inputTokens: 100, cacheWriteTokens: 40, cacheWrite1hTokens: 10, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...claude, inputAudioToken } },
      "0.1, no_usage of cacheWriteTokens",
      "inputTokens 10"
    ],
    [
      "of what was put into a cache, beside images, where tokens have no price",
      { inputTokens: 100, cacheWriteTokens: 40, inputImageTokens: 50 },
      { usd: { cacheWriteToken: "0.0125", inputImageToken: "0.01" } },
      "0, no_price_for_kind of inputTokens,cacheWriteTokens",
      ""
    ],
    [
      "of the output, where parts of the input may be the same tokens",
      { inputTokens: 100, cacheWriteTokens: 40, inputAudioTokens: 50, outputTokens: 10, reasoningTokens: 4 },
      { usd: { ...claude, inputAudioToken, reasoningToken: "0.05" } },
      "0.48, no_usage of cacheWriteTokens",
      "inputTokens 10, outputTokens 6, reasoningTokens 4"
    ],
    [
      "of two totals whose whole is not counted",
      { cacheReadTokens: 40, inputAudioTokens: 50, outputTokens: 0 },
      { usd: { ...text, cacheReadToken, inputAudioToken: "0.01", cacheReadAudioToken: cacheReadToken } },
      "0.54, no_usage of inputTokens",
      "cacheReadTokens 40, inputAudioTokens 50"
    ],
    [
      "of parts, without the total that they are in",
      { cacheWriteTokens: 60, cacheWrite1hTokens: 40 },
      { usd: { cacheWriteToken: "0.0125", cacheWrite1hToken: "0.02" } },
      "1.05",
      "cacheWriteTokens 20, cacheWrite1hTokens 40"
    ],
    [
      "of images, where no token was one",
      { inputTokens: 10, inputImages: 1, inputImageTokens: 0, outputTokens: 0 },
      { usd: { ...text, inputImage: "0.5", inputImageToken: 1 } },
      "0.6",
      "inputTokens 10, inputImages 1"
    ],
    [
      "of the output, where the input is not known",
      { outputTokens: 10, images: 1 },
      { usd: { ...text, image: "0.5" } },
      "0.8, no_usage of inputTokens",
      "outputTokens 10, images 1"
    ],
    [
      "of tools and of other quantities that have a price",
      { inputTokens: 1, outputTokens: 1, toolCalls: { web: 2, code: 1 }, other: { sheets: 3 } },
      { usd: { ...text, toolCalls: { code: "0.5" } } },
      "0.54, no_price_for_kind of toolCalls.web,other.sheets",
      "inputTokens 1, outputTokens 1, toolCalls.code 1"
    ],
    [
      "of additions, nothing that is not named where something else has a price",
      { computeMs: 0 },
      { usd: { computeHour: 1, citationToken: 1 } },
      "0",
      ""
    ],
    ["of no citation, nothing", { citationTokens: 0 }, { usd: { citationToken: 1 } }, "0", ""],
    ["of no request, nothing", { requests: 0 }, { usd: { request: 1 } }, "0", ""],
    ["of a price without amounts, nothing", {}, { usd: {} }, "0, no_price_for_kind of requests", ""],
    [
      "of a price without amounts, nothing of what was consumed",
      { inputTokens: 0 },
      { usd: {} },
      "0, no_price_for_kind of inputTokens",
      ""
    ],
    [
      "of a price without amounts, nothing of what was not counted",
      { uncounted: ["inputTokens"] },
      { usd: {} },
      "0, no_usage of inputTokens",
      ""
    ]
  ])("%s", (_, details, price, expected, meters) => {
    const cost = costOf(details, price)
    expect([shown(cost), charged(cost)]).toEqual([expected, meters])
  })
})

it("the charges of a usage that names its quantities in any order are in that of the meters", () => {
  const details = { kind: "llm", provider: "openai", operation: "chat", model: "quill-2" } as const
  const known = { time: DateTime.unsafeMake(1_770_000_000_000) }
  const usage = make({ ...details, outputTokens: 1, citationTokens: 2, inputTokens: 3 }, {}, known, () => {})
  const book = Either.getOrThrow(PriceBook.make([{ model: "quill-2", usd: { ...text, citationToken: 1 } }]))
  const cost = book.priceOf(usage, { customerId: "bigretail" })
  expect([shown(cost), charged(cost)]).toEqual(["2.06", "inputTokens 3, outputTokens 1, citationTokens 2"])
})

describe("measures of one thing", () => {
  const picture = { ...text, image: "0.134", inputImage: "0.0011", outputImageToken: "0.001" }
  check([
    ["images that were made cost that", { images: 2 }, { usd: { image: "0.04", inputImage: 7 } }, "0.08"],
    ["images that were looked at cost that", { inputImages: 2 }, { usd: { image: 7, inputImage: "0.001" } }, "0.002"],
    ["images are made of no tokens where none are counted", { images: 1 }, { usd: picture }, "0.134"],
    ["images are made beside no tokens", { images: 1, inputTokens: 0, outputTokens: 0 }, { usd: picture }, "0.134"],
    [
      "images are charged as tokens where those are counted",
      { images: 1, inputTokens: 10, outputTokens: 130, outputImageTokens: 130 },
      { usd: picture },
      "0.23"
    ],
    [
      "images may be in the output that is counted",
      { images: 1, inputTokens: 10, outputTokens: 130 },
      { usd: picture },
      "4, no_usage of outputImageTokens"
    ],
    [
      "images without a price have none",
      { images: 1, inputTokens: 1, outputTokens: 1 },
      { usd: text },
      "0.04, no_price_for_kind of images"
    ],
    [
      "images without a price are tokens of a total that has one price",
      { inputImages: 2, inputTokens: 100, outputTokens: 0 },
      { usd: { ...text, inputImageToken: "0.01" } },
      "1"
    ],
    [
      "images with a price may be charged beside such tokens, or not",
      { inputImages: 2, inputTokens: 100, outputTokens: 0 },
      { usd: { ...text, inputImageToken: "0.01", inputImage: "0.0004" } },
      "1, no_usage of inputImageTokens"
    ],
    [
      "pixels without a price are those of the images that have one",
      { images: 1, pixels: 1_048_576 },
      { usd: { image: "0.04" } },
      "0.04"
    ],
    ["pages without a price are in the credits that have one", { pages: 3, credits: 2 }, { usd: { credit: 1 } }, "2"],
    [
      "pages without a price and without credits have none",
      { pages: 3 },
      { usd: { credit: 1 } },
      "0, no_price_for_kind of pages"
    ],
    [
      "tokens are no measure of characters, for they may be more than text",
      { inputTokens: 10, inputCharacters: 40 },
      { usd: { inputCharacter: "0.001" } },
      "0.04, no_price_for_kind of inputTokens"
    ],
    ["images are charged by pixel", { pixels: 1_048_576 }, { usd: { pixel: "0.000000019" } }, "0.019922944"],
    ["seconds may be parts of one", { inputAudioSeconds: 2.5 }, { usd: { inputAudioSecond: "0.0001" } }, "0.00025"],
    [
      "speech is measured in characters and seconds",
      { inputCharacters: 40, outputAudioSeconds: 3 },
      { usd: { inputCharacter: "0.01", outputAudioSecond: 1 } },
      "3.4"
    ],
    [
      "speech is measured in tokens and seconds",
      { inputTokens: 40, outputAudioSeconds: 3 },
      { usd: { ...text, outputAudioSecond: 1 } },
      "3.4"
    ],
    ["video is measured in seconds", { outputVideoSeconds: 8 }, { usd: { outputVideoSecond: "0.5" } }, "4"],
    [
      "queries are charged, though tokens are free",
      { inputTokens: 0, outputTokens: 0, queries: 3 },
      { usd: { inputToken: 0, outputToken: 0, query: "0.002" } },
      "0.006"
    ],
    [
      "queries are expected, though tokens are free",
      { inputTokens: 9, outputTokens: 0 },
      { usd: { inputToken: 0, outputToken: 0, query: "0.002" } },
      "0, no_usage of queries"
    ],
    ["pages cost that", { pages: 3 }, { usd: { page: "0.004" } }, "0.012"],
    ["credits stand for pages", { pages: 3, credits: 1.5 }, { usd: { credit: "0.015" } }, "0.0225"]
  ])
})

describe("what is beside tokens", () => {
  const search = { ...text, webSearch: "0.01" }
  check([
    ["web searches cost that", { inputTokens: 1, outputTokens: 0, webSearches: 3 }, { usd: search }, "0.04"],
    [
      "web searches without a price have none",
      { inputTokens: 1, outputTokens: 0, webSearches: 3 },
      { usd: text },
      "0.01, no_price_for_kind of webSearches"
    ],
    ["no web searches need no price", { inputTokens: 1, outputTokens: 0, webSearches: 0 }, { usd: text }, "0.01"],
    [
      "web searches cost by their context",
      { inputTokens: 0, outputTokens: 0, webSearches: 3, lowContextWebSearches: 2, highContextWebSearches: 1 },
      { usd: { ...text, lowContextWebSearch: 1, mediumContextWebSearch: 2, highContextWebSearch: 5 } },
      "7"
    ],
    [
      "web searches of an unknown context are not known",
      { inputTokens: 0, outputTokens: 0, webSearches: 3 },
      { usd: { ...text, lowContextWebSearch: 1, mediumContextWebSearch: 2, highContextWebSearch: 5 } },
      "0, no_price_for_kind of webSearches"
    ],
    [
      "web searches of any context cost the same where the price says so",
      { inputTokens: 0, outputTokens: 0, webSearches: 3, lowContextWebSearches: 3 },
      { usd: search },
      "0.03"
    ],
    [
      "tools cost that by name",
      { inputTokens: 1, outputTokens: 0, toolCalls: { code: 2 } },
      { usd: { ...text, toolCalls: { code: "0.5" } } },
      "1.01"
    ],
    [
      "tools without a price have none",
      { inputTokens: 1, outputTokens: 0, toolCalls: { code: 2, x: 0 } },
      { usd: text },
      "0.01, no_price_for_kind of toolCalls.code"
    ],
    [
      "what has no meter has no price",
      { inputTokens: 1, outputTokens: 0, other: { smells: 2 } },
      { usd: text },
      "0.01, no_price_for_kind of other.smells"
    ],
    [
      "what has no meter may have one by name",
      { inputTokens: 1, outputTokens: 0, other: { smells: 2.5 } },
      { usd: { ...text, other: { smells: 2 } } },
      "5.01"
    ],
    [
      "a name of an object's own is a name",
      { inputTokens: 1, outputTokens: 0, other: { constructor: 1 } },
      { usd: text },
      "0.01, no_price_for_kind of other.constructor"
    ],
    [
      "sessions are expected where nothing else has a price",
      {},
      { usd: { session: "0.03" } },
      "0, no_usage of sessions"
    ],
    ["a session of several things is enough", { cacheReadTokens: 5 }, { usd: { cacheReadToken: 1, session: 1 } }, "5"],
    [
      "of additions alone one is enough",
      { cacheReadTokens: 5 },
      { usd: { cacheReadToken: 1, cacheWriteToken: 1 } },
      "5"
    ],
    [
      "additions alone are expected where none is counted",
      {},
      { usd: { cacheReadToken: 1, cacheWriteToken: 1 } },
      "0, no_usage of cacheReadTokens,cacheWriteTokens"
    ],
    [
      "of additions one that costs nothing is not expected",
      {},
      { usd: { cacheReadToken: 1, cacheWriteToken: 0 } },
      "0, no_usage of cacheReadTokens"
    ],
    ["a part that inherits its price is not expected", {}, { usd: { reasoningToken: 1 } }, "0"],
    ["a price of nothing is expected by no one", {}, { usd: { session: 0 } }, "0"],
    [
      "characters are counted on both sides",
      { inputCharacters: 5 },
      { usd: { inputCharacter: 1, outputCharacter: 2 } },
      "5, no_usage of outputCharacters"
    ],
    [
      "characters of the output may be free",
      { inputCharacters: 5 },
      { usd: { inputCharacter: 1, outputCharacter: 0 } },
      "5"
    ],
    [
      "an embedding has no characters of output",
      { inputCharacters: 5, operation: "embeddings" },
      { usd: { inputCharacter: 1, outputCharacter: 2 } },
      "5"
    ],
    [
      "characters of the output may be tokens",
      { inputCharacters: 5, outputTokens: 2 },
      { usd: { inputCharacter: 1, outputCharacter: 2, outputToken: 3 } },
      "11"
    ],
    [
      "characters of the output are expected beside input that is counted in tokens",
      { inputTokens: 10 },
      { usd: { inputToken: 1, outputCharacter: 2 } },
      "10, no_usage of outputCharacters"
    ],
    [
      "characters of the output are expected beside input that is counted in seconds",
      { inputAudioSeconds: 3 },
      { usd: { inputAudioSecond: 1, outputCharacter: 2 } },
      "3, no_usage of outputCharacters"
    ],
    [
      "characters of the output are not expected where output is counted",
      { inputTokens: 10, outputAudioSeconds: 3 },
      { usd: { inputToken: 1, outputCharacter: 2, outputAudioSecond: 4 } },
      "22"
    ],
    [
      "characters of the output are not expected beside tokens that are",
      { inputTokens: 10 },
      { usd: { inputToken: 1, outputToken: 3, outputCharacter: 2 } },
      "10, no_usage of outputTokens"
    ],
    [
      "characters that went in say nothing of tokens that came out",
      { inputTokens: 1, inputCharacters: 5 },
      { usd: { inputToken: 1, inputCharacter: 1, outputToken: 2 } },
      "1, no_usage of outputTokens"
    ],
    [
      "a price for the request beside one for a tool is not for all",
      { requests: 1, toolCalls: { code: 1 } },
      { usd: { request: 2, toolCalls: { code: 3 } } },
      "5"
    ],
    ["sessions cost that", { sessions: 2 }, { usd: { session: "0.03" } }, "0.06"],
    [
      "a price for the request alone includes all",
      { inputTokens: 1, images: 3, toolCalls: { x: 1 } },
      { usd: { request: 2 } },
      "2"
    ],
    [
      "a cost that the provider reports is all",
      { inputTokens: 1, images: 3, uncounted: ["x"], usd: BigDecimal.make(62n, 2) },
      { usd: text },
      "0.62"
    ]
  ])
})

describe("a service tier", () => {
  const price: Partial<PriceBook.Price> = {
    usd: { ...claude, webSearch: "0.01" },
    tiers: [{ aboveInputTokens: 200, usd: { inputToken: "0.02" } }],
    serviceTiers: {
      priority: {
        usd: { inputToken: "0.02", outputToken: "0.06" },
        tiers: [{ aboveInputTokens: 200, usd: { inputToken: "0.05" } }]
      },
      flex: { usd: { inputToken: "0.005", outputToken: "0.015" } },
      batch: { usd: { inputToken: "0.004" } }
    }
  }
  const tokens = { inputTokens: 100, outputTokens: 10 }
  check([
    ["that is standard is that of the price", { ...tokens, serviceTier: "standard" }, price, "1.3"],
    ["has its own prices", { ...tokens, serviceTier: "priority" }, price, "2.6"],
    [
      "has its own prices for long requests",
      { inputTokens: 300, outputTokens: 0, serviceTier: "priority" },
      price,
      "15"
    ],
    [
      "without prices for long requests has none",
      { inputTokens: 300, outputTokens: 1, serviceTier: "flex" },
      price,
      "0, no_price_for_kind of inputTokens,outputTokens"
    ],
    [
      "without a price for output has none",
      { ...tokens, serviceTier: "batch" },
      price,
      "0.4, no_price_for_kind of outputTokens"
    ],
    [
      "without a price for the cache has none",
      { ...tokens, cacheReadTokens: 50, serviceTier: "flex" },
      price,
      "0.4, no_price_for_kind of cacheReadTokens"
    ],
    [
      "that is not known has no prices",
      { ...tokens, serviceTier: "reserved" },
      price,
      "0, no_price_for_kind of inputTokens,outputTokens"
    ],
    ["does not change the price of a search", { ...tokens, webSearches: 1, serviceTier: "priority" }, price, "2.61"],
    ["prices reasoning as its output", { ...tokens, reasoningTokens: 4, serviceTier: "priority" }, price, "2.6"]
  ])

  check([
    [
      "without prices makes no price of a request that is beside those of tokens one for all",
      { inputTokens: 10, outputTokens: 10, serviceTier: "flex" },
      { usd: { ...text, request: 5 } },
      "5, no_price_for_kind of inputTokens,outputTokens"
    ],
    [
      "without prices expects the tokens all the same",
      { webSearches: 2, serviceTier: "flex" },
      { usd: { ...text, webSearch: 1 } },
      "2, no_usage of inputTokens,outputTokens"
    ],
    [
      "leaves a price for the request alone as it is",
      { inputTokens: 10, outputTokens: 10, serviceTier: "flex" },
      { usd: { request: 5 } },
      "5"
    ]
  ])
  it("is on each charge, the standard one too where the price is that", () => {
    const { charges } = costOf({ ...tokens, webSearches: 1, serviceTier: "priority" }, price)
    expect(charges.map(({ meter, price }) => [meter, price.tier])).toEqual([
      ["inputTokens", "priority"],
      ["outputTokens", "priority"],
      ["webSearches", "standard"]
    ])
  })
})

describe("a price of a tier", () => {
  it.each<Row>([
    [
      "has its own price of long requests, where the standard one has none",
      { inputTokens: 300, outputTokens: 0, serviceTier: "batch" },
      {
        usd: text,
        serviceTiers: {
          batch: {
            usd: { inputToken: "0.005", outputToken: "0.01" },
            tiers: [{ aboveInputTokens: 200, usd: { inputToken: "0.02" } }]
          }
        }
      },
      "6"
    ],
    [
      "may be nothing, which is then not asked for",
      { inputTokens: 100, serviceTier: "batch" },
      { usd: text, serviceTiers: { batch: { usd: { inputToken: "0.005", outputToken: 0 } } } },
      "0.5"
    ],
    [
      "names a tool that has no price in the standard one",
      { toolCalls: { web: 1 } },
      { usd: { request: 1 }, serviceTiers: { batch: { usd: { toolCalls: { web: "0.5" } } } } },
      "1, no_price_for_kind of toolCalls.web"
    ],
    [
      "has as many decimal places as it is given",
      { inputTokens: 1, outputTokens: 0, toolCalls: { web: 1 }, other: { sheets: 1 } },
      { usd: { inputToken: "1e-25", outputToken: 1, toolCalls: { web: "1e-27" }, other: { sheets: "1e-29" } } },
      "0.00000000000000000000000010101"
    ]
  ])("%s", (_, details, price, expected) => {
    expect(shown(costOf(details, price))).toBe(expected)
  })

  it("names no region that has no factor", () => {
    const usd = { inputToken: "0.005", outputToken: "0.01" }
    const details = { inputTokens: 100, outputTokens: 0, serviceTier: "batch", region: "eu" }
    const { charges } = costOf(details, { usd: text, serviceTiers: { batch: { usd } }, regions: { us: 2 } })
    expect(charges.map(({ price }) => [price.tier, "region" in price])).toEqual([["batch", false]])
  })
})

describe("a price that holds under some conditions only", () => {
  check([
    [
      "is lacking where it does not hold",
      { inputTokens: 10 },
      { usd: { inputToken: 1 }, tiers: [{ aboveInputTokens: 100, usd: { outputToken: 2 } }] },
      "10, no_usage of outputTokens"
    ],
    [
      "is not lacking where it is zero",
      { inputTokens: 10, serviceTier: "batch" },
      { usd: { inputToken: "0.01", outputToken: 0 }, serviceTiers: { batch: { usd: { inputToken: "0.005" } } } },
      "0.05"
    ]
  ])
})

describe("a part that a price expects", () => {
  const drawn: Partial<PriceBook.Price> = { usd: { ...text, outputImageToken: "0.3" }, expects: ["outputImageTokens"] }
  check([
    [
      "makes the cost unknown where the usage does not name it",
      { inputTokens: 10, outputTokens: 100 },
      drawn,
      "3.1, no_usage of outputImageTokens"
    ],
    ["may be none", { inputTokens: 10, outputTokens: 100, outputImageTokens: 0 }, drawn, "3.1"],
    ["is charged", { inputTokens: 10, outputTokens: 100, outputImageTokens: 90 }, drawn, "27.4"],
    ["is not expected of a total that is zero", { inputTokens: 10, outputTokens: 0 }, drawn, "0.1"],
    [
      "is not expected where it costs what the rest of the total does",
      { inputTokens: 10, outputTokens: 100 },
      { usd: { ...text, outputImageToken: "0.03" }, expects: ["outputImageTokens"] },
      "3.1"
    ]
  ])
})

describe("a region", () => {
  const price = { usd: { ...text, webSearch: 1 }, regions: { us: "1.1" } }
  check([
    ["multiplies tokens, not fees", { inputTokens: 100, outputTokens: 0, webSearches: 1, region: "US" }, price, "2.1"],
    ["without a factor changes nothing", { inputTokens: 100, outputTokens: 0, region: "eu" }, price, "1"],
    [
      "of an object's own name changes nothing",
      { inputTokens: 100, outputTokens: 0, region: "constructor" },
      price,
      "1"
    ]
  ])
})

describe("charges", () => {
  it("are remembered by bits, of which each meter has one", () => {
    expect(meterNames.length).toBeLessThanOrEqual(60)
  })

  it("are none where nothing was consumed", () => {
    const usd = { request: "0.5" }
    expect(costOf({ requests: 0 }, { usd })).toMatchObject({ _tag: "Priced", charges: [] })
    expect(costOf({ requests: 2 }, { usd }).charges.map(({ meter, quantity }) => [meter, quantity])).toEqual([
      ["requests", 2]
    ])
  })

  it("say what was charged, at which price, from where", () => {
    const cost = costOf(
      { inputTokens: 300, cacheReadTokens: 100, outputTokens: 10, region: "us" },
      {
        usd: claude,
        tiers: [{ aboveInputTokens: 200, usd: { inputToken: "0.02" } }],
        regions: { us: "1.1" },
        source: "prices.json",
        from: "2026-01-01T00:00:00Z"
      }
    )
    const price = {
      source: "prices.json",
      entry: "quill-2",
      tier: "standard",
      aboveInputTokens: 200,
      region: "us",
      from: DateTime.unsafeMake("2026-01-01T00:00:00Z")
    }
    const shown = cost.charges.map((charge) => ({
      ...charge,
      unitPrice: Cost.format(charge.unitPrice),
      usd: Cost.format(charge.usd)
    }))
    expect(shown).toEqual([
      { meter: "inputTokens", quantity: 200, unit: "inputToken", unitPrice: "0.022", usd: "4.4", price },
      { meter: "cacheReadTokens", quantity: 100, unit: "cacheReadToken", unitPrice: "0.0011", usd: "0.11", price },
      { meter: "outputTokens", quantity: 10, unit: "outputToken", unitPrice: "0.033", usd: "0.33", price }
    ])
    expect(Cost.format(cost.usd)).toBe("4.84")
    for (const charge of cost.charges) {
      expect(Schema.encodeSync(Cost.PriceSource)(charge.price)).toEqual({ ...price, from: "2026-01-01T00:00:00.000Z" })
      expect(Schema.encodeSync(Cost.Charge)(charge)).toMatchObject({
        meter: charge.meter,
        usd: Cost.format(charge.usd)
      })
    }
  })

  it("of a cost that the provider reports are one", () => {
    const { charges } = costOf({ usd: BigDecimal.make(62n, 2) }, {})
    expect(charges).toMatchObject([{ meter: "usd", quantity: 1, unit: "usd", price: { source: "provider" } }])
  })

  it("of bytes and of computing are those of a gigabyte and of an hour", () => {
    const { charges, usd } = costOf(
      { kind: "database", provider: "gcp.bigquery", bytesScanned: 1_500_000_000, computeMs: 1_800_000 },
      { kind: "database", model: undefined, usd: { gigabyteScanned: 2, computeHour: 1 } }
    )
    expect(charges.map(({ unitPrice, usd }) => [Cost.format(unitPrice), Cost.format(usd)])).toEqual([
      ["2", "3"],
      ["1", "0.5"]
    ])
    expect(Cost.format(usd)).toBe("3.5")
  })

  it("are summed whatever their decimal places, in any order", () => {
    const price = { usd: { inputAudioSecond: "0.001", webSearch: 1 } }
    expect(shown(costOf({ inputAudioSeconds: 0.25, webSearches: 2 }, price))).toBe("2.00025")
  })

  it("of a fraction are exact, and rounded half up where a unit is no power of ten of the quantity", () => {
    expect(shown(costOf({ inputAudioSeconds: 0.5 }, { usd: { inputAudioSecond: "0.01" } }))).toBe("0.005")
    expect(shown(costOf({ inputAudioSeconds: 1e-7 }, { usd: { inputAudioSecond: "1e-14" } }))).toBe(
      "0.000000000000000000001"
    )
    const computed = (computeMs: number) => shown(costOf({ computeMs }, { usd: { computeHour: "3.6" } }))
    expect([1_800_000, 1_800_000.5, 0.5].map(computed)).toEqual(["1.8", "1.8000005", "0.0000005"])
  })
})

const priced = FastCheck.uniqueArray(FastCheck.constantFrom(...meterNames), { maxLength: 20 })
const amounts = FastCheck.tuple(FastCheck.bigInt(1n, 10n ** 9n), FastCheck.integer({ min: 0, max: 12 }))

/** Quantities of some meters. Those with parts are large enough for them. */
const quantitiesOf = (names: ReadonlyArray<MeterName>, quantity: number): Partial<Record<MeterName, number>> =>
  Object.fromEntries(
    names.map((name) => [
      name,
      meterNames.some((part) => meterOf(part).partOf?.[name] !== undefined) ? 1000 * quantity : quantity
    ])
  )

const isCovered = (name: MeterName, units: ReadonlySet<string>): boolean => {
  const { inherits, isIncidental, unit } = meterOf(name)
  return (
    units.has(unit) ||
    isIncidental === true ||
    (inherits !== undefined && units.has(meters[inherits as MeterName].unit))
  )
}

describe("any usage", () => {
  it.prop(
    "is priced only where each of its meters has a price, and the charges sum to the cost to the last digit",
    [priced, priced, amounts, FastCheck.integer({ min: 1, max: 1_000_000 })],
    ([used, withPrice, [value, scale], quantity]) => {
      const usd: Partial<Record<Unit, Cost.UsdInput>> = {}
      withPrice.forEach((name, i) => {
        usd[meters[name].unit] = BigDecimal.make(value + BigInt(i), scale)
      })
      const cost = costOf(quantitiesOf(used, quantity), { usd })
      const sum = BigDecimal.sumAll(cost.charges.map((charge) => charge.usd))
      expect(BigDecimal.equals(sum, cost.usd)).toBe(true)
      const units = new Set(Object.keys(usd))
      const isFlat = units.size === 1 && units.has("request")
      if (cost._tag === "Priced" && !isFlat) {
        for (const name of used) {
          const isMeasuredElse = (meterOf(name).measuredAs ?? []).some(
            (other) => used.includes(other as MeterName) && units.has(meters[other as MeterName].unit)
          )
          expect(isCovered(name, units) || isMeasuredElse, name).toBe(true)
        }
      }
      for (const { quantity, unitPrice, usd } of cost.charges) {
        expect(quantity).toBeGreaterThan(0)
        expect(unitPrice.value > 0n).toBe(true)
        expect(usd.value > 0n).toBe(true)
      }
    }
  )

  it.prop("comes back from JSON with its charges", [priced, priced], ([used, withPrice]) => {
    const usage = usageOf(quantitiesOf(used, 7))
    const usd = Object.fromEntries(withPrice.map((name) => [meters[name].unit, "0.25"]))
    const cost = costOf(quantitiesOf(used, 7), { usd, from: "2026-01-01", source: "prices.json" })
    const json: unknown = JSON.parse(
      JSON.stringify(Schema.encodeSync(RecordedUsage)(new RecordedUsage({ usage, cost })))
    )
    const back = Schema.decodeUnknownSync(RecordedUsage)(json)
    expect(JSON.parse(JSON.stringify(Schema.encodeSync(RecordedUsage)(back)))).toEqual(json)
    expect(shown(back.cost)).toBe(shown(cost))
    expect(JSON.parse(JSON.stringify(cost))).toEqual((json as { readonly cost: unknown }).cost)
    expect(back.cost.charges).toHaveLength(cost.charges.length)
  })
})

describe("what was charged before", () => {
  const names: ReadonlyArray<MeterName> = [
    "inputTokens",
    "cacheReadTokens",
    "cacheWriteTokens",
    "cacheWrite1hTokens",
    "inputAudioTokens",
    "cacheReadAudioTokens",
    "outputTokens",
    "reasoningTokens",
    "outputImageTokens",
    "images",
    "webSearches",
    "lowContextWebSearches",
    "computeMs",
    "requests"
  ]
  const quantity = FastCheck.constantFrom(undefined, 0, 1, 2, 3, 5, 8)
  const operation = FastCheck.constantFrom("chat", "chat", "embeddings")
  const named = FastCheck.oneof(
    FastCheck.uniqueArray(FastCheck.constantFrom(...names), { minLength: 1, maxLength: 5 }),
    FastCheck.constant<Array<MeterName>>(["inputTokens", "cacheReadTokens", "inputAudioTokens"])
  )
  /** Usages that name the same few meters, in numbers that differ. */
  const usages = named.chain((names) =>
    FastCheck.array(FastCheck.tuple(operation, FastCheck.tuple(...names.map(() => quantity))), {
      minLength: 2,
      maxLength: 8
    }).map((all) =>
      all.map(([operation, quantities]) =>
        usageOf({
          operation,
          ...Object.fromEntries(
            names.flatMap((name, i) => (quantities[i] === undefined ? [] : [[name, quantities[i]]]))
          )
        })
      )
    )
  )
  const unitsOfNames = names.map((name) => meterOf(name).unit as Unit)
  const price = FastCheck.record({
    usd: FastCheck.dictionary(
      FastCheck.constantFrom(...unitsOfNames),
      FastCheck.constantFrom("0.01", "0.01", "0.03", "0.3", 0),
      { minKeys: 4, maxKeys: 12 }
    ),
    expects: FastCheck.constantFrom<ReadonlyArray<MeterName> | undefined>(undefined, ["outputImageTokens"])
  })

  it("changes nothing: a book that knows many usages gives each the cost that a new book gives", () => {
    const costs = (book: PriceBook.Book, usages: ReadonlyArray<ReturnType<typeof usageOf>>) =>
      usages.map((usage) => JSON.stringify(book.priceOf(usage, { customerId: "bigretail" })))
    FastCheck.assert(
      FastCheck.property(price, usages, (price, usages) => {
        const newBook = () => Either.getOrThrow(PriceBook.make([{ model: "quill-2", ...price }]))
        const book = newBook()
        costs(book, usages)
        expect(costs(book, usages.toReversed())).toEqual(usages.toReversed().flatMap((one) => costs(newBook(), [one])))
      }),
      { numRuns: 500 }
    )
  })
})
