/**
 * Recording a usage: it is priced, and recorded on its run, on the span of its call and in budgets.
 */
import { BigDecimal, type DateTime, type Tracer } from "effect"
import type { Cost } from "../cost/Cost.js"
import { recordedAs, UsageTotals } from "../cost/CostTotals.js"
import { spendFor } from "../cost/PeriodBudget.js"
import { empty as noPrices, PriceBook } from "../cost/PriceBook.js"
import { make, Usage, type UsageDetails } from "../cost/UsageRecord.js"
import { format } from "../cost/Usd.js"
import { type AnyFiber, clockOf, nowOf } from "../fiber/CurrentFiber.js"
import { warnFor } from "../fiber/FiberLog.js"
import { annotatedSpan, type RunScope } from "../lifecycle/RunScope.js"
import type { Run } from "../run/Run.js"
import { makeUnsafe } from "../schema/SchemaRecord.js"
import { Event } from "../wire/Wire.js"
import { type CallAttributeValue, type Put, putIdentity, putUsage } from "./UsageAttributes.js"

/** Where a usage stands. */
export interface RecordTarget {
  /** None outside of a run: then there is only the span. */
  readonly run: Run | undefined
  /** None where the run was provided without one: then there is only the span. */
  readonly scope: RunScope | undefined
  /** The step of the run in which the call began. */
  readonly step: string | undefined
  /** The span of the call, where it has one. */
  readonly span: Tracer.Span | undefined
}

/**
 * Records what a call consumed; what `further` says comes before the details. Total: a detail that is not as it should be is
 * logged and left out. Recorded after the run is over it comes too late for the record, and is logged.
 */
export const recordFor = (
  fiber: AnyFiber,
  place: RecordTarget,
  details: UsageDetails,
  further: Partial<UsageDetails> = {}
): void => {
  let problems = ""
  const now = nowOf(fiber)
  const known = { time: now, durationMs: place.span && durationOf(place.span, now), step: place.step }
  const usage = make(details, further, known, ({ field, problem }) => {
    problems += `; ${field}: ${problem}`
  })
  if (problems !== "") warnFor(fiber, `usage of ${usage.provider}${problems}`)
  addFor(fiber, place, usage)
}

/** How long the call of a span took until now; `undefined` where its tracer gives no start that can be one. */
const durationOf = ({ status }: Tracer.Span, now: DateTime.Utc): number | undefined => {
  if (typeof status?.startTime !== "bigint") return undefined
  const millis = now.epochMillis - Number(status.startTime / 1_000_000n)
  return millis >= 0 && Number.isSafeInteger(millis) ? millis : undefined
}

/** Records a usage that is as it should be. */
export const addFor = (fiber: AnyFiber, { run, scope, span }: RecordTarget, usage: Usage): void => {
  const cost = run && costOf(fiber, run, usage)
  if (span !== undefined) describe(span, usage, cost)
  if (run === undefined || cost === undefined) return
  spendFor(fiber, run, cost)
  if (!scope?.isOwned) {
    if (span === undefined) tellJoined(fiber, scope, usage, cost)
    return
  }
  if (scope.isClosed) {
    warnFor(fiber, late(usage, cost))
    return
  }
  const isFirst = scope.usageTotals === undefined
  scope.usageTotals ??= new UsageTotals()
  scope.usageTotals.add(recordedAs(usage, cost))
  if (isFirst) reserveTotals(scope, scope.usageTotals)
  spend(fiber, scope, cost)
}

/** The span of the run has its totals from the first call on: it may have no room for them when the run ends. */
const reserveTotals = ({ span }: RunScope, { totals }: UsageTotals): void => {
  if (span?._tag !== "Span") return
  try {
    for (const [key, value] of Object.entries(totals.toSpanAttributes())) span.attribute(key, value)
  } catch {
    // A tracer that throws is no reason for the program to fail. It is asked again when the run ends.
  }
}

const costOf = (fiber: AnyFiber, run: Run, usage: Usage): Cost => {
  const book = fiber.currentContext.unsafeMap.get(PriceBook.key) as PriceBook["Type"] | undefined
  if (book === undefined) return noPrices.priceOf(usage, run)
  try {
    const cost = book.priceOf(usage, run)
    if (usage.usd !== undefined && usage.kind === "llm") compareWithBook(fiber, book, run, usage, usage.usd)
    return cost
  } catch (error) {
    warnFor(fiber, `the price book failed on ${usage.provider}: ${String(error)}`)
    return noPrices.priceOf(usage, run)
  }
}

/** The models whose cost, as their provider reports it, was compared with a price book. */
const compared = new WeakMap<PriceBook["Type"], Set<string>>()

// Programs use a handful of models. Bounded, should names ever be made up by data.
const maxCompared = 1000

/** Logs, once a model, where a cost that was reported is not what the price book says: one of the two is out of date. */
const compareWithBook = (
  fiber: AnyFiber,
  book: PriceBook["Type"],
  run: Run,
  usage: Usage,
  reported: BigDecimal.BigDecimal
): void => {
  const model = usage.responseModel ?? usage.model
  const name = `${usage.provider} ${model}`
  const known = compared.get(book) ?? new Set<string>()
  compared.set(book, known)
  if (model === undefined || known.has(name) || known.size >= maxCompared) return
  const { usd: _, ...quantities } = usage
  const cost = book.priceOf(makeUnsafe(Usage, quantities), run)
  if (cost._tag === "Unpriced") return
  known.add(name)
  if (BigDecimal.equals(cost.usd, reported)) return
  const difference = `reports ${format(reported)} USD for a call, the price book has ${format(cost.usd)} USD`
  warnFor(fiber, `${usage.provider} (${model}) ${difference}; the reported cost counts`)
}

const describe = (span: Tracer.Span, usage: Usage, cost: Cost | undefined): void => {
  try {
    const { attributes } = span
    putUsage(usage, cost, (key, value) => {
      // What the call has put there itself need not be put there again.
      if (!isSame(attributes.get(key), value)) span.attribute(key, value)
    })
  } catch {
    // A tracer that throws is no reason for the program to fail, nor for the usage to be lost.
  }
}

const isSame = (one: unknown, other: CallAttributeValue): boolean =>
  one === other || (typeof other === "object" && Array.isArray(one) && areSame(one, other))

const areSame = (some: ReadonlyArray<unknown>, others: ReadonlyArray<unknown>): boolean =>
  some.length === others.length && others.every((other, i) => other === some[i])

/** A run that was joined has no record here, so what has no span of its own goes on the one under which it was joined. */
const tellJoined = (fiber: AnyFiber, scope: RunScope | undefined, usage: Usage, cost: Cost): void => {
  const span = annotatedSpan(scope, fiber)
  if (span === undefined) return
  try {
    const attributes: Record<string, unknown> = {}
    const put: Put = (key, value) => {
      attributes[key] = value
    }
    putIdentity(usage, put)
    putUsage(usage, cost, put)
    span.event(Event.usageRecorded, clockOf(fiber).unsafeCurrentTimeNanos(), attributes)
  } catch {
    // As above.
  }
}

const late = ({ model, operation, provider }: Usage, cost: Cost): string => {
  const what = [operation, model].filter((text) => text !== undefined).join(" ")
  const usd = cost._tag === "Priced" ? `${format(cost.usd)} USD` : `${cost.reason}, ${format(cost.usd)} USD known`
  return `usage of ${provider} (${what}; ${usd}) came after the run was over`
}

/** Counts a cost against the budgets of its run and of the enclosing runs that count it too. */
const spend = (fiber: AnyFiber, own: RunScope, cost: Cost): void => {
  for (let scope: RunScope | undefined = own; scope !== undefined; scope = scope.parent) {
    const { budgetMeter, run } = scope
    if (budgetMeter === undefined || (scope !== own && !budgetMeter.budget.children)) continue
    budgetMeter.spend(cost)
    const warning = budgetMeter.takeWarning()
    if (warning !== undefined) warnFor(fiber, `run ${run.runId} of workflow "${run.workflow}" ${warning}`)
    if (budgetMeter.isExceeded) stop(fiber, scope)
  }
}

/** Stops a run that passed its budget. Work that is being stopped already goes on to end as what it is stopped for. */
export const stop = (fiber: AnyFiber, scope: RunScope): void => {
  if (scope.isClosed || scope.isCancelled) return
  scope.overBudgetAt ??= nowOf(fiber)
  scope.interrupt(fiber.id())
}

/**
 * Whether a usage passed a budget. Then the fiber that recorded it gives way to the fiber of the run, which may be another, so
 * that this is stopped before the next call begins.
 */
export const isOverBudget = (own: RunScope | undefined): boolean => {
  for (let scope = own; scope !== undefined; scope = scope.parent) if (scope.overBudgetAt !== undefined) return true
  return false
}
