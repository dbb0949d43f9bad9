/**
 * What events add up to: outcomes, attempts, durations, cost, and what a success really cost.
 */
import { BigDecimal } from "effect"
import type { RunStatus } from "../run/RunStatus.js"
import type { BusinessEvent, CostSum } from "./BusinessEvent.js"

/**
 * The figures of a group of events.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, Summary } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const summary: Summary.Summary = Summary.of(BusinessEvent.fromRecords(records))
 *   yield* Effect.log(summary.events, summary.outcomes.success)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Summary {
  /** How many events there are. */
  readonly events: number
  /** All runs of the events, nested ones included. */
  readonly runs: number
  /** Outermost runs: each attempt at an event is one. */
  readonly attempts: number
  /** Events by what came of them. Events that are running, lost, or without an outcome are in none. */
  readonly outcomes: Readonly<Record<RunStatus, number>>
  /** How many of them are running. */
  readonly running: number
  /** How many of them are lost: their process is gone. */
  readonly lost: number
  /** Successes divided by events with an outcome, from 0 to 1. `undefined` where no event has an outcome. */
  readonly successRate: number | undefined
  /** What all events cost. */
  readonly cost: CostSum
  /** What events cost that ended in success. */
  readonly costOfSuccesses: CostSum
  /** What events cost that ended as `failure`, `timeout` or `canceled`. */
  readonly costOfFailures: CostSum
  /** `cost` divided by events, in US dollars. `undefined` where there is no event. */
  readonly usdPerEvent: BigDecimal.BigDecimal | undefined
  /**
   * `cost` of all events, failed ones too, divided by the events that succeeded, in US dollars. `undefined` where none
   * succeeded.
   */
  readonly usdPerSuccess: BigDecimal.BigDecimal | undefined
  /** Half of the outermost runs took no longer, in milliseconds. `undefined` where none has completed. */
  readonly p50Ms: number | undefined
  /** 95 of 100 outermost runs took no longer, in milliseconds. `undefined` where none has completed. */
  readonly p95Ms: number | undefined
  /** Sums of the value of outcomes, by value type. They are never added across types. */
  readonly values: ReadonlyMap<string, BigDecimal.BigDecimal>
}

/**
 * The figures of these events.
 *
 * @example
 * import { Botanu, Cost, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, Summary } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *   const { runs } = yield* RunExporter.Memory
 *   const { cost, successRate } = Summary.of(BusinessEvent.fromRecords((yield* runs).map(RunRecord.fromCompleted)))
 *   return [successRate, Cost.format(cost.usd)] // [1, "0"]
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * @since 0.2.0
 * @category constructors
 */
export const of = (events: ReadonlyArray<BusinessEvent>): Summary => {
  const outcomes: Record<RunStatus, number> = { success: 0, failure: 0, partial: 0, timeout: 0, canceled: 0 }
  const values = new Map<string, BigDecimal.BigDecimal>()
  const durations: Array<number> = []
  let [runs, attempts, running, lost] = [0, 0, 0, 0]
  for (const event of events) {
    runs += event.runs.length
    attempts += event.attempts
    if (event.status === "running") running += 1
    else if (event.status === "lost") lost += 1
    else if (event.status !== undefined) outcomes[event.status] += 1
    const { valueAmount, valueType } = event.outcome ?? {}
    if (valueAmount !== undefined) {
      const sum = values.get(valueType ?? "") ?? BigDecimal.make(0n, 0)
      values.set(valueType ?? "", BigDecimal.sum(sum, BigDecimal.unsafeFromNumber(valueAmount)))
    }
    for (const chain of event.chains) {
      for (const { completed } of chain.attempts) if (completed !== undefined) durations.push(completed.durationMs)
    }
  }
  durations.sort((one, other) => one - other)
  const ended = Object.values(outcomes).reduce((sum, count) => sum + count)
  const cost = sumOf(events)
  return {
    events: events.length,
    runs,
    attempts,
    outcomes,
    running,
    lost,
    successRate: ended === 0 ? undefined : outcomes.success / ended,
    cost,
    costOfSuccesses: sumOf(events.filter(({ status }) => status === "success")),
    costOfFailures: sumOf(events.filter(isFailure)),
    usdPerEvent: divided(cost.usd, events.length),
    usdPerSuccess: divided(cost.usd, outcomes.success),
    p50Ms: percentile(durations, 0.5),
    p95Ms: percentile(durations, 0.95),
    values
  }
}

/**
 * The figures of each group of events that have a key in common, the dearest group first. `keyOf` gives `undefined` for an
 * event that belongs to no group.
 *
 * @example
 * import type { BusinessEvent } from "botanu-effect/report"
 * import { Summary } from "botanu-effect/report"
 *
 * const byCustomer = (events: ReadonlyArray<BusinessEvent.BusinessEvent>) =>
 *   Summary.by(events, ({ customerId }) => customerId)
 *
 * @since 0.2.0
 * @category constructors
 */
export const by = (
  events: ReadonlyArray<BusinessEvent>,
  keyOf: (event: BusinessEvent) => string | undefined
): ReadonlyArray<readonly [key: string, summary: Summary]> => {
  const groups = new Map<string, Array<BusinessEvent>>()
  for (const event of events) {
    const key = keyOf(event)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [event])
    else group.push(event)
  }
  return Array.from(groups, ([key, group]) => [key, of(group)] as const).sort(
    ([oneKey, one], [otherKey, other]) => BigDecimal.Order(other.cost.usd, one.cost.usd) || (oneKey < otherKey ? -1 : 1)
  )
}

/**
 * Whether an event ended without what it was for: as `failure`, `timeout` or `canceled`. `partial` is none of them.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord, Summary } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   yield* Effect.log(BusinessEvent.fromRecords(records).filter(Summary.isFailure).length)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category predicates
 */
export const isFailure = ({ status }: BusinessEvent): boolean =>
  status === "failure" || status === "timeout" || status === "canceled"

/**
 * An amount divided by a count, rounded half up to 18 decimal places; `undefined` for a count of zero.
 *
 * @example
 * ```ts
 * import { Summary } from "botanu-effect/report"
 * import { BigDecimal } from "effect"
 *
 * console.log(Summary.divided(BigDecimal.unsafeFromString("0.03"), 2), Summary.divided(BigDecimal.unsafeFromString("0.03"), 0))
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const divided = (usd: BigDecimal.BigDecimal, count: number): BigDecimal.BigDecimal | undefined => {
  if (count === 0) return undefined
  const { value } = BigDecimal.scale(usd, placesOfRatio + 1)
  const tenths = value / BigInt(count)
  return BigDecimal.normalize(BigDecimal.make((tenths + 5n) / 10n, placesOfRatio))
}

const placesOfRatio = 18

/**
 * The smallest value that is not below this share of the sorted values; `undefined` where there is none.
 *
 * @example
 * ```ts
 * import { Summary } from "botanu-effect/report"
 *
 * console.log(Summary.percentile([10, 20, 30, 40], 0.5))
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const percentile = (sorted: ReadonlyArray<number>, share: number): number | undefined =>
  sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1]

const sumOf = (events: ReadonlyArray<BusinessEvent>): CostSum => {
  let usd = BigDecimal.make(0n, 0)
  let [calls, unpricedCalls] = [0, 0]
  for (const { cost } of events) {
    usd = BigDecimal.sum(usd, cost.usd)
    calls += cost.calls
    unpricedCalls += cost.unpricedCalls
  }
  return { usd: BigDecimal.normalize(usd), calls, unpricedCalls }
}
