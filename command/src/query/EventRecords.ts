/**
 * The runs and the amendments of events, as `botanu-effect/report` takes them.
 */
import { CompletedRun, Outcome, Run, type RunStatus } from "botanu-effect"
import { type BusinessEvent, RunRecord } from "botanu-effect/report"
import { DateTime, Effect, Either, Schema } from "effect"
import type { CommandError } from "../CommandError.js"
import { LedgerStore, type Row } from "../store/LedgerStore.js"

/** What is known of the events with an id: one, or one for each customer that has an event of that id. */
export interface EventRecords {
  readonly records: ReadonlyArray<RunRecord.RunRecord>
  readonly amendments: ReadonlyArray<BusinessEvent.Amendment>
}

/** The runs and the amendments of the events with an id. */
export const eventRecords = (
  eventId: string,
  customerId?: string
): Effect.Effect<EventRecords, CommandError, LedgerStore> =>
  Effect.gen(function* () {
    const { dialect, query } = yield* LedgerStore
    const ofCustomer = customerId === undefined ? "" : "AND customer_id = $customer::text"
    const parameters = { event: eventId, ...(customerId !== undefined && { customer: customerId }) }
    const rows = yield* query({
      from: ["records"],
      text: `SELECT is_completed, record FROM records WHERE event_id = $event::text ${ofCustomer} ORDER BY position`,
      parameters
    })
    const amended = yield* query({
      from: ["amendments"],
      text: `SELECT customer_id, outcome_status, outcome_value_type, outcome_value_amount, outcome_reason, amended_by,
          ${dialect.iso("amended_at")} AS amended_at
        FROM amendments WHERE event_id = $event::text
          ${customerId === undefined ? "" : "AND (customer_id IS NULL OR customer_id = $customer::text)"}
        ORDER BY id`,
      parameters
    })
    return {
      records: RunRecord.distinct(rows.flatMap(recordOf)),
      amendments: amended.map((row) => amendmentOf(eventId, row))
    }
  })

const decodeCompleted = Schema.decodeUnknownEither(Schema.parseJson(CompletedRun))
const decodeRun = Schema.decodeUnknownEither(Schema.parseJson(Run))

/** The record in a row; none where it is not valid. */
export const recordOf = ({ is_completed, record }: Row): ReadonlyArray<RunRecord.RunRecord> =>
  is_completed === "true"
    ? Either.match(decodeCompleted(record), { onLeft: () => [], onRight: (run) => [RunRecord.fromCompleted(run)] })
    : Either.match(decodeRun(record), { onLeft: () => [], onRight: (run) => [RunRecord.started(run)] })

const amendmentOf = (eventId: string, row: Row): BusinessEvent.Amendment => ({
  eventId,
  ...(row.customer_id !== null && row.customer_id !== undefined && { customerId: row.customer_id }),
  outcome: new Outcome.Outcome({
    status: row.outcome_status as RunStatus,
    ...(row.outcome_value_type != null && { valueType: row.outcome_value_type }),
    ...(row.outcome_value_amount != null && { valueAmount: Number(row.outcome_value_amount) }),
    ...(row.outcome_reason != null && { reason: row.outcome_reason })
  }),
  by: row.amended_by ?? "",
  at: DateTime.unsafeMake(row.amended_at ?? 0)
})
