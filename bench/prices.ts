/**
 * A price book of thousands of models: how long it takes to read, and whether a price is found as fast as in a small one.
 */
import { DateTime, Effect, Either } from "effect"
import { fromText } from "../src/cost/LiteLlmPrices.js"
import { PriceBook, Usage } from "../src/index.js"
import { type Measurement, measure, repeatedCall } from "./measure.js"
import { format } from "./table.js"

const models = 3000

const entryOf = (i: number) => ({
  litellm_provider: i % 2 === 0 ? "openai" : "anthropic",
  mode: "chat",
  max_tokens: 8192,
  max_input_tokens: 200_000,
  input_cost_per_token: (i + 1) * 1e-8,
  output_cost_per_token: (i + 1) * 4e-8,
  cache_read_input_token_cost: (i + 1) * 1e-9,
  input_cost_per_token_above_200k_tokens: (i + 1) * 2e-8,
  supports_vision: true,
  supports_function_calling: i % 3 === 0
})

const textOf = (count: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`model-${i}`, entryOf(i)])))

const bookFrom = (text: string): PriceBook.Service =>
  Either.getOrThrow(Either.flatMap(fromText(text, { name: "prices.json" }), ({ prices }) => PriceBook.make(prices)))

const usage = new Usage.Usage({
  kind: "llm",
  provider: "openai",
  operation: "chat",
  model: "model-20",
  time: DateTime.unsafeMake(Date.now()),
  status: "success",
  requests: 1,
  inputTokens: 1204,
  cacheReadTokens: 1024,
  outputTokens: 87
})

const priced = (book: PriceBook.Service) => repeatedCall(() => book.priceOf(usage, { customerId: "bigretail" }))

const aimMillis = 200

/** A book of 3,000 models beside what it takes to parse its text as JSON; the first time, and when the compiler is warm. */
const loading: Measurement = {
  name: "price book of 3000 models",
  lines: Effect.suspend(() => {
    const text = textOf(models)
    const start = performance.now()
    bookFrom(text)
    const firstMillis = performance.now() - start
    const name = "price book of 3000 models, beside JSON.parse"
    const comparison = {
      name,
      ours: repeatedCall(() => bookFrom(text)),
      theirs: repeatedCall(() => JSON.parse(text))
    }
    return Effect.map(measure(comparison), (timing) => [
      format({ name, ...timing, unit: "ns" }),
      `  the first takes ${firstMillis.toFixed(0)} ms (aim: less than ${aimMillis} ms; ${firstMillis < aimMillis ? "ok" : "missed"})`
    ])
  })
}

/** A price of a book of 3,000 models, beside one of a book of 30. */
const lookup: Measurement = {
  name: "price of a usage",
  lines: Effect.suspend(() => {
    const comparison = {
      name: "price of a usage, of 3000 models beside 30",
      ours: priced(bookFrom(textOf(models))),
      theirs: priced(bookFrom(textOf(30))),
      aim: 1.3
    }
    return Effect.map(measure(comparison), (timing) => [format({ ...comparison, ...timing, unit: "ns" })])
  })
}

export const prices: ReadonlyArray<Measurement> = [loading, lookup]
