/**
 * What calls cost: prices of your own and of price files, why one of them won, and runs priced again.
 */
import { DateTime, Effect, Option } from "effect"
import { UsageTotals } from "./cost/CostTotals.js"
import { type Explanation, type Payer, PriceBook } from "./cost/PriceBook.js"
import { Repricing, repriceUsages } from "./cost/Repricing.js"
import type { Usage } from "./cost/UsageRecord.js"
import { CompletedRun } from "./lifecycle/CompletedRun.js"
import { RunContext } from "./RunContext.js"

export {
  type Book,
  type BookOptions,
  type ConsideredPrice,
  type Explanation,
  empty,
  InvalidPrice,
  layer,
  make,
  type NamedPrices,
  type Payer,
  type Price,
  PriceBook,
  type PriceTier,
  perMillion,
  perThousand,
  type Service,
  type ServiceTierPrices,
  type Unit,
  type UnitPrices,
  type Validity
} from "./cost/PriceBook.js"
export { Repricing } from "./cost/Repricing.js"

/**
 * Which prices were considered for a usage, in the order of precedence, why one of them won, and what the usage costs by it. Who
 * pays is the customer of the current run, unless `payer` is given; outside of a run it is nobody in particular.
 *
 * @example
 * ```ts
 * import { PriceBook, Usage } from "botanu-effect"
 * import { DateTime, Effect } from "effect"
 *
 * const usage = new Usage.Usage({
 *   kind: "llm",
 *   provider: "openai",
 *   operation: "chat",
 *   model: "quill-2",
 *   time: DateTime.unsafeMake("2026-06-01T00:00:00Z"),
 *   status: "success",
 *   requests: 1,
 *   inputTokens: 100,
 *   outputTokens: 10
 * })
 *
 * const prices = PriceBook.layer([
 *   { model: "quill-2", source: "list", usd: { inputToken: "0.01", outputToken: "0.03" } },
 *   { model: "quill-2", customerId: "bigretail", usd: { inputToken: "0.005", outputToken: "0.015" } }
 * ])
 *
 * const program = Effect.map(PriceBook.explain(usage), ({ considered }) => {
 *   for (const { source, why } of considered) console.log(`${source}: ${why}`)
 * })
 *
 * Effect.runPromise(Effect.provide(program, prices))
 * // override: holds for bigretail
 * // list: fits, and comes first
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export const explain = (usage: Usage, payer?: Payer): Effect.Effect<Explanation, never, PriceBook> =>
  Effect.flatMap(PriceBook, (book) =>
    Effect.map(Effect.serviceOption(RunContext), (run) => {
      const who = payer ?? Option.getOrElse(run, () => nobody)
      return book.explain?.(usage, who) ?? { ...unexplained, cost: book.priceOf(usage, who) }
    })
  )

const nobody: Payer = { customerId: "" }

const unexplained = { names: [], considered: [], winner: undefined }

/**
 * Prices a completed run again, at the prices in scope, for the times of its usages: what was unpriced, and what a corrected price
 * changes. The record that it gives says so in `repriced`. Where nothing changes it is the same record. A cost that was known is
 * kept where these prices do not know it.
 *
 * @example
 * ```ts
 * import { type CompletedRun, Cost, PriceBook } from "botanu-effect"
 * import { Effect } from "effect"
 *
 * const corrected = PriceBook.layer([{ model: "quill-2", usd: { inputToken: "0.01", outputToken: "0.03" } }])
 *
 * export const reprice = (completed: CompletedRun) =>
 *   PriceBook.reprice(completed).pipe(
 *     Effect.tap(({ repriced, totals }) =>
 *       repriced && Effect.log(`${Cost.format(repriced.recordedUsd)} USD is now ${Cost.format(totals.usd)} USD`)
 *     ),
 *     Effect.provide(corrected)
 *   )
 * ```
 *
 * @since 0.2.0
 * @category prices
 */
export const reprice = (completed: CompletedRun): Effect.Effect<CompletedRun, never, PriceBook> =>
  Effect.zipWith(PriceBook, DateTime.now, (book, time) => {
    const { changed, usages } = repriceUsages(completed.usages, (usage) => book.priceOf(usage, completed.run))
    if (changed === 0) return completed
    const sums = new UsageTotals()
    for (const recorded of usages) sums.add(recorded)
    const recordedUsd = completed.repriced?.recordedUsd ?? completed.totals.usd
    const repriced = new Repricing({ time, recordedUsd, calls: changed })
    return new CompletedRun({ ...completed, usages, totals: sums.totals, repriced }, { disableValidation: true })
  })
