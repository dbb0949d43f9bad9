/**
 * Runners that are killed, and runners that are asked to end, while they hold executions: three processes over one PostgreSQL.
 * `KILLS=50 TERMINATIONS=20 npx vitest run test/cluster/crash.test.ts` ends as many; `SEED` repeats their times.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { NodeContext } from "@effect/platform-node"
import { Cause, Effect, Logger, LogLevel, ManagedRuntime, Schema, Utils } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Cost } from "../../src/index.js"
import { Ledger } from "../../src/ledger/index.js"
import type { RunRecord } from "../../src/report/index.js"
import { processProgram } from "../bundle.js"
import { freePort } from "../freePort.js"
import { PostgresServer } from "../sql/PostgresServer.js"
import { ModelServer } from "./ModelServer.js"
import { activities, clientEngine, Order } from "./orders.js"

const kills = Number(process.env["KILLS"] ?? 2)
const terminations = Number(process.env["TERMINATIONS"] ?? 1)
const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000)
const patienceMillis = 60_000 + 30_000 * (kills + terminations)

/** How long a runner may take to end by itself. */
const graceMillis = 8_000

/** After how long an execution stands still. */
const stillMillis = 45_000

/** Runners by port. One that ended is started again. */
class Runners {
  private readonly processes = new Map<number, ChildProcess>()

  constructor(
    private readonly program: string,
    private readonly url: string,
    private readonly ledger: string
  ) {}

  async start(port: number): Promise<void> {
    const child = spawn(process.execPath, [this.program, this.url, String(port), this.ledger], {
      stdio: ["ignore", "pipe", "ignore"]
    })
    this.processes.set(port, child)
    const isStarted = await Promise.race([
      once(child.stdout, "data").then(() => true),
      once(child, "exit").then(() => false)
    ])
    // Its port may be that of a connection for a while.
    if (!isStarted) await sleep(200).then(() => this.start(port))
  }

  async end(port: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.processes.get(port)
    if (child === undefined || child.exitCode !== null) return
    const exited = once(child, "exit")
    child.kill(signal)
    // What supervisors do with a process that takes too long.
    const grace = setTimeout(() => child.kill("SIGKILL"), graceMillis)
    await exited
    clearTimeout(grace)
  }

  async endAll(): Promise<void> {
    await Promise.all(Array.from(this.processes.keys(), (port) => this.end(port, "SIGKILL")))
  }
}

/** A span as the runners write it. */
const SpanLine = Schema.parseJson(
  Schema.Struct({
    name: Schema.String,
    traceId: Schema.String,
    spanId: Schema.String,
    parent: Schema.optional(Schema.String),
    millis: Schema.Number,
    event: Schema.optional(Schema.String)
  })
)

describe("executions on three runners", () => {
  const orders: Array<string> = []
  let server: PostgresServer
  let models: ModelServer
  let ledger: string
  let url: string
  let runners: Runners
  let client: ManagedRuntime.ManagedRuntime<Effect.Effect.Context<ReturnType<typeof Order.execute<false>>>, unknown>

  beforeAll(async () => {
    const program = await processProgram(new URL("runner.ts", import.meta.url))
    server = await PostgresServer.start()
    models = await ModelServer.start()
    ledger = await mkdtemp(join(tmpdir(), "botanu-durable-"))
    url = await server.newDatabase()
    runners = new Runners(program, url, ledger)
    // One after the other: the first makes the tables.
    for (let started = 0; started < 3; started++) await runners.start(await freePort())
    client = ManagedRuntime.make(clientEngine(url))
  }, patienceMillis)

  afterAll(async () => {
    await client?.dispose()
    await runners?.endAll()
    await models?.close()
    await server?.remove()
    if (ledger !== undefined) await rm(ledger, { recursive: true, force: true })
  }, patienceMillis)

  const database = () => new URL(url).pathname.slice(1)

  /** Starts an order, ends the runner that holds it after a while, and waits for the order. */
  const interruptedBy = async (orderId: string, signal: "SIGKILL" | "SIGTERM", afterMillis: number): Promise<void> => {
    orders.push(orderId)
    const payload = { orderId, provider: models.url }
    const done = client.runPromise(
      // The end of a runner may interrupt a caller that waits for it. Who executes the order again gets its result.
      Order.execute(payload).pipe(
        Effect.sandbox,
        Effect.retry({ times: 3, while: Cause.isInterruptedOnly }),
        Effect.unsandbox,
        Effect.catchAllCause((cause) => Effect.dieMessage(`${orderId}: ${Cause.pretty(cause)}`)),
        Logger.withMinimumLogLevel(LogLevel.Error)
      )
    )
    // What docs/durable.md says of an execution that stands still.
    const help = setInterval(() => {
      process.stdout.write(`${orderId} stands still: it is resumed, and marks of messages are cleared\n`)
      server.execute("UPDATE cluster_messages SET last_read = NULL WHERE NOT processed", database()).catch(() => {})
      client.runPromise(Effect.flatMap(Order.executionId(payload), Order.resume)).catch(() => {})
    }, stillMillis)
    const holder = async (): Promise<number> => {
      const call = models.served.findLast((served) => served.orderId === orderId)
      return call === undefined ? sleep(10).then(holder) : call.runner
    }
    try {
      await holder()
      await sleep(afterMillis)
      const port = await holder()
      await runners.end(port, signal)
      await runners.start(port)
      expect(await done).toBe(orderId)
    } finally {
      clearInterval(help)
    }
  }

  it(
    `complete, with ${kills} kills and ${terminations} terminations`,
    async () => {
      process.stdout.write(`seed ${seed}\n`)
      const random = new Utils.PCGRandom(seed)
      for (let n = 0; n < kills; n++) await interruptedBy(`killed-${n}`, "SIGKILL", random.integer(900))
      for (let n = 0; n < terminations; n++) await interruptedBy(`ended-${n}`, "SIGTERM", random.integer(900))
    },
    patienceMillis
  )

  it(
    "are one run each, whose cost is that of the stored activities, and which says what was cut off",
    async () => {
      // The flush of the last record is waited for by its execution.
      const { problems, records } = await Effect.runPromise(Effect.provide(Ledger.read(ledger), NodeContext.layer))
      expect(problems.filter(({ problem }) => problem !== "cut")).toEqual([])
      const marks = records
        .flatMap(({ completed }) => completed?.usages ?? [])
        .filter(({ usage }) => usage.errorType === "process_lost")
      process.stdout.write(`${models.served.length} calls served, ${marks.length} executions of activities cut off\n`)
      for (const orderId of orders) {
        const own = records.filter(({ run }) => run.eventId === orderId)
        expect(own.map(({ completed }) => completed?.status)).toEqual(["success"])
        const [record] = own
        if (record !== undefined) expectCounted(record, models, orderId)
      }
      // What is stored of activities is on the records, whatever else is.
      const stored = await server.execute("SELECT payload FROM cluster_replies", database())
      const usages = records.flatMap(({ completed }) => completed?.usages ?? [])
      const recorded = new Set(usages.map(({ usage }) => usage.providerRequestId))
      const calls = Array.from(stored.matchAll(/"providerRequestId":"([^"]+)"/g), ([, callId]) => callId)
      expect(calls.length).toBeGreaterThanOrEqual(orders.length * activities.length)
      expect(calls.filter((callId) => !recorded.has(callId))).toEqual([])
    },
    patienceMillis
  )

  it("have one span each, of their whole duration, with their activities below it", async () => {
    const { records } = await Effect.runPromise(Effect.provide(Ledger.read(ledger), NodeContext.layer))
    const lines = readFileSync(join(ledger, "spans.jsonl"), "utf8").trim().split("\n")
    const spans = lines.map((line) => Schema.decodeSync(SpanLine)(line))
    for (const orderId of orders) {
      const completed = records.find(({ run }) => run.eventId === orderId)?.completed
      const own = spans.filter(({ event, name }) => event === orderId && name === "botanu.run/Order")
      // A kill between the end of a run and what the engine stores of it exports the span again, with the same ids.
      const ids = new Set(own.map(({ spanId, traceId }) => `${traceId} ${spanId}`))
      expect([orderId, ids.size]).toEqual([orderId, 1])
      expect(own[0]?.traceId).toBe(completed?.traceId)
      expect(own.some(({ millis }) => Math.abs(millis - (completed?.durationMs ?? 0)) < 2)).toBe(true)
      const below = spans.filter(({ event, name }) => event === orderId && activities.includes(name))
      expect(new Set(below.map(({ name }) => name))).toEqual(new Set(activities))
      expect(new Set(below.map(({ parent, traceId }) => `${traceId} ${parent}`))).toEqual(ids)
    }
  })
})

/** Each stored call counts once, and of each other that the provider served the record says that what it consumed is not known. */
const expectCounted = (record: RunRecord.RunRecord, { served }: ModelServer, orderId: string): void => {
  const usages = (record.completed?.usages ?? []).map(({ usage }) => usage)
  const calls = served.filter((call) => call.orderId === orderId)
  const ids = usages.flatMap(({ providerRequestId }) => providerRequestId ?? [])
  expect(new Set(ids).size).toBe(ids.length)
  const known = calls.filter(({ callId }) => ids.includes(callId))
  expect(known.length).toBe(ids.length)
  const tokens = known.reduce((sum, { inputTokens }) => sum + inputTokens, 0)
  expect(record.completed && Cost.format(record.completed.totals.usd)).toBe(String(tokens))
  for (const activity of activities) {
    const own = calls.filter((call) => call.activity === activity)
    // More than one where it was interrupted and executed again in one process, which knows what it consumed.
    expect(own.some((call) => known.includes(call))).toBe(true)
    const unrecorded = own.filter(({ requestId }) => usages.every((usage) => usage.clientRequestId !== requestId))
    const marks = usages.filter(({ errorType, operation }) => errorType === "process_lost" && operation === activity)
    expect({ orderId, own, unrecorded, isMarked: unrecorded.length <= marks.length }).toMatchObject({ isMarked: true })
  }
}
