/**
 * What a ledger in a database holds.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { DateTime, Effect, Either, Schema } from "effect"
import type { Contents } from "../ledger/Ledger.js"
import { OutcomeAmendment } from "../ledger/LedgerLine.js"
import { CompletedRun } from "../lifecycle/CompletedRun.js"
import * as RunRecord from "../report/RunRecord.js"
import { Run } from "../run/Run.js"

/**
 * Which runs are read.
 *
 * @example
 * ```ts
 * import type { LedgerSql } from "botanu-effect/sql"
 * import { DateTime } from "effect"
 *
 * const november: LedgerSql.Selection = {
 *   customerId: "bigretail",
 *   since: DateTime.unsafeMake("2026-11-01T00:00:00Z"),
 *   until: DateTime.unsafeMake("2026-12-01T00:00:00Z")
 * }
 * console.log(november.customerId)
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export interface Selection {
  /** Runs of this event. Absent: of all events. */
  readonly eventId?: string | undefined
  /** Runs of this customer. Absent: of all customers. */
  readonly customerId?: string | undefined
  /** Runs that started at this time or later. */
  readonly since?: DateTime.Utc | undefined
  /** Runs that started before this time. */
  readonly until?: DateTime.Utc | undefined
}

/** The records, amendments and losses of a schema. Runs are in the order of their start. */
export const read = (schema: string, selection: Selection): Effect.Effect<Contents, SqlError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const s = sql.literal(schema)
    const isSelected = sql.and([
      sql`true`,
      ...(selection.eventId === undefined ? [] : [sql`r.event_id = ${selection.eventId}`]),
      ...(selection.customerId === undefined ? [] : [sql`r.customer_id = ${selection.customerId}`]),
      ...(selection.since === undefined
        ? []
        : [sql`r.start_time >= ${DateTime.formatIso(selection.since)}::timestamptz`]),
      ...(selection.until === undefined
        ? []
        : [sql`r.start_time < ${DateTime.formatIso(selection.until)}::timestamptz`])
    ])
    const runs = yield* sql<{ readonly run: string; readonly record: string | null; readonly state: string }>`
      SELECT jsonb_strip_nulls(jsonb_build_object('runId', r.run_id, 'workflow', r.workflow, 'eventId', r.event_id,
          'customerId', r.customer_id, 'environment', r.environment, 'workflowVersion', r.workflow_version,
          'tenantId', r.tenant_id, 'parentRunId', r.parent_run_id, 'rootRunId', r.root_run_id, 'attempt', r.attempt,
          'retryOfRunId', r.retry_of_run_id, 'startTime', ${instant(sql, "r.start_time")},
          'deadline', ${instant(sql, "r.deadline")}, 'cancelled', r.cancelled,
          'cancelledAt', ${instant(sql, "r.cancelled_at")}))::text AS run,
        c.record::text AS record, r.run_status AS state
      FROM ${s}.run_states r LEFT JOIN ${s}.records c ON c.run_id = r.run_id AND c.start_time = r.start_time
      WHERE ${isSelected} ORDER BY r.start_time, r.run_id`.withoutTransform
    const amendments = yield* sql<{ readonly amendment: string }>`
      SELECT jsonb_strip_nulls(jsonb_build_object('eventId', a.event_id, 'customerId', a.customer_id,
        'outcome', a.outcome, 'by', a.amended_by, 'at', ${instant(sql, "a.amended_at")}))::text AS amendment
      FROM ${s}.amendments a WHERE ${sql.and([
        sql`true`,
        ...(selection.eventId === undefined ? [] : [sql`a.event_id = ${selection.eventId}`]),
        ...(selection.customerId === undefined
          ? []
          : [sql`coalesce(a.customer_id, ${selection.customerId}) = ${selection.customerId}`])
      ])} ORDER BY a.id`.withoutTransform
    const [losses] = yield* sql<{ readonly count: string }>`
      SELECT coalesce(sum(count), 0)::text AS count FROM ${s}.losses`.withoutTransform
    const records: Array<RunRecord.RunRecord> = []
    const problems: Array<Contents["problems"][number]> = []
    for (const { record, run, state } of runs) {
      const decoded =
        record === null
          ? Either.map(decodeRun(JSON.parse(run)), (run) => RunRecord.started(run, { isLost: state === "lost" }))
          : Either.map(decodeCompleted(JSON.parse(record)), RunRecord.fromCompleted)
      if (Either.isRight(decoded)) records.push(decoded.right)
      else
        problems.push({ segment: `${schema}.records`, line: records.length + problems.length + 1, problem: "invalid" })
    }
    return {
      records,
      amendments: amendments.map(({ amendment }) => decodeAmendment(JSON.parse(amendment))),
      lost: Number(losses?.count ?? 0),
      problems,
      compacted: []
    }
  })

const instant = (sql: SqlClient.SqlClient, column: string) =>
  sql.literal(`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`)

const decodeRun = Schema.decodeUnknownEither(Run)
const decodeCompleted = Schema.decodeUnknownEither(CompletedRun)
const decodeAmendment = Schema.decodeUnknownSync(OutcomeAmendment)
