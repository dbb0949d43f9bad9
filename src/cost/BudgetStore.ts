/**
 * Where the spending of customers, tenants and workflows is counted.
 */
import { BigDecimal, type Clock, Context, Duration, Effect } from "effect"
import { quote } from "../schema/FieldText.js"
import type { BudgetPeriod } from "./BudgetExceeded.js"
import { fromInput, zero } from "./Usd.js"

/**
 * What was spent in a period.
 *
 * @example
 * ```ts
 * import type { Spending } from "botanu-effect"
 * import { BigDecimal } from "effect"
 *
 * const spending: Spending = { usd: BigDecimal.unsafeFromString("0.25"), unpricedCalls: 0 }
 * console.log(spending.unpricedCalls)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Spending {
  /** What is known of the cost, in US dollars. */
  readonly usd: BigDecimal.BigDecimal
  /** Calls whose cost is not known, or not all of it. */
  readonly unpricedCalls: number
}

/**
 * Counts what is spent. A store that several processes share, such as a database, implements both as atomic operations on a
 * record whose key is the scope, the id, the length and the start of the period; it may forget the record when the period has
 * ended.
 *
 * @example
 * ```ts
 * import type { BudgetStoreService } from "botanu-effect"
 * import { BigDecimal, Effect } from "effect"
 *
 * const unlimited: BudgetStoreService = {
 *   add: () => Effect.void,
 *   spent: () => Effect.succeed({ usd: BigDecimal.unsafeFromString("0"), unpricedCalls: 0 })
 * }
 * console.log(Object.keys(unlimited))
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export interface BudgetStoreService {
  /** Adds to what was spent in a period. */
  readonly add: (period: BudgetPeriod, spending: Spending) => Effect.Effect<void, unknown>
  /** What was spent in a period so far; nothing in one that is not known. */
  readonly spent: (period: BudgetPeriod) => Effect.Effect<Spending, unknown>
}

/** What a store answers, where it is as it should be. Stores are programs of others. */
export const checkSpending = (answer: unknown): Effect.Effect<Spending, string> => {
  const { unpricedCalls, usd } = (answer ?? {}) as Partial<Record<keyof Spending, unknown>>
  return BigDecimal.isBigDecimal(usd) && fromInput(usd) !== undefined && Number.isSafeInteger(unpricedCalls)
    ? Effect.succeed(answer as Spending)
    : Effect.fail(
        `expected usd, a BigDecimal, and unpricedCalls, a whole number; got ${quote(usd)} and ${quote(unpricedCalls)}`
      )
}

const nothing: Spending = { usd: zero, unpricedCalls: 0 }

interface Entry {
  readonly end: number
  spending: Spending
}

/** By clock, so that the time of one test is not that of another. */
const entriesByClock = new WeakMap<Clock.Clock, Map<string, Entry>>()

const withEntries = <A>(use: (entries: Map<string, Entry>, now: number) => A): Effect.Effect<A> =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      const entries = entriesByClock.get(clock) ?? new Map<string, Entry>()
      entriesByClock.set(clock, entries)
      return use(entries, clock.unsafeCurrentTimeMillis())
    })
  )

/** What a period is known by. No id holds a line break. */
export const keyOf = ({ id, per, scope, start }: BudgetPeriod): string =>
  `${scope}\n${id}\n${Duration.toMillis(per)}\n${start.epochMillis}`

/** Periods are looked through for those that have ended whenever there are so many. */
const pruneAbove = 1000

const prune = (entries: Map<string, Entry>, now: number): void => {
  if (entries.size === 0 || entries.size % pruneAbove !== 0) return
  for (const [key, { end }] of entries) if (end <= now) entries.delete(key)
}

/** The memory of this process, which answers at once. */
export const inProcess: BudgetStoreService = {
  add: (period, { unpricedCalls, usd }) =>
    withEntries((entries, now) => {
      const key = keyOf(period)
      const known = entries.get(key)
      const before = known?.spending ?? nothing
      const spending = { usd: BigDecimal.sum(before.usd, usd), unpricedCalls: before.unpricedCalls + unpricedCalls }
      if (known !== undefined) known.spending = spending
      else {
        prune(entries, now)
        entries.set(key, { end: period.end.epochMillis, spending })
      }
    }),
  spent: (period) => withEntries((entries) => entries.get(keyOf(period))?.spending ?? nothing)
}

/**
 * The store that `Budget.layer` counts in. By default it is the memory of this process, so that each process has the whole
 * budget, and a restart begins anew. Provide another to share a budget between processes.
 *
 * @example
 * ```ts
 * import { Budget, type BudgetPeriod, BudgetStore } from "botanu-effect"
 * import { BigDecimal, Duration, Effect, Layer } from "effect"
 *
 * declare const database: {
 *   readonly add: (key: string, usd: string, calls: number) => Effect.Effect<void, Error>
 *   readonly read: (key: string) => Effect.Effect<{ readonly usd: string; readonly calls: number }, Error>
 * }
 *
 * // An hour and a day may begin at the same time.
 * const keyOf = ({ id, per, scope, start }: BudgetPeriod) =>
 *   `${scope}/${id}/${Duration.toMillis(per)}/${start.epochMillis}`
 *
 * const shared = Layer.succeed(BudgetStore, {
 *   add: (period, { unpricedCalls, usd }) => database.add(keyOf(period), BigDecimal.format(usd), unpricedCalls),
 *   spent: (period) =>
 *     Effect.map(database.read(keyOf(period)), ({ calls, usd }) => ({
 *       usd: BigDecimal.unsafeFromString(usd),
 *       unpricedCalls: calls
 *     }))
 * })
 *
 * export const budget = Budget.layer({ scope: "customer", usd: 5, per: "1 day" }).pipe(Layer.provide(shared))
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class BudgetStore extends Context.Reference<BudgetStore>()("botanu/BudgetStore", {
  defaultValue: (): BudgetStoreService => inProcess
}) {}
