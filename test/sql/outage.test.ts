/**
 * A database that is slow or gone: nothing is lost, and nothing is there twice. `OUTAGE_SECONDS=30 CRASHES=40 npx vitest run
 * test/sql/outage.test.ts` stops it for as long, and kills as many writers.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schedule } from "effect"
import { Botanu, RunExporter } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { processProgram } from "../bundle.js"
import { logging } from "../observed.js"
import { idOf, record } from "../report/records.js"
import { spend } from "../usages.js"
import { clientOf, rows, useServer } from "./database.js"

const outageSeconds = Number(process.env["OUTAGE_SECONDS"] ?? 3)
const crashes = Number(process.env["CRASHES"] ?? 4)
const patience = { timeout: 60_000 + 2000 * outageSeconds + 10_000 * crashes }

const server = useServer()
const writer = await processProgram(new URL("writer.ts", import.meta.url))

let directory = ""
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "botanu-outage-"))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

let places = 0
/** A new database, and a directory beside it. */
const place = async () => {
  places += 1
  return { url: await server().newDatabase(), spill: join(directory, `spill-${places}`) }
}

let events = 0
const run = Effect.suspend(() => {
  events += 1
  return Botanu.workflow(spend("0.001"), "Support", { eventId: `ticket-${events}`, customerId: "bigretail" })
})

const files = (folder: string) => Effect.promise(() => readdir(folder, { recursive: true }))

const isEmpty = (spill: string) => Effect.map(Ledger.segments(spill), (segments) => segments.length === 0)

/** Waits until the database has all that the directory had. */
const caughtUp = Effect.flatMap(LedgerSql.LedgerSql, ({ isSpilling }) =>
  Effect.repeat(isSpilling, { while: (is) => is, schedule: Schedule.spaced("50 millis") })
).pipe(Effect.timeout("30 seconds"))

const idsIn = ({ records }: Ledger.Contents) =>
  records.flatMap(({ completed, run }) => (completed === undefined ? [] : [run.runId as string])).sort()

/** Every run and every call is there once, and in no sum twice. */
const eachOnce = (ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const contents = yield* LedgerSql.read()
    const found = idsIn(contents)
    expect(new Set(found).size).toBe(found.length)
    expect(ids.filter((id) => !found.includes(id))).toEqual([])
    expect([contents.lost, contents.problems.length]).toEqual([0, 0])
    const [sums] = yield* rows<{ usages: number; events: number; usd: string }>(
      `SELECT (SELECT count(*)::int FROM botanu.usages) AS usages, count(*)::int AS events,
        trim_scale(sum(usd))::text AS usd FROM botanu.events WHERE status = 'success'`
    )
    expect(sums).toEqual({ usages: found.length, events: found.length, usd: String(found.length / 1000) })
    return found.length
  })

const runtime = <A, E>(effect: Effect.Effect<A, E, NodeContext.NodeContext | SqlClient.SqlClient>, url: string) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(clientOf(url)), Effect.provide(NodeContext.layer), Effect.provide(logging([])))
  )

const options = { timeoutMillis: 500, retryMillis: 100 }

describe("a database", () => {
  it(`that is stopped for ${outageSeconds} s under load gets everything, once`, patience, async () => {
    const { spill, url } = await place()
    const lines: Array<string> = []
    const program = Effect.gen(function* () {
      const memory = yield* RunExporter.Memory
      const load = yield* Effect.fork(Effect.repeat(run, Schedule.spaced("2 millis")))
      yield* Effect.sleep("300 millis")
      yield* Effect.promise(() => server().stop("SIGQUIT"))
      yield* Effect.sleep(outageSeconds * 1000)
      expect(yield* isEmpty(spill)).toBe(false)
      yield* Effect.promise(() => server().resume())
      yield* caughtUp
      yield* Effect.sleep("300 millis")
      yield* Fiber.interrupt(load)
      yield* Effect.flatMap(Ledger.Ledger, ({ flush }) => flush)
      expect(yield* isEmpty(spill)).toBe(true)
      const ids = (yield* memory.runs).filter(({ status }) => status === "success").map(({ run }) => run.runId)
      expect(ids.length).toBeGreaterThan(100 * outageSeconds)
      yield* eachOnce(ids)
      expect(lines.join("\n")).toContain("the database takes no records")
      expect(lines.join("\n")).toContain("the database takes records again")
    })
    await runtime(
      program.pipe(
        Effect.provide(Layer.merge(LedgerSql.layer({ spill, ...options }), RunExporter.layerMemory)),
        Effect.provide(logging(lines))
      ),
      url
    )
  })

  it("that does not answer holds nobody up, and gets everything when it does", patience, async () => {
    const { spill, url } = await place()
    const program = Effect.gen(function* () {
      const { flush } = yield* Ledger.Ledger
      const locked = yield* Deferred.make<void>()
      const released = yield* Deferred.make<void>()
      const locker = yield* Effect.fork(
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          sql.withTransaction(
            sql`LOCK TABLE botanu.records IN ACCESS EXCLUSIVE MODE`.pipe(
              Effect.zipRight(Deferred.succeed(locked, undefined)),
              Effect.zipRight(Deferred.await(released))
            )
          )
        )
      )
      yield* Deferred.await(locked)
      yield* Effect.repeatN(run, 99)
      yield* flush
      expect(idsIn(yield* Ledger.read(spill))).toHaveLength(100)
      yield* Deferred.succeed(released, undefined)
      yield* Fiber.join(locker)
      yield* caughtUp
      expect(yield* eachOnce([])).toBe(100)
      expect(yield* isEmpty(spill)).toBe(true)
    })
    await runtime(Effect.provide(program, LedgerSql.layer({ spill, ...options })), url)
  })

  it("that is slower than records come does not make the queue overflow", patience, async () => {
    const { spill, url } = await place()
    const program = Effect.gen(function* () {
      const { flush } = yield* Ledger.Ledger
      const locked = yield* Deferred.make<void>()
      const released = yield* Deferred.make<void>()
      yield* Effect.fork(
        Effect.flatMap(SqlClient.SqlClient, (sql) =>
          sql.withTransaction(
            sql`LOCK TABLE botanu.records IN ACCESS EXCLUSIVE MODE`.pipe(
              Effect.zipRight(Deferred.succeed(locked, undefined)),
              Effect.zipRight(Deferred.await(released))
            )
          )
        )
      )
      yield* Deferred.await(locked)
      yield* run
      const flushing = yield* Effect.fork(flush)
      yield* Effect.sleep("100 millis")
      // Half of the queue: what is under way is given up long before it is out of time.
      yield* Effect.repeatN(run, 59)
      yield* Fiber.join(flushing).pipe(Effect.timeout("10 seconds"))
      yield* Deferred.succeed(released, undefined)
      yield* flush
      yield* caughtUp
      expect(yield* eachOnce([])).toBe(61)
    })
    await runtime(
      Effect.provide(
        program,
        LedgerSql.layer({ spill, timeoutMillis: 600_000, retryMillis: 100, flushMillis: 600_000, maxQueued: 120 })
      ),
      url
    )
  })

  it("that is not there at the start is none the less written, when it is", patience, async () => {
    const { spill, url } = await place()
    const program = Effect.gen(function* () {
      yield* Effect.promise(() => server().stop())
      yield* Effect.gen(function* () {
        yield* run
        yield* Effect.flatMap(Ledger.Ledger, ({ flush }) => flush)
        expect(idsIn(yield* Ledger.read(spill))).toHaveLength(1)
        yield* Effect.promise(() => server().resume())
        yield* caughtUp
        expect(yield* eachOnce([])).toBe(1)
      }).pipe(Effect.provide(LedgerSql.layer({ spill, ...options })))
    }).pipe(Effect.provide(logging([])))
    await runtime(program, url)
  })

  it(
    "that is gone for long gets the files of that time in their order, whatever they are named by",
    patience,
    async () => {
      const { spill, url } = await place()
      const program = Effect.gen(function* () {
        yield* Effect.promise(() => server().stop())
        yield* Effect.gen(function* () {
          const { amendOutcome, flush } = yield* Ledger.Ledger
          const { isSpilling } = yield* LedgerSql.LedgerSql
          const said: Array<string> = []
          const amended = Effect.suspend(() => {
            const by = `../../${said.length}`
            said.push(by)
            return Effect.zipRight(amendOutcome("../../ticket", { status: "partial" }, { by }), flush)
          })
          // Each time that the database does not answer, what was written is left in a file, and the next one begins.
          while ((yield* Ledger.segments(spill)).length < 3) {
            yield* amended
            yield* Effect.sleep("20 millis")
          }
          expect(
            (yield* files(spill)).every((name) => /^\d{4}-\d{2}-\d{2}(\/[0-9a-f-]{36}-\d+\.jsonl)?$/.test(name))
          ).toBe(true)
          const resumed = yield* Effect.fork(Effect.promise(() => server().resume()))
          // What comes while it is there again, and has not got all that it missed, waits for its turn.
          while (yield* isSpilling) yield* Effect.delay(amended, "5 millis")
          yield* Fiber.join(resumed)
          const found = yield* rows<{ by: string }>("SELECT amended_by AS by FROM botanu.amendments ORDER BY id")
          expect(found.map(({ by }) => by)).toEqual(said)
        }).pipe(Effect.provide(LedgerSql.layer({ spill, ...options })))
      })
      await runtime(program, url)
    }
  )

  it("that refuses a record gets all others; that one is kept", patience, async () => {
    const { spill, url } = await place()
    const lines: Array<string> = []
    const good = [record({ n: 1, end: 2 }), record({ n: 3, end: 4 }), record({ n: 4, end: 5 })]
    const texts = good.map(({ completed }) => JSON.stringify({ v: 1, type: "completed", completed }))
    const bad = JSON.stringify({ v: 1, type: "completed", completed: record({ n: 2, end: 3 }).completed }).replaceAll(
      /"startTime":"[^"]+"/g,
      '"startTime":"+271821-01-01T00:00:00.000Z"'
    )
    // What a process has left behind that was killed.
    await mkdir(join(spill, "2026-02-02"), { recursive: true })
    const head = JSON.stringify({ v: 1, type: "writer", process: {}, at: "2026-02-02T00:00:00.000Z" })
    const later = JSON.stringify({
      v: 1,
      type: "completed",
      completed: record({ n: 1, end: 2, status: "failure" }).completed
    })
    const left = [head, texts[0], bad, "{cut", later, texts[1], texts[2], ""].join("\n")
    const segment = join(spill, "2026-02-02", `${idOf(9)}-1.jsonl`)
    await writeFile(segment, left)
    const { utimes } = await import("node:fs/promises")
    await utimes(segment, 0, 0)
    const program = Effect.gen(function* () {
      yield* Effect.repeat(isEmpty(spill), { until: (is) => is, schedule: Schedule.spaced("50 millis") })
      expect(idsIn(yield* LedgerSql.read())).toEqual([idOf(1), idOf(3), idOf(4)])
      // Of two records of a run the later one counts.
      expect(yield* rows("SELECT run_id FROM botanu.runs WHERE status = 'failure'")).toEqual([{ run_id: idOf(1) }])
      expect(idsIn(yield* Ledger.read(join(spill, "refused")))).toEqual([idOf(2)])
      expect(lines.join("\n")).toContain("the database refused a record")
    })
    await runtime(
      program.pipe(Effect.provide(LedgerSql.layer({ spill, ...options })), Effect.provide(logging(lines))),
      url
    )
  })
})

/** Kills a writer after it has acknowledged so many runs and a moment more; gives the ids that it acknowledged. */
const killedAfter = async (
  args: ReadonlyArray<string>,
  acknowledged: number,
  moreMillis: number,
  onFirst: () => void
) => {
  const child = spawn(process.execPath, [writer, ...args], { stdio: ["ignore", "pipe", "ignore"] })
  const exited = once(child, "exit")
  const ids: Array<string> = []
  for await (const line of createInterface(child.stdout)) {
    ids.push(line)
    if (ids.length === 1) onFirst()
    if (ids.length === acknowledged) setTimeout(() => child.kill("SIGKILL"), moreMillis)
  }
  await exited
  return ids
}

it(
  `${crashes} writers that are killed while the database comes and goes lose nothing that was flushed`,
  patience,
  async () => {
    const { spill, url } = await place()
    const acknowledged: Array<string> = []
    for (let begun = 0; begun < crashes; begun += 2) {
      // The database goes while both write. When it comes they write what they have in their directory.
      let writing = 0
      let outage: Promise<void> | undefined
      const onFirst = () => {
        writing += 1
        if (writing === 2) outage = sleep(Math.random() * 200).then(() => server().stop("SIGQUIT"))
      }
      const killed = [0, 1].map(() =>
        killedAfter([url, spill, "100000"], 50 + Math.floor(Math.random() * 100), Math.random() * 60, onFirst)
      )
      acknowledged.push(...(await Promise.all(killed)).flat())
      await outage
      await server().resume()
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(50 * crashes)
    const program = Effect.gen(function* () {
      yield* Effect.repeat(isEmpty(spill), { until: (is) => is, schedule: Schedule.spaced("100 millis") }).pipe(
        Effect.timeout("40 seconds")
      )
      yield* eachOnce(acknowledged)
      const open = (yield* LedgerSql.read()).records.filter(({ completed }) => completed === undefined)
      expect(open.filter(({ isLost }) => isLost === undefined).length).toBe(0)
    })
    await Effect.runPromise(
      Effect.retry(
        program.pipe(
          Effect.provide(LedgerSql.layer({ spill, ...options })),
          Effect.provide(clientOf(url)),
          Effect.provide(NodeContext.layer)
        ),
        { times: 20, schedule: Schedule.spaced("200 millis"), while: (error) => error._tag === "SqlError" }
      )
    )
  }
)
