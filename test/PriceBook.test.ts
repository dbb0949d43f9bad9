/**
 * Why a price won, and runs priced again.
 */
import { describe, expect, it } from "@effect/vitest"
import { BigDecimal, DateTime, Effect, Layer, Schema, TestClock } from "effect"
import { Botanu, CompletedRun, Cost, PriceBook, Usage } from "../src/index.js"
import { completedRuns, observed } from "./observed.js"
import { ids } from "./runs.js"
import { costText, prices, usd } from "./usages.js"

const chat = { kind: "llm", provider: "openai", operation: "chat", model: "quill-2" } as const

const quill2 = (inputToken: Cost.UsdInput, more: Partial<PriceBook.Price> = {}): PriceBook.Price => ({
  model: "quill-2",
  ...more,
  usd: { inputToken, outputToken: 0 }
})

/** A run of a known call, an unknown one and one whose provider says what it cost. */
const recorded = (book: ReadonlyArray<PriceBook.Price>) =>
  Effect.gen(function* () {
    yield* Effect.all([
      Usage.record({ ...chat, inputTokens: 10, outputTokens: 0 }),
      Usage.record({ ...chat, model: "quill-3", inputTokens: 10, outputTokens: 0 }),
      Usage.record({ ...chat, usd: "0.5" })
    ]).pipe(Botanu.workflow("W", ids), Effect.provide(PriceBook.layer(book)))
    return (yield* completedRuns).at(-1) as CompletedRun
  })

const costs = ({ usages }: CompletedRun) => usages.map(({ cost }) => costText(cost))

describe("a run that is priced again", () => {
  it.effect("has the cost of what was unpriced, and says so", () =>
    Effect.gen(function* () {
      const run = yield* recorded([quill2("0.1")])
      expect(costs(run)).toEqual(["1", "unknown_model", "0.5"])
      yield* TestClock.adjust("1 day")
      const book = PriceBook.layer([quill2("0.1"), { model: "quill-3", usd: { inputToken: "0.2", outputToken: 0 } }])
      const again = yield* Effect.provide(PriceBook.reprice(run), book)
      expect(costs(again)).toEqual(["1", "2", "0.5"])
      expect(Cost.format(again.totals.usd)).toBe("3.5")
      expect(again.totals).toMatchObject({ calls: 3, unpricedCalls: 0, inputTokens: 20 })
      expect(again.totals).not.toHaveProperty("unpriced")
      expect(again.repriced).toBeInstanceOf(PriceBook.Repricing)
      expect(again.repriced).toMatchObject({ calls: 1 })
      expect(again.repriced && Cost.format(again.repriced.recordedUsd)).toBe("1.5")
      expect(again.repriced?.time.epochMillis).toBe(86_400_000)
      // The record that it was made of stays what it was.
      expect(costs(run)).toEqual(["1", "unknown_model", "0.5"])
      expect(run).not.toHaveProperty("repriced")
      expect({ ...again, usages: 0, totals: 0, repriced: 0 }).toEqual({ ...run, usages: 0, totals: 0, repriced: 0 })
    }).pipe(Effect.provide(observed))
  )

  it.effect("has the cost of a corrected price, and keeps what it was recorded with at first", () =>
    Effect.gen(function* () {
      const run = yield* recorded([quill2("0.1")])
      const twice = yield* PriceBook.reprice(run).pipe(
        Effect.provide(PriceBook.layer([quill2("0.2")])),
        Effect.flatMap((once) => Effect.provide(PriceBook.reprice(once), PriceBook.layer([quill2("0.3")])))
      )
      expect(costs(twice)).toEqual(["3", "unknown_model", "0.5"])
      expect(twice.repriced && Cost.format(twice.repriced.recordedUsd)).toBe("1.5")
    }).pipe(Effect.provide(observed))
  )

  it.effect("is priced by a book of one's own as its calls were, which may keep its prices in itself", () => {
    class OwnBook implements PriceBook.Service {
      constructor(readonly usd: string) {}
      priceOf(): Cost.Cost {
        return new Cost.Priced({ usd: usd(this.usd) })
      }
    }
    const layer = (amount: string) => Layer.succeed(PriceBook.PriceBook, new OwnBook(amount))
    return Effect.gen(function* () {
      yield* Usage.record(chat).pipe(Botanu.workflow("W", ids), Effect.provide(layer("1")))
      const run = (yield* completedRuns).at(-1) as CompletedRun
      expect(costs(run)).toEqual(["1"])
      expect(costs(yield* Effect.provide(PriceBook.reprice(run), layer("2")))).toEqual(["2"])
    }).pipe(Effect.provide(observed))
  })

  it.effect("is the same record where nothing changes, and keeps a cost that is known no more", () =>
    Effect.gen(function* () {
      const run = yield* recorded([quill2("0.1")])
      for (const book of [[quill2("0.1")], [], [quill2("9", { from: "2030-01-01" })]]) {
        expect(yield* Effect.provide(PriceBook.reprice(run), PriceBook.layer(book))).toBe(run)
      }
    }).pipe(Effect.provide(observed))
  )

  const usdOf = BigDecimal.unsafeFromString
  const before = { reason: "no_usage", missing: ["outputTokens"], usd: usdOf("1") } as const

  it.effect.each([
    ["another reason", { ...before, reason: "no_price_for_kind" }, 1],
    ["other meters", { ...before, missing: ["outputTokens", "pages"] }, 1],
    ["another known part", { ...before, usd: usdOf("2") }, 1],
    ["the same of all that", { ...before, usd: usdOf("1.0") }, undefined]
  ] as const)("is unpriced, as these prices say it: %s", ([_, cost, calls]) =>
    Effect.gen(function* () {
      const bookOf = (fields: ConstructorParameters<typeof Cost.Unpriced>[0]) =>
        Layer.succeed(PriceBook.PriceBook, { priceOf: () => new Cost.Unpriced(fields) })
      yield* Usage.record(chat).pipe(Botanu.workflow("W", ids), Effect.provide(bookOf(before)))
      const run = (yield* completedRuns).at(-1) as CompletedRun
      const again = yield* Effect.provide(PriceBook.reprice(run), bookOf(cost))
      expect(again.repriced?.calls).toBe(calls)
      expect(again.usages[0]?.cost).toMatchObject({ reason: cost.reason, missing: cost.missing })
    }).pipe(Effect.provide(observed))
  )

  it.effect("is priced for its own customer", () =>
    Effect.gen(function* () {
      const run = yield* recorded([])
      const book = PriceBook.layer([quill2("0.1"), quill2("0.2", { customerId: ids.customerId })])
      expect(costs(yield* Effect.provide(PriceBook.reprice(run), book))).toEqual(["2", "unknown_model", "0.5"])
    }).pipe(Effect.provide(observed))
  )

  it.effect("is JSON and back", () =>
    Effect.gen(function* () {
      const run = yield* recorded([])
      const again = yield* Effect.provide(PriceBook.reprice(run), PriceBook.layer([quill2("0.1")]))
      const json: unknown = JSON.parse(JSON.stringify(again))
      expect(json).toEqual(JSON.parse(JSON.stringify(Schema.encodeSync(CompletedRun)(again))))
      expect(json).toMatchObject({ repriced: { recordedUsd: "0.5", calls: 1 } })
      expect(JSON.parse(JSON.stringify(Schema.decodeUnknownSync(CompletedRun)(json)))).toEqual(json)
    }).pipe(Effect.provide(observed))
  )
})

describe("an explanation", () => {
  const usage = new Usage.Usage({
    ...chat,
    time: DateTime.unsafeMake(0),
    status: "success",
    requests: 1,
    inputTokens: 1,
    outputTokens: 0
  })
  const book = PriceBook.layer([quill2("0.1", { source: "list" }), quill2("0.2", { customerId: ids.customerId })])

  it.effect("is for the customer of the current run, for one that is given, or for nobody", () =>
    Effect.gen(function* () {
      const inRun = yield* PriceBook.explain(usage).pipe(Botanu.workflow("W", ids))
      expect(costText(inRun.cost)).toBe("0.2")
      expect(inRun.winner).toMatchObject({ source: "override", why: "fits, and comes first" })
      const given = yield* PriceBook.explain(usage, { customerId: "smallretail" })
      expect(costText(given.cost)).toBe("0.1")
      expect(given.considered.map(({ why }) => why)).toEqual([`holds for ${ids.customerId}`, "fits, and comes first"])
      expect(costText((yield* PriceBook.explain(usage)).cost)).toBe("0.1")
    }).pipe(Effect.provide(Layer.merge(observed, book)))
  )

  it.effect("is the cost alone, of a book that explains nothing", () =>
    Effect.gen(function* () {
      const { considered, cost, winner } = yield* PriceBook.explain(usage)
      expect([considered, winner]).toEqual([[], undefined])
      expect(costText(cost)).toBe("no_usage")
    }).pipe(Effect.provide(prices(() => new Cost.Unpriced({ reason: "no_usage", usd: usd("0") }))))
  )
})
