/**
 * What a report reads of a run: its completed record, or that it started and nothing more.
 */
import type { CompletedRun } from "../lifecycle/CompletedRun.js"
import type { Run } from "../run/Run.js"
import type { RunStatus } from "../run/RunStatus.js"

/**
 * How a run, a chain of attempts or an event stands. `running` has started and has not completed. `lost` has not completed
 * and never will, because its process is gone.
 *
 * @example
 * ```ts
 * import type { RunRecord } from "botanu-effect/report"
 *
 * const status: RunRecord.ReportStatus = "lost"
 * console.log(status)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type ReportStatus = RunStatus | "running" | "lost"

/**
 * A run as a report reads it. `completed` is absent while the run has not completed.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   const first: RunRecord.RunRecord | undefined = records[0]
 *   yield* Effect.log(first?.run.eventId)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface RunRecord {
  /** The run, as it started. */
  readonly run: Run
  /** Its record; absent while it runs. */
  readonly completed?: CompletedRun
  /** Whether the process of a run without an end is gone. */
  readonly isLost?: boolean
}

/**
 * The record of a completed run.
 *
 * @example
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Botanu.workflow(Effect.void, "Customer Support", { eventId: "ticket-42", customerId: "bigretail" })
 *   const { runs } = yield* RunExporter.Memory
 *   return (yield* runs).map(RunRecord.fromCompleted)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * @since 0.2.0
 * @category constructors
 */
export const fromCompleted = (completed: CompletedRun): RunRecord => ({ run: completed.run, completed })

/**
 * The record of a run that started and has not completed.
 *
 * @example
 * ```ts
 * import { RunContext } from "botanu-effect"
 * import { RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const run = yield* RunContext.make({ workflow: "Import", eventId: "file-7", customerId: "acme" })
 *   yield* Effect.log(RunRecord.statusOf(RunRecord.started(run)))
 * })
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const started = (run: Run, options: { readonly isLost?: boolean } = {}): RunRecord =>
  options.isLost === true ? { run, isLost: true } : { run }

/**
 * How a run stands: the status at which it completed, else `running` or `lost`.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   yield* Effect.log(records.map(RunRecord.statusOf))
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category getters
 */
export const statusOf = ({ completed, isLost }: RunRecord): ReportStatus =>
  completed?.status ?? (isLost === true ? "lost" : "running")

/**
 * One record for each run. A completed record replaces that of the start, and a later completed record replaces an earlier
 * one, as a correction does. The order is that in which the runs first appear.
 *
 * @example
 * ```ts
 * import { Botanu, RunExporter } from "botanu-effect"
 * import { RunRecord } from "botanu-effect/report"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   yield* Effect.void.pipe(Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }))
 *   const memory = yield* RunExporter.Memory
 *   const records = (yield* memory.runs).map(RunRecord.fromCompleted)
 *   yield* Effect.log(RunRecord.distinct([...records, ...records]).length)
 * }).pipe(Effect.provide(RunExporter.layerMemory))
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.2.0
 * @category combinators
 */
export const distinct = (records: Iterable<RunRecord>): ReadonlyArray<RunRecord> => {
  const byId = new Map<string, RunRecord>()
  for (const record of records) {
    const known = byId.get(record.run.runId)
    if (known === undefined || record.completed !== undefined || (known.completed === undefined && record.isLost)) {
      byId.set(record.run.runId, record)
    }
  }
  return Array.from(byId.values())
}
