/**
 * Costs that providers report, beside those of the price book.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Botanu, PriceBook, Usage } from "../../src/index.js"
import { completedRuns, logging, observed } from "../observed.js"
import { ids } from "../runs.js"
import { costOf, quill } from "../usages.js"

const prices = Layer.orDie(PriceBook.layer([{ ...quill, usd: { inputToken: "0.01", outputToken: "0.1" } }]))

const call = (usd: string | undefined, more: Partial<Usage.UsageDetails> = {}) =>
  Usage.record({ kind: "llm", ...quill, operation: "chat", inputTokens: 100, outputTokens: 1, usd, ...more })

const logged = (...calls: ReadonlyArray<ReturnType<typeof call>>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    return Effect.all(calls, { discard: true }).pipe(
      Botanu.workflow("Support", ids),
      Effect.zipRight(Effect.map(completedRuns, (runs) => ({ lines, costs: runs.map(costOf) }))),
      Effect.provide([observed, prices, logging(lines)])
    )
  })

describe("a cost that the provider reports", () => {
  it.effect("counts, and what the price book has beside it is logged once a model", () =>
    Effect.gen(function* () {
      const { costs, lines } = yield* logged(call("2"), call("3"))
      expect(costs).toEqual(["5"])
      expect(lines).toEqual([
        "openai (quill-2) reports 2 USD for a call, the price book has 1.1 USD; the reported cost counts"
      ])
    })
  )
  it.effect("is not logged where both agree, whatever comes later", () =>
    Effect.gen(function* () {
      expect((yield* logged(call("1.10"), call("3"))).lines).toEqual([])
    })
  )
  it.effect("is not logged where the price book has no price, or there are no quantities", () =>
    Effect.gen(function* () {
      const none = { inputTokens: undefined, outputTokens: undefined }
      const { lines } = yield* logged(call("2", { model: "unheard-of" }), call("2", none), call(undefined))
      expect(lines).toEqual([])
    })
  )
})
