/**
 * What a price file would add to the sums of a ledger. Nothing is written.
 */
import { Cost, type PriceBook, Usage } from "botanu-effect"
import { BigDecimal, Option, Schema } from "effect"
import type * as Page from "./PageApi.js"

/** The prices of a file. */
export interface PriceCheck {
  readonly source: string
  readonly book: PriceBook.Service
}

/** A call without a price. */
export interface UnpricedCall {
  readonly name: string
  readonly reason: string
  /** The usage as JSON. */
  readonly usage: string
  /** What is known of its cost. */
  readonly usd: string
  readonly customerId: string
  readonly tenantId: string | undefined
}

const decode = Schema.decodeUnknownOption(Usage.Usage)

/** What the calls would cost beyond what is known of them, by model and by the reason why they have no price. */
export const of = (
  { book, source }: PriceCheck,
  calls: ReadonlyArray<UnpricedCall>
): NonNullable<Page.Prices["repriced"]> => {
  const models = new Map<string, { name: string; reason: string; usd: BigDecimal.BigDecimal; calls: number }>()
  let [priced, total] = [0, BigDecimal.make(0n, 0)]
  for (const { customerId, name, reason, tenantId, usage, usd } of calls) {
    const key = JSON.stringify([name, reason])
    const model = models.get(key) ?? { name, reason, usd: BigDecimal.make(0n, 0), calls: 0 }
    models.set(key, model)
    const cost = Option.map(decode(JSON.parse(usage)), (decoded) =>
      book.priceOf(decoded, { customerId, ...(tenantId !== undefined && { tenantId }) })
    )
    if (Option.isNone(cost) || cost.value._tag === "Unpriced") continue
    const more = BigDecimal.subtract(cost.value.usd, BigDecimal.unsafeFromString(usd))
    model.usd = BigDecimal.sum(model.usd, more)
    model.calls += 1
    priced += 1
    total = BigDecimal.sum(total, more)
  }
  return {
    source,
    usd: Cost.format(total),
    calls: priced,
    unpricedCalls: calls.length - priced,
    models: Array.from(models.values(), ({ usd, ...model }) => ({ ...model, usd: Cost.format(usd) })).sort(
      (one, other) => Number(other.usd) - Number(one.usd) || (one.name < other.name ? -1 : 1)
    )
  }
}
