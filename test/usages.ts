/**
 * Usages to test with, and what came of them.
 */
import { BigDecimal, type Context, Effect, Layer } from "effect"
import { format } from "../src/cost/Usd.js"
import { type CompletedRun, Cost, PriceBook, Usage } from "../src/index.js"
import { completedRuns, endedSpans } from "./observed.js"
import { instant } from "./runs.js"

/** A model that nobody has. */
export const quill = { provider: "openai", model: "quill-2" }

/** A usage that says itself what it cost. */
export const costing = (usd: Cost.UsdInput): Usage.UsageDetails => ({
  kind: "compute",
  provider: "fleet",
  operation: "render",
  usd
})

export const spend = (usd: Cost.UsdInput) => Usage.record(costing(usd))

/** Fields of a usage that differ from those of a call of `quill`. */
export type UsageFields = Partial<ConstructorParameters<typeof Usage.Usage>[0]>

/** A call of `quill` that was recorded in 2026. */
export const usageOf = (fields: UsageFields = {}): Usage.Usage =>
  new Usage.Usage({
    kind: "llm",
    provider: quill.provider,
    operation: "chat",
    time: instant(1_770_000_000_000),
    status: "success",
    requests: 1,
    ...((fields.kind ?? "llm") === "llm" && { model: quill.model }),
    ...fields
  })

/** A usage that has no price. */
export const unpriced: Usage.UsageDetails = { kind: "llm", provider: "openai", operation: "chat", inputTokens: 10 }

export const usd = (text: string): BigDecimal.BigDecimal => BigDecimal.unsafeFromString(text)

/** A cost as text, which is the same for the same amount: `0.15`, `unknown_model`, `no_usage 0.05`. */
export const costText = (cost: Cost.Cost | undefined): string | undefined => {
  if (cost?._tag !== "Unpriced") return cost && format(cost.usd)
  return BigDecimal.isZero(cost.usd) ? cost.reason : `${cost.reason} ${format(cost.usd)}`
}

/** What a run is known to have cost. */
export const costOf = (completed: CompletedRun): string => format(completed.totals.usd)

/** What each run of a workflow used, in the order in which the runs completed. */
export const usagesOf = (workflow: string) =>
  Effect.map(completedRuns, (runs) =>
    runs.filter(({ run }) => run.workflow === workflow).map(({ usages }) => usages.map(({ usage }) => usage))
  )

/** What all runs used. */
export const allUsages = Effect.map(completedRuns, (runs) =>
  runs.flatMap(({ usages }) => usages.map(({ usage }) => usage))
)

export const spanNamed = (name: string) =>
  Effect.flatMap(endedSpans, (spans) => {
    const [span, ...more] = spans.filter((span) => span.name === name)
    return span !== undefined && more.length === 0
      ? Effect.succeed(span)
      : Effect.die(`expected one span "${name}" of ${spans.map((span) => span.name).join(", ")}`)
  })

/** Prices that one function knows. */
export const prices = (
  priceOf: Context.Tag.Service<typeof PriceBook.PriceBook>["priceOf"]
): Layer.Layer<PriceBook.PriceBook> => Layer.succeed(PriceBook.PriceBook, { priceOf })

/** So much for each token, but for what says itself what it cost. */
export const perToken = (amount: string): Layer.Layer<PriceBook.PriceBook> =>
  prices(({ inputTokens = 0, outputTokens = 0, usd: told }) => {
    const tokens = BigDecimal.fromBigInt(BigInt(inputTokens + outputTokens))
    return new Cost.Priced({ usd: told ?? BigDecimal.multiply(usd(amount), tokens) })
  })
