/**
 * Mixed load over two services, a database and the page, while clients go away, clocks step, exporters hang, a service is killed
 * and the database is stopped. Nothing is lost, doubled or mixed up, the money is what the models served, and nothing piles up.
 *
 * `npm run soak` goes on for 30 minutes, the gate for some seconds.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { NodeContext } from "@effect/platform-node"
import { afterAll, expect, it } from "@effect/vitest"
import { BigDecimal, Effect } from "effect"
import { type Close, makeAssets, makeFolder, serve } from "../../command/test/serve/served.js"
import { Ledger } from "../../src/ledger/index.js"
import { RunRecord } from "../../src/report/index.js"
import { LedgerSql } from "../../src/sql/index.js"
import { processProgram } from "../bundle.js"
import { freePort } from "../freePort.js"
import { clientOf, useServer } from "../sql/database.js"
import { customerOf, microDollars, type Tokens } from "./load.js"

const seconds = Number(process.env["SOAK_SECONDS"] ?? 8)
const clients = 8
const pauseMillis = 100

const server = useServer()
const service = await processProgram(new URL("service.ts", import.meta.url))

const closes: Array<Close> = []
afterAll(async () => {
  for (const close of closes.reverse()) await close()
}, 60_000)

interface Served extends Tokens {
  readonly eventId: string
  /** Whether the answer was sent to its end. */
  isAnswered: boolean
}

/** The models. Their log has what each call consumed, by its number of input tokens. */
const startModels = async () => {
  const log = new Map<number, Served>()
  const models = createServer(async (request, response) => {
    const inputTokens = log.size + 1
    const served = {
      eventId: request.url?.slice(1) ?? "",
      inputTokens,
      outputTokens: (inputTokens * 7) % 1000,
      isAnswered: false
    }
    log.set(inputTokens, served)
    response.once("finish", () => {
      served.isAnswered = true
    })
    await sleep(Math.random() * 30)
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ inputTokens, outputTokens: served.outputTokens }))
  }).listen(0, "127.0.0.1")
  await once(models, "listening")
  closes.push(async () => {
    models.closeAllConnections()
    models.close()
  })
  return { log, url: `http://127.0.0.1:${(models.address() as AddressInfo).port}` }
}

interface Stats {
  readonly heapBytes: number
  readonly resources: number
  readonly activeRuns: number
}

/** A service in a process of its own. */
class Service {
  private child: ChildProcess | undefined
  constructor(
    private readonly role: string,
    private readonly port: number,
    private readonly args: ReadonlyArray<string>
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const args = ["--expose-gc", service, this.role, String(this.port), ...this.args]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] })
    this.child = child
    closes.push(async () => child.kill("SIGKILL"))
    for (let tries = 0; !(await this.isUp()); tries++) {
      if (child.exitCode !== null || tries === 400) throw new Error(`the service ${this.role} does not start`)
      await sleep(100)
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === undefined) return
    const exited = once(child, "exit")
    child.kill(signal)
    await exited
  }

  async stats(): Promise<Stats> {
    return (await (await fetch(`${this.url}/stats`)).json()) as Stats
  }

  private isUp(): Promise<boolean> {
    return this.stats().then(
      () => true,
      () => false
    )
  }
}

/** A request that was answered well: the run that it was, and when the answer came. */
interface Answer {
  readonly eventId: string
  readonly runId: string
  readonly at: number
}

/** Clients of a service, some of which go away before they have their answer. */
const load = (url: string, until: number) => {
  let requests = 0
  const answers: Array<Answer> = []
  const client = async () => {
    while (Date.now() < until) {
      const eventId = `ticket-${requests++}`
      const signal = Math.random() < 0.15 ? AbortSignal.timeout(Math.ceil(Math.random() * 60)) : null
      try {
        const response = await fetch(`${url}/tickets/${eventId}`, { method: "POST", signal })
        const runId = await response.text()
        if (response.ok) answers.push({ eventId, runId, at: Date.now() })
      } catch {
        // The client went away.
      }
      await sleep(Math.random() * 2 * pauseMillis)
    }
  }
  return { answers, done: Promise.all(Array.from({ length: clients }, client)), requests: () => requests }
}

/** How long the page may take until it shows what was written last. */
const patience = { timeout: 20_000, interval: 100 }

/** A service that is killed loses what it has not written yet: the requests that are answered close to that moment. */
const unwrittenMillis = 2_000

/** Asserts that the records are of the requests that were made, each once, and that they cost what the models served. */
const check = (
  records: ReadonlyArray<RunRecord.RunRecord>,
  log: ReadonlyMap<number, Served>,
  answers: ReadonlyArray<Answer>,
  kills: ReadonlyArray<number>
) => {
  const byId = new Map(records.map((record) => [record.run.runId as string, record]))
  expect(byId.size).toBe(records.length)
  const desk = records.filter(({ run }) => run.workflow === "Desk")
  expect(new Set(desk.map(({ run }) => run.eventId)).size).toBe(desk.length)
  const mixedUp = records.filter(({ run }) => run.customerId !== customerOf(run.eventId))
  expect(mixedUp).toEqual([])
  const unfinished = records.filter(({ completed }) => completed === undefined)
  expect(unfinished.filter(({ run }) => run.workflow !== "Billing")).toEqual([])
  expect(unfinished.length).toBeLessThanOrEqual(kills.length * clients)

  const known = new Map<number, string>()
  let expected = 0n
  let usd = BigDecimal.make(0n, 0)
  for (const { completed, run } of records) {
    for (const { cost, usage } of completed?.usages ?? []) {
      if (usage.inputTokens === undefined) {
        expect(cost._tag).toBe("Unpriced")
        continue
      }
      expect(known.has(usage.inputTokens)).toBe(false)
      known.set(usage.inputTokens, run.eventId)
      const served = log.get(usage.inputTokens)
      expect([served?.eventId, served?.outputTokens]).toEqual([run.eventId, usage.outputTokens])
      expected += microDollars(served ?? { inputTokens: 0, outputTokens: 0 })
    }
    if (completed !== undefined) usd = BigDecimal.sum(usd, completed.totals.usd)
  }
  expect(BigDecimal.equals(usd, BigDecimal.make(expected, 6))).toBe(true)

  const isSafe = ({ at }: Answer) => kills.every((kill) => Math.abs(at - kill) > unwrittenMillis)
  const callsOf = groupsOf(log.values())
  for (const answer of answers) {
    const record = byId.get(answer.runId)
    expect([record?.run.eventId, record && RunRecord.statusOf(record)]).toEqual([answer.eventId, "success"])
    if (!isSafe(answer)) continue
    for (const { inputTokens } of callsOf.get(answer.eventId) ?? []) {
      expect(known.get(inputTokens), `call ${inputTokens}, answered ${answer.at}, kills ${kills}`).toBe(answer.eventId)
    }
  }
  return { runs: records.length, calls: known.size, usd }
}

const groupsOf = (served: Iterable<Served>): ReadonlyMap<string, ReadonlyArray<Served>> => {
  const groups = new Map<string, Array<Served>>()
  for (const one of served) {
    const group = groups.get(one.eventId)
    if (group === undefined) groups.set(one.eventId, [one])
    else group.push(one)
  }
  return groups
}

it(`${seconds} seconds of faults lose, double and mix up nothing`, { timeout: seconds * 1000 + 120_000 }, async () => {
  const directory = await makeFolder(closes)
  const database = await server().newDatabase()
  const models = await startModels()
  const billing = new Service("billing", await freePort(), [models.url, "", directory, database])
  await billing.start()
  const desk = new Service("desk", await freePort(), [models.url, billing.url, directory, database])
  await desk.start()
  const page = await serve(`${directory}/files`, await makeAssets(closes))
  closes.push(page.close)

  const start = Date.now()
  const until = start + seconds * 1000
  const overview = `overview?since=${start - 60_000}&until=${until + 60_000}`
  const after = (share: number) => sleep(start + share * seconds * 1000 - Date.now())
  const { answers, done, requests } = load(desk.url, until)

  const kills: Array<number> = []
  const rounds = Math.max(1, Math.floor(seconds / 30))
  const faults = async () => {
    for (let round = 0; round < rounds; round++) {
      await after((round + 0.4) / rounds)
      kills.push(Date.now())
      await billing.stop("SIGKILL")
      await billing.start()
      await after((round + 0.7) / rounds)
      await server().stop()
      await sleep(1000)
      await server().resume()
    }
  }
  const looking = async () => {
    let events = 0
    while (Date.now() < until) {
      const { now } = await page.get<{ now: { events: number } }>(overview)
      expect(now.events).toBeGreaterThanOrEqual(events)
      events = now.events
      await sleep(1000)
    }
    expect(events).toBeGreaterThan(0)
  }
  const warm = after(0.3).then(() => desk.stats())
  await Promise.all([done, faults(), looking()])

  await sleep(1000)
  const [before, end] = [await warm, await desk.stats()]
  expect(end.activeRuns).toBe(0)
  expect(end.heapBytes).toBeLessThan(before.heapBytes * 1.25 + 15_000_000)
  expect(end.resources).toBeLessThan(before.resources + 20)
  await Promise.all([desk.stop("SIGTERM"), billing.stop("SIGTERM")])

  const read = Effect.all([
    Ledger.read(`${directory}/files`),
    LedgerSql.read(),
    Ledger.segments(`${directory}/spill-desk`)
  ])
  const [files, stored, spilled] = await Effect.runPromise(
    read.pipe(Effect.provide(clientOf(database)), Effect.provide(NodeContext.layer))
  )
  expect(spilled).toEqual([])
  expect([files.lost, stored.lost]).toEqual([0, 0])
  expect(files.records.filter((record) => RunRecord.statusOf(record) === "running")).toEqual([])
  expect(answers.length).toBeGreaterThan(requests() / 10)
  const kept = check(files.records, models.log, answers, kills)
  const inDatabase = check(stored.records, models.log, answers, kills)
  await expect
    .poll(async () => {
      const { now } = await page.get<{ now: { usd: string } }>(overview)
      return BigDecimal.format(BigDecimal.normalize(BigDecimal.unsafeFromString(now.usd)))
    }, patience)
    .toBe(BigDecimal.format(BigDecimal.normalize(kept.usd)))

  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
  console.log(
    `${requests()} requests, ${answers.length} answered; directory: ${kept.runs} runs, ${kept.calls} calls;`,
    `database: ${inDatabase.runs} runs, ${inDatabase.calls} calls; ${kills.length} kills;`,
    `heap ${megabytes(before.heapBytes)} MB, then ${megabytes(end.heapBytes)} MB`
  )
})
