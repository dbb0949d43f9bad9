/**
 * Runs across a real broker: BullMQ on a Redis server that each test starts for itself. Where there is no `redis-server`, only
 * the tests remain that need none.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it, vi } from "@effect/vitest"
import { type Job, Queue, Worker } from "bullmq"
import { Deferred, Effect, Layer, Logger, ManagedRuntime, Option, Schema } from "effect"
import { Redis } from "ioredis"
import { Attempt } from "../../examples/bullmq/Attempt.js"
import { Inbox } from "../../examples/bullmq/Heard.js"
import * as JobRun from "../../examples/bullmq/JobRun.js"
import { type Order, queueName } from "../../examples/bullmq/Order.js"
import * as Producer from "../../examples/bullmq/Producer.js"
import * as RedisServer from "../../examples/bullmq/RedisServer.js"
import * as RunTree from "../../examples/bullmq/RunTree.js"
import * as WorkerProcess from "../../examples/bullmq/WorkerProcess.js"
import { CompletedRun, type Run, RunContext, RunExporter } from "../../src/index.js"
import { ids, instant, makeRun, otherRunId, runId, thirdRunId } from "../runs.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const examples = new Set<Example>()

afterAll(() => {
  for (const example of examples) example.kill("SIGKILL")
})

/** The example as a process, and what it has written so far. */
class Example {
  stdout = ""
  stderr = ""
  readonly exitCode: Promise<number | null>
  private readonly child: ChildProcess

  constructor(args: ReadonlyArray<string>, environment: Record<string, string> = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BOTANU|DEPLOYMENT)_/.test(name))
    const child = spawn(process.execPath, ["--import", "tsx", "examples/bullmq/main.ts", ...args], {
      cwd: root,
      env: { ...Object.fromEntries(inherited), ...environment },
      stdio: ["ignore", "pipe", "pipe"]
    })
    this.child = child
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text
    })
    this.exitCode = new Promise((resolve, reject) => {
      child.on("error", reject)
      child.on("close", resolve)
    })
    examples.add(this)
  }

  /** Waits until standard error shows this. */
  shows(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.stderr.includes(text)) resolve()
      }
      this.child.stderr?.on("data", look)
      this.child.on("close", () => reject(new Error(`ended without "${text}": ${this.stderr}`)))
      look()
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** The port and the processes that it has told of. */
  get told(): { readonly port: number; readonly pids: ReadonlyArray<number> } {
    const port = Number(/redis-server on 127\.0\.0\.1:(\d+)/.exec(this.stderr)?.[1])
    const pids = Array.from(this.stderr.matchAll(/is process (\d+)/g), ([, pid]) => Number(pid))
    return { port, pids }
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, RedisServer.host)
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false))
    socket.on("connect", () => socket.destroy())
  })

/** The folder that a Redis server works in. */
const folderOf = async (port: number): Promise<string> => {
  const redis = new Redis(port, RedisServer.host)
  const [, folder] = (await redis.config("GET", "dir")) as [string, string]
  await redis.quit()
  return folder
}

/** Nothing that the example started is there any more. */
const expectNothingLeft = async ({ told: { pids, port } }: Example): Promise<void> => {
  expect(pids).toHaveLength(2)
  expect(pids.filter(isAlive)).toEqual([])
  expect(await isOpen(port)).toBe(false)
}

const completedOf = (run: Run, status: "success" | "failure", errorClass?: string): CompletedRun =>
  new CompletedRun({ run, status, endTime: instant(0), durationMs: 12, ...(errorClass && { errorClass }) })

describe("the example of BullMQ", () => {
  it("shows attempts below the run that placed the order, also one that nobody reported", () => {
    const placed = makeRun({ workflow: "Place Order" })
    const first = makeRun({ runId: otherRunId, rootRunId: otherRunId, parentRunId: runId })
    const second = makeRun({ ...first, runId: thirdRunId, attempt: 2, retryOfRunId: otherRunId })
    const attempts = [
      { process: "worker A", run: first },
      { process: "worker\u001b B", run: second, completed: completedOf(second, "failure", "CarrierBusy") },
      { process: "producer", run: placed, completed: completedOf(placed, "success") }
    ]
    expect(RunTree.lines(attempts, { columns: 120, isTerminal: false, hasColour: false })).toEqual([
      "The runs of event ticket-42, customer bigretail:",
      "└─ Place Order          attempt 1  567890ab  success      12 ms  producer",
      "   ├─ Customer Support  attempt 1  0000000b  no report           worker A was killed",
      "   └─ Customer Support  attempt 2  0000000a  failure      12 ms  worker\\u001b B, retry of 0000000b, CarrierBusy"
    ])
  })

  it("says which package to install where there is no redis-server", async () => {
    const example = new Example([], { PATH: "" })
    expect(await example.exitCode).toBe(1)
    expect(example.stderr).toBe(`${new RedisServer.RedisNotFound().message}\n`)
    expect(example.stderr).toContain("apt-get install redis-server")
  }, 30_000)
})

const withRedis = () => {
  describe("two orders, three processes", () => {
    let example: Example
    let attempts: ReadonlyArray<Attempt>

    const runsOf = (eventId: string) => attempts.filter(({ run }) => run.eventId === eventId)
    const placed = (eventId: string) => runsOf(eventId).find(({ process }) => process === "producer")?.run
    const shipped = (eventId: string) => runsOf(eventId).filter(({ process }) => process !== "producer")

    /** Each attempt is a run of its own after the one before, all of the same event, root and parent. */
    const expectLineage = (eventId: string) => {
      const runs = shipped(eventId).map(({ run }) => run)
      const parent = placed(eventId)
      expect(parent).toMatchObject({ workflow: "Place Order", attempt: 1, eventId, customerId: "bigretail" })
      expect(parent?.parentRunId).toBeUndefined()
      expect(new Set(runs.map((run) => run.runId)).size).toBe(runs.length)
      runs.forEach((run, index) => {
        expect(run).toMatchObject({
          workflow: "Ship Order",
          eventId,
          customerId: "bigretail",
          attempt: index + 1,
          rootRunId: runs[0]?.runId,
          parentRunId: parent?.runId
        })
        expect(run.retryOfRunId).toBe(runs[index - 1]?.runId)
      })
    }

    beforeAll(async () => {
      example = new Example(["--json"])
      expect(await example.exitCode, example.stderr).toBe(0)
      const decode = Schema.decodeSync(Schema.parseJson(Attempt))
      attempts = example.stdout
        .trimEnd()
        .split("\n")
        .map((line) => decode(line))
    }, 90_000)

    it("a job that fails twice succeeds as attempt 3", () => {
      expect(shipped("order-1001").map(({ completed }) => [completed?.status, completed?.errorClass])).toEqual([
        ["failure", "CarrierBusy"],
        ["failure", "CarrierBusy"],
        ["success", undefined]
      ])
      expectLineage("order-1001")
    })

    it("a job whose worker is killed in the middle goes to the other worker, with its lineage", () => {
      const [killed, redelivered, ...more] = shipped("order-1002")
      expect(more).toEqual([])
      expect(killed?.completed).toBeUndefined()
      expect(redelivered?.completed?.status).toBe("success")
      expect([killed?.process, redelivered?.process].sort()).toEqual(["worker A", "worker B"])
      expectLineage("order-1002")
    })

    it("each process reports the runs that it ended", () => {
      const reported = attempts.filter(({ completed }) => completed !== undefined)
      expect(reported).toHaveLength(6)
      for (const { completed, run } of reported) expect(completed?.run).toEqual(run)
      expect(placed("order-1001")?.runId).not.toBe(placed("order-1002")?.runId)
    })

    it("leaves nothing behind", async () => {
      await expectNothingLeft(example)
    })
  })

  it("stops everything on SIGINT", async () => {
    const example = new Example([])
    await example.shows("killed with SIGKILL")
    const folder = await folderOf(example.told.port)
    example.kill("SIGINT")
    expect(await example.exitCode).toBe(130)
    expect(example.stderr).toContain("Stopped by SIGINT.")
    expect(example.stdout).toBe("")
    await expectNothingLeft(example)
    expect(existsSync(folder)).toBe(false)
  }, 90_000)

  it("is survived by nothing when it is killed itself", async () => {
    const example = new Example([])
    await example.shows("order-1001: ")
    const folder = await folderOf(example.told.port)
    example.kill("SIGKILL")
    expect(await example.exitCode).toBeNull()
    const waiting = { timeout: 30_000, interval: 20 }
    await vi.waitFor(() => expectNothingLeft(example), waiting)
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), waiting)
  }, 90_000)

  it.scopedLive(
    "a worker that is told to stop interrupts its job, and reports the run as canceled",
    () =>
      Effect.gen(function* () {
        const port = yield* RedisServer.start(() => {})
        const queue = yield* openQueue<Order>(queueName, port)
        const inbox = yield* Inbox.make
        const worker = yield* WorkerProcess.start("worker", port, inbox)
        expect((yield* inbox.next).message._tag).toBe("Ready")
        yield* Producer.place({ id: "order-1", customer: "c", simulate: { carrierSilent: 1 } }, queue)
        expect((yield* inbox.next).message._tag).toBe("Working")
        if (worker.pid !== undefined) process.kill(worker.pid, "SIGTERM")
        const { message } = yield* inbox.next
        expect(message).toMatchObject({ completed: { status: "canceled", run: { attempt: 1, eventId: "order-1" } } })
        expect(yield* Effect.flip(Deferred.await(inbox.ended))).toMatchObject({ how: "exit code 0" })
        const [job] = yield* Effect.promise(() => queue.getJobs(["delayed", "waiting"]))
        expect(job?.attemptsMade).toBe(1)
      }),
    90_000
  )

  const header = Schema.encodeSync(RunContext.FromHeader)
  const sender = makeRun({ workflow: "Open Ticket" })
  const headers = { baggage: header(sender) }
  const first = makeRun({ runId: otherRunId, rootRunId: otherRunId, parentRunId: runId })

  it.scopedLive("is a run without a parent where the job has no headers", () =>
    Effect.gen(function* () {
      const { runs } = yield* workOff({}, Effect.void)
      expect(runs).toHaveLength(1)
      expect(runs[0]).toMatchObject({ status: "success", run: { attempt: 1, eventId: "ticket-42" } })
      expect(runs[0]?.run.parentRunId).toBeUndefined()
    })
  )

  it.scopedLive("continues the attempt that was begun last", () =>
    Effect.gen(function* () {
      const { job, runs } = yield* workOff({ headers, lastAttempt: { baggage: header(first) } }, Effect.void)
      expect(runs.map(({ run }) => run)).toMatchObject([
        { attempt: 2, retryOfRunId: otherRunId, rootRunId: otherRunId, parentRunId: runId }
      ])
      expect(Option.getOrThrow(yield* JobRun.lastAttempt(job)).runId).toBe(runs[0]?.run.runId)
      expect(job.data.headers).toEqual(headers)
    })
  )

  it.scopedLive.each([
    ["garbage", { baggage: "botanu.run_id=7,%%%" }],
    ["nothing", null],
    ["text", "botanu.run_id=7"],
    ["a list", [1, null, { baggage: 7 }]],
    ["another event", { baggage: header(makeRun({ ...first, eventId: "ticket-43" })) }],
    ["another workflow", { baggage: header(makeRun({ ...first, workflow: "Draft Reply" })) }]
  ])("works a job whose last attempt is given as %s, as a first attempt", ([, lastAttempt]) =>
    Effect.gen(function* () {
      const { runs } = yield* workOff({ headers, lastAttempt } as JobRun.JobHeaders, Effect.void)
      expect(runs).toMatchObject([{ status: "success", run: { attempt: 1, parentRunId: runId } }])
      expect(runs[0]?.run.retryOfRunId).toBeUndefined()
    })
  )

  it.scopedLive.each([
    ["was cancelled", makeRun({ ...sender, cancelled: true })],
    ["has passed its deadline", makeRun({ ...sender, deadline: instant(1) })]
  ] as const)("works a job whose sender %s: a message outlives its sender", ([, over]) =>
    Effect.gen(function* () {
      const { job, runs } = yield* workOff({ headers: { baggage: header(over) } }, Effect.void)
      expect(runs).toMatchObject([{ status: "success", run: { attempt: 1, parentRunId: over.runId } }])
      expect(job.failedReason).toBeUndefined()
    })
  )

  it.scopedLive("is canceled by cancelJob, and then tried again", () =>
    Effect.gen(function* () {
      const { runs } = yield* workOff({ headers }, (job, worker) =>
        Effect.flatMap(RunContext, ({ attempt }) =>
          attempt === 1
            ? Effect.zipRight(
                Effect.sync(() => worker.cancelJob(String(job.id))),
                Effect.never
              )
            : Effect.void
        )
      )
      expect(runs.map(({ run, status }) => [run.attempt, status])).toEqual([
        [1, "canceled"],
        [2, "success"]
      ])
      expect(runs[1]?.run.retryOfRunId).toBe(runs[0]?.run.runId)
    })
  )

  it.scopedLive("works a job that cannot be told of the attempt, and warns", () =>
    Effect.gen(function* () {
      const port = yield* RedisServer.start(() => {})
      const queue = yield* openQueue<JobRun.JobHeaders>("tickets", port)
      const job = yield* Effect.promise(() => queue.add("answer", {}))
      yield* Effect.promise(() => job.remove())
      const warnings: Array<unknown> = []
      const logger = Logger.make(({ message }) => warnings.push(message))
      const attempt = yield* Effect.map(RunContext, (run) => run.attempt).pipe(
        JobRun.workflow(job, "Customer Support", ids),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(attempt).toBe(1)
      expect(warnings.map(String).join()).toContain("will not know of this one")
    })
  )
}

type Ticket = JobRun.JobHeaders

const services = Layer.mergeAll(RunExporter.layerMemory, Logger.remove(Logger.defaultLogger))

/** Has a worker of this process do a job to its end, and gives the job and its runs. */
const workOff = (
  data: Ticket,
  work: Effect.Effect<void> | ((job: Job<Ticket>, worker: Worker<Ticket>) => Effect.Effect<void, never, RunContext>)
) =>
  Effect.gen(function* () {
    const port = yield* RedisServer.start(() => {})
    const queue = yield* openQueue<Ticket>("tickets", port)
    const added = yield* Effect.promise(() => queue.add("answer", data, { attempts: 3 }))
    const runtime = yield* Effect.acquireRelease(
      Effect.sync(() => ManagedRuntime.make(services)),
      (runtime) => runtime.disposeEffect
    )
    const finished = yield* Deferred.make<Job<Ticket>>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const worker: Worker<Ticket> = new Worker<Ticket>(
          queue.name,
          JobRun.processor(runtime, (job) =>
            (Effect.isEffect(work) ? work : work(job, worker)).pipe(JobRun.workflow(job, "Customer Support", ids))
          ),
          { connection: { host: RedisServer.host, port } }
        )
        worker.on("completed", (job) => Deferred.unsafeDone(finished, Effect.succeed(job)))
        worker.on("failed", (job) => {
          if (job?.finishedOn !== undefined) Deferred.unsafeDone(finished, Effect.succeed(job))
        })
        return worker
      }),
      (worker) => Effect.promise(() => worker.close())
    )
    yield* Deferred.await(finished)
    const job = yield* Effect.promise(() => queue.getJob(String(added.id)))
    const { runs } = yield* Effect.promise(() => runtime.runPromise(RunExporter.Memory))
    return { job: job ?? added, runs: yield* runs }
  })

const openQueue = <Data>(name: string, port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => new Queue<Data>(name, { connection: { host: RedisServer.host, port } })),
    (queue) => Effect.promise(() => queue.close())
  )

if (RedisServer.isInstalled()) describe("with redis-server", { concurrent: true, timeout: 30_000 }, withRedis)
