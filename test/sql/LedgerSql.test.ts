/**
 * A ledger in PostgreSQL: what it keeps, and what it gives back.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import type { SqlClient } from "@effect/sql"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Exit, Layer } from "effect"
import { Botanu, Outcome, Usage } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { BusinessEvent, RunRecord } from "../../src/report/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { idOf, record } from "../report/records.js"
import { ids } from "../runs.js"
import { spend, unpriced } from "../usages.js"
import { clientOf, inNewDatabase, rows, useServer } from "./database.js"

const server = useServer()

/** Runs a program over a new database and a new directory. */
const withLedger = <A, E>(
  use: (at: {
    readonly url: string
    readonly directory: string
  }) => Effect.Effect<A, E, SqlClient.SqlClient | NodeContext.NodeContext>
): Promise<A> =>
  inNewDatabase(server)((url) =>
    Effect.scoped(
      Effect.flatMap(FileSystem.FileSystem, (files) =>
        Effect.flatMap(files.makeTempDirectoryScoped({ prefix: "botanu-sql-" }), (directory) => use({ url, directory }))
      )
    ).pipe(Effect.provide(NodeContext.layer))
  )

const run = Botanu.workflow("Customer Support", ids)

const idsIn = ({ records }: Ledger.Contents) => records.map(({ run }) => run.runId)

/** Records as JSON has them, by the id of the run. */
const byId = ({ records }: Ledger.Contents): ReadonlyMap<string, unknown> =>
  new Map(records.map(({ completed, run }) => [run.runId, JSON.parse(JSON.stringify(completed ?? run))]))

describe("a ledger in a database", () => {
  it("keeps what a ledger in a directory keeps", () =>
    withLedger(({ directory }) =>
      Effect.gen(function* () {
        const hostile = "'; DROP TABLE botanu.runs; -- $1 \\ \" %"
        yield* Effect.gen(function* () {
          const { amendOutcome } = yield* Ledger.Ledger
          yield* Effect.zipRight(
            spend("0.25"),
            Outcome.emit("partial", { reason: hostile, metadata: { [hostile]: 1 } })
          ).pipe(run)
          yield* Effect.fail("no answer").pipe(
            Botanu.workflow("Nested", {
              eventId: "ticket-43",
              customerId: "o'reilly",
              tenantId: "$1",
              retry: { times: 2 }
            }),
            Effect.ignore,
            Botanu.workflow("Outer", { eventId: "ticket-43", customerId: "o'reilly", deadline: "1 hour", version: "2" })
          )
          yield* Effect.zipRight(
            Usage.record(unpriced),
            Botanu.annotate({ team: hostile, seats: 3, trial: true })
          ).pipe(run)
          yield* amendOutcome(
            "ticket-43",
            { status: "failure", reason: hostile },
            { by: "crm'; --", customerId: "o'reilly" }
          )
        }).pipe(
          Effect.provide(
            Layer.merge(
              Ledger.layer({ directory: `${directory}/files` }),
              LedgerSql.layer({ spill: `${directory}/spill` })
            )
          )
        )
        const kept = yield* Ledger.read(`${directory}/files`)
        const read = yield* LedgerSql.read()
        expect(kept.records).toHaveLength(6)
        expect(byId(read)).toEqual(byId(kept))
        expect(read).toMatchObject({ lost: 0, problems: [] })
        expect(read.amendments).toMatchObject([
          {
            eventId: "ticket-43",
            customerId: "o'reilly",
            by: "crm'; --",
            outcome: { status: "failure", reason: hostile }
          }
        ])
        const events = BusinessEvent.fromRecords(read.records, read.amendments)
        expect(events.map(({ status }) => status)).toEqual(
          BusinessEvent.fromRecords(kept.records, read.amendments).map(({ status }) => status)
        )
        expect(yield* Ledger.segments(`${directory}/spill`)).toEqual([])
      })
    ))

  it("reads the runs of an event, of a customer, or of a time", () =>
    withLedger(({ directory }) =>
      Effect.gen(function* () {
        const hostile = "x' OR '1'='1"
        yield* Effect.forEach(["a", "b", hostile], (id) =>
          Botanu.workflow(Effect.void, "Support", { eventId: id, customerId: `of ${id}` })
        ).pipe(Effect.provide(LedgerSql.layer({ spill: directory })))
        const idsOf = (selection: LedgerSql.Selection) =>
          Effect.map(LedgerSql.read(selection), ({ records }) => records.map(({ run }) => run.eventId))
        expect(yield* idsOf({})).toEqual(["a", "b", hostile])
        expect(yield* idsOf({ eventId: "b" })).toEqual(["b"])
        expect(yield* idsOf({ eventId: hostile })).toEqual([hostile])
        expect(yield* idsOf({ customerId: `of ${hostile}` })).toEqual([hostile])
        expect(yield* idsOf({ customerId: "x'; DROP TABLE botanu.runs; --" })).toEqual([])
        const now = yield* DateTime.now
        expect(yield* idsOf({ since: DateTime.add(now, { minutes: 1 }) })).toEqual([])
        expect(yield* idsOf({ until: DateTime.subtract(now, { minutes: 1 }) })).toEqual([])
        expect(yield* idsOf({ since: DateTime.subtract(now, { minutes: 1 }), until: now, eventId: "a" })).toEqual(["a"])
      })
    ))

  it("keeps text that PostgreSQL has no characters for", () =>
    withLedger(({ directory }) =>
      Effect.gen(function* () {
        const text = "null \u0000, half \ud83d and \\u0000"
        yield* Effect.zipRight(
          Outcome.emit("success", { reason: text, metadata: { text } }),
          Usage.record({
            kind: "llm",
            provider: "openai",
            operation: "chat",
            providerRequestId: "req-1",
            other: { "a'b": 1 }
          })
        ).pipe(run, Effect.provide(LedgerSql.layer({ spill: directory })))
        const { records } = yield* LedgerSql.read()
        expect(records[0]?.completed?.outcome?.reason).toBe("null \ufffd, half \ufffd and \\u0000")
        expect(records[0]?.completed?.usages[0]?.usage.other).toEqual({ "a'b": 1 })
      })
    ))

  it("takes records from elsewhere once, and keeps the first of those that are replaced", () =>
    withLedger(() =>
      Effect.gen(function* () {
        const first = record({ n: 1, end: 2, calls: [{ usd: "1" }, { usd: "2" }] })
        yield* LedgerSql.migrate()
        yield* LedgerSql.write({ records: [first] })
        const stored = rows("SELECT first, recorded_at::text, xmin::text FROM botanu.records")
        const once = yield* stored
        yield* LedgerSql.write({ records: [first, RunRecord.started(first.run)] })
        expect(yield* stored).toEqual(once)
        const moved = record({
          n: 1,
          start: 0,
          end: 2,
          errorClass: "Corrected",
          status: "failure",
          calls: [{ usd: "3.000000000000000001" }]
        })
        yield* LedgerSql.write({ records: [moved] })
        // Its start comes late, as it was said first.
        yield* LedgerSql.write({ records: [RunRecord.started(first.run)] })
        const found = yield* rows(
          "SELECT record ->> 'errorClass' AS now, first ->> 'status' AS first FROM botanu.records"
        )
        expect(found).toEqual([{ now: "Corrected", first: "success" }])
        expect(yield* rows("SELECT error_class, usd::text FROM botanu.runs")).toEqual([
          { error_class: "Corrected", usd: "3.000000000000000001" }
        ])
        expect(yield* rows("SELECT usd::text FROM botanu.usages")).toEqual([{ usd: "3.000000000000000001" }])
      })
    ))

  it("drops months that are over, and what belongs to them", () =>
    withLedger(() =>
      Effect.gen(function* () {
        const days = 86_400
        // In February and in April 2026.
        const early = record({ n: 1, end: 2, calls: [{ usd: "1" }], annotations: { team: "support" } })
        const late = record({ n: 2, start: 60 * days, end: 60 * days + 1 })
        yield* LedgerSql.migrate()
        yield* LedgerSql.write({ records: [early, late] })
        const before = DateTime.unsafeMake("2026-04-20T00:00:00Z")
        expect(yield* LedgerSql.prune({ before })).toEqual(["2026-02"])
        expect(yield* LedgerSql.prune({ before })).toEqual([])
        expect(idsIn(yield* LedgerSql.read())).toEqual([idOf(2)])
        const left = ["records", "runs", "usages", "annotations"].map((table) => `SELECT run_id FROM botanu.${table}`)
        expect(yield* rows(left.join(" UNION ALL "))).toEqual([{ run_id: idOf(2) }, { run_id: idOf(2) }])
        // A month that was dropped is made again for what comes late.
        yield* LedgerSql.write({ records: [early] })
        expect(idsIn(yield* LedgerSql.read())).toEqual([idOf(1), idOf(2)])
      })
    ))

  it("fails to start where its tables cannot be made", () =>
    withLedger(({ directory, url }) =>
      Effect.gen(function* () {
        yield* rows("CREATE ROLE guest LOGIN")
        const guest = clientOf(url.replace("postgres@", "guest@"))
        const layer = LedgerSql.layer({ spill: directory }).pipe(Layer.provide(guest))
        expect(Exit.isFailure(yield* Effect.exit(Layer.launch(layer)))).toBe(true)
        yield* LedgerSql.migrate()
        yield* rows(
          `GRANT USAGE ON SCHEMA botanu TO guest; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA botanu TO guest`
        )
        const started = LedgerSql.layer({ spill: directory, migrate: false }).pipe(Layer.provide(guest))
        expect(Exit.isSuccess(yield* Effect.exit(Effect.scoped(Layer.build(started))))).toBe(true)
      })
    ))
})
