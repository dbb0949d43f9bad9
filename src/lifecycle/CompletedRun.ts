/**
 * The record of a run that is over.
 */
import { Schema } from "effect"
import { CostTotals, none, RecordedUsage } from "../cost/CostTotals.js"
import { Repricing } from "../cost/Repricing.js"
import { Outcome } from "../run/OutcomeRecord.js"
import { Run } from "../run/Run.js"
import { RunStatusSchema } from "../run/RunStatus.js"
import { optional } from "../schema/SchemaRecord.js"

/**
 * A run, how it ended, and what came of it. Its Schema encodes it as JSON.
 *
 * @example
 * ```ts
 * import { Botanu, CompletedRun, RunExporter } from "botanu-effect"
 * import { Console, Effect, Schema } from "effect"
 *
 * const toJson = Schema.encodeSync(CompletedRun)
 * const program = Effect.void.pipe(
 *   Botanu.workflow("Customer Support", { eventId: "ticket-42", customerId: "bigretail" }),
 *   Effect.provide(RunExporter.layer({ export: (completed) => Console.log(toJson(completed)) }))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class CompletedRun extends Schema.Class<CompletedRun>("botanu/CompletedRun")({
  run: Run,
  /** How the work ended. */
  status: RunStatusSchema,
  /** What came of it for the business; absent where nothing was said and `autoOutcome` is off. */
  outcome: optional(Outcome),
  /** The `_tag` of the error, else its name, where the status is `failure`. */
  errorClass: optional(Schema.String),
  /** Why the run was cancelled, where it was. */
  cancellationReason: optional(Schema.String),
  endTime: Schema.DateTimeUtc,
  durationMs: Schema.Number,
  /** The trace of the run's span, as 32 hexadecimal digits (W3C Trace Context). Absent where the run was not traced. */
  traceId: optional(Schema.String),
  /** What calls consumed in this run, and what each cost; not those of runs inside of it, which have records of their own. */
  usages: Schema.optionalWith(Schema.Array(RecordedUsage), { default: () => [] }),
  totals: Schema.optionalWith(CostTotals, { default: () => none }),
  /** That the usages were priced again after the run, by `PriceBook.reprice`. */
  repriced: optional(Repricing),
  /** What `Botanu.annotate` said. */
  annotations: optional(
    Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.Finite, Schema.Boolean) })
  )
}) {}
