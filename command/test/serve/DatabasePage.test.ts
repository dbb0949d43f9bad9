/**
 * The page over a ledger in PostgreSQL, and over prices.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import type { SqlClient } from "@effect/sql"
import { PriceBook } from "botanu-effect"
import { LedgerSql } from "botanu-effect/sql"
import { Effect } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { record } from "../../../test/report/records.js"
import { clientOf, useServer } from "../../../test/sql/database.js"
import type * as Page from "../../src/serve/PageApi.js"
import { type Close, makeAssets, makeFolder, serve, until } from "./served.js"
import { ticketLines } from "./ticket.js"

const closes: Array<Close> = []
let assets: string

beforeAll(async () => {
  assets = await makeAssets(closes)
}, 60_000)

afterAll(async () => {
  for (const close of closes.reverse()) await close()
})

describe("a ledger in PostgreSQL", () => {
  const server = useServer()

  it("is shown, followed, and stays on screen while the database is away", async () => {
    const url = await server().newDatabase()
    const write = (records: ReadonlyArray<ReturnType<typeof record>>) =>
      Effect.runPromise(
        Effect.provide(LedgerSql.write({ records, amendments: [] }), [NodeContext.layer, clientOf(url)])
      )
    await Effect.runPromise(Effect.provide(LedgerSql.migrate(), [NodeContext.layer, clientOf(url)]))
    await write([
      record({ n: 1, event: "ticket-1", end: 2, calls: [{ usd: "0.25" }] }),
      record({ n: 2, event: "ticket-2", start: 3 })
    ])
    const page = await serve(url, assets)
    closes.push(page.close)
    const rows = async () => (await page.get<Page.Events>("events?sort=started&order=ascending")).rows
    expect((await rows()).map(({ eventId, usd }) => [eventId, usd])).toEqual([
      ["ticket-1", "0.25"],
      ["ticket-2", "0"]
    ])
    expect((await page.get<Page.EventDetail>("event?eventId=ticket-1")).charges).toHaveLength(1)
    await write([record({ n: 2, event: "ticket-2", start: 3, end: 9, status: "timeout", calls: [{ usd: "0.5" }] })])
    const after = await until(rows, (rows) => rows[1]?.status === "timeout")
    expect(after.map(({ status, usd }) => [status, usd])).toEqual([
      ["success", "0.25"],
      ["timeout", "0.5"]
    ])
    await server().stop()
    const status = () => page.get<Page.Status>("status")
    expect(await until(status, ({ state }) => state === "away")).toMatchObject({ state: "away", events: 2 })
    expect(await rows()).toHaveLength(2)
    await server().resume()
    expect(await until(status, ({ state }) => state === "ready")).toMatchObject({ state: "ready", events: 2 })
  })

  it("is amended from the page, and holds the amendment", async () => {
    const url = await server().newDatabase()
    const inDatabase = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
      Effect.runPromise(Effect.provide(effect, [NodeContext.layer, clientOf(url)]))
    await inDatabase(LedgerSql.migrate())
    await inDatabase(LedgerSql.write({ records: [record({ n: 1, event: "ticket-1", end: 2 })], amendments: [] }))
    const page = await serve(url, assets, { allowAmend: true })
    closes.push(page.close)
    const amend = (body: object) =>
      fetch(`${page.url}/api/amend`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
    const amended = { eventId: "ticket-1", status: "failure", reason: "reopened", by: "ada" }
    expect((await amend({ ...amended, eventId: "ticket-2" })).status).toBe(404)
    expect((await amend(amended)).status).toBe(204)
    const { outcomes } = await page.get<Page.EventDetail>("event?eventId=ticket-1")
    expect(outcomes.map(({ by, reason, status }) => [by, status, reason])).toEqual([
      ["ada", "failure", "reopened"],
      [null, "success", null]
    ])
    const { amendments } = await inDatabase(LedgerSql.read())
    expect(amendments).toMatchObject([
      { eventId: "ticket-1", by: "ada", outcome: { status: "failure", reason: "reopened" } }
    ])
  })
})

describe("a price file", () => {
  it("says what it would add to the sums, and changes nothing", async () => {
    const folder = await makeFolder(closes)
    await mkdir(join(folder, "2026-11-18"))
    await writeFile(join(folder, "2026-11-18", "writer-1.jsonl"), ticketLines.map((line) => `${line}\n`).join(""))
    const book = await Effect.runPromise(PriceBook.make([{ model: "nova-rerank-2", usd: { query: "0.002" } }]))
    const page = await serve(folder, assets, { prices: { source: "prices.json", book } })
    closes.push(page.close)
    const { repriced, unpriced } = await page.get<Page.Prices>("unpriced")
    expect(unpriced).toMatchObject([{ name: "nova-rerank-2", calls: 1, quantities: { queries: 1 } }])
    expect(repriced).toEqual({
      source: "prices.json",
      usd: "0.002",
      calls: 1,
      unpricedCalls: 0,
      models: [{ name: "nova-rerank-2", reason: "unknown_model", usd: "0.002", calls: 1 }]
    })
    expect((await page.get<Page.Events>("events")).totals).toMatchObject({ usd: "0.15768028", unpricedCalls: 1 })
  })
})
