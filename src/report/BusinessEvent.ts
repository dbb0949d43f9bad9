/**
 * Runs by the business event that they worked on: its chains of attempts, what came of it, and what it cost.
 */
import { BigDecimal, type DateTime } from "effect"
import type { Outcome } from "../run/OutcomeRecord.js"
import * as RunRecord from "./RunRecord.js"

/**
 * An outcome that became known after the run had completed. It replaces the recorded one, which is kept beside it.
 *
 * @example
 * ```ts
 * import { Outcome } from "botanu-effect"
 * import type { BusinessEvent } from "botanu-effect/report"
 * import { DateTime } from "effect"
 *
 * const amendment: BusinessEvent.Amendment = {
 *   eventId: "ticket-42",
 *   customerId: "bigretail",
 *   outcome: new Outcome.Outcome({ status: "failure", reason: "the customer came back" }),
 *   by: "ada@example.com",
 *   at: DateTime.unsafeMake("2026-11-23T10:00:00Z")
 * }
 * console.log(amendment.outcome.status)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Amendment {
  /** The event whose outcome is amended. */
  readonly eventId: string
  /** The customer of the event. Absent: the event of every customer that has this id. */
  readonly customerId?: string
  /** The outcome that counts from now on. */
  readonly outcome: Outcome
  /** Who amended it. */
  readonly by: string
  /** When it was amended. */
  readonly at: DateTime.Utc
}

/**
 * A cost that may not be known as a whole.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const cost: BusinessEvent.CostSum = BusinessEvent.costOf(records)
 *   yield* Effect.log(cost.calls, cost.unpricedCalls)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface CostSum {
  /** What is known, in US dollars, exactly. */
  readonly usd: BigDecimal.BigDecimal
  /** How many calls were recorded. */
  readonly calls: number
  /** Calls whose cost is not known, or not all of it. They are not in `usd`. */
  readonly unpricedCalls: number
}

/**
 * Attempts that share one `rootRunId`, the first one first. The last is the final one.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const describe = (chain: BusinessEvent.Chain) => `${chain.attempts.length} attempts, ${chain.status}`
 *   yield* Effect.log(BusinessEvent.fromRecords(records).flatMap(({ chains }) => chains.map(describe)))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Chain {
  /** Its runs, from the first attempt to the last. */
  readonly attempts: readonly [RunRecord.RunRecord, ...ReadonlyArray<RunRecord.RunRecord>]
  /** The last attempt. */
  readonly final: RunRecord.RunRecord
  /** `undefined` where the final attempt completed without an outcome. */
  readonly status: RunRecord.ReportStatus | undefined
}

/**
 * All runs with one event id and one customer.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const describe = (event: BusinessEvent.BusinessEvent) => `${event.eventId}: ${event.status}`
 *   yield* Effect.log(BusinessEvent.fromRecords(records).map(describe))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface BusinessEvent {
  /** The id that the program gave the event. */
  readonly eventId: string
  /** The customer that the event belongs to. */
  readonly customerId: string
  /** The workflow of its first outermost run. */
  readonly workflow: string
  /** When its first run started. */
  readonly startTime: DateTime.Utc
  /** By start. */
  readonly runs: ReadonlyArray<RunRecord.RunRecord>
  /** Chains of attempts whose parent is not a run of this event, by start. */
  readonly chains: readonly [Chain, ...ReadonlyArray<Chain>]
  /** What came of it: amended, else that of the latest chain. `undefined` where no outcome was recorded. */
  readonly status: RunRecord.ReportStatus | undefined
  /** The outcome behind `status`. Absent while the event is running, where it is lost, and where none was recorded. */
  readonly outcome: Outcome | undefined
  /** By time. The last one counts. */
  readonly amendments: ReadonlyArray<Amendment>
  /** How many outermost runs it took. */
  readonly attempts: number
  /** The sum over all its runs, retries and nested runs included, each call once. */
  readonly cost: CostSum
  /** The part of `cost` that was spent before the final attempt of the latest chain started. */
  readonly costBeforeFinal: CostSum
}

/**
 * The events that runs belong to, by the start of their first run. A run that is reported twice counts once.
 *
 * @example
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *   const { runs } = yield* RunExporter.Memory
 *   const [event] = BusinessEvent.fromRecords((yield* runs).map(RunRecord.fromCompleted))
 *   return event?.status // "success"
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * @since 0.2.0
 * @category constructors
 */
export const fromRecords = (
  records: Iterable<RunRecord.RunRecord>,
  amendments: Iterable<Amendment> = []
): ReadonlyArray<BusinessEvent> => {
  const byEvent = grouped(RunRecord.distinct(records), ({ run }) => JSON.stringify([run.eventId, run.customerId]))
  const amended = grouped(amendments, ({ eventId }) => eventId)
  return Array.from(byEvent.values(), (runs) => eventOf(runs, amended.get(runs[0].run.eventId) ?? [])).sort(
    (one, other) => byStart(one.runs[0] as RunRecord.RunRecord, other.runs[0] as RunRecord.RunRecord)
  )
}

/**
 * The sum of what runs cost, each on its own: nested runs count only where they are among them.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { BusinessEvent, RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   yield* Effect.log(BusinessEvent.costOf(records).calls)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const costOf = (runs: Iterable<RunRecord.RunRecord>): CostSum => {
  let usd = BigDecimal.make(0n, 0)
  let calls = 0
  let unpricedCalls = 0
  for (const { completed } of runs) {
    if (completed === undefined) continue
    usd = BigDecimal.sum(usd, completed.totals.usd)
    calls += completed.totals.calls
    unpricedCalls += completed.totals.unpricedCalls
  }
  return { usd: BigDecimal.normalize(usd), calls, unpricedCalls }
}

type NonEmpty<A> = [A, ...Array<A>]

const grouped = <A>(items: Iterable<A>, keyOf: (item: A) => string): ReadonlyMap<string, NonEmpty<A>> => {
  const groups = new Map<string, NonEmpty<A>>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

const byStart = (one: RunRecord.RunRecord, other: RunRecord.RunRecord): number =>
  one.run.startTime.epochMillis - other.run.startTime.epochMillis || (one.run.runId < other.run.runId ? -1 : 1)

const byAttempt = (one: RunRecord.RunRecord, other: RunRecord.RunRecord): number =>
  one.run.attempt - other.run.attempt || byStart(one, other)

/** What came of a run. A run that is over and said nothing has none. */
const outcomeStatusOf = (record: RunRecord.RunRecord): RunRecord.ReportStatus | undefined =>
  record.completed === undefined ? RunRecord.statusOf(record) : record.completed.outcome?.status

const chainOf = (runs: NonEmpty<RunRecord.RunRecord>): Chain => {
  const attempts = runs.sort(byAttempt)
  const final = attempts[attempts.length - 1] as RunRecord.RunRecord
  return { attempts, final, status: outcomeStatusOf(final) }
}

const eventOf = (all: NonEmpty<RunRecord.RunRecord>, amendmentsOfId: ReadonlyArray<Amendment>): BusinessEvent => {
  const runs = all.sort(byStart)
  const [first] = runs
  const { customerId, eventId } = first.run
  const ids = new Set<string | undefined>(runs.map(({ run }) => run.runId))
  // A run whose parents go round in a circle has no outermost run. Broken data must not hide the event.
  const outermost = runs.filter(({ run }) => !ids.has(run.parentRunId))
  const roots = grouped(outermost.length === 0 ? runs : outermost, ({ run }) => run.rootRunId)
  const chains = Array.from(roots.values(), chainOf).sort((one, other) =>
    byStart(one.attempts[0], other.attempts[0])
  ) as NonEmpty<Chain>
  const latest = chains[chains.length - 1] as Chain
  const amendments = amendmentsOfId
    .filter((amendment) => amendment.customerId === undefined || amendment.customerId === customerId)
    .sort((one, other) => one.at.epochMillis - other.at.epochMillis)
  const amendment = amendments[amendments.length - 1]
  const finalStart = latest.final.run.startTime.epochMillis
  return {
    eventId,
    customerId,
    workflow: chains[0].attempts[0].run.workflow,
    startTime: first.run.startTime,
    runs,
    chains,
    status: amendment === undefined ? latest.status : amendment.outcome.status,
    outcome: amendment === undefined ? latest.final.completed?.outcome : amendment.outcome,
    amendments,
    attempts: outermost.length,
    cost: costOf(runs),
    costBeforeFinal: costOf(runs.filter(({ run }) => run.startTime.epochMillis < finalStart))
  }
}
