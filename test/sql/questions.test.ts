/**
 * The questions on the page about ledgers, asked of a real PostgreSQL.
 */
import { expect, it } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { CompletedRun, Cost, Outcome, Usage } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { RunRecord } from "../../src/report/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { read } from "../markdown.js"
import { record } from "../report/records.js"
import { usd } from "../usages.js"
import { inNewDatabase, rows, useServer } from "./database.js"

const server = useServer()

const questions = Array.from(
  read("docs/ledger.md").matchAll(/\n([^\n]+)\n\n```sql\n(.*?)```/gs),
  ([, question = "", sql = ""]) => ({
    question,
    sql
  })
)

/** The record, with charges for its calls. */
function charged({ completed }: RunRecord.RunRecord): RunRecord.RunRecord {
  if (completed === undefined) throw new Error("expected a completed run")
  const charge = (meter: string, amount: string) => ({
    meter,
    quantity: 100,
    unit: "token",
    unitPrice: usd("0.001"),
    usd: usd(amount),
    price: { source: "override" }
  })
  const usages = completed.usages.map(
    ({ usage }) =>
      new Usage.RecordedUsage({
        usage,
        cost: new Cost.Priced({
          usd: usd("0.4"),
          charges: [charge("inputTokens", "0.1"), charge("outputTokens", "0.3")]
        })
      })
  )
  return RunRecord.fromCompleted(new CompletedRun({ ...completed, usages }))
}

const records = [
  record({
    n: 1,
    event: "a",
    end: 2,
    calls: [{ model: "quill-2", usd: "0.1" }],
    status: "failure",
    errorClass: "RateLimited"
  }),
  record({
    n: 3,
    event: "a",
    root: 1,
    attempt: 2,
    end: 4,
    calls: [{ model: "quill-2", usd: "0.2" }],
    annotations: { team: "blue" }
  }),
  record({ n: 5, event: "b", end: 6, calls: [{ model: "nova-2" }], status: "failure", errorClass: "NoAnswer" }),
  charged(record({ n: 7, event: "c", customer: "acme", end: 8, calls: [{ model: "quill-2", usd: "0.4" }] })),
  RunRecord.started(record({ n: 9, event: "d" }).run, { isLost: true })
]

const amendments = [
  new Ledger.OutcomeAmendment({
    eventId: "c",
    outcome: new Outcome.Outcome({ status: "failure", reason: "reopened" }),
    by: "crm-sync",
    at: DateTime.unsafeMake("2026-02-03T00:00:00Z")
  })
]

/** What each gives, amounts as the shortest text. */
const expected: ReadonlyArray<ReadonlyArray<Record<string, unknown>>> = [
  [
    { workflow: "Customer Support", outcome: "failure", events: 2, usd: 0.4, usd_per_event: 0.2 },
    { workflow: "Customer Support", outcome: "success", events: 1, usd: 0.3, usd_per_event: 0.3 },
    { workflow: "Customer Support", outcome: "lost", events: 1, usd: 0, usd_per_event: 0 }
  ],
  [
    { customer_id: "acme", usd_per_success: null, usd: 0.4 },
    { customer_id: "bigretail", usd_per_success: 0.3, usd: 0.3 }
  ],
  [{ day: "2026-02-02", events: 3, successes: 1, usd: 0.3 }],
  [
    { model: "quill-2", calls: 3, usd: 0.7, unpriced: 0 },
    { model: "nova-2", calls: 1, usd: 0, unpriced: 1 }
  ],
  [
    { meter: "outputTokens", quantity: 100, usd: 0.3 },
    { meter: "inputTokens", quantity: 100, usd: 0.1 }
  ],
  [{ event_id: "a", customer_id: "bigretail", attempts: 2, status: "success", usd: 0.3 }],
  [{ workflow: "Customer Support", error_class: "NoAnswer", events: 1, usd: 0 }],
  [{ run_status: "lost", workflow: "Customer Support", event_id: "d" }],
  [{ event_id: "c", recorded_status: "success", status: "failure", amended_by: "crm-sync" }],
  [{ team: "blue", runs: 1, usd: 0.2 }]
]

const plain = (row: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(row)
      .filter(([name]) => !/^(run_id|start_time|amended_at)$/.test(name))
      .map(([name, value]) => [
        name,
        typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
      ])
  )

it("ten questions have their answers", () =>
  inNewDatabase(server)(() =>
    Effect.gen(function* () {
      yield* LedgerSql.migrate()
      yield* LedgerSql.write({ records, amendments })
      expect(questions).toHaveLength(10)
      for (const [index, { question, sql }] of questions.entries()) {
        const answer = (yield* rows(sql)).map(plain)
        expect([question, answer]).toEqual([question, expected[index]])
      }
    })
  ))
